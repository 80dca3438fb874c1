package sklearn

import (
	"math"

	"fraudstream/scoring/program"
)

// sigmoid computes the probabilities of two classes from one raw value: 1/(1+exp(-factor*x)) and its complement.
type sigmoid struct {
	raw    program.Reg
	out    matrix // of class 0 and class 1
	factor float64
}

// Run takes the complement as 1-p, as scikit-learn does, so that the two add up to 1 exactly.
func (s *sigmoid) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		p := expit(s.factor * row[s.raw])
		row[s.out[0]], row[s.out[1]] = 1-p, p
	}
}

// expit is the logistic function.
func expit(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// softmax computes exp(x_k - max x) / sum.
type softmax struct{ raw, out matrix }

// Run subtracts the largest value first, so that exp does not overflow.
func (s *softmax) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		top := math.Inf(-1)
		for _, r := range s.raw {
			top = max(top, row[r])
		}
		sum := 0.0
		for k, r := range s.raw {
			e := math.Exp(row[r] - top)
			row[s.out[k]] = e
			sum += e
		}
		for _, r := range s.out {
			row[r] /= sum
		}
	}
}

// oneVersusRest computes expit of every raw value and divides by their sum.
type oneVersusRest struct{ raw, out matrix }

// Run is the normalisation of independent binary models.
func (s *oneVersusRest) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		sum := 0.0
		for k, r := range s.raw {
			p := expit(row[r])
			row[s.out[k]] = p
			sum += p
		}
		for _, r := range s.out {
			row[r] /= sum
		}
	}
}

// argmax finds the place of the largest value, the first of equals.
type argmax struct {
	in  matrix
	out program.Reg
}

// Run compares with > alone, so NaN is never the largest and ties go to the first, as numpy.argmax does it.
func (s *argmax) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		best := 0
		for k, r := range s.in {
			if row[r] > row[s.in[best]] {
				best = k
			}
		}
		row[s.out] = float64(best)
	}
}

// sign chooses class 1 where the raw value is above 0, or is 0 and zeroIsOne is set.
type sign struct {
	raw, out  program.Reg
	zeroIsOne bool
}

// Run writes 0 or 1.
func (s *sign) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		v := 0.0
		if x := row[s.raw]; x > 0 || s.zeroIsOne && x == 0 {
			v = 1
		}
		row[s.out] = v
	}
}

// label gives the predicted class label itself, where the labels are numbers.
type label struct {
	predicted, out program.Reg
	labels         []float64
}

// Run looks the label up by its class.
func (s *label) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		row[s.out] = s.labels[int(row[s.predicted])]
	}
}

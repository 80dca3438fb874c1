package sklearn

import (
	"math"

	"fraudstream/scoring/program"
)

// sigmoid computes the probabilities of two classes from one raw value: 1/(1+exp(-factor*x)) and its complement.
// factor is 1, or 2 where the raw value is half of the log odds.
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

// expit is the logistic function. For x far below zero exp overflows to infinity and the result is 0, as it
// should be.
func expit(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// softmax computes exp(x_k - max x) / sum. out may be raw itself: each place is read before it is written.
type softmax struct{ raw, out matrix }

// Run subtracts the largest value first, so that exp does not overflow. The largest term is exp(0) = 1, so that
// the sum is never zero. The sum runs over the classes in their order, and every term is divided by it rather
// than multiplied by its reciprocal.
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

// oneVersusRest computes expit of every raw value and divides by their sum. The sum is above zero unless every
// class is given up at once, at decision values below about -710.
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

// argmax finds the place of the largest value, the first of equals. out holds a place among the classes, as a
// float64.
type argmax struct {
	in  matrix
	out program.Reg
}

// Run compares with > alone, so that ties go to the first, as in numpy.argmax. NaN, which numpy would choose, is passed
// over here unless it stands first; a sound row has none.
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

// sign chooses class 1 where the raw value is above 0, or is 0 and zeroIsOne is set. Linear models give a tie to
// the first class, gradient boosting to the second: scikit-learn writes > 0 in one and >= 0 in the other.
type sign struct {
	raw, out  program.Reg
	zeroIsOne bool
}

// Run writes 0 or 1. NaN is above nothing and becomes 0.
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

// label gives the predicted class label itself, where the labels are numbers. It is what predict returns in
// Python, while other steps speak of places.
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

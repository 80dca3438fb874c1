package booster

import (
	"math"

	"fraudstream/scoring/program"
)

// linear runs XGBoost's linear booster: bias, base score, then the products in the order of the features, in
// float32. A missing value adds nothing. A number that float32 does not hold is refused, as XGBoost's matrix does it.
// Since 3.1 a model of several classes states one base score for each; the linear booster, alone of the three, adds
// the first of them to every class, here as there.
//
// Its raw score is
//
//	bias_k + base score + Σ x_j·w_jk,
//
// rounded to float32 after each product and each sum. The weight of feature j for output k is weights[j*n+k],
// with n outputs.
type linear struct {
	in, out []program.Reg
	columns []int16
	weights []float32 // [feature][output], then the biases
	start   float32
	missing float32
}

// newLinear reads in and has one output for each base score. weights are those of the file, which were float32
// before they were written.
func newLinear(b *program.Builder, in []program.Reg, weights, start []float64, missing float64) *linear {
	b.Compute(in)
	s := &linear{in: in, out: b.Block(len(start)), columns: b.Origins(in), start: float32(start[0]), missing: float32(missing)}
	for _, w := range weights {
		s.weights = append(s.weights, float32(w))
	}
	return s
}

// Run works row by row and class by class. The row is checked as a whole first: a number beyond float32 becomes
// infinite by the cast.
func (s *linear) Run(f *program.Frame) {
	n := len(s.out)
	for i := range f.Rows {
		row := f.Registers(i)
		for j, r := range s.in {
			if math.IsInf(float64(float32(row[r])), 0) {
				f.Fail(i, program.Unscorable, s.columns[j])
			}
		}
		for k, r := range s.out {
			sum := s.weights[len(s.in)*n+k] + s.start
			for j, in := range s.in {
				if v := float32(row[in]); v == v && v != s.missing {
					product := float32(v * s.weights[j*n+k]) // rounded before it is added
					sum += product
				}
			}
			row[r] = float64(sum)
		}
	}
}

// explain tells what moved output k. A missing value has moved nothing; the base score and the bias are where the
// sum begins.
func (s *linear) explain(b *program.Builder, k int) *program.Explanation {
	n := len(s.out)
	sum := program.Sum{In: s.in, Intercept: float64(s.start) + float64(s.weights[len(s.in)*n+k]), Absent: float64(s.missing)}
	for j := range s.in {
		sum.Weights = append(sum.Weights, float64(s.weights[j*n+k]))
	}
	return b.ExplainLinear(s.out[k], sum)
}

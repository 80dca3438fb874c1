package booster

import (
	"math"

	"fraudstream/scoring/program"
)

// The kinds of objective: what makes probabilities of the raw scores.
type kind uint8

const (
	logistic   kind = iota + 1 // 1/(1+exp(-factor·x)) of class 1
	softmax                    // exp(x_k)/Σ exp(x)
	each                       // the logistic function of every class, as it is
	logistic32                 // the same in float32
	softmax32
)

// An objective is an objective of a booster and its parameter. factor is LightGBM's parameter sigmoid; the kinds
// without one leave it alone.
type objective struct {
	kind   kind
	factor float64
}

// link makes the step from raw scores to probabilities and the predicted class.
func (o *objective) link(raw, probability []program.Reg, predicted program.Reg) program.Step {
	return &link{objective: *o, raw: raw, probability: probability, predicted: predicted}
}

// A link is the last step of a booster. raw has one register for two classes, else one per class; probability
// always has one per class.
type link struct {
	objective
	raw, probability []program.Reg
	predicted        program.Reg
}

// Run works row by row. Of equal probabilities predict takes the first class. The first of two probabilities is
// one less the second. For each the probabilities need not add up to 1, and are not made to, as in LightGBM and
// CatBoost.
func (s *link) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		switch s.kind {
		case logistic:
			p := expit(s.factor * row[s.raw[0]])
			row[s.probability[0]], row[s.probability[1]] = 1-p, p
		case logistic32:
			p := expit32(float32(row[s.raw[0]]))
			row[s.probability[0]], row[s.probability[1]] = float64(1-p), float64(p)
		case each:
			for k, r := range s.raw {
				row[s.probability[k]] = expit(s.factor * row[r])
			}
		case softmax:
			s.softmax(row)
		case softmax32:
			s.softmax32(row)
		}
		best := 0
		for k, r := range s.probability {
			if row[r] > row[s.probability[best]] {
				best = k
			}
		}
		if s.kind == logistic32 { // 1-p may round to p or below where p is at most 1/2
			best = 0
			if row[s.probability[1]] > 0.5 {
				best = 1
			}
		}
		row[s.predicted] = float64(best)
	}
}

// expit is the logistic function; exp overflows to infinity, which gives 0. The first of two classes gets 1-p, as
// the libraries have it.
func expit(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// expit32 is XGBoost's, whose exponent is bounded so that exp does not overflow. The exponential itself is taken
// in float64 and rounded, where XGBoost has expf of the C library, which may differ in its last bit.
func expit32(x float32) float32 {
	return 1 / (float32(math.Exp(float64(min(-x, 88.7)))) + 1)
}

// softmax subtracts the largest score first, so that exp does not overflow. Probabilities are written over the
// exponentials in place.
func (s *link) softmax(row []float64) {
	top := s.top(row)
	sum := 0.0
	for k, r := range s.raw {
		e := math.Exp(row[r] - top)
		row[s.probability[k]] = e
		sum += e
	}
	for _, r := range s.probability {
		row[r] /= sum
	}
}

// softmax32 rounds as XGBoost does: differences, exponentials and quotients in float32, their sum in float64.
func (s *link) softmax32(row []float64) {
	top := float32(s.top(row))
	sum := 0.0
	for k, r := range s.raw {
		e := float32(math.Exp(float64(float32(row[r]) - top)))
		row[s.probability[k]] = float64(e)
		sum += float64(e)
	}
	for _, r := range s.probability {
		row[r] = float64(float32(row[r]) / float32(sum))
	}
}

// top is the largest raw score of a row. Scores are finite but for rows whose sums overflow.
func (s *link) top(row []float64) float64 {
	top := math.Inf(-1)
	for _, r := range s.raw {
		top = max(top, row[r])
	}
	return top
}

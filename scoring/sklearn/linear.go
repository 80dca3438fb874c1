package sklearn

import (
	"fmt"

	"fraudstream/scoring/program"
)

// logisticRegression compiles X·coef_ᵀ + intercept_ and the link that multi_class, the solver and the version ask for.
//
// Two classes have one row of coefficients and one decision value, whose sign decides; more classes have a row each
// and the largest decision value decides.
//
// coef_ is a float64 matrix of a row per decision value and a column per feature, intercept_ a vector. With d the
// decision value, the probability of the second of two classes is
//
//	1 / (1 + exp(-d))	one versus rest, and the binomial loss
//	1 / (1 + exp(-2d))	multi_class="multinomial" with two classes
//
// and of several classes the softmax of all d, or each one's sigmoid divided by their sum. penalty, C,
// class_weight and the rest shaped the coefficients. NaN and infinities raise a ValueError, and the row is
// unscorable.
func (c *compiler) logisticRegression(a *attributes, in matrix) (model classifier) {
	a.reads(in)
	model.classes = a.classes()
	rows := len(model.classes)
	if rows == 2 {
		rows = 1
	}
	s := &affine{in: in, from: program.SpanOf(in), coef: a.matrix("coef_", rows, len(in)), intercept: a.intercept(rows)}
	overRest := a.oneVersusRest(len(model.classes))
	if a.err != nil {
		return
	}
	name := c.stepName(a)
	s.out = c.b.Block(rows)
	c.b.CheckFinite(name, in, false)
	c.b.Add(name, s)
	model.decision, model.additive = s.out, s.additive(c.b)
	model.probability = c.b.Block(len(model.classes))
	model.predicted = c.b.New(-1)
	switch {
	case rows == 1:
		// The softmax of (-d, d), which a binary multinomial model uses, is the sigmoid of 2d.
		factor := 2.0
		if overRest {
			factor = 1
		}
		c.b.Add(name, &sigmoid{s.out[0], model.probability, factor})
		c.b.Add(name, &sign{raw: s.out[0], out: model.predicted})
		return model
	case overRest:
		c.b.Add(name, &oneVersusRest{s.out, model.probability})
	default:
		c.b.Add(name, &softmax{s.out, model.probability})
	}
	c.b.Add(name, &argmax{s.out, model.predicted})
	return model
}

// intercept reads intercept_, which is a lone number where liblinear fitted none. The number is 0 then, and
// stands for every row of coefficients.
func (a *attributes) intercept(rows int) []float64 {
	if _, lone := float(a.optional("intercept_")); !lone {
		return a.vector("intercept_", rows)
	}
	out := make([]float64, rows)
	for i := range out {
		out[i] = a.number("intercept_")
	}
	return out
}

// oneVersusRest tells which of the two probability models a LogisticRegression is. multi_class went away in 1.8;
// newton-cholesky learned the multinomial loss in 1.6.
//
// "auto", the default up to 1.4, means one versus rest for two classes and for liblinear, which knows nothing
// else; "deprecated" is what the default was called until the parameter went, and means the same. "warn" was a
// default before that, with the meaning of "ovr".
func (a *attributes) oneVersusRest(classes int) bool {
	if !a.has("multi_class") {
		return classes <= 2
	}
	switch kind := a.text("multi_class", "auto"); kind {
	case "ovr", "warn":
		return true
	case "multinomial":
		return false
	case "auto", "deprecated":
		solver := a.text("solver", "lbfgs")
		return classes <= 2 || solver == "liblinear" || solver == "newton-cholesky" && a.version() < parseVersion("1.6")
	default:
		a.unknown("multi_class", kind)
		return false
	}
}

// classes reads the class labels: at least two, none twice. classes_ is sorted, as numpy.unique leaves it, and
// every other attribute counts in its order. A label may be a number, a boolean or a text.
func (a *attributes) classes() []program.Constant {
	classes := a.constants("classes_")
	if a.err != nil {
		return nil
	}
	if len(classes) < 2 {
		a.mismatch("classes_", fmt.Sprintf("%d classes", len(classes)), "a classifier has at least two")
	}
	seen := make(map[program.Constant]bool, len(classes))
	for _, c := range classes {
		if seen[c] || c.Type == program.NaN || c.Type == program.NoneType {
			a.mismatch("classes_", c.String(), "every class needs a label of its own")
		}
		seen[c] = true
	}
	return classes
}

// affine computes out_k = Σ x_j·coef_kj + intercept_k. from spans in where the inputs are neighbours; it is the
// zero Span, and without effect, where a compiler has not asked for it.
type affine struct {
	in, out         matrix
	from            program.Span
	coef, intercept []float64 // coef in row order, one row per output
}

// Run keeps four sums so that the additions of one row do not wait for each other. The order of a dot product is
// the one thing in which parity is given up: BLAS, which numpy calls, has an order per processor, so that
// scikit-learn's own last digits differ from machine to machine. Products are rounded one by one all the same,
// since a fused sum would differ from both.
func (s *affine) Run(f *program.Frame) {
	n := len(s.in)
	for i := range f.Rows {
		row := f.Registers(i)
		for k, r := range s.out {
			w := s.coef[k*n : (k+1)*n]
			if s.from.Side {
				row[r] = dot4(s.from.Of(row), w) + s.intercept[k]
				continue
			}
			var s0, s1, s2, s3 float64
			j := 0
			for ; j+4 <= n; j += 4 {
				s0 += float64(row[s.in[j]] * w[j])
				s1 += float64(row[s.in[j+1]] * w[j+1])
				s2 += float64(row[s.in[j+2]] * w[j+2])
				s3 += float64(row[s.in[j+3]] * w[j+3])
			}
			for ; j < n; j++ {
				s0 += float64(row[s.in[j]] * w[j])
			}
			row[r] = (s0 + s1) + (s2 + s3) + s.intercept[k]
		}
	}
}

// dot4 is dot with four sums, added up in the order of affine.Run. x and w have the same length.
func dot4(x, w []float64) float64 {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4 && len(w) >= 4; x, w = x[4:], w[4:] {
		s0 += float64(x[0] * w[0])
		s1 += float64(x[1] * w[1])
		s2 += float64(x[2] * w[2])
		s3 += float64(x[3] * w[3])
	}
	for j, v := range x {
		s0 += float64(v * w[j])
	}
	return (s0 + s1) + (s2 + s3)
}

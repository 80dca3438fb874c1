package program

import "slices"

// The methods of an [Explanation]: what is told apart, and in which unit.
const (
	Linear          = "linear"           // weight·(value - reference) in a linear model: log-odds or decision value
	PathLogOdds     = "path_log_odds"    // steps on the way through boosted trees, in log-odds
	PathProbability = "path_probability" // steps on the way through averaged trees, in probability
	Nothing         = "none"
)

// An Explanation tells what each column has moved in one row.
//
// Models that are a sum have an additive output: the decision value of a linear model, the log-odds of boosted trees,
// the probability of averaged trees. It is a register of the program, from which the score follows by a link and perhaps
// a calibrator. Bias and contributions add up to it,
//
//	Output(row) = Bias + Σ over columns of their contributions
//
// up to rounding. What is computed from a column (an encoded value, a missing indicator) counts for that column, so the
// caller sees columns as the event has them and never the model's own.
type Explanation struct {
	Bias  float64 // the output where no column moves it
	Falls bool    // the score falls where the output rises

	method string
	why    string // there is none; empty where there are contributions
	output Reg
	linear *linear
	add    func(f *Frame, row, to []float64)
	parts  []*Explanation // of a mean
}

// Output is the additive output of a row that was run: of a mean, that of its parts.
func (e *Explanation) Output(row []float64) float64 {
	if e.parts == nil {
		return row[e.output]
	}
	sum := 0.0
	for _, p := range e.parts {
		sum += p.Output(row)
	}
	return sum / float64(len(e.parts))
}

// Unexplained is the explanation of a model that gives none, and says why.
func Unexplained(why string) *Explanation { return &Explanation{method: Nothing, why: why} }

// Method names how contributions are found, [Nothing] where there are none.
func (e *Explanation) Method() string {
	if e.why != "" {
		return Nothing
	}
	return e.method
}

// Why says why there are no contributions; empty where there are.
func (e *Explanation) Why() string { return e.why }

// Explain makes an explanation of a function that adds the contributions of a row to to, which has a place for every
// column. in is what the output is a sum over: where one of its registers comes from several columns, nothing can be
// told apart.
func (b *Builder) Explain(method string, output Reg, bias float64, in []Reg, add func(f *Frame, row, to []float64)) *Explanation {
	if slices.Contains(b.Origins(in), -1) {
		return Unexplained(mixed)
	}
	return &Explanation{output: output, Bias: bias, method: method, add: add}
}

// mixed is why a model gives no reasons whose inputs are projections, interactions or other models.
const mixed = "the model reads numbers that are computed from several features at once"

// Mean is the explanation of models that are averaged, all of one method: the mean of what each says. That is as exact
// as they are where their outputs are averaged, and the best that can be told where something stands between.
func Mean(parts []*Explanation) *Explanation {
	n := float64(len(parts))
	m := &Explanation{Falls: parts[0].Falls, method: parts[0].method, parts: parts, add: func(f *Frame, row, to []float64) {
		for _, p := range parts {
			p.add(f, row, to)
		}
		for i := range to {
			to[i] /= n
		}
	}}
	for _, p := range parts {
		if p.add == nil || p.Falls != m.Falls || p.method != m.method {
			return Unexplained("the models that are averaged do not explain themselves in the same way")
		}
	}
	m.settle(nil)
	return m
}

// Contributions returns what each column of row i of a frame that was run has moved, in the unit of the additive output;
// nil where the model gives no reasons. The list is valid until the next call. Nothing is allocated.
func (p *Program) Contributions(f *Frame, i int) []float64 {
	if p.Explanation.why != "" {
		return nil
	}
	to := f.contributions
	clear(to)
	p.Explanation.add(f, f.Registers(i), to)
	return to
}

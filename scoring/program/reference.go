package program

import (
	"cmp"
	"fmt"
)

// A Sum is what a linear model adds up: Σ Weights·In + Intercept.
type Sum struct {
	In        []Reg
	Weights   []float64
	Intercept float64
	Absent    float64 // a value that counts as nothing, as NaN does
}

// linear is the sum of a model whose contributions are weight·(value - reference). That is exact: no other way to share
// out a sum gives a column nothing where it has its reference value, and depends on no other column.
type linear struct {
	Sum
	origins   []int16
	known     []bool    // a baseline or a scaler says what the reference is
	reference []float64 // 0 where it is not known
}

// ExplainLinear makes the explanation of a linear model whose output is in a register.
//
// The reference of a register is what it holds for a usual row. At first only those are known that a scaler has centred:
// their mean is 0. [Program.Refer] settles the others. Until all that count are known there are no contributions.
func (b *Builder) ExplainLinear(output Reg, s Sum) *Explanation {
	e := b.Explain(Linear, output, 0, s.In, nil)
	if e.why != "" {
		return e
	}
	l := &linear{Sum: s, origins: b.Origins(s.In), known: make([]bool, len(s.In)), reference: make([]float64, len(s.In))}
	for j, r := range s.In {
		l.known[j] = b.centred[r]
	}
	e.linear, e.add = l, l.add
	e.settle(b.program.Columns)
	return e
}

// Centre says that registers have the mean 0 over the rows of training.
func (b *Builder) Centre(m []Reg) {
	for _, r := range m {
		b.centred[r] = true
	}
}

// add adds what each input has moved to the place of its column.
func (l *linear) add(_ *Frame, row, to []float64) {
	for j, r := range l.In {
		if w := l.Weights[j]; w != 0 {
			to[l.origins[j]] += w * (l.value(row[r]) - l.reference[j])
		}
	}
}

// value is what counts of an input.
func (l *linear) value(v float64) float64 {
	if v != v || v == l.Absent {
		return 0
	}
	return v
}

// settle works out the bias, and looks whether every input that counts has a reference. A mean is as its parts are.
func (e *Explanation) settle(columns []Column) {
	if e.parts != nil {
		e.Bias, e.why = 0, ""
		for _, p := range e.parts {
			e.Bias += p.Bias / float64(len(e.parts))
			e.why = cmp.Or(e.why, p.why)
		}
		return
	}
	l := e.linear
	e.Bias, e.why = l.Intercept, ""
	for j, w := range l.Weights {
		if w == 0 {
			continue
		}
		if !l.known[j] {
			e.why = fmt.Sprintf("nothing says what is usual for %q: it has no baseline, and no scaler centres it", columns[l.origins[j]].Name)
			return
		}
		e.Bias += w * l.reference[j]
	}
}

// A Typical is what training has in a column: the mean of its numbers, or its categories and how many rows have each.
// Values are as x holds them. Without any value nothing is known of the column.
type Typical struct{ Values, Weights []float64 }

// Refer gives a linear model the references that contributions are told against, from what is typical for each column.
//
// Rows are run in which one column takes each of its typical values and all others their first. The reference of a
// register is its weighted mean over the values of its column: of a scaled number its scaled mean, of a one-hot register
// the share of its category, of a target encoding its mean. A value that the pipeline refuses is left out. The caller
// (scoring.Load) does this once, before the program is used.
func (p *Program) Refer(typical []Typical) {
	if len(typical) == len(p.Columns) {
		p.refer(p.Explanation, typical)
	}
}

// refer is Refer for one explanation.
func (p *Program) refer(e *Explanation, typical []Typical) {
	for _, part := range e.parts {
		p.refer(part, typical)
	}
	if e.parts != nil {
		e.settle(p.Columns)
	}
	if e.linear == nil {
		return
	}
	f := p.NewFrame(1)
	f.Rows = 1
	for c, t := range typical {
		if len(t.Values) > 0 {
			f.Row(0)[c] = t.Values[0]
		}
	}
	inputs := make([][]int, len(p.Columns)) // those that come from each column
	for j, c := range e.linear.origins {
		inputs[c] = append(inputs[c], j)
	}
	for c, t := range typical {
		if len(inputs[c]) > 0 {
			e.linear.refer(p, f, int16(c), t, inputs[c])
		}
	}
	e.settle(p.Columns)
}

// refer settles the references of the inputs that come from column c.
func (l *linear) refer(p *Program, f *Frame, c int16, t Typical, inputs []int) {
	sums, total := make([]float64, len(inputs)), 0.0
	for k, v := range t.Values {
		f.Row(0)[c] = v
		p.Run(f)
		if fault := f.Fault(0); t.Weights[k] <= 0 || fault.Code != 0 && fault.Column == c {
			continue
		}
		total += t.Weights[k]
		for i, j := range inputs {
			sums[i] += t.Weights[k] * l.value(f.Registers(0)[l.In[j]])
		}
	}
	if len(t.Values) > 0 {
		f.Row(0)[c] = t.Values[0]
	}
	if total == 0 {
		return
	}
	for i, j := range inputs {
		if mean := sums[i] / total; mean-mean == 0 {
			l.reference[j], l.known[j] = mean, true
		}
	}
}

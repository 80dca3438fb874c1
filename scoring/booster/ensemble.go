package booster

import (
	"errors"
	"fmt"
	"math"

	"fraudstream/scoring/forest"
	"fraudstream/scoring/program"
)

// within adds to a refusal which of many trees it is about. err may be nil or of another type, and is left alone
// then.
func within(err error, what string, i int) {
	if u, ok := errors.AsType[*program.UnsupportedError](err); ok {
		u.Attribute = fmt.Sprintf("%s[%d].%s", what, i, u.Attribute)
	}
}

// An ensemble runs the trees of a model over a frame and leaves (start + sum) / divisor per output.
//
// Unlike the forests of scikit-learn no row is refused: both libraries take missing and infinite values. In the
// float32 lane a number beyond float32 becomes infinite, as their cast makes it. T is float32 for XGBoost and
// CatBoost, float64 for LightGBM. start holds a value per output, where each sum begins; divisor is above 1 for
// averaged forests alone.
type ensemble[T forest.Lane] struct {
	forest  *forest.Forest[T]
	in, out []program.Reg
	extra   []column
	start   []float64
	divisor float64
	missing T // stands for a missing value beside NaN
	flush   bool
	block   int
}

// addEnsemble adds the step for some of the trees of a model and returns the sums. Less makes the nodes ask x <
// threshold, which is XGBoost's question; the other two ask x <= threshold. Single rounds each sum to float32
// after every tree, which only XGBoost does: CatBoost reads float32 too, but adds in float64.
func addEnsemble[T forest.Lane](b *program.Builder, r *reader, name string, m *Model, in []program.Reg, trees []forest.Tree, divisor, missing float64) Emitted {
	f := forest.New[T](forest.Shape{
		Features: m.Features + len(m.extra), Width: 1, Outputs: m.outputs, Less: m.less, Missing: true, Single: m.single && m.less,
	})
	for i, t := range trees {
		if r.err = f.Add(t); r.err != nil {
			if u, ok := errors.AsType[*program.UnsupportedError](r.err); ok {
				u.Class = m.class
			}
			within(r.err, "trees", i)
			return Emitted{}
		}
	}
	s := &ensemble[T]{
		forest: f, in: in, out: b.Block(m.outputs), extra: m.extra, start: m.start, divisor: divisor,
		missing: T(missing), flush: m.flush, block: f.Block(),
	}
	b.Compute(in)
	// In the float64 lane rows and sums share one scratch, so that their sizes add up.
	var lane T
	if any(lane) == any(float32(0)) {
		b.Lane32(s.block * f.Stride())
		b.Lane64(s.block * m.outputs)
	} else {
		b.Lane64(s.block * (f.Stride() + m.outputs))
	}
	b.Add(name, s)
	return Emitted{Raw: s.out, Explain: func(k int) *program.Explanation { return s.explain(b, k) }}
}

// explain tells what moved output k. What an extra column moved counts for the feature that it was worked out
// from.
func (s *ensemble[T]) explain(b *program.Builder, k int) *program.Explanation {
	a := forest.Account{Method: program.PathLogOdds, Output: s.out[k], In: s.in, Start: s.start[k], Divisor: s.divisor}
	for i := range s.extra {
		a.Extra = append(a.Extra, s.extra[i].feature)
	}
	return s.forest.Explain(k).Explanation(b, a, func(row []float64, x []T) { s.put(row, x, 1) })
}

// scratch returns room for the rows of a block, and for their sums. In the float64 lane both lie in one scratch.
// Nothing in it is kept from one block to the next.
func (s *ensemble[T]) scratch(f *program.Frame, rows int) (x []T, sums []float64) {
	n, outputs := rows*s.forest.Stride(), rows*len(s.out)
	switch lane := any(&x).(type) {
	case *[]float32:
		*lane = f.Lane32[:n]
		return x, f.Lane64[:outputs]
	case *[]float64:
		*lane = f.Lane64[:n]
	}
	return x, f.Lane64[n : n+outputs]
}

// Run takes the rows of the frame through the trees, a block at a time. Each sum begins with its start, as in
// XGBoost: with the start added last it would round elsewhere.
func (s *ensemble[T]) Run(f *program.Frame) {
	outputs := len(s.out)
	for first := 0; first < f.Rows; first += s.block {
		rows := min(s.block, f.Rows-first)
		x, sums := s.scratch(f, rows)
		for i := range rows {
			slot, step := s.forest.Slot(i, rows)
			s.put(f.Registers(first+i), x[slot:], step)
			copy(sums[i*outputs:(i+1)*outputs], s.start)
		}
		s.forest.Rows(x, rows, sums)
		for i := range rows {
			row := f.Registers(first + i)
			for k, reg := range s.out {
				row[reg] = sums[i*outputs+k] / s.divisor
			}
		}
	}
}

// put writes a row in the lane of the model, its extra columns behind its features. step is the distance between
// two values of the row, see forest.Slot. Extra columns are worked out from the value as the library reads it,
// after zeros and missing values have been settled.
func (s *ensemble[T]) put(row []float64, x []T, step int) {
	for j, r := range s.in {
		s.forest.Put(x, step, j, s.read(row[r]))
	}
	for k := range s.extra {
		c := &s.extra[k]
		v := c.value(float64(s.read(row[s.in[c.feature]])))
		s.forest.Put(x, step, len(s.in)+k, T(v))
	}
}

// read is a value as the library would see it: XGBoost knows one number that counts as missing, LightGBM skips
// what it takes for zero. No value equals a missing of NaN, so that the comparison is for another one alone; NaN
// itself goes through as it is.
func (s *ensemble[T]) read(x float64) T {
	v := T(x)
	switch {
	case v == s.missing:
		return T(math.NaN())
	case s.flush && math.Abs(x) <= zero:
		return 0
	}
	return v
}

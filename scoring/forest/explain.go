package forest

import "fraudstream/scoring/program"

// An Account is what a step knows of its forest when one of its outputs is to be explained.
type Account struct {
	Method  string
	Output  program.Reg   // holds (Start + sum) / Divisor
	In      []program.Reg // the features of the model
	Extra   []int         // features behind those, computed before the walk: from which of In
	Start   float64
	Divisor float64
}

// Explanation makes an explanation of the paths: put writes the values of a row as the only one in x. Where the forest
// came without weights there is none.
func (p *Paths[T]) Explanation(b *program.Builder, a Account, put func(row []float64, x []T)) *program.Explanation {
	if p == nil {
		return program.Unexplained("a tree of the model does not say how much of training ended in its leaves")
	}
	columns := p.columns(b.Origins(a.In), a.Extra)
	n := p.Slots()
	b.Lane32(n)
	b.Lane64(2 * n)
	return b.Explain(a.Method, a.Output, (a.Start+p.Bias)/a.Divisor, a.In, func(f *program.Frame, row, to []float64) {
		x, slots := scratch[T](f, n)
		clear(slots)
		put(row, x)
		p.Add(x, slots)
		for i, c := range columns {
			to[c] += slots[i] / a.Divisor
		}
	})
}

// columns lists the column of every slot.
func (p *Paths[T]) columns(origins []int16, extra []int) []int16 {
	for _, from := range extra {
		origins = append(origins, origins[from])
	}
	columns := make([]int16, 0, p.Slots())
	for i := range p.Slots() {
		if feature := p.Feature(i); feature < len(origins) {
			columns = append(columns, origins[feature])
		}
	}
	return columns
}

// scratch is room for a row in the lane of the forest, and for its steps.
func scratch[T Lane](f *program.Frame, n int) (x []T, slots []float64) {
	switch lane := any(&x).(type) {
	case *[]float32:
		*lane = f.Lane32[:n]
		return x, f.Lane64[:n]
	case *[]float64:
		*lane = f.Lane64[:n]
	}
	return x, f.Lane64[n : 2*n]
}

// Explain tells what moved output k of the step, by the given method.
func (s *Step) Explain(b *program.Builder, method string, k int) *program.Explanation {
	if s.from != nil {
		return program.Unexplained("boosting starts from another model, whose part in the score cannot be told apart")
	}
	a := Account{Method: method, Output: s.out[k], In: s.in, Start: s.start[k], Divisor: s.divisor}
	return s.forest.Explain(k).Explanation(b, a, func(row []float64, x []float32) {
		for j, r := range s.in {
			s.forest.Put(x, 1, j, float32(row[r]))
		}
	})
}

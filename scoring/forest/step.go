package forest

import (
	"math"

	"fraudstream/scoring/program"
)

// Block is how many rows are best run at once. A tree that is fetched once serves all of them, so more are better, as
// long as they stay in the second-level cache themselves.
func (f *Forest[T]) Block() int {
	const values = 1 << 14
	return min(most, max(few, values/f.Stride()))
}

// A Step runs a float32 forest over a frame and leaves (start + sum) / divisor per output.
//
// Rows are cast to float32 as scikit-learn does; it refuses what is infinite afterwards, and NaN where the model
// does not take missing values.
type Step struct {
	forest  *Forest[float32]
	in, out []program.Reg
	columns []int16
	start   []float64
	from    []program.Reg // registers to start from, instead of start
	divisor float64
	any     bool // infinite values are taken
}

// NewStep returns the step for a forest that reads in. The sums begin at start, one per output (nil: 0).
func NewStep(b *program.Builder, f *Forest[float32], in []program.Reg, start []float64, divisor float64) *Step {
	b.Compute(in)
	b.Lane32(f.Block() * f.Stride())
	b.Lane64(f.Block() * f.shape.Outputs)
	if start == nil {
		start = make([]float64, f.shape.Outputs)
	}
	return &Step{
		forest: f, in: in, out: b.Block(f.shape.Outputs), columns: b.Origins(in),
		start: start, divisor: divisor,
	}
}

// StartFrom makes the sums begin at what registers hold.
func (s *Step) StartFrom(regs []program.Reg) { s.from = regs }

// TakeInfinite lets infinite values through, for a model that does not check for them: +Inf exceeds every threshold.
func (s *Step) TakeInfinite() { s.any = true }

// Out is the registers of the outputs.
func (s *Step) Out() []program.Reg { return s.out }

// Run takes the rows of the frame through the forest, a block at a time.
func (s *Step) Run(f *program.Frame) {
	stride, outputs, block := s.forest.Stride(), len(s.out), s.forest.Block()
	for first := 0; first < f.Rows; first += block {
		rows := min(block, f.Rows-first)
		x, sums := f.Lane32[:rows*stride], f.Lane64[:rows*outputs]
		for r := range rows {
			row := f.Registers(first + r)
			slot, step := s.forest.Slot(r, rows)
			s.cast(f, first+r, row, x[slot:], step)
			copy(sums[r*outputs:(r+1)*outputs], s.start)
			for k, reg := range s.from {
				sums[r*outputs+k] = row[reg]
			}
		}
		s.forest.Rows(x, rows, sums)
		for r := range rows {
			row := f.Registers(first + r)
			for k, reg := range s.out {
				row[reg] = sums[r*outputs+k] / s.divisor
			}
		}
	}
}

// cast writes row i as float32 into its slot.
func (s *Step) cast(f *program.Frame, i int, row []float64, x []float32, step int) {
	for j, r := range s.in {
		v := float32(row[r])
		if v-v != 0 && (math.IsInf(float64(v), 0) && !s.any || v != v && !s.forest.shape.Missing) {
			f.Fail(i, program.Unscorable, s.columns[j])
			v = 0
		}
		s.forest.Put(x, step, j, v)
	}
}

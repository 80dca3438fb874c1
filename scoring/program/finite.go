package program

import "math"

// Finite refuses rows in which a register is infinite, or missing where the estimator does not take that: what
// scikit-learn's check_array does at the door of most estimators.
type Finite struct {
	regs    []Reg
	columns []int16
	missing bool // NaN is let through
	span    Span
}

// CheckFinite adds a [Finite] over the registers that no earlier check covers.
func (b *Builder) CheckFinite(name string, m []Reg, missingAllowed bool) {
	b.Compute(m)
	var open []Reg
	for _, r := range m {
		if !b.finite[r] {
			open = append(open, r)
			// Let through with NaN, a register is still to be checked by those who do not take it.
			b.finite[r] = !missingAllowed
		}
	}
	if len(open) > 0 {
		b.Add(name, &Finite{open, b.Origins(open), missingAllowed, SpanOf(open)})
	}
}

// Run checks every row.
func (s *Finite) Run(f *Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		if s.span.Side && allFinite(s.span.Of(row)) {
			continue
		}
		for j, r := range s.regs {
			if v := row[r]; v-v != 0 && (!s.missing || math.IsInf(v, 0)) {
				f.Fail(i, Unscorable, s.columns[j])
				break
			}
		}
	}
}

// allFinite tells whether there is no NaN and no infinity, without a branch per value: what is neither is zero when
// taken from itself, and the sum of zeros is zero. Four sums do not wait for each other.
func allFinite(x []float64) bool {
	var s0, s1, s2, s3 float64
	for ; len(x) >= 4; x = x[4:] {
		s0 += x[0] - x[0]
		s1 += x[1] - x[1]
		s2 += x[2] - x[2]
		s3 += x[3] - x[3]
	}
	for _, v := range x {
		s0 += v - v
	}
	return s0+s1+s2+s3 == 0
}

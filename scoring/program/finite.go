package program

import "math"

// Finite refuses rows in which a register is infinite, or missing where the estimator does not take that: what
// scikit-learn's check_array does at the door of most estimators.
type Finite struct {
	regs    []Reg
	columns []int16
	missing bool // NaN is let through
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
		b.Add(name, &Finite{open, b.Origins(open), missingAllowed})
	}
}

// Run checks every row. A NaN or an infinity is what differs from itself when taken from itself.
func (s *Finite) Run(f *Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for j, r := range s.regs {
			if v := row[r]; v-v != 0 && (!s.missing || math.IsInf(v, 0)) {
				f.Fail(i, Unscorable, s.columns[j])
				break
			}
		}
	}
}

package program

// A Span is registers that stand side by side. A step whose registers do reads them as one slice of the row, which
// costs half as much as reading them one by one; columns that no step has reordered are such.
type Span struct {
	Side     bool // false: the registers are scattered, and the span is of no use
	from, to int32
}

// SpanOf returns the span of the registers.
func SpanOf(m []Reg) Span {
	for i, r := range m {
		if r != m[0]+Reg(i) {
			return Span{}
		}
	}
	if len(m) == 0 {
		return Span{}
	}
	return Span{Side: true, from: int32(m[0]), to: int32(m[0]) + int32(len(m))}
}

// Of returns the values of the registers in a row.
func (s Span) Of(row []float64) []float64 { return row[s.from:s.to] }

package sklearn

import (
	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// discreteDomain compiles CategoricalDomain and OrdinalDomain: valid is what training held, compared by type and value.
// A column of Python objects gets None where a value is missing, whatever it was.
//
// The valid values are constants in the domain of their column, as the categories of an encoder are, so that both
// compare codes. Everything that the decorator may write (replacement, substitute, None) must be a constant of
// the domain as well: each is asked for as a [program.Cell] while compiling, since Run knows only codes.
func (c *compiler) discreteDomain(a *attributes, in matrix) matrix {
	a.reads(in)
	p := a.domainPolicy("data_values")
	lists := a.validLists(len(in))
	if a.err != nil {
		return nil
	}
	s := &members{policy: p}
	for j, r := range in {
		m := member{in: r, out: c.b.Filled(r), column: c.b.Origin(r)}
		if lists != nil {
			m.valid = c.b.Lookup(r, lists[j])
			c.b.Categorical(r)
		}
		// A mark is missing by decree, on the list of valid values or not, so that it is asked for first.
		for _, mark := range p.marks {
			m.marks = append(m.marks, c.b.Cell(r, mark))
		}
		switch {
		case p.replacement != nil:
			m.fill = c.b.Cell(r, *p.replacement)
		case p.modern && p.object:
			m.fill = c.b.Cell(r, program.Constant{Type: program.NoneType})
		}
		if p.invalid == "as_value" {
			m.substitute = c.b.Cell(r, p.substitute)
		}
		// Wherever a gap may come as None, None needs a code of its own, or it would pass for an unknown
		// category.
		if m.none = lists != nil && holdsText(lists[j]) || p.holdsText(); !m.none && p.mayHoldNone {
			m.none = true
			c.b.Cell(r, program.Constant{Type: program.NoneType})
		}
		s.each = append(s.each, m)
		s.out = append(s.out, m.out)
	}
	c.b.Add(c.stepName(a), s)
	return s.out
}

// holdsText tells whether a list makes its column one of codes, in which None has its own.
func holdsText(list []program.Constant) bool {
	for _, c := range list {
		if c.Type == program.String {
			return true
		}
	}
	return false
}

// holdsText is the same for the values that a decorator knows itself. A mark or replacement of text makes the
// column coded even where every valid value is a number.
func (p *domainPolicy) holdsText() bool {
	known := append([]program.Constant{p.substitute}, p.marks...)
	if p.replacement != nil {
		known = append(known, *p.replacement)
	}
	return holdsText(known)
}

// validLists reads the valid values of each column: data_values_, which is one array for a single column, or
// data_ as it was called before. Without data every value is valid, and the result is nil. With with_data=True
// its absence means that the decorator was not fitted or is damaged.
func (a *attributes) validLists(n int) [][]program.Constant {
	v := a.optional("data_values_")
	if v == nil {
		v = a.optional("data_")
	}
	if v == nil {
		if a.flag("with_data", true) {
			a.required("data_values_")
		}
		return nil
	}
	arrays := []pickle.Value{v}
	if list, ok := v.(*pickle.List); ok {
		arrays = list.Items
	}
	if len(arrays) != n {
		a.mismatch("data_values_", show(v), "a list of values per column is expected")
		return nil
	}
	lists := make([][]program.Constant, n)
	for i, item := range arrays {
		array, ok := item.(*pickle.Array)
		if ok {
			lists[i], ok = constants(array)
		}
		if !ok || len(lists[i]) > maxConstants {
			a.refuse("unsupported-value", "data_values_", show(item), "numbers, strings and booleans are understood as valid values")
			return nil
		}
	}
	return lists
}

// members checks columns of categories.
type members struct {
	each   []member
	out    matrix
	policy domainPolicy
}

// member is one column. column is the one of the event that a fault names; -1 where the register was computed
// from several.
type member struct {
	in, out    program.Reg
	column     int16
	valid      *program.Lookup // nil: every value is
	marks      []*program.Cell
	fill       *program.Cell // nil: a missing value stays as it is
	substitute *program.Cell
	none       bool // the column is coded, so that None has a code
}

// Run treats every value as [interval.Run] does; a value that is not on the list counts as an unknown category.
// NaN that is not what is missing is never valid, for it equals nothing on the list.
func (s *members) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for j := range s.each {
			m := &s.each[j]
			v := row[m.in]
			switch {
			case s.missing(m, v):
				v = s.fill(f, i, m, v)
			case m.valid != nil && (v != v || m.valid.Of(v) < 0):
				v = s.invalid(f, i, m, v)
			}
			row[m.out] = v
		}
	}
}

// missing tells a gap: NaN and None, which pandas.isnull does not tell apart, or one of the marks.
func (s *members) missing(m *member, v float64) bool {
	if s.policy.nan {
		return v != v || m.none && v == program.None
	}
	for _, mark := range m.marks {
		if v == mark.Value {
			return true
		}
	}
	return false
}

// fill is what becomes of a gap: the replacement, None in a column of objects, or what it was.
func (s *members) fill(f *program.Frame, i int, m *member, v float64) float64 {
	if s.policy.missing == "return_invalid" {
		f.Fail(i, program.Unscorable, m.column)
	}
	if m.fill != nil {
		return m.fill.Value
	}
	return v
}

// invalid is what becomes of a value that is not on the list. Since 0.101 one that is treated as missing turns into the
// first mark, or NaN, before it is filled; older releases fill it only if there is a replacement.
func (s *members) invalid(f *program.Frame, i int, m *member, v float64) float64 {
	switch s.policy.invalid {
	case "as_is":
		return v
	case "as_value":
		return m.substitute.Value
	case "as_missing":
		if s.policy.modern {
			v = program.Missing
			if len(m.marks) > 0 {
				v = m.marks[0].Value
			}
		}
		return s.fill(f, i, m, v)
	}
	f.Fail(i, program.UnknownCategory, m.column)
	return v
}

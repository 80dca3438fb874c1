package sklearn

import (
	"math"
	"slices"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// The decorators of sklearn2pmml state what values a column may hold. On the way to a PMML file they are notes; in
// Python they act: a value outside of what training held raises an error unless invalid_value_treatment says
// otherwise, and missing values may be replaced. A row goes through them as
//
//	missing  -> missing_value_replacement, or as it is, or an error
//	invalid  -> an error, as it is, as missing, or invalid_value_replacement
//	outlier  -> as it is, as missing, or cut to low_value and high_value (ContinuousDomain only)
//
// sklearn2pmml changed its mind about some of this at 0.101, and its files do not name its version; attributes that
// came with the change tell. Casts (dtype), and dates are refused.

// domainPolicy is what a decorator does with values, in the words of sklearn2pmml.
type domainPolicy struct {
	nan          bool               // NaN (and None) is what is missing
	marks        []program.Constant // else these are
	missing      string             // missing_value_treatment: "return_invalid" raises
	replacement  *program.Constant  // missing_value_replacement; nil: none
	invalid      string             // invalid_value_treatment
	substitute   program.Constant   // invalid_value_replacement
	modern       bool               // since 0.101 what is treated as missing is made missing first
	integer      bool               // the column was of integers, which hold no NaN and no fractions
	object       bool               // the column was of Python objects
	mayHoldNone  bool               // the column was of objects, or it is unknown of what and a gap would raise
	makesMissing bool               // some treatment turns values into missing ones
}

// domainPolicy reads the parameters that all decorators share. sentinel is an attribute that newer files have.
func (a *attributes) domainPolicy(sentinel string) domainPolicy {
	a.fittedDomain()
	p := domainPolicy{
		missing: a.text("missing_value_treatment", "as_is"),
		invalid: a.text("invalid_value_treatment", "return_invalid"),
		modern:  a.has(sentinel),
	}
	p.nan, p.marks = a.domainMarks()
	switch p.missing {
	case "as_is", "as_mean", "as_mode", "as_median", "as_value", "return_invalid":
	default:
		a.unknown("missing_value_treatment", p.missing)
	}
	if a.optional("missing_value_replacement") != nil {
		c := a.domainConstant("missing_value_replacement")
		p.replacement = &c
	}
	switch p.invalid {
	case "return_invalid", "as_is":
	case "as_missing":
		p.makesMissing = p.modern
	case "as_value":
		p.substitute = a.domainConstant("invalid_value_replacement")
	default:
		a.unknown("invalid_value_treatment", p.invalid)
	}
	if dtype := a.optional("dtype"); dtype != nil {
		a.refuse("unsupported-value", "dtype", show(dtype), "casts are not supported; cast the columns before fit")
	}
	if t, ok := a.optional("dtype_").(*pickle.DType); ok {
		p.integer, p.object = t.Kind == 'i' || t.Kind == 'u', t.Kind == 'O'
	}
	p.mayHoldNone = p.object || p.missing == "return_invalid" && a.optional("dtype_") == nil
	return p
}

// fittedDomain refuses a decorator that was never fitted. One without data may have learned nothing at all.
func (a *attributes) fittedDomain() {
	if !a.fitted() && a.flag("with_data", true) {
		a.refuse("unfitted", "data_values_", "", "the estimator was saved before fit; fit it and save it again")
	}
}

// domainMarks reads missing_values: None stands for NaN and None, else a value or a list of them.
func (a *attributes) domainMarks() (nan bool, marks []program.Constant) {
	v := a.optional("missing_values")
	if v == nil {
		return true, nil
	}
	items := []pickle.Value{v}
	if list, ok := v.(*pickle.List); ok {
		items = list.Items
		// An older sklearn2pmml does not take the first for a stand-in, and an empty list means nothing.
		if len(items) == 0 {
			a.unknown("missing_values", v)
		}
	}
	for _, item := range items {
		c, ok := constant(item)
		switch {
		case !ok || c.Type == program.Bool:
			a.unknown("missing_values", v)
		case c.Type == program.NoneType || c.Type == program.NaN:
			nan = true
		default:
			marks = append(marks, c)
		}
	}
	if nan && len(marks) > 0 {
		a.refuse("unsupported-value", "missing_values", show(v), "a list with NaN and other marks is not supported; use an imputer for the others")
	}
	return nan, marks
}

// domainConstant reads a replacement.
func (a *attributes) domainConstant(name string) program.Constant {
	c, ok := constant(a.optional(name))
	if !ok || c.Type == program.NoneType {
		a.unknown(name, a.optional(name))
	}
	return c
}

// domainNumber is the value of a constant in a column of numbers.
func (a *attributes) domainNumber(name string, c program.Constant, integer bool) float64 {
	if c.Type != program.Number && c.Type != program.NaN {
		a.refuse("unsupported-value", name, c.String(), "a column of numbers takes a number")
	}
	// numpy cuts it to the integer below, pandas makes the column one of floats.
	if integer && c.Num != math.Trunc(c.Num) {
		a.refuse("unsupported-value", name, c.String(), "the column was of integers; use a whole number, or cast the column to float before fit")
	}
	return c.Num
}

// continuousDomain compiles ContinuousDomain: valid is what lies between the smallest and the largest value of training.
func (c *compiler) continuousDomain(a *attributes, in matrix) matrix {
	a.reads(in)
	p := a.domainPolicy("data_min")
	s := &interval{in: in, columns: c.b.Origins(in), policy: p, nan: math.NaN()}
	if len(p.marks) > 0 {
		s.nan = p.marks[0].Num
	}
	for _, mark := range p.marks {
		s.marks = append(s.marks, a.domainNumber("missing_values", mark, false))
	}
	if p.replacement != nil {
		s.replacement = a.domainNumber("missing_value_replacement", *p.replacement, p.integer)
	}
	if p.invalid == "as_value" {
		s.substitute = a.domainNumber("invalid_value_replacement", p.substitute, p.integer)
	}
	a.outliers(s)
	if s.policy.makesMissing && p.nan && p.integer {
		a.refuse("unsupported-value", "invalid_value_treatment", `"as_missing"`, "the column was of integers, which cannot be missing; cast it to float before fit")
	}
	if a.has("data_min_") || a.has("data_max_") {
		s.low, s.high = a.perColumn("data_min_", len(in)), a.perColumn("data_max_", len(in))
	} else if a.flag("with_data", true) {
		a.required("data_min_")
	}
	if a.err != nil {
		return nil
	}
	c.b.Compute(in)
	s.out = c.computed(in)
	c.b.Add(c.stepName(a), s)
	return s.out
}

// perColumn reads an array of a number per column, or of one for a single column.
func (a *attributes) perColumn(name string, n int) []float64 {
	array := a.array(name)
	if a.err != nil {
		return nil
	}
	values, ok := floats(array)
	if !ok && array.Type.Kind == 'O' {
		values, ok = make([]float64, len(array.Objects)), true
		for i, v := range array.Objects {
			if values[i], ok = float(v); !ok {
				break
			}
		}
	}
	if !ok || len(values) != n {
		a.mismatch(name, describe(array), "a number per column is expected")
		return nil
	}
	return values
}

// outliers reads what happens beyond low_value and high_value.
func (a *attributes) outliers(s *interval) {
	switch s.outliers = a.text("outlier_treatment", "as_is"); s.outliers {
	case "as_is":
		return
	case "as_missing_values":
		s.policy.makesMissing = true
	case "as_extreme_values":
	default:
		a.unknown("outlier_treatment", s.outliers)
		return
	}
	for _, bound := range []struct {
		name string
		to   *float64
	}{{"low_value", &s.bottom}, {"high_value", &s.top}} {
		v, ok := float(a.optional(bound.name))
		if !ok {
			a.unknown(bound.name, a.optional(bound.name))
			return
		}
		*bound.to = a.domainNumber(bound.name, program.NumberConstant(v), s.policy.integer && s.outliers == "as_extreme_values")
	}
}

// interval checks columns of numbers.
type interval struct {
	in, out     matrix
	columns     []int16
	policy      domainPolicy
	marks       []float64 // what is missing, where it is not NaN
	nan         float64   // what a value becomes that is made missing
	replacement float64
	substitute  float64
	low, high   []float64 // valid values; nil: all are
	outliers    string
	bottom, top float64
}

// Run treats every value; what raises in Python cannot be scored.
func (s *interval) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for j, r := range s.in {
			v, sound := s.treat(row[r], j)
			if !sound {
				f.Fail(i, program.Unscorable, s.columns[j])
			}
			row[s.out[j]] = v
		}
	}
}

func (s *interval) treat(v float64, column int) (_ float64, sound bool) {
	switch {
	case s.missing(v):
		return s.fill(v)
	case s.low != nil && !(v >= s.low[column] && v <= s.high[column]):
		return s.invalid(v)
	}
	switch s.outliers {
	case "as_extreme_values":
		// NaN that is not what is missing passes through, as it fails both comparisons.
		if v < s.bottom {
			v = s.bottom
		} else if v > s.top {
			v = s.top
		}
	case "as_missing_values":
		if v < s.bottom || v > s.top {
			return s.fill(s.nan)
		}
	}
	return v, true
}

func (s *interval) missing(v float64) bool {
	if s.policy.nan {
		return v != v
	}
	return slices.Contains(s.marks, v)
}

// fill is what becomes of a missing value.
func (s *interval) fill(v float64) (float64, bool) {
	if s.policy.replacement != nil {
		v = s.replacement
	}
	return v, s.policy.missing != "return_invalid"
}

// invalid is what becomes of a value that training did not hold.
func (s *interval) invalid(v float64) (float64, bool) {
	switch s.policy.invalid {
	case "as_is":
		return v, true
	case "as_value":
		return s.substitute, true
	case "as_missing":
		if s.policy.modern {
			v = s.nan
		}
		return s.fill(v)
	}
	return v, false
}

// discreteDomain compiles CategoricalDomain and OrdinalDomain: valid is what training held, compared by type and value.
// A column of Python objects gets None where a value is missing, whatever it was.
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

// holdsText is the same for the values that a decorator knows itself.
func (p *domainPolicy) holdsText() bool {
	known := append([]program.Constant{p.substitute}, p.marks...)
	if p.replacement != nil {
		known = append(known, *p.replacement)
	}
	return holdsText(known)
}

// validLists reads the valid values of each column: data_values_, which is one array for a single column, or data_ as
// it was called before. Without data every value is valid, and the result is nil.
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

// member is one column.
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

func (s *members) fill(f *program.Frame, i int, m *member, v float64) float64 {
	if s.policy.missing == "return_invalid" {
		f.Fail(i, program.Unscorable, m.column)
	}
	if m.fill != nil {
		return m.fill.Value
	}
	return v
}

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

// multiDomain compiles MultiDomain: a decorator per column, or None.
func (c *compiler) multiDomain(a *attributes, in matrix) matrix {
	a.reads(in)
	domains := a.list("domains")
	if a.err == nil && len(domains) != len(in) {
		a.mismatch("domains", show(a.optional("domains")), "a decorator per column is expected")
	}
	var out matrix
	for j, v := range domains {
		if a.err != nil {
			return nil
		}
		one := in[j : j+1]
		if v != nil {
			one, a.err = c.transform(v, one)
		}
		out = c.join(a, out, one)
	}
	return out
}

// unchanged compiles what does nothing in Python: the erasers of domains.
func (c *compiler) unchanged(_ *attributes, in matrix) matrix { return in }

// alias compiles Alias and MultiAlias, which give the columns of a transformer other names.
func (c *compiler) alias(a *attributes, in matrix) (out matrix) {
	inner := a.required("transformer_")
	if a.err == nil {
		out, a.err = c.transform(inner, in)
	}
	return out
}

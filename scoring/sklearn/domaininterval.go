package sklearn

import (
	"math"
	"slices"

	"fraudstream/scoring/program"
)

// continuousDomain compiles ContinuousDomain: valid is what lies between the smallest and the largest value of
// training.
//
// data_min_ and data_max_ hold a number per column; with_data=False leaves them out, and then every number is
// valid. low_value and high_value bound outliers and are parameters, one pair for all columns. A value that
// raises in Python (an invalid one under "return_invalid", a missing one likewise) makes its row unscorable and
// names the column.
func (c *compiler) continuousDomain(a *attributes, in matrix) matrix {
	a.reads(in)
	p := a.domainPolicy("data_min")
	s := &interval{in: in, columns: c.b.Origins(in), policy: p, nan: math.NaN()}
	// With marks of its own a decorator does not take NaN for missing; what it makes missing gets the first of
	// them.
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
	// An array of integers cannot hold the NaN that such a treatment writes.
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

// perColumn reads an array of a number per column, or of one for a single column. A frame of mixed types leaves
// an object array of Python numbers, which is read item by item.
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

// outliers reads what happens beyond low_value and high_value. A bound that is to be written into a column of
// integers must be a whole number; one that is only compared need not.
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

// interval checks columns of numbers. bottom and top are low_value and high_value; where outliers are left as
// they are, nobody reads them.
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

// treat takes one value through the three questions: is it missing, is it valid, is it an outlier. It is not
// sound where Python raises. The order is the decorator's own. A value that was made missing as an outlier is
// filled like a gap; one that was replaced as invalid is not looked at again.
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

// missing tells a gap: NaN, or one of the marks, beside which NaN is an invalid value like any other.
func (s *interval) missing(v float64) bool {
	if s.policy.nan {
		return v != v
	}
	return slices.Contains(s.marks, v)
}

// fill is what becomes of a missing value. With "return_invalid" the value is of no interest: its row is given
// up.
func (s *interval) fill(v float64) (float64, bool) {
	if s.policy.replacement != nil {
		v = s.replacement
	}
	return v, s.policy.missing != "return_invalid"
}

// invalid is what becomes of a value that training did not hold. What is left after the three named treatments is
// "return_invalid", which is the default and raises.
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

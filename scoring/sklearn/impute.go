package sklearn

import (
	"fmt"
	"slices"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// simpleImputer compiles the replacement of missing values by statistics_, and the indicator columns behind them.
//
// On an object array it moves categories about, None among them; on numbers it computes with float64, where
// None was turned into NaN on the way in. The type of statistics_ tells which of the two it was fitted on.
//
// statistics_ has an entry per column: mean, median, most frequent value or constant, by strategy, whose name is
// asked for only where it decides about empty columns. fill_value is in there already. With missing_values other
// than NaN, NaN raises and the row is unscorable. Columns that are left out shift the ones behind them to the
// left, as in Python.
func (c *compiler) simpleImputer(a *attributes, in matrix) matrix {
	a.reads(in)
	array := a.array("statistics_")
	statistics := a.constants("statistics_")
	if a.err == nil && len(statistics) != len(in) {
		a.mismatch("statistics_", fmt.Sprintf("%d values", len(statistics)), fmt.Sprintf("the estimator is given %d columns", len(in)))
	}
	absent := a.missingValues()
	indicated := a.indicator(len(in), absent)
	// A column that was empty in training has the statistic NaN and is left out, unless it is kept on purpose.
	keepEmpty := a.flag("keep_empty_features", false) || a.text("strategy", "mean") == "constant" && a.version() < parseVersion("1.8")
	if a.err != nil {
		return nil
	}
	// Newer files say by _fit_dtype what the imputer was fitted on; older ones have the type of statistics_
	// alone.
	objects := array.Type.Kind == 'O' || array.Type.Kind == 'U'
	if t, ok := a.optional("_fit_dtype").(*pickle.DType); ok {
		objects = t.Kind == 'O' || t.Kind == 'U'
	}
	name := c.stepName(a)
	s := &impute{refuseNaN: absent.Type != program.NaN}
	if !objects {
		if absent.Type != program.NaN && absent.Type != program.Number {
			a.unknown("missing_values", a.optional("missing_values"))
			return nil
		}
		c.b.CheckFinite(name, in, absent.Type == program.NaN)
	}
	for i, r := range in {
		kept := keepEmpty || statistics[i].Type != program.NaN
		// A column that is left out may still have an indicator.
		if !kept && !slices.Contains(indicated, i) {
			continue
		}
		m := c.replacement(r, absent, statistics[i], objects)
		if kept {
			m.out = c.b.Filled(r)
		}
		if slices.Contains(indicated, i) {
			m.flag = c.b.New(r)
		}
		s.each = append(s.each, m)
	}
	c.b.Add(name, s)
	return s.matrix(in, indicated)
}

// replacement binds what is missing in register r and what takes its place. For objects both are constants of the
// column's domain, so that an encoder behind the imputer knows what was filled in.
func (c *compiler) replacement(r program.Reg, absent, fill program.Constant, objects bool) replacement {
	m := replacement{in: r, out: -1, flag: -1, nan: absent.Type == program.NaN, column: c.b.Origin(r)}
	if objects {
		m.absent, m.fill = c.b.Cell(r, absent), c.b.Cell(r, fill)
		return m
	}
	m.absent, m.fill = numberCell(absent), numberCell(fill)
	return m
}

// numberCell holds a number, or NaN, that belongs to no domain.
func numberCell(c program.Constant) *program.Cell {
	if c.Type == program.NaN {
		return &program.Cell{Value: program.Missing}
	}
	return &program.Cell{Value: c.Num}
}

// missingValues reads what counts as missing; NaN is the default. None counts as a mark of its own, which only
// objects can hold.
func (a *attributes) missingValues() program.Constant {
	v, ok := a.object.Attr("missing_values")
	if !ok {
		return program.Constant{Type: program.NaN}
	}
	c, ok := constant(v)
	if !ok || c.Type == program.Bool {
		a.unknown("missing_values", v)
	}
	return c
}

// indicator reads the columns whose missing values become columns of their own, in order. The indicator must have
// been fitted with the same mark as its imputer, which is what scikit-learn does itself.
func (a *attributes) indicator(n int, absent program.Constant) []int {
	if !a.flag("add_indicator", false) || a.err != nil {
		return nil
	}
	o, ok := a.required("indicator_").(*pickle.Object)
	if !ok {
		a.mismatch("indicator_", show(a.optional("indicator_")), "a fitted MissingIndicator is expected")
		return nil
	}
	inner := attributesOf(o)
	if inner.class != "sklearn.impute._base.MissingIndicator" || inner.missingValues() != absent {
		a.unknown("indicator_", o)
		return nil
	}
	features := integers(inner.required("features_"))
	if features == nil {
		a.mismatch("indicator_.features_", show(inner.optional("features_")), "a list of column indices is expected")
	}
	for _, f := range features {
		if f < 0 || f >= n {
			a.refuse("feature-index", "indicator_.features_", fmt.Sprint(f), fmt.Sprintf("the estimator is given %d columns", n))
		}
	}
	return features
}

// impute replaces what is missing, column by column.
type impute struct {
	each      []replacement
	refuseNaN bool // NaN is not what is missing here, and scikit-learn does not take it
}

// replacement is what happens to one column.
type replacement struct {
	in, out, flag program.Reg // out is -1 for a column that is left out, flag for one without indicator
	absent, fill  *program.Cell
	nan           bool  // NaN is what is missing
	column        int16 // for messages
}

// matrix is the order of the result: the columns that are kept, then the indicators. The indicators stand in the
// order of features_.
func (s *impute) matrix(in matrix, indicated []int) matrix {
	var out matrix
	for _, m := range s.each {
		if m.out >= 0 {
			out = append(out, m.out)
		}
	}
	for _, i := range indicated {
		for _, m := range s.each {
			if m.in == in[i] && m.flag >= 0 {
				out = append(out, m.flag)
				break
			}
		}
	}
	return out
}

// Run writes the filled value and the indicator of every column. Missing is what equals the cell, or NaN.
func (s *impute) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for j := range s.each {
			m := &s.each[j]
			v := row[m.in]
			isNaN := v != v
			// The cell of NaN equals nothing, so that the first comparison is for other marks alone.
			missing := v == m.absent.Value || m.nan && isNaN
			if isNaN && s.refuseNaN {
				f.Fail(i, program.Unscorable, m.column)
			}
			// The flag is that of the value as it came in, before it is filled.
			flag := 0.0
			if missing {
				v, flag = m.fill.Value, 1
			}
			if m.out >= 0 {
				row[m.out] = v
			}
			if m.flag >= 0 {
				row[m.flag] = flag
			}
		}
	}
}

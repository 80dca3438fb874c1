package sklearn

import (
	"fmt"
	"math"
	"slices"

	"fraudstream/scoring/program"
)

// missingIndicator compiles one register per column of features_: 1 where the value is missing. With features set to
// missing-only these are the columns that had gaps in training, and by error_on_new a gap elsewhere raises.
//
// features_ lists the columns in the order of the result. The result is boolean in Python and 0 or 1 here; sparse
// decides about storage alone. Infinities raise whatever counts as missing.
func (c *compiler) missingIndicator(a *attributes, in matrix) matrix {
	a.reads(in)
	absent := a.missingValues()
	features := integers(a.required("features_"))
	if features == nil {
		a.mismatch("features_", show(a.optional("features_")), "a list of column indices is expected")
	}
	kind := a.text("features", "missing-only")
	if kind != "missing-only" && kind != "all" {
		a.unknown("features", kind)
	}
	// With features="all" every column has an indicator, and no gap is new.
	strict := a.flag("error_on_new", true) && kind == "missing-only"
	for _, f := range features {
		if f < 0 || f >= len(in) {
			a.refuse("feature-index", "features_", fmt.Sprint(f), fmt.Sprintf("the estimator is given %d columns", len(in)))
		}
	}
	if a.err != nil {
		return nil
	}
	// NaN needs no place in the domain of a column, any other mark does: it may be a text or None.
	s := &indicate{nan: absent.Type == program.NaN}
	var out matrix
	flags := make(map[int]program.Reg)
	for i, r := range in {
		f := flag{in: r, out: -1, absent: numberCell(absent), column: c.b.Origin(r), strict: strict && !slices.Contains(features, i)}
		if !s.nan {
			f.absent = c.b.Cell(r, absent)
		}
		// A column without indicator is still looked at, for what scikit-learn raises about it.
		if slices.Contains(features, i) {
			f.out = c.b.New(r)
			flags[i] = f.out
		}
		s.each = append(s.each, f)
	}
	for _, i := range features {
		out = append(out, flags[i])
	}
	c.b.Add(c.stepName(a), s)
	return out
}

// indicate flags what is missing. It fills nothing; an imputer that should must stand beside it.
type indicate struct {
	each []flag
	nan  bool // NaN is what is missing; where it is not, NaN is not accepted
}

// flag is what happens to one column.
type flag struct {
	in, out program.Reg // out is -1 for a column that is only checked
	absent  *program.Cell
	column  int16 // for messages
	strict  bool  // a missing value raises
}

// Run writes 0 or 1 and refuses what scikit-learn does: infinities, NaN that is not what is missing, and gaps in
// columns that had none. A column that is only checked has no register to write.
func (s *indicate) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for j := range s.each {
			c := &s.each[j]
			v := row[c.in]
			isNaN := v != v
			missing := v == c.absent.Value || s.nan && isNaN
			if math.IsInf(v, 0) || isNaN && !s.nan || missing && c.strict {
				f.Fail(i, program.Unscorable, c.column)
			}
			if c.out >= 0 {
				row[c.out] = 0
				if missing {
					row[c.out] = 1
				}
			}
		}
	}
}

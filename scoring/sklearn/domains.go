package sklearn

import (
	"math"

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
//
// Strategies of missing_value_treatment other than "return_invalid" ("as_mean", "as_median" and so on) are notes
// about where the replacement came from: what is written is missing_value_replacement, or the gap itself.
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
// The words are the same before and after 0.101, so that modern alone tells the two meanings apart.
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

// domainConstant reads a replacement. None is no replacement but the word for having none.
func (a *attributes) domainConstant(name string) program.Constant {
	c, ok := constant(a.optional(name))
	if !ok || c.Type == program.NoneType {
		a.unknown(name, a.optional(name))
	}
	return c
}

// domainNumber is the value of a constant in a column of numbers. integer says that the column was of integers in
// training, where a fraction has no place.
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

// multiDomain compiles MultiDomain: a decorator per column, or None. The columns stay in their order; each
// decorator sees a matrix of one column.
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

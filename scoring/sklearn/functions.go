package sklearn

import (
	"math"
	"strings"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// functionTransformer compiles the identity and the numpy functions that work value by value.
//
// func is None for the identity, or a numpy ufunc by name; a lambda or a function of the data scientist's own is
// code, which nothing here can run, and is refused. inverse_func, check_inverse, accept_sparse and
// feature_names_out do not touch what transform gives. validate is off by default, and then NaN and infinities
// pass.
func (c *compiler) functionTransformer(a *attributes, in matrix) matrix {
	a.reads(in)
	if d, ok := a.optional("kw_args").(*pickle.Dict); a.optional("kw_args") != nil && (!ok || len(d.Keys) > 0) {
		a.unknown("kw_args", a.optional("kw_args"))
	}
	f := a.optional("func")
	apply := elementwise(f)
	if f != nil && apply == nil && !isFloatCheck(f) {
		a.refuse("unsupported-value", "func", show(f), "numpy's log, log1p, log2, log10, exp, expm1, sqrt, square and abs are known; do other things upstream, before the event is sent")
	}
	validate := a.flag("validate", false)
	if a.err != nil {
		return nil
	}
	if validate {
		c.b.CheckFinite(c.stepName(a), in, false)
	}
	if apply == nil {
		if f != nil {
			c.b.Compute(in)
		}
		return in
	}
	s := &mapEach{in: in, out: c.computed(in), apply: apply}
	c.b.Compute(in)
	c.b.Add(c.stepName(a), s)
	return s.out
}

// isFloatCheck tells the function that histogram boosting hands its numbers through: check_array with float64 as
// its type and no check for NaN, as functools.partial keeps it. A partial keeps its function, its positional and
// its named arguments and a dict in a tuple of four. Only the exact shape that scikit-learn writes is taken, for
// one option more could change the result.
func isFloatCheck(v pickle.Value) bool {
	o, ok := v.(*pickle.Object)
	if !ok || o.Class.String() != "functools.partial" || len(o.Args) != 1 {
		return false
	}
	f, isName := o.Args[0].(pickle.Global)
	state, isTuple := o.State.(*pickle.Tuple)
	if !isName || f.String() != "sklearn.utils.validation.check_array" || !isTuple || len(state.Items) != 4 || state.Items[0] != pickle.Value(f) {
		return false
	}
	options, ok := state.Items[2].(*pickle.Dict)
	if positional, empty := state.Items[1].(*pickle.Tuple); !ok || !empty || len(positional.Items) > 0 {
		return false
	}
	for i, key := range options.Keys {
		switch key {
		case "dtype":
		case "force_all_finite", "ensure_all_finite":
			if options.Values[i] != false {
				return false
			}
		default:
			return false
		}
	}
	return options.Len() == 2
}

// mapEach applies a function to every value. in and out may be the same registers: the hidden layers of a network
// are worked over in place.
type mapEach struct {
	in, out matrix
	apply   func(float64) float64
}

// Run passes on whatever the function gives; the next estimator refuses NaN and infinities if it must.
func (s *mapEach) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for j, r := range s.in {
			row[s.out[j]] = s.apply(row[r])
		}
	}
}

// elementwise returns the numpy function that a value names, nil where it names none. numpy of the 0.24 era saved
// its functions as a call of _ufunc_reconstruct(module, name). The module of a ufunc is numpy itself or the
// private module in which numpy defines it, whose path has changed over the years.
func elementwise(v pickle.Value) func(float64) float64 {
	switch f := v.(type) {
	case pickle.Global:
		if f.Module == "numpy" || strings.HasSuffix(f.Module, "._multiarray_umath") {
			return numpyFunction(f.Name)
		}
	case *pickle.Object:
		if f.Class.Name == "_ufunc_reconstruct" && len(f.Args) == 2 {
			if name, ok := f.Args[1].(string); ok {
				return numpyFunction(name)
			}
		}
	}
	return nil
}

// numpyFunction knows the functions that work value by value and have no parameters. Go and numpy agree on them to
// the last digit or the one before.
func numpyFunction(name string) func(float64) float64 {
	switch name {
	case "log1p":
		return math.Log1p
	case "log":
		return math.Log
	case "log2":
		return math.Log2
	case "log10":
		return math.Log10
	case "exp":
		return math.Exp
	case "expm1":
		return math.Expm1
	case "sqrt":
		return math.Sqrt
	case "abs", "absolute", "fabs":
		return math.Abs
	case "square":
		return func(x float64) float64 { return x * x }
	}
	return nil
}

package sklearn

import (
	"math"
	"strings"

	"fraudstream/scoring/pickle"
)

// elementwise returns the numpy function that a value names, nil where it names none. numpy of the 0.24 era
// saved its functions as a call of _ufunc_reconstruct(module, name).
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

package sklearn

import (
	"math"

	"fraudstream/scoring/program"
)

// powerTransformer compiles the transforms that make a column look normal, with the fitted exponent λ of each column,
// and the StandardScaler behind them.
//
// Box-Cox is (x^λ - 1)/λ, or log x for λ = 0, and wants x > 0. Yeo-Johnson (Biometrika 87, 2000) is the same of x + 1
// for x ≥ 0, and -((1-x)^(2-λ) - 1)/(2-λ) below. scikit-learn computed the latter with pow until 1.8 and leaves it to
// scipy's expm1 since; where λ is small the two differ in digits that count, so each file gets its own.
//
// lambdas_ is a float64 per column, _scaler a fitted StandardScaler that is there with standardize=True. copy
// does not matter. NaN passes in both transforms, infinities raise; Box-Cox raises for zero and below, too, and
// such a row is unscorable.
func (c *compiler) powerTransformer(a *attributes, in matrix) matrix {
	a.reads(in)
	s := &power{in: in, lambda: a.vector("lambdas_", len(in)), columns: c.b.Origins(in)}
	switch method := a.text("method", "yeo-johnson"); {
	case method == "box-cox":
		s.apply, s.positive = boxCox, true
	case method == "yeo-johnson" && a.version() < parseVersion("1.8"):
		s.apply = func(x, lambda float64) float64 { return yeoJohnson(x, lambda, powMinusOne) }
	case method == "yeo-johnson":
		s.apply = func(x, lambda float64) float64 { return yeoJohnson(x, lambda, expMinusOne) }
	default:
		a.unknown("method", method)
	}
	scaled := a.flag("standardize", true)
	if a.err != nil {
		return nil
	}
	s.out = c.computed(in)
	c.b.CheckFinite(c.stepName(a), in, true)
	c.b.Add(c.stepName(a), s)
	// The scaler was fitted on what this step gives, and refuses what overflowed in it.
	if !scaled {
		return s.out
	}
	out, err := c.transform(a.required("_scaler"), s.out)
	if a.err == nil {
		a.err = err
	}
	return out
}

// power applies a transform with one exponent per column. The function is chosen once, while compiling, and
// called through a pointer for every value.
type power struct {
	in, out  matrix
	lambda   []float64
	columns  []int16
	apply    func(x, lambda float64) float64
	positive bool // scikit-learn raises for a value that is not above zero
}

// Run lets NaN through, as the transformer does.
func (s *power) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for j, r := range s.in {
			x := row[r]
			if s.positive && x <= 0 {
				f.Fail(i, program.Unscorable, s.columns[j])
			}
			row[s.out[j]] = s.apply(x, s.lambda[j])
		}
	}
}

// boxCox is scipy.special.boxcox, which takes the logarithm for |λ| < 1e-19 and splits the exponential where it
// would overflow. With a small λ the difference x^λ - 1 would lose most of its digits; expm1 of λ·log x keeps
// them.
func boxCox(x, lambda float64) float64 {
	t := math.Log(x)
	switch {
	case math.Abs(lambda) < 1e-19:
		return t
	case lambda*t < 709.78:
		return math.Expm1(lambda*t) / lambda
	default:
		return math.Copysign(1, lambda)*math.Exp(lambda*t-math.Log(math.Abs(lambda))) - 1/lambda
	}
}

// yeoJohnson is the transform; minusOne(x, p) is (x+1)^p - 1. The cases near λ = 0 and λ = 2 are limits of their
// neighbours, and the bounds of both are scikit-learn's: below epsilon in one, not above it in the other.
func yeoJohnson(x, lambda float64, minusOne func(x, p float64) float64) float64 {
	switch {
	case x != x:
		return x
	case x >= 0 && math.Abs(lambda) < epsilon:
		return math.Log1p(x)
	case x >= 0:
		return minusOne(x, lambda) / lambda
	case math.Abs(lambda-2) > epsilon:
		return -minusOne(-x, 2-lambda) / (2 - lambda)
	default:
		return -math.Log1p(-x)
	}
}

// expMinusOne loses nothing where p·log(x+1) is small.
func expMinusOne(x, p float64) float64 { return math.Expm1(p * math.Log1p(x)) }

// powMinusOne loses the digits of a power near 1, just as numpy.power(x + 1, p) - 1 does. Near 1 the power is built
// from expm1, which rounds it once, as the C library's pow does and Go's does not.
func powMinusOne(x, p float64) float64 {
	base := x + 1
	if t := p * math.Log(base); math.Abs(t) < 0.5 {
		return (1 + math.Expm1(t)) - 1
	}
	return math.Pow(base, p) - 1
}

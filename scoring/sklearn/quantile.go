package sklearn

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"fraudstream/scoring/program"
)

// quantileTransformer compiles the rank of a value among the quantiles of its column, from 0 to 1, and where
// output_distribution is normal the quantile of the normal distribution at that rank.
//
// quantiles_ has a row per reference and a column per feature; references_ are the ranks of the rows. Ranks are
// interpolated upwards and downwards and the mean is taken, so that a value that fills many quantiles gets their
// middle.
//
// n_quantiles, subsample and ignore_implicit_zeros have shaped the two arrays. Values outside of what training
// held get the rank of the nearer end, so that no row is refused but one with an infinity; NaN stays NaN.
func (c *compiler) quantileTransformer(a *attributes, in matrix) matrix {
	a.reads(in)
	s := &quantile{in: in, references: a.vector("references_", a.length("references_"))}
	n := len(s.references)
	all := a.matrix("quantiles_", n, len(in))
	if a.err == nil && n == 0 {
		a.mismatch("references_", "0 values", "at least one is expected")
	}
	switch kind := a.text("output_distribution", "uniform"); kind {
	case "uniform":
	case "normal":
		s.normal = true
		s.low, s.high = normalQuantile(boundary-epsilon), normalQuantile(1-(boundary-epsilon))
	default:
		a.unknown("output_distribution", kind)
	}
	if a.err != nil {
		return nil
	}
	// Rows are turned into columns once, for a lookup walks along one column. Quantiles that do not ascend would send
	// the bisection astray.
	s.quantiles = make([][]float64, len(in))
	for j := range in {
		column := make([]float64, n)
		for i := range column {
			column[i] = all[i*len(in)+j]
		}
		if !slices.IsSorted(column) {
			a.mismatch("quantiles_", fmt.Sprintf("column %d", j), "quantiles must ascend")
			return nil
		}
		s.quantiles[j] = column
	}
	s.out = c.computed(in)
	c.b.CheckFinite(c.stepName(a), in, true)
	c.b.Add(c.stepName(a), s)
	return s.out
}

// boundary is how near to the ends of the quantiles a value counts as their end, and how near to 0 and 1 a rank may
// come on its way through the normal distribution (BOUNDS_THRESHOLD).
const boundary = 1e-7

// length is the number of elements of an array attribute, 0 where it is none. It is asked before a vector is read
// whose length nothing else in the model tells.
func (a *attributes) length(name string) int {
	if array := a.array(name); array != nil {
		return array.Len()
	}
	return 0
}

// quantile looks every value up among the quantiles of its column. low and high are what scikit-learn clips
// normal quantiles to, about ±5.2.
type quantile struct {
	in, out    matrix
	references []float64
	quantiles  [][]float64 // per column, ascending
	normal     bool
	low, high  float64 // the normal quantiles at the boundary
}

// Run lets NaN through, as the transformer does.
func (s *quantile) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for j, r := range s.in {
			v := s.rank(row[r], s.quantiles[j])
			if s.normal {
				v = clip(normalQuantile(v), s.low, s.high)
			}
			row[s.out[j]] = v
		}
	}
}

// rank is where x stands among the quantiles. The lower end holds where both ends are one. The rank from below is
// where an ascending search ends, that from above where a descending one does, with its sign turned; they differ
// where x stands more than once.
func (s *quantile) rank(x float64, quantiles []float64) float64 {
	first, last := quantiles[0], quantiles[len(quantiles)-1]
	near := 0.0
	if s.normal {
		near = boundary
	}
	switch {
	case x != x:
		return x
	case !s.normal && x == first, s.normal && x-near < first:
		return 0
	case !s.normal && x == last, s.normal && x+near > last:
		return 1
	}
	return 0.5 * (interpolate(x, quantiles, s.references) - interpolateDown(x, quantiles, s.references))
}

// interpolate is numpy.interp(x, xs, ys): from the last xs that is not above x towards the next, constant beyond
// the ends. It rounds in numpy's order. numpy computes the slope first and multiplies afterwards, and at a point
// returns the y of the point itself.
func interpolate(x float64, xs, ys []float64) float64 {
	j := sort.Search(len(xs), func(i int) bool { return xs[i] > x }) - 1
	switch {
	case j < 0:
		return ys[0]
	case j == len(xs)-1 || xs[j] == x:
		return ys[j]
	}
	slope := (ys[j+1] - ys[j]) / (xs[j+1] - xs[j])
	return float64(slope*(x-xs[j])) + ys[j]
}

// interpolateDown is numpy.interp(-x, -xs[::-1], -ys[::-1]): the same from the other side. Neither list is
// turned: the search and the signs are.
func interpolateDown(x float64, xs, ys []float64) float64 {
	j := sort.SearchFloat64s(xs, x)
	switch {
	case j == len(xs):
		return -ys[j-1]
	case j == 0 || xs[j] == x:
		return -ys[j]
	}
	slope := (ys[j] - ys[j-1]) / (xs[j] - xs[j-1])
	return float64(slope*(xs[j]-x)) - ys[j]
}

// normalQuantile is the x with Φ(x) = p, to the last digits: Go's inverse error function, which is blunt in the
// tails, and two steps of Halley's method on Φ(x) - p. It is infinite for 0 and 1. Halley's step is x - u/(1 +
// x·u/2), with u the error of Φ divided by the density at x; it triples the digits that are right.
func normalQuantile(p float64) float64 {
	if p != p || p <= 0 || p >= 1 {
		return math.Sqrt2 * math.Erfinv(2*p-1)
	}
	tail, sign := p, 1.0
	if p > 0.5 {
		tail, sign = 1-p, -1
	}
	// Below the smallest number that 2p-1 tells from -1 the search begins at a distance.
	x := -math.Sqrt2 * math.Erfcinv(max(2*tail, 0x1p-50))
	for range 2 {
		u := (0.5*math.Erfc(-x/math.Sqrt2) - tail) * math.Sqrt(2*math.Pi) * math.Exp(x*x/2)
		x -= u / (1 + x*u/2)
	}
	return sign * x
}

package sklearn

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// maxSplineDegree is far above what anyone fits: a cubic spline has degree 3.
const maxSplineDegree = 16

// splineTransformer compiles the B-spline basis of every column: with degree k, the k+1 of its functions that are
// not zero at x, and zeros for the others.
//
// bsplines_ holds one scipy BSpline per column: knots t, and coefficients c with a row per basis function and a column
// per output. c is the identity, except for periodic splines, where the last functions are the first ones again.
//
// degree, n_knots and knots are part of the splines already; order and sparse_output decide about storage.
// extrapolation says what happens outside of the outermost knots: "constant" takes the values at the end,
// "linear" follows the slopes there, "continue" the polynomials, "periodic" wraps around and "error" raises,
// which makes the row unscorable. The functions of one column stand side by side and, between the ends, add up to
// 1, if none is left out (include_bias).
func (c *compiler) splineTransformer(a *attributes, in matrix) matrix {
	a.reads(in)
	s := &splines{extrapolation: a.text("extrapolation", "constant"), columns: c.b.Origins(in)}
	switch s.extrapolation {
	case "error", "constant", "linear", "continue", "periodic":
	default:
		a.unknown("extrapolation", s.extrapolation)
	}
	switch kind := a.text("handle_missing", "error"); kind {
	case "error":
	case "zeros":
		s.missing = true
	default:
		a.unknown("handle_missing", kind)
	}
	bias := a.flag("include_bias", true)
	items := a.list("bsplines_")
	if a.err == nil && len(items) != len(in) {
		a.mismatch("bsplines_", fmt.Sprintf("%d splines", len(items)), fmt.Sprintf("the estimator is given %d columns", len(in)))
	}
	var out matrix
	for j, r := range in {
		if a.err != nil {
			return nil
		}
		sp := a.spline(items[j], s.extrapolation, j > 0)
		if a.err != nil {
			return nil
		}
		sp.in = r
		for range sp.width {
			sp.out = append(sp.out, c.b.New(r))
		}
		s.each = append(s.each, sp)
		c.b.Lane64(sp.degree + 1 + sp.width)
		// Without bias the last function of every column is computed and not handed on.
		kept := sp.out
		if !bias && len(kept) > 0 {
			kept = kept[:len(kept)-1]
		}
		out = c.join(a, out, kept)
	}
	// With handle_missing="zeros" scikit-learn does not look for infinities either.
	if s.missing {
		c.b.Compute(in)
	} else {
		c.b.CheckFinite(c.stepName(a), in, false)
	}
	c.b.Add(c.stepName(a), s)
	return out
}

// spline reads one BSpline and computes its values and slopes at both ends. later tells columns behind the first.
func (a *attributes) spline(v pickle.Value, extrapolation string, later bool) (s spline) {
	o, ok := v.(*pickle.Object)
	if !ok || o.Class.Name != "BSpline" {
		a.mismatch("bsplines_", show(v), "a fitted BSpline is expected")
		return
	}
	b := attributesOf(o)
	degree, ok := integer(b.optional("k"))
	if !ok || degree < 1 || degree > maxSplineDegree {
		a.unknown("degree", b.optional("k"))
		return
	}
	s.degree = int(degree)
	s.knots = b.vector(b.named("t", "_t"), b.length(b.named("t", "_t")))
	name := b.named("c", "_c")
	rows := b.height(name)
	if b.err == nil && rows > 0 {
		s.width = b.array(name).Len() / rows
	}
	s.coef = b.matrix(name, rows, s.width)
	if a.err = b.err; a.err != nil {
		return
	}
	s.last = len(s.knots) - s.degree - 1
	narrow := s.width <= s.degree && extrapolation != "periodic"
	if s.last <= s.degree || rows < s.last || narrow || !slices.IsSorted(s.knots) {
		a.mismatch("bsplines_", fmt.Sprintf("%d knots, %d by %d coefficients", len(s.knots), rows, s.width), "knots and coefficients do not belong together")
		return
	}
	// With lines beyond the ends of a spline of degree 1, scikit-learn counts the degree up for the slopes of the first
	// column and forgets to count it down: the ends of all later columns are one knot further inside.
	edge := s.degree
	if later && edge == 1 && extrapolation == "linear" {
		edge = 2
	}
	s.low, s.high = s.knots[edge], s.knots[len(s.knots)-1-edge]
	// What happens beyond the ends is made of the values and slopes at the ends, which no row changes.
	work := make([]float64, s.degree+1)
	s.atLow, s.atHigh = make([]float64, s.width), make([]float64, s.width)
	s.slopeLow, s.slopeHigh = make([]float64, s.width), make([]float64, s.width)
	s.values(s.low, work, s.atLow)
	s.values(s.high, work, s.atHigh)
	s.slopes(s.low, work, s.slopeLow)
	s.slopes(s.high, work, s.slopeHigh)
	return s
}

// named is the first of two names that the state has: scipy put an underscore before them in 1.17.
func (a *attributes) named(name, other string) string {
	if a.has(name) {
		return name
	}
	return other
}

// splines computes the basis of every column.
type splines struct {
	each          []spline
	columns       []int16
	extrapolation string
	missing       bool // NaN gives zeros
}

// spline is the basis of one column. The register of a column and those of its functions are filled in by the
// compiler.
type spline struct {
	in                  program.Reg
	out                 matrix
	degree, last, width int       // the segments of the spline lie between knots[degree] and knots[last]
	knots, coef         []float64 // coef in row order, a row of width per basis function
	low, high           float64   // the ends
	atLow, atHigh       []float64 // the outputs there
	slopeLow, slopeHigh []float64 // and their derivatives
}

// Run computes the functions of every column of a row. The scratch holds the functions that are not zero, then
// the outputs.
func (s *splines) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for j := range s.each {
			sp := &s.each[j]
			values := f.Lane64[sp.degree+1 : sp.degree+1+sp.width]
			if !sp.at(row[sp.in], s.extrapolation, f.Lane64[:sp.degree+1], values) {
				f.Fail(i, program.Unscorable, s.columns[j])
			}
			for k, r := range sp.out {
				row[r] = values[k]
			}
		}
	}
}

// at computes the outputs at x, beyond the ends as the extrapolation says. It is false where scikit-learn raises.
// values has a place per output and is written whole.
func (s *spline) at(x float64, extrapolation string, work, values []float64) bool {
	outside := x < s.low || x > s.high
	switch {
	case x != x: // only where missing values are taken
		clear(values)
	case extrapolation == "periodic":
		s.values(s.wrapped(x), work, values)
	case !outside || extrapolation == "continue":
		s.values(x, work, values)
	case extrapolation == "constant":
		clear(values)
		if x < s.low {
			copy(values[:s.degree], s.atLow[:s.degree])
		} else {
			copy(values[s.width-s.degree:], s.atHigh[s.width-s.degree:])
		}
	case extrapolation == "linear":
		s.linear(x, values)
	default:
		return false
	}
	return true
}

// wrapped brings x between the ends with Python's remainder. A column that was constant has no width; its values
// count as 0. Python's remainder has the sign of the divisor, Go's that of the dividend.
func (s *spline) wrapped(x float64) float64 {
	span := s.high - s.low
	if !(span > 0) {
		return 0
	}
	offset := math.Mod(x-s.low, span)
	if offset < 0 {
		offset += span
	}
	return s.low + offset
}

// linear continues the first or the last functions along their slopes; the others and their slopes are zero
// there. Both happen to a value between ends that have crossed. With a degree of 1 two functions are continued
// all the same, as scikit-learn does.
func (s *spline) linear(x float64, values []float64) {
	clear(values)
	for j := range max(s.degree, 2) {
		if x < s.low {
			values[j] = s.atLow[j] + float64((x-s.low)*s.slopeLow[j])
		}
		if k := s.width - 1 - j; x > s.high {
			values[k] = s.atHigh[k] + float64((x-s.high)*s.slopeHigh[k])
		}
	}
}

// segment is the last knot that is not above x, of those that begin a segment of the spline. Before the first
// knot it is the first segment, behind the last the last one: that is what continues a polynomial.
func (s *spline) segment(x float64) int {
	knots := s.knots[s.degree+1 : s.last]
	return s.degree + sort.Search(len(knots), func(i int) bool { return knots[i] > x })
}

// values computes the outputs at x. Beyond the ends it continues the outermost polynomials.
func (s *spline) values(x float64, work, values []float64) {
	at := s.segment(x)
	s.basis(x, at, s.degree, work)
	s.combine(at, work, values)
}

// combine sums the coefficients of the functions that are not zero on the segment at. Sums run over the functions
// in ascending order, each product rounded before it is added.
func (s *spline) combine(at int, work, values []float64) {
	clear(values)
	for n, w := range work {
		row := s.coef[(at+n-s.degree)*s.width:][:s.width]
		for k, c := range row {
			values[k] += float64(c * w)
		}
	}
}

// basis computes the degree+1 functions that are not zero on the segment at, by the recursion of Cox and de Boor.
// Each round raises the degree by one: function n becomes a sum of two neighbours of one degree less, weighted by
// where x lies between the knots. A segment without width gives nothing, where the formula would divide zero by
// zero.
func (s *spline) basis(x float64, at, degree int, h []float64) {
	h[0] = 1
	for j := 1; j <= degree; j++ {
		saved := 0.0
		for n := range j {
			left, right := s.knots[at+n+1-j], s.knots[at+n+1]
			w := 0.0
			if left != right {
				w = h[n] / (right - left)
			}
			h[n] = saved + float64(w*(right-x))
			saved = w * (x - left)
		}
		h[j] = saved
	}
}

// slopes computes the derivatives of the outputs at x: a difference of two functions of one degree less, each
// divided by the width of its knots and multiplied by the degree. It is called at the ends alone, while a model
// is compiled, and may allocate.
func (s *spline) slopes(x float64, work, values []float64) {
	at, k := s.segment(x), s.degree
	lower := make([]float64, k+1)
	s.basis(x, at, k-1, lower)
	for n := range work {
		work[n] = 0
		// Function n of degree k on this segment begins at knot first.
		first := at - k + n
		if width := s.knots[first+k] - s.knots[first]; n > 0 && width > 0 {
			work[n] += float64(k) * lower[n-1] / width
		}
		if width := s.knots[min(first+k+1, len(s.knots)-1)] - s.knots[first+1]; n < k && width > 0 {
			work[n] -= float64(k) * lower[n] / width
		}
	}
	s.combine(at, work, values)
}

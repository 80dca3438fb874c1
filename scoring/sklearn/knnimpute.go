package sklearn

import (
	"fmt"
	"math"
	"slices"

	"fraudstream/scoring/program"
)

// knnImputer compiles KNNImputer: a missing value becomes the mean of what the n_neighbors nearest training rows hold
// in that column, all alike or weighted by 1/d (Troyanskaya et al., Bioinformatics 17, 2001). The distance is
//
//	d(x, y)² = n/m · Σ (x_j - y_j)²
//
// over the m of n columns that both rows hold. A column without any row at a known distance gets its training mean.
// Columns that were empty in training are left out, or are zero with keep_empty_features.
//
// scikit-learn finds d² from squares that nearly cancel, and which of two donors at the same distance comes first is
// for numpy's argpartition to say, which goes by the processor. Where either could change the result this file gives
// none: the row cannot be scored. Weights by distance always hang on it, so that they are taken for training rows of
// whole numbers alone. Functions in weights or metric are refused.
func (c *compiler) knnImputer(a *attributes, in matrix) matrix {
	a.reads(in)
	absent := a.missingValues()
	if absent.Type != program.NaN && absent.Type != program.Number {
		a.unknown("missing_values", a.optional("missing_values"))
	}
	s := a.donors(len(in), absent)
	keepEmpty := a.flag("keep_empty_features", false)
	if a.err != nil {
		return nil
	}
	name := c.stepName(a)
	c.b.CheckFinite(name, in, absent.Type == program.NaN)
	s.in = in
	var out matrix
	for j, r := range in {
		s.out = append(s.out, c.b.New(r))
		if keepEmpty || !s.empty(j) {
			out = append(out, s.out[j])
		}
	}
	// The scratch holds the row, its distances, and the donors with their row numbers.
	c.b.Lane64(len(in) + s.count() + 2*s.k)
	c.b.Add(name, s)
	return c.join(a, out, c.flags(a, in, absent))
}

// donors reads the training rows, with NaN where a value is missing, and how they are asked. _fit_X is a float
// matrix of all training rows, in which the mark of a missing value stands as it was. It becomes NaN here, which
// is what distances skip.
func (a *attributes) donors(columns int, absent program.Constant) *donors {
	array := a.array("_fit_X")
	k, ok := integer(a.required("n_neighbors"))
	if a.err != nil {
		return nil
	}
	values, numeric := floats(array)
	switch {
	case !numeric || len(array.Shape) != 2 || array.Shape[1] != columns || array.Shape[0] == 0:
		a.mismatch("_fit_X", describe(array), fmt.Sprintf("a matrix of training rows with %d columns is expected", columns))
	case len(values) > maxNeighborhood:
		a.refuse("budget", "_fit_X", describe(array), fmt.Sprintf("at most %d training values are searched for a row; fit on fewer rows", maxNeighborhood))
	case !ok || k < 1:
		a.mismatch("n_neighbors", show(a.optional("n_neighbors")), "a positive number is expected")
	}
	s := &donors{absent: absent.Num, nan: absent.Type == program.NaN}
	if metric := a.text("metric", "nan_euclidean"); metric != "nan_euclidean" {
		a.unknown("metric", metric)
	}
	switch weights := a.optional("weights"); weights {
	case nil, "uniform":
	case "distance":
		s.inverse = true
	default:
		a.unknown("weights", weights)
	}
	if a.err != nil {
		return nil
	}
	for i, v := range values {
		if s.missing(v) {
			values[i] = math.NaN()
		} else if math.IsInf(v, 0) || v != v {
			a.refuse("non-finite", "_fit_X", fmt.Sprintf("[%d]=%v", i, v), "a fitted number must be finite")
			return nil
		}
	}
	if s.inverse && slices.ContainsFunc(values, inexact) {
		a.refuse("unsupported-value", "weights", `"distance"`, "scikit-learn's distances between numbers with a fraction are inexact, and too much so to weigh by them; fit with weights='uniform'")
		return nil
	}
	// More neighbours than there are rows are all of them, as in scikit-learn.
	s.rows, s.k = values, int(min(k, int64(array.Shape[0])))
	s.means = columnMeans(values, columns)
	return s
}

// inexact tells a number whose products scikit-learn may round: all but whole ones below 2^20.
func inexact(v float64) bool {
	return v == v && (v != math.Trunc(v) || math.Abs(v) >= 1<<20)
}

// columnMeans are the means of what is there, NaN for an empty column. The order of the sum is that of numpy.ma, which
// counts a gap as zero.
func columnMeans(rows []float64, columns int) []float64 {
	means := make([]float64, columns)
	filled := make([]float64, len(rows)/columns)
	for j := range means {
		count := 0.0
		for t := range filled {
			if filled[t] = rows[t*columns+j]; filled[t] != filled[t] {
				filled[t] = 0
			} else {
				count++
			}
		}
		means[j] = sumOf(filled) / count
	}
	return means
}

// donors are the training rows that fill the gaps of others.
type donors struct {
	in, out matrix // a register per column, those included that are left out
	rows    []float64
	means   []float64
	k       int
	inverse bool // a donor counts by 1/d
	nan     bool // NaN is what is missing, else the number absent
	absent  float64
}

// missing tells a gap in a row as it came in: the mark, or NaN.
func (s *donors) missing(v float64) bool { return v == s.absent && !s.nan || v != v && s.nan }

// empty tells a column that had no value in training, whose mean is NaN.
func (s *donors) empty(column int) bool { return s.means[column] != s.means[column] }

// count is the number of training rows.
func (s *donors) count() int { return len(s.rows) / len(s.means) }

// Run fills the gaps of each row from the row as it came in: one gap that is filled does not help to fill the next.
func (s *donors) Run(f *program.Frame) {
	n, rows := len(s.in), s.count()
	x, distance := f.Lane64[:n], f.Lane64[n:n+rows]
	near := nearest{at: f.Lane64[n+rows : n+rows+s.k], who: f.Lane64[n+rows+s.k : n+rows+2*s.k]}
	for i := range f.Rows {
		row := f.Registers(i)
		measured := false
		for j, r := range s.in {
			if x[j] = row[r]; s.missing(x[j]) {
				x[j] = math.NaN()
			}
		}
		for j, v := range x {
			switch {
			case s.empty(j):
				v = 0
			case v != v:
				if !measured {
					s.measure(x, distance)
					measured = true
				}
				var certain bool
				if v, certain = s.fill(x, distance, j, &near); !certain {
					f.Fail(i, program.Unscorable, -1)
				}
			}
			row[s.out[j]] = v
		}
	}
}

// measure computes the squared distances to all training rows, NaN where no column is held by both. All distances
// are found once for the first gap of a row and serve the others.
func (s *donors) measure(x, distance []float64) {
	n := len(x)
	for t := range distance {
		sum, both := 0.0, 0
		for j, y := range s.rows[t*n : t*n+n] {
			if d := x[j] - y; d == d {
				sum += float64(d * d)
				both++
			}
		}
		// Nothing in common divides zero by zero.
		distance[t] = sum / float64(both) * float64(n)
	}
}

// nearest holds the donors found so far in order of distance, and the nearest of those left out. who are row
// numbers kept as float64, because the scratch of a frame is.
type nearest struct {
	at, who []float64 // squared distances and row numbers
	held    int
	out     float64 // row number of the nearest that was left out; -1
	outAt   float64
}

// take lets a row in if it is nearer than the last one held.
func (s *nearest) take(t int, d float64) {
	who := float64(t)
	if s.held == len(s.at) {
		last := s.held - 1
		if d >= s.at[last] {
			s.leave(who, d)
			return
		}
		s.leave(s.who[last], s.at[last])
		s.held--
	}
	e := s.held
	for ; e > 0 && s.at[e-1] > d; e-- {
		s.at[e], s.who[e] = s.at[e-1], s.who[e-1]
	}
	s.at[e], s.who[e] = d, who
	s.held++
}

// leave remembers the nearest of those that are not held; of equal ones the first.
func (s *nearest) leave(who, d float64) {
	if s.out < 0 || d < s.outAt {
		s.out, s.outAt = who, d
	}
}

// fill computes the value of column j from its donors. It is not certain where scikit-learn's rounding could
// choose other donors, with other values, or weigh them differently. The threshold of 1e-13, relative to the
// value or to 1, leaves a tenth of the tolerance that golden rows have by default.
func (s *donors) fill(x, distance []float64, j int, near *nearest) (value float64, certain bool) {
	n := len(x)
	near.held, near.out = 0, -1
	for t, d := range distance {
		if d == d && s.rows[t*n+j] == s.rows[t*n+j] {
			near.take(t, d)
		}
	}
	// No training row has both a value here and a column in common with the row.
	if near.held == 0 {
		return s.means[j], true
	}
	value, slip := s.average(x, j, near)
	if near.out < 0 {
		return value, slip <= 1e-13*math.Max(1, math.Abs(value))
	}
	return value, slip <= 1e-13*math.Max(1, math.Abs(value)) && !s.contested(x, distance, j, near)
}

// average is the mean over the donors, and by how much it can differ for the errors of the distances. With w =
// 1/d an error e of d² moves the weight by w·e/(2d²), and the mean by that times the distance of the donor's
// value from it, divided by the sum of the weights; slip adds these up.
func (s *donors) average(x []float64, j int, near *nearest) (value, slip float64) {
	n := len(x)
	sum, total := 0.0, 0.0
	for e := range near.held {
		w := s.weight(near, e)
		sum += float64(s.rows[int(near.who[e])*n+j] * w)
		total += w
	}
	value = sum / total
	if !s.inverse {
		return value, 0
	}
	for e := range near.held {
		off := math.Abs(s.rows[int(near.who[e])*n+j] - value)
		err := s.rounding(x, int(near.who[e]))
		switch {
		case off == 0 || err == 0:
		// Whether a distance is exactly zero decides about all of the weights.
		case near.at[e] == 0:
			return value, math.Inf(1)
		default:
			slip += 1 / math.Sqrt(near.at[e]) * off * err / (2 * near.at[e]) / total
		}
	}
	return value, slip
}

// weight of a donor: a row at distance zero leaves nothing to the others.
func (s *donors) weight(near *nearest, e int) float64 {
	switch {
	case !s.inverse || near.at[e] == 0:
		return 1
	case near.at[0] == 0:
		return 0
	}
	return 1 / math.Sqrt(near.at[e])
}

// contested tells whether a row left out is as near as the last donor, but for rounding, and any row at that
// distance holds another value. Donors at the same distance with the same value may be exchanged freely.
func (s *donors) contested(x, distance []float64, j int, near *nearest) bool {
	n, last := len(x), near.held-1
	reach := s.rounding(x, int(near.who[last])) + s.rounding(x, int(near.out))
	if near.outAt-near.at[last] > reach {
		return false
	}
	v := s.rows[int(near.who[last])*n+j]
	for t, d := range distance {
		if y := s.rows[t*n+j]; y == y && y != v && math.Abs(d-near.at[last]) <= reach {
			return true
		}
	}
	return false
}

// rounding bounds the error of d² in scikit-learn's x·x - 2x·y + y·y for one training row. Whole numbers below 2^20
// are added without any.
func (s *donors) rounding(x []float64, t int) float64 {
	n := len(x)
	squares, both, whole := 0.0, 0.0, true
	for j, y := range s.rows[t*n : t*n+n] {
		v := x[j]
		if v == v && y == y {
			both++
		}
		// What the other row lacks is added and taken away again.
		for _, u := range [...]float64{v, y} {
			if u == u {
				squares += float64(u * u)
				whole = whole && !inexact(u)
			}
		}
	}
	if whole {
		return 0
	}
	return (4 + math.Sqrt(float64(n))) * 0x1p-52 * squares / both * float64(n)
}

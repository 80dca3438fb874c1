package sklearn

import (
	"fmt"
	"math"

	"fraudstream/scoring/program"
)

// maxNeighborhood bounds what a search for neighbours reads for a row: training rows times columns. Four million
// products take a few milliseconds, which is what an event may cost.
const maxNeighborhood = 1 << 22

// nearestNeighbors compiles KNeighborsClassifier: every training row is compared, whatever index it was fitted with,
// and the shares of the classes among the nearest are the probabilities.
//
// Where rows of different classes compete for the last place at the same distance, scikit-learn's answer hangs on how
// its index was built. Without an index it hangs on the number of processors and on the rows that are scored together:
// the training rows are dealt out to threads in chunks, each with a heap that keeps whom it met first, and distances
// are found from squares that nearly cancel, so that rounding can part equals or swap neighbours. Such a row cannot be
// scored here.
//
// Weights by distance are taken from the trees and from metrics other than the Euclidean. Without a tree scikit-learn
// finds that one from squares that nearly cancel, with an error that depends on the rows scored together.
//
// _fit_X is a float64 matrix of the training rows, _y the place of each row's class, effective_metric_ the metric
// once minkowski has been resolved by its p, _fit_method what index was chosen. leaf_size and algorithm decide
// about speed. A tie between classes in the probabilities goes to the first, as in scikit-learn.
func (c *compiler) nearestNeighbors(a *attributes, in matrix) (model classifier) {
	a.reads(in)
	model.classes = a.classes()
	if a.flag("outputs_2d_", false) {
		a.unknown("outputs_2d_", true)
	}
	s := a.neighborhood(len(in), len(model.classes))
	if a.err != nil {
		return
	}
	name := c.stepName(a)
	c.b.CheckFinite(name, in, false)
	s.in, s.out = in, c.b.Block(len(model.classes))
	c.b.Lane64(len(in) + 2*s.k)
	c.b.Add(name, s)
	model.probability, model.predicted = s.out, c.b.New(-1)
	c.b.Add(name, &argmax{s.out, model.predicted})
	return model
}

// neighborhood reads the training rows, their classes, the metric and the weights. An index (KDTree, BallTree) is
// compiled code's own state and is never opened; the rows that it was built from lie beside it.
func (a *attributes) neighborhood(columns, classes int) *neighborhood {
	s := &neighborhood{metric: a.text("effective_metric_", "")}
	array := a.array("_fit_X")
	k, ok := integer(a.required("n_neighbors"))
	if a.err != nil {
		return nil
	}
	rows := 0
	if len(array.Shape) == 2 {
		rows = array.Shape[0]
	}
	switch {
	case rows == 0:
		a.mismatch("_fit_X", describe(array), "a matrix with the training rows is expected")
	case rows*columns > maxNeighborhood:
		a.refuse("budget", "_fit_X", describe(array), fmt.Sprintf("at most %d training values are searched for a row; fit on fewer rows", maxNeighborhood))
	case !ok || k < 1 || k > int64(rows):
		a.mismatch("n_neighbors", show(a.optional("n_neighbors")), fmt.Sprintf("there are %d training rows", rows))
	}
	if a.err != nil {
		return nil
	}
	s.k, s.rows, s.labels = int(k), a.matrix("_fit_X", rows, columns), integers(a.required("_y"))
	if a.err == nil && len(s.labels) != rows {
		a.mismatch("_y", show(a.optional("_y")), fmt.Sprintf("a class for each of %d rows is expected", rows))
	}
	for _, y := range s.labels {
		if y < 0 || y >= classes {
			a.mismatch("_y", fmt.Sprint(y), fmt.Sprintf("there are %d classes", classes))
			break
		}
	}
	switch s.metric {
	case "euclidean":
		method := a.text("_fit_method", "")
		s.cancels = method != "kd_tree" && method != "ball_tree"
	case "manhattan", "chebyshev":
	default:
		a.unknown("effective_metric_", s.metric)
	}
	a.neighborWeights(s)
	return s
}

// neighborWeights reads how neighbours count: all alike, or by the inverse of their distance. A function in
// weights is code and is refused.
func (a *attributes) neighborWeights(s *neighborhood) {
	switch weights := a.optional("weights"); weights {
	case nil, "uniform":
	case "distance":
		s.inverse = true
		if s.cancels {
			a.refuse("unsupported-value", "weights", `"distance"`, "with algorithm='brute' and the Euclidean metric scikit-learn's distances are inexact; fit with algorithm='ball_tree'")
		}
	default:
		a.unknown("weights", weights)
	}
}

// neighborhood finds the k nearest training rows. rows is the training matrix in row order, labels has a class
// per row.
type neighborhood struct {
	in, out matrix
	rows    []float64
	labels  []int
	k       int
	metric  string
	inverse bool // neighbours count by 1/d
	cancels bool // scikit-learn finds d² as x·x - 2x·y + y·y
}

// Run keeps the nearest rows in order of distance; a training row enters where it is nearer than the last of
// them. The scratch holds the row itself, the distances of the k neighbours and their classes, in this order.
func (s *neighborhood) Run(f *program.Frame) {
	n := len(s.in)
	x := f.Lane64[:n]
	nearest, label := f.Lane64[n:n+s.k], f.Lane64[n+s.k:n+2*s.k]
	for i := range f.Rows {
		row := f.Registers(i)
		for j, r := range s.in {
			x[j] = row[r]
		}
		rest := s.search(x, nearest, label)
		if rest.competes(nearest, label, s.reach(x, nearest[s.k-1])) {
			f.Fail(i, program.Unscorable, -1)
		}
		s.share(row, nearest, label)
	}
}

// search fills nearest and label, and tells what it had to leave out. A row at the same distance as the last
// neighbour stays outside, where it may compete. In a sound row no distance is NaN.
func (s *neighborhood) search(x, nearest, label []float64) outside {
	rest, held := outside{distance: math.Inf(1)}, 0
	for t, y := range s.labels {
		d := s.distance(s.rows[t*len(x):(t+1)*len(x)], x)
		if held == s.k {
			if !(d < nearest[held-1]) {
				rest.add(d, float64(y))
				continue
			}
			rest.add(nearest[held-1], label[held-1])
		}
		held = min(held+1, s.k)
		at := held - 1
		for ; at > 0 && nearest[at-1] > d; at-- {
			nearest[at], label[at] = nearest[at-1], label[at-1]
		}
		nearest[at], label[at] = d, float64(y)
	}
	return rest
}

// outside is the nearest of the training rows that are no neighbours.
type outside struct {
	distance, label float64
	mixed           bool // there are several, of different classes
}

// add takes note of a row that is left out. Only the nearest of those outside can take a place, so that the
// others are forgotten.
func (o *outside) add(distance, label float64) {
	switch {
	case distance < o.distance:
		*o = outside{distance: distance, label: label}
	case distance == o.distance && label != o.label:
		o.mixed = true
	}
}

// reach is by how much rounding may change the distance d of the last neighbour. A difference of squares is as
// exact as the squares: |y|² is at most 2|x|² + 2d², and the error a few units in the last place of their sum.
// Whole numbers are not told apart here; what ties with them ties exactly and is within reach anyway. With a tree
// or another metric distances are summed from differences, which are exact to a part in 10^15 or so; 1e-12 leaves
// room.
func (s *neighborhood) reach(x []float64, d float64) float64 {
	if !s.cancels {
		return d * 1e-12
	}
	squares := 0.0
	for _, v := range x {
		squares += float64(v * v)
	}
	return max(d*1e-12, (4+math.Sqrt(float64(len(x))))*0x1p-52*(3*squares+2*d))
}

// competes tells whether a row that was left out is as near as the last neighbour, but for rounding, and of another
// class than a neighbour at that distance.
func (o *outside) competes(nearest, label []float64, reach float64) bool {
	last := len(nearest) - 1
	if o.distance-nearest[last] > reach {
		return false
	}
	for e := last; e >= 0 && nearest[last]-nearest[e] <= reach; e-- {
		if o.mixed || label[e] != o.label {
			return true
		}
	}
	return false
}

// distance is that of the metric; of the Euclidean the square, whose order is the same. chebyshev is the largest
// difference of a column, manhattan the sum of all.
func (s *neighborhood) distance(a, b []float64) float64 {
	if s.metric == "euclidean" {
		return squaredDistance(a, b)
	}
	total := 0.0
	for i, v := range a {
		d := math.Abs(v - b[i])
		if s.metric == "chebyshev" {
			total = max(total, d)
		} else {
			total += d
		}
	}
	return total
}

// share turns the neighbours into probabilities. A neighbour at distance zero leaves nothing to the others.
// nearest is in ascending order, so that its first element tells whether any distance is zero.
func (s *neighborhood) share(row, nearest, label []float64) {
	for _, r := range s.out {
		row[r] = 0
	}
	total := 0.0
	for e, d := range nearest {
		w := 1.0
		if s.inverse {
			switch {
			case nearest[0] == 0 && d > 0:
				w = 0
			case s.metric == "euclidean" && d > 0:
				w = 1 / math.Sqrt(d)
			case d > 0:
				w = 1 / d
			}
		}
		row[s.out[int(label[e])]] += w
		total += w
	}
	for _, r := range s.out {
		row[r] /= total
	}
}

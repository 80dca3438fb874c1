package booster

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// A column is worked out from a feature before the trees are walked, for nodes that ask what a threshold cannot.
// Three kinds are made: a set of LightGBM, inside of which goes left; one of XGBoost, inside of which goes right;
// and a number of LightGBM that is missing where it is zero. The node behind a set asks whether the column is at
// most, or below, one half.
type column struct {
	feature         int
	set             *set    // nil: the feature itself with zeros missing
	above           float64 // smaller numbers, and this one, are no category
	inside, outside float64 // what the column holds for a category of the set, and for all else
	missing         float64 // what it holds for a missing value
}

// zero is the distance from zero within which LightGBM takes a number for zero: its own 1e-35f.
var zero = float64(float32(1e-35))

// value is the column for a value of its feature. A category is cut to a whole number, as the cast to an integer
// does in both libraries; a set has no category at or above maxCategory. The bound comes before the cast: a
// number beyond the integers has no defined one.
func (c *column) value(x float64) float64 {
	switch {
	case c.set == nil && math.Abs(x) <= zero:
		return math.NaN()
	case c.set == nil:
		return x
	case x != x:
		return c.missing
	case x > c.above && x < maxCategory && c.set.has(int(x)):
		return c.inside
	}
	return c.outside
}

// maxCategory bounds categories: XGBoost takes them as float32, which counts no further. Above 2^24 two whole
// numbers may be the same float32.
const maxCategory = 1 << 24

// A set holds categories: as bits, or in order where a bit for each would take much more room. A file may name
// category 16,000,000 in a few bytes. bits is nil where sorted alone serves.
type set struct {
	bits   []uint64
	sorted []int32
}

// maxBits is the largest category that bits are kept for. A set of that range takes 512 bytes, and a lookup in it
// one load.
const maxBits = 1 << 12

// newSet makes a set; it is false where a number is no category. A category that is listed twice counts once.
func newSet(categories []float64) (*set, bool) {
	s := new(set)
	for _, x := range categories {
		i, ok := whole(x)
		if !ok || i >= maxCategory {
			return nil, false
		}
		s.sorted = append(s.sorted, int32(i))
	}
	slices.Sort(s.sorted)
	s.sorted = slices.Compact(s.sorted)
	if n := len(s.sorted); n > 0 && s.sorted[n-1] < maxBits {
		s.bits = make([]uint64, s.sorted[n-1]/64+1)
		for _, i := range s.sorted {
			s.bits[i/64] |= 1 << (i % 64)
		}
	}
	return s, true
}

// has reports whether a category that is not negative is in the set. The bits end with the largest category, so
// that anything behind them is outside.
func (s *set) has(category int) bool {
	if s.bits != nil {
		return category/64 < len(s.bits) && s.bits[category/64]>>(category%64)&1 != 0
	}
	_, found := slices.BinarySearch(s.sorted, int32(category))
	return found
}

// Limits of what is worked out before the walk. One list of categories may stand for many nodes, so a small file
// could ask for a great deal.
const (
	maxMembers = 4 << 20 // categories of all sets
	maxExtra   = 1 << 16 // columns
)

// A setTable makes sets and gives equal columns one place. It lives while one model is read. members counts what
// all sets hold together, equal ones each time.
type setTable struct {
	model   *Model
	places  map[string]int
	members int
}

// make makes a set; what is wrong with it is refused under the name of an attribute. attribute is the list of the
// file in which the categories stand.
func (t *setTable) make(r *reader, attribute string, categories []float64) *set {
	if t.members += len(categories); t.members > maxMembers {
		r.refuse("budget", attribute, fmt.Sprint(t.members), adviceBudget)
		return nil
	}
	s, ok := newSet(categories)
	if !ok {
		r.structure(attribute, "a category", "a category is a whole number below 2^24")
	}
	return s
}

// place is the feature index under which nodes find the column. Within one model columns differ by their feature
// and their set alone. The key is the feature and the sorted members as text, which is made once per node and
// never while rows are scored.
func (t *setTable) place(r *reader, c column) int {
	var key strings.Builder
	fmt.Fprint(&key, c.feature)
	if c.set != nil {
		fmt.Fprint(&key, c.set.sorted)
	}
	place, known := t.places[key.String()]
	if !known {
		place = t.model.Features + len(t.model.extra)
		t.places[key.String()] = place
		t.model.extra = append(t.model.extra, c)
	}
	if len(t.model.extra) > maxExtra {
		r.refuse("budget", "categories", fmt.Sprint(len(t.model.extra)), "the trees ask for too many different sets of categories")
	}
	return place
}

package drift

import (
	"math"
	"math/bits"
	"slices"
)

// width is the number of cuts in a window: five steps of a search.
const width = 32

// table finds the tally of a value. Most tables are one window; a feature of many categories has more.
type table struct {
	first   *window // the only one, if tops is nil
	windows []window
	tops    []uint64 // tree of the last cuts of the windows
}

// window holds a tree of cuts, each the last key of a segment, and in their order the indices of the segments' tallies.
type window struct {
	cuts  [width]uint64
	tally [width]uint32
}

// place is the value cell and the quality cell of the values of one tally.
type place struct {
	cell    int // noCell if they have none
	quality quality
}

// key maps values to integers of the same order: -NaN, -∞, negative, -0, 0, positive, +∞, NaN.
func key(x float64) uint64 {
	b := math.Float64bits(x)
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

// value is the inverse of key.
func value(k uint64) float64 {
	return math.Float64frombits(k ^ (uint64(int64(^k)>>63) | 1<<63))
}

// cut is the key of the last number that is not above x. The two zeros are one value: no cut stands between them.
func cut(x float64) uint64 { return key(x + 0) }

// cutBelow is the key of the last number below x.
func cutBelow(x float64) uint64 {
	if x == 0 {
		return key(math.Copysign(0, -1)) - 1
	}
	return key(x) - 1
}

// count adds each x[i] to the tally of its table. A step of the search compares the key with a cut and goes to the left
// or the right child, 2i or 2i+1: the borrow of their subtraction is what is added, so that no branch depends on a
// value. The steps stand here one by one, rather than in a loop or a function of their own, because that is twice as
// fast: each is three instructions, and the processor works on the next columns meanwhile.
func count(tables []table, tallies []tally, x []float64) {
	tables = tables[:len(x)]
	for column, v := range x {
		t, k := &tables[column], key(v)
		w := t.first
		if t.tops != nil {
			w = t.window(k)
		}
		_, beyond := bits.Sub64(w.cuts[1], k, 0)
		i, _ := bits.Add64(1, 1, beyond)
		_, beyond = bits.Sub64(w.cuts[i%width], k, 0)
		i, _ = bits.Add64(i, i, beyond)
		_, beyond = bits.Sub64(w.cuts[i%width], k, 0)
		i, _ = bits.Add64(i, i, beyond)
		_, beyond = bits.Sub64(w.cuts[i%width], k, 0)
		i, _ = bits.Add64(i, i, beyond)
		_, beyond = bits.Sub64(w.cuts[i%width], k, 0)
		i, _ = bits.Add64(i, i, beyond)
		a := &tallies[w.tally[i%width]]
		a.n++
		a.sum += v
	}
}

// window is the first whose last cut k does not exceed.
func (t *table) window(k uint64) *window {
	i := uint64(1)
	for i < uint64(len(t.tops)) {
		_, beyond := bits.Sub64(t.tops[i], k, 0)
		i, _ = bits.Add64(i, i, beyond)
	}
	return &t.windows[i-uint64(len(t.tops))]
}

// newTable cuts the number line where classify may change its mind and asks it once per segment. The tallies are
// numbered from first; what each stands for is returned.
func newTable(c *classifier, first int) (table, []place) {
	var t table
	var places []place
	cuts := append(c.cuts(), math.MaxUint64) // the last segment is NaN
	for len(cuts)%width != 0 {
		cuts = append(cuts, math.MaxUint64)
	}
	for i, last := range cuts {
		p := c.classify(value(last))
		at := slices.Index(places, p)
		if at < 0 {
			at = len(places)
			places = append(places, p)
		}
		if i%width == 0 {
			t.windows = append(t.windows, window{cuts: [width]uint64(tree(cuts[i : i+width]))})
		}
		t.windows[i/width].tally[i%width] = uint32(first + at)
	}
	t.first = &t.windows[0]
	if len(t.windows) == 1 {
		return t, places
	}
	var tops []uint64
	for i := width - 1; i < len(cuts); i += width {
		tops = append(tops, cuts[i])
	}
	for len(tops)&(len(tops)-1) != 0 {
		tops = append(tops, math.MaxUint64)
	}
	t.tops = tree(tops)
	return t, places
}

// tree lays out ascending cuts, a power of two of them, for a search from element 1, whose children are 2 and 3. It
// finds the first cut that is not below a key; the last one need not be asked and has no node.
func tree(cuts []uint64) []uint64 {
	nodes := make([]uint64, len(cuts))
	for level, step := 1, len(cuts)/2; step > 0; level, step = 2*level, step/2 {
		for i := range level {
			nodes[level+i] = cuts[(2*i+1)*step-1]
		}
	}
	return nodes
}

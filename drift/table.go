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
	windows []window
	tops    []uint64 // the last cuts of the windows, filled up to a power of two with keys that no value exceeds
}

// window holds ascending cuts, each the last key of a segment, and the index of that segment's tally.
type window struct {
	cuts  [width]uint64
	tally [width]uint32
}

// place is the value cell and the quality cell of the values of one tally.
type place struct {
	cell    int // noCell if they have none
	quality quality
}

// key maps values to integers of the same order: -NaN, -∞, negative, zero (one of the two), positive, +∞, NaN.
func key(x float64) uint64 {
	b := math.Float64bits(x + 0) // -0 + 0 is +0: the two zeros are one value
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

// value is the inverse of key.
func value(k uint64) float64 {
	return math.Float64frombits(k ^ (uint64(int64(^k)>>63) | 1<<63))
}

// before is the key of the number below that of key k.
func before(k uint64) uint64 {
	if k == key(0) {
		return k - 2 // over the bits of -0, which are no key
	}
	return k - 1
}

// count adds each x[i] to the tally of its table. A step of the search asks whether the key is beyond a cut and takes
// the borrow of their subtraction, 0 or 1, as the answer: no branch depends on a value. The steps in a window stand
// here one by one, rather than in a loop or a function of their own, because that is twice as fast: the compiler sees
// every index stay inside, and the processor works on the next columns meanwhile.
func count(tables []table, tallies []tally, x []float64) {
	tables = tables[:len(x)]
	for column, v := range x {
		t, k, at := &tables[column], key(v), 0
		for step := len(t.tops) / 2; step > 0; step /= 2 {
			_, beyond := bits.Sub64(t.tops[at+step-1], k, 0)
			at += step & -int(beyond)
		}
		w := &t.windows[at]
		_, beyond := bits.Sub64(w.cuts[15], k, 0)
		i := 16 & -beyond
		_, beyond = bits.Sub64(w.cuts[i+7], k, 0)
		i += 8 & -beyond
		_, beyond = bits.Sub64(w.cuts[i+3], k, 0)
		i += 4 & -beyond
		_, beyond = bits.Sub64(w.cuts[i+1], k, 0)
		i += 2 & -beyond
		_, beyond = bits.Sub64(w.cuts[i], k, 0)
		i += 1 & -beyond
		a := &tallies[w.tally[i]]
		a.n++
		a.sum += v
	}
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
	for i, cut := range cuts {
		p := c.classify(value(cut))
		at := slices.Index(places, p)
		if at < 0 {
			at = len(places)
			places = append(places, p)
		}
		if i%width == 0 {
			t.windows = append(t.windows, window{})
		}
		w := &t.windows[i/width]
		w.cuts[i%width], w.tally[i%width] = cut, uint32(first+at)
	}
	for _, w := range t.windows {
		t.tops = append(t.tops, w.cuts[width-1])
	}
	for len(t.tops)&(len(t.tops)-1) != 0 {
		t.tops = append(t.tops, math.MaxUint64)
	}
	return t, places
}

package drift

import (
	"math"
	"math/bits"
	"slices"
)

// table finds the tally of a value. Cut i is the last key of segment i; the segment after the last cut holds NaN.
type table struct {
	cuts   []uint64 // ascending; filled up to a power of two less one with keys that no value exceeds
	step   int      // half of len(cuts)+1: the first step of the search
	tally  []uint32 // of each segment, an index into a shard's tallies
	center float64  // of the sum of squares
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

// find returns the index of x's tally. Each step asks whether the key is beyond a cut and takes the borrow of their
// subtraction, 0 or 1, as the answer: no branch depends on the value.
func (t *table) find(x float64) uint32 {
	k, at := key(x), 0
	for step := t.step; step > 0; step >>= 1 {
		_, beyond := bits.Sub64(t.cuts[at+step-1], k, 0)
		at += step & -int(beyond)
	}
	return t.tally[at]
}

// newTable cuts the number line where classify may change its mind and asks it once per segment. The tallies are
// numbered from first; what each stands for is returned.
func newTable(c *classifier, first int) (table, []place) {
	t := table{cuts: c.cuts(), center: c.center()}
	var places []place
	for i := range len(t.cuts) + 1 {
		x := math.NaN()
		if i < len(t.cuts) {
			x = value(t.cuts[i])
		}
		p := c.classify(x)
		at := slices.Index(places, p)
		if at < 0 {
			at = len(places)
			places = append(places, p)
		}
		t.tally = append(t.tally, uint32(first+at))
	}
	t.fillUp()
	return t, places
}

// fillUp makes the number of cuts a power of two less one, so that every search takes the same steps.
func (t *table) fillUp() {
	size := 1 << bits.Len(uint(len(t.cuts)))
	t.step = size / 2
	last := t.tally[len(t.tally)-1]
	for len(t.cuts) < size-1 {
		t.cuts = append(t.cuts, math.MaxUint64)
	}
	for len(t.tally) < size {
		t.tally = append(t.tally, last)
	}
}

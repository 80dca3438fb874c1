package sklearn

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestCategorySplit holds what scikit-learn 1.1.3 and 1.2.2 gave for a model that knows the categories 0 to 5, sends 1
// to the right and 0 to the left, and a missing value to the left.
func TestCategorySplit(t *testing.T) {
	var left, known bitset
	for c := range uint8(6) {
		known.add(c)
	}
	left.add(0)
	for _, c := range []struct {
		value      float64
		old, today float64 // 1: right
	}{
		{0, 0, 0},
		{1, 1, 1},
		{1.7, 1, 1}, // the fraction is cut off
		{5, 1, 1},
		{255, 0, 0},  // unknown: like a missing value
		{256, 0, 0},  // only eight bits are kept: category 0
		{257, 1, 1},  // category 1
		{-255, 1, 0}, // category 1 once, missing today
		{-1, 0, 0},
		{1e10, 0, 0},
		{math.Inf(1), 0, 0},
		{math.Inf(-1), 0, 0},
		{math.NaN(), 0, 0},
	} {
		old := categorySplit{left: left, known: known, missingLeft: true, wraps: true}
		today := categorySplit{left: left, known: known, missingLeft: true}
		if got := old.right(c.value); got != c.old {
			t.Errorf("1.1 of %v: %v, want %v", c.value, got, c.old)
		}
		if got := today.right(c.value); got != c.today {
			t.Errorf("%v: %v, want %v", c.value, got, c.today)
		}
	}
	right := categorySplit{left: left, known: known}
	for _, unknown := range []float64{math.NaN(), 9, -3} {
		if right.right(unknown) != 1 {
			t.Errorf("%v must go where a missing value goes", unknown)
		}
	}
}

// TestCategoryTable holds the answers worked out beforehand against the questions, many of them and of two features.
func TestCategoryTable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, wraps := range []bool{false, true} {
		splits := make([]categorySplit, 150)
		for i := range splits {
			s := &splits[i]
			s.feature, s.missingLeft, s.wraps = i%2, r.IntN(2) == 0, wraps
			for k := range s.left {
				s.left[k], s.known[k] = r.Uint64(), r.Uint64()
			}
		}
		const step = 3
		x := make([]float64, len(splits)*step)
		for c := -300; c < 600; c++ {
			v := float64(c) + r.Float64()
			switch c {
			case -300:
				v = math.NaN()
			case -299:
				v = math.Inf(1)
			case -298:
				v = math.Inf(-1)
			}
			for _, table := range tabulate(splits) {
				table.put(x, step, v)
			}
			for k := range splits {
				if want := splits[k].right(v); x[k*step] != want {
					t.Fatalf("split %d of %v: %v, want %v", k, v, x[k*step], want)
				}
			}
		}
	}
}

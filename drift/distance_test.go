package drift

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"pgregory.net/rapid"
)

// golden is testdata/golden.json: every figure of the contract, computed with other software.
type golden struct {
	Tolerance float64
	Cases     []struct {
		ID, Kind   string
		Base, Live []float64
		BaseSums   []float64 `json:"base_sums"`
		LiveSums   []float64 `json:"live_sums"`
		Std        float64
		Expect     map[string]any
	}
}

func readGolden(t *testing.T) golden {
	t.Helper()
	data, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func TestDistancesMatchGolden(t *testing.T) {
	g := readGolden(t)
	compared, largest := 0, 0.0
	for _, c := range g.Cases {
		if c.Kind != "distance" {
			continue
		}
		std := math.NaN()
		if c.Std != 0 {
			std = c.Std
		}
		_, ordered := c.Expect["ks"]
		base, live := Histogram{c.Base, c.BaseSums}, Histogram{c.Live, c.LiveSums}
		d := Compare(base, live, ordered, std)
		got := map[string]float64{
			"n": live.total(), "psi": float64(d.PSI), "psi_unsmoothed": float64(d.PSIUnsmoothed),
			"js": float64(d.JS), "js_smoothed": float64(d.JSSmoothed), "js_base2": d.JSBase2(),
			"js_divergence_base2": d.JSBase2() * d.JSBase2(), "hellinger": float64(d.Hellinger),
			"tv": float64(d.TV), "linf": float64(d.Linf), "ks": float64(d.KS), "w1_over_std": float64(d.W1OverStd),
			"psi_critical_001": PSICut(len(c.Base), live.total(), base.total(), 0.001, 0),
		}
		for figure, want := range c.Expect {
			compared++
			if want == nil {
				if !math.IsInf(got[figure], 1) {
					t.Errorf("%s: %s = %v, want infinite", c.ID, figure, got[figure])
				}
				continue
			}
			off := math.Abs(got[figure] - want.(float64))
			largest = max(largest, off)
			if !(off <= g.Tolerance) {
				t.Errorf("%s: %s = %v, want %v", c.ID, figure, got[figure], want)
			}
		}
		// What the golden has no figure for has none here: ks and w1 of categories, w1 without sums.
		for figure, value := range got {
			if _, expected := c.Expect[figure]; !expected && !math.IsNaN(value) {
				t.Errorf("%s: %s = %v, want none", c.ID, figure, value)
			}
		}
	}
	if compared < 70 {
		t.Errorf("only %d figures compared", compared)
	}
	t.Logf("%d figures, largest difference %.1e", compared, largest)
}

func TestPSICutMatchesGolden(t *testing.T) {
	g := readGolden(t)
	compared := 0
	for _, c := range g.Cases {
		if c.Kind != "critical" {
			continue
		}
		check := func(list, figure string) {
			for _, entry := range c.Expect[list].([]any) {
				e := entry.(map[string]any)
				number := func(name string) float64 { v, _ := e[name].(float64); return v }
				got := PSICut(int(number("B")), number("n"), number("m"), number("alpha"), number("delta"))
				compared++
				if off := math.Abs(got - number(figure)); off > g.Tolerance {
					t.Errorf("%v: got %v, off by %v", e, got, off)
				}
			}
		}
		check("psi_chi2", "psi_critical")
		check("psi_noncentral", "psi_critical_with_tolerance")
	}
	if compared != 5 {
		t.Errorf("%d cuts compared, want 5", compared)
	}
}

// counts draws a histogram of b cells with at least one value.
func counts(t *rapid.T, b int, name string) []float64 {
	c := make([]float64, b)
	for i := range c {
		c[i] = float64(rapid.IntRange(0, 5000).Draw(t, name))
	}
	c[rapid.IntRange(0, b-1).Draw(t, name+" cell")]++
	return c
}

func all(d Distances) []float64 {
	return []float64{
		float64(d.PSI), float64(d.PSIUnsmoothed), float64(d.JS), float64(d.JSSmoothed), float64(d.Hellinger),
		float64(d.TV), float64(d.Linf), float64(d.KS), float64(d.W1OverStd),
	}
}

func TestDistanceToItselfIsZero(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := counts(t, rapid.IntRange(1, 30).Draw(t, "cells"), "count")
		h := Histogram{c, sumsOf(c)}
		for i, d := range all(Compare(h, h, true, 1)) {
			if d != 0 {
				t.Fatalf("distance %d of %v to itself is %v", i, c, d)
			}
		}
	})
}

// sumsOf puts every value of bin i at i.
func sumsOf(c []float64) []float64 {
	s := make([]float64, len(c))
	for i := range c {
		s[i] = float64(i) * c[i]
	}
	return s
}

func TestDistancesAreSymmetricAndBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.IntRange(2, 30).Draw(t, "cells")
		p, q := counts(t, b, "p"), counts(t, b, "q")
		one := Compare(Histogram{p, sumsOf(p)}, Histogram{q, sumsOf(q)}, true, 1)
		other := Compare(Histogram{q, sumsOf(q)}, Histogram{p, sumsOf(p)}, true, 1)
		for i, d := range all(one) {
			if d < 0 || math.Abs(d-all(other)[i]) > 1e-9*max(1, d) && !math.IsInf(d, 1) {
				t.Fatalf("distance %d is %v one way and %v the other", i, d, all(other)[i])
			}
		}
		if one.TV > 1 || one.Hellinger > 1+1e-15 || one.JSBase2() > 1+1e-15 || one.KS > one.TV+1e-15 || one.Linf > one.TV+1e-15 {
			t.Fatalf("out of bounds: %+v", one)
		}
	})
}

func TestUnorderedDistancesIgnoreTheOrderOfCells(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.IntRange(2, 20).Draw(t, "cells")
		p, q := counts(t, b, "p"), counts(t, b, "q")
		order := rapid.Permutation(indices(b)).Draw(t, "order")
		pp, qq := make([]float64, b), make([]float64, b)
		for i, j := range order {
			pp[i], qq[i] = p[j], q[j]
		}
		one, other := all(Compare(Histogram{Counts: p}, Histogram{Counts: q}, false, 0)), all(Compare(Histogram{Counts: pp}, Histogram{Counts: qq}, false, 0))
		for i := range one[:7] {
			if math.Abs(one[i]-other[i]) > 1e-12*max(1, one[i]) && !math.IsInf(one[i], 1) {
				t.Fatalf("distance %d is %v, and %v in another order", i, one[i], other[i])
			}
		}
	})
}

func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// TestMoreDriftIsFarther moves ever more of the mass of one bin to the next.
func TestMoreDriftIsFarther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.IntRange(2, 20).Draw(t, "cells")
		p := counts(t, b, "p")
		from := rapid.IntRange(0, b-2).Draw(t, "from")
		p[from] += 100
		before := all(noDrift())
		for _, share := range []float64{0, 0.1, 0.3, 0.7} {
			q := append([]float64(nil), p...)
			moved := share * p[from]
			q[from] -= moved
			q[from+1] += moved
			now := all(Compare(Histogram{p, sumsOf(p)}, Histogram{q, sumsOf(q)}, true, 1))
			for i := range now {
				if now[i] < before[i] || share > 0 && now[i] == 0 {
					t.Fatalf("distance %d is %v at a share of %v, was %v", i, now[i], share, before[i])
				}
			}
			before = now
		}
	})
}

func noDrift() (d Distances) { return d }

func TestEmptyHistogramHasNoFigure(t *testing.T) {
	h, empty := Histogram{Counts: []float64{1, 2}}, Histogram{Counts: []float64{0, 0}}
	for _, d := range []Distances{Compare(h, empty, true, 1), Compare(empty, h, true, 1)} {
		for i, f := range all(d) {
			if !math.IsNaN(f) {
				t.Errorf("distance %d is %v", i, f)
			}
		}
	}
}

// TestPSICutHoldsUnderNoDrift draws live samples from the baseline and counts how often PSI exceeds the cut of 5 %.
func TestPSICutHoldsUnderNoDrift(t *testing.T) {
	base := []float64{3000, 2000, 2500, 1500, 1000}
	random := newRandom()
	exceeded, runs := 0, 2000
	for range runs {
		live, baseline := make([]float64, 5), make([]float64, 5)
		for range 1000 {
			live[drawCell(random, base)]++
		}
		for range 4000 {
			baseline[drawCell(random, base)]++
		}
		d := Compare(Histogram{Counts: baseline}, Histogram{Counts: live}, false, 0)
		if float64(d.PSI) > PSICut(5, 1000, 4000, 0.05, 0) {
			exceeded++
		}
	}
	if share := float64(exceeded) / float64(runs); share < 0.03 || share > 0.07 {
		t.Errorf("PSI exceeded the 5 %% cut in %.1f %% of runs", 100*share)
	}
}

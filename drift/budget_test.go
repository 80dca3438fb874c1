package drift

import (
	"math"
	"testing"
)

// More partitions share the same promise, so each must have more evidence; and every process has the same threshold,
// whether it knew the number at the start or learnt it.
func TestPartitionsShareTheFalseAlarms(t *testing.T) {
	features := []Feature{{Name: "hour", Edges: []float64{11}, Counts: []int64{50_000, 50_000}}}
	of := func(partitions int) *Monitor {
		m, err := NewMonitor(Options{Features: features, Partitions: partitions})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	one, sixteen := of(0), of(16)
	if off := sixteen.threshold() - one.threshold() - math.Log(16); math.Abs(off) > 1e-12 {
		t.Errorf("thresholds %v and %v: off ln 16 by %v", one.threshold(), sixteen.threshold(), off)
	}
	one.SetPartitions(16)
	if one.threshold() != sixteen.threshold() || one.Guarantee() != sixteen.Guarantee() {
		t.Errorf("learnt: %v, %q; known: %v, %q", one.threshold(), one.Guarantee(), sixteen.threshold(), sixteen.Guarantee())
	}
	if f := one.Report().Features[0]; float64(f.Threshold) != one.threshold() {
		t.Errorf("the report says %v", f.Threshold)
	}
}

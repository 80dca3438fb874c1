package drift

import (
	"math"
	"testing"
	"time"
)

// An override holds until it lapses, by the clock of the ticks: then the bundle's tolerance holds again, and a drift that
// was kept quiet is known at once.
func TestOverrideLapsesWhileTheProcessRuns(t *testing.T) {
	lapses := time.Now().Add(-time.Hour)
	before, after := lapses.Add(-time.Minute), lapses.Add(time.Minute)
	never := time.Now().Add(time.Hour)
	base := Feature{Name: "hour", Edges: []float64{11}, Counts: []int64{50_000, 50_000}}
	for name, c := range map[string]struct {
		accept func(f *Feature)
		lapses time.Time
	}{
		"widened":               {func(f *Feature) { f.Tolerance = .4 }, lapses},
		"off":                   {func(f *Feature) { f.Off = true }, lapses},
		"widened, ended early":  {func(f *Feature) { f.Tolerance = .4 }, never},
		"off, then ended early": {func(f *Feature) { f.Off = true }, never},
	} {
		feature := base
		c.accept(&feature)
		feature.Override = &Override{Note: "a launch", Lapses: c.lapses}
		m, err := NewMonitor(Options{Features: []Feature{feature}, TickEvents: 200})
		if err != nil {
			t.Fatal(err)
		}
		s := m.Shard("0")
		tick := func(now time.Time) (alarms int) {
			for i := range 200 {
				x := 20.
				if i%5 == 0 {
					x = 5
				}
				s.Observe([]float64{x}, math.NaN(), 0)
			}
			closed, ok := s.CloseTick(now)
			if !ok {
				t.Fatalf("%s: the tick is not closed", name)
			}
			return len(closed.Alarms)
		}
		for range 20 {
			if tick(before) > 0 {
				t.Fatalf("%s: an alarm while it is accepted", name)
			}
		}
		if c.lapses == never {
			feature.Override.Lapse()
		}
		if tick(after)+tick(after)+tick(after) == 0 {
			t.Errorf("%s: no alarm when it is accepted no longer", name)
		}
		f := m.Report().Features[0]
		if f.Override != nil || f.Off || f.Tolerance != defaultTolerance || f.Epsilon != defaultTolerance {
			t.Errorf("%s: the report names %+v, off %v, tolerance %v, epsilon %v", name, f.Override, f.Off, f.Tolerance, f.Epsilon)
		}
		if m.betting() != 2 {
			t.Errorf("%s: %d detectors share the promise, want those that will alarm one day", name, m.betting())
		}
	}
}

// One without a date holds for good, and off means off.
func TestOverrideWithoutADate(t *testing.T) {
	m, err := NewMonitor(Options{Features: []Feature{{
		Name: "hour", Edges: []float64{11}, Counts: []int64{50_000, 50_000}, Off: true, Override: &Override{Note: "follows the clock"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	m.columns[0].Override.Lapse()
	if f := m.Report().Features[0]; m.betting() != 0 || !f.Off || f.Override == nil {
		t.Errorf("%d detectors, off %v, %+v", m.betting(), f.Off, f.Override)
	}
}

package drift

import (
	"math"
	"slices"
	"testing"
	"time"
)

// thirty is a baseline of 30 features, 24 numeric with 24 bins and 6 of 40 categories, and rows that fit it.
func thirty(t testing.TB) (*Monitor, [][]float64) {
	t.Helper()
	var features []Feature
	random := newRandom()
	for i := range 30 {
		f := Feature{Name: "f", HasRange: true, HasMoments: true, Min: -4, Max: 4, Std: 1}
		if i%5 == 4 {
			f = Feature{Name: "c", Categorical: true}
			for v := range 40 {
				f.Values = append(f.Values, float64(v))
			}
			f.Counts = slices.Repeat([]int64{100}, 40)
		} else {
			for e := range 23 {
				f.Edges = append(f.Edges, -2.5+float64(e)*0.22)
			}
			f.Counts = slices.Repeat([]int64{100}, 24)
		}
		features = append(features, f)
	}
	score := Feature{Edges: features[0].Edges, Counts: features[0].Counts}
	m, err := NewMonitor(Options{Features: features, Score: &score})
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][]float64, 1024)
	for i := range rows {
		x := make([]float64, 30)
		for j := range x {
			x[j] = random.NormFloat64()
			if j%5 == 4 {
				x[j] = float64(random.IntN(42) - 1)
			}
			if random.IntN(20) == 0 {
				x[j] = math.NaN()
			}
		}
		rows[i] = x
	}
	return m, rows
}

func TestObserveDoesNotAllocate(t *testing.T) {
	m, rows := thirty(t)
	s := m.Shard("")
	for what, observe := range map[string]func(){
		"an event": func() { s.Observe(rows[0], 0.5, noon) },
		"a refused event": func() {
			s.ObserveRefused(rows[0], "missing_field", 3, noon)
			s.ObserveRefused(rows[0], "unknown_category", 4, noon)
		},
		"a batch":       func() { s.Flush() },
		"an open tick":  func() { s.CloseTick(time.UnixMilli(noon)) },
		"repeated rows": func() { s.Observe(rows[1], 0.5, noon); s.FlushRepeated() },
	} {
		if n := testing.AllocsPerRun(1000, observe); n != 0 {
			t.Errorf("%v allocations for %s", n, what)
		}
	}
}

func BenchmarkObserve(b *testing.B) {
	m, rows := thirty(b)
	s := m.Shard("")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.Observe(rows[i&1023], 0.5, noon)
		if i&255 == 255 {
			s.Flush()
		}
	}
}

// BenchmarkCloseTick runs the 61 detectors of 30 features and a score, all of which have something to bet on.
func BenchmarkCloseTick(b *testing.B) {
	m, rows := thirty(b)
	m.tickEvents = len(rows)
	s := m.Shard("")
	for b.Loop() {
		b.StopTimer()
		for _, x := range rows {
			s.Observe(x, 0.5, noon)
		}
		s.Flush()
		b.StartTimer()
		if _, closed := s.CloseTick(time.UnixMilli(noon)); !closed {
			b.Fatal("the tick stayed open")
		}
	}
}

// BenchmarkSnapshot is what a partition of 30 features writes at every tick.
func BenchmarkSnapshot(b *testing.B) {
	m, rows := thirty(b)
	s := m.Shard("")
	for i := range 3000 {
		s.Observe(rows[i&1023], 0.5, noon)
	}
	size := 0
	for b.Loop() {
		size = len(s.Snapshot(1))
	}
	b.ReportMetric(float64(size), "bytes")
}

func BenchmarkReport(b *testing.B) {
	m, rows := thirty(b)
	s := m.Shard("")
	for _, x := range rows {
		s.Observe(x, 0.5, 0)
	}
	s.Flush()
	for b.Loop() {
		m.Report()
	}
}

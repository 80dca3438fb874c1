package drift_test

import (
	"fmt"
	"math"
	"time"

	"fraudstream/drift"
)

// The baseline of an amount, as a bundle states it, and live traffic that is dearer.
func Example() {
	amount := drift.Feature{
		Name: "amount", Edges: []float64{10, 100}, Counts: []int64{500, 400, 100}, Missing: 10, Rows: 1010,
		HasRange: true, HasMoments: true, Min: 0.5, Max: 900, Mean: 40, Std: 60,
	}
	monitor, err := drift.NewMonitor(drift.Options{Features: []drift.Feature{amount}})
	if err != nil {
		fmt.Println(err)
		return
	}
	shard := monitor.Shard("")
	for _, x := range []float64{5, 20, 70, 150, 200, 300, 2000, math.NaN(), math.Inf(1)} {
		shard.Observe([]float64{x}, math.NaN(), 0)
	}
	shard.Flush() // once a batch

	f := monitor.Report().Features[0]
	fmt.Printf("%d values, cells %v, [ok missing outside unseen] %v\n", f.N, f.Cells, f.Quality.Counts)
	fmt.Printf("psi %.2f, without drift up to %.2f\n", f.PSI, f.PSICut)
	for _, c := range f.Moved {
		fmt.Printf("%s: %.2f, was %.2f\n", c.Name, c.Live, c.Baseline)
	}
	// Output:
	// 9 values, cells [1 2 4], [ok missing outside unseen] [6 1 2 0]
	// psi 1.08, without drift up to 1.99
	// > 100: 0.57, was 0.10
	// ≤ 10: 0.14, was 0.50
	// (10, 100]: 0.29, was 0.40
}

// A category is a number too. Of a column that is coded, the code of anything else is a number that the baseline does
// not list.
func ExampleFeature_categorical() {
	country := drift.Feature{
		Name: "country", Categorical: true, Values: []float64{0, 1}, Labels: []string{"GB", "US"}, Counts: []int64{60, 30},
		Other: 10, Known: []float64{2}, KnownGiven: true, Rows: 100,
	}
	monitor, _ := drift.NewMonitor(drift.Options{Features: []drift.Feature{country}})
	shard := monitor.Shard("")
	for _, code := range []float64{0, 1, 2, -1, math.NaN()} {
		shard.Observe([]float64{code}, math.NaN(), 0)
	}
	shard.Flush()
	f := monitor.Report().Features[0]
	fmt.Println("GB, US, other:", f.Cells)
	fmt.Println("ok, missing, outside, unseen:", f.Quality.Counts)
	// Output:
	// GB, US, other: [1 1 2]
	// ok, missing, outside, unseen: [3 1 0 1]
}

func ExampleCompare() {
	base := drift.Histogram{Counts: []float64{120, 260, 340, 200, 80}}
	live := drift.Histogram{Counts: []float64{90, 230, 350, 240, 130}}
	d := drift.Compare(base, live, true, math.NaN())
	fmt.Printf("psi %.4f, js %.4f, tv %.4f, ks %.4f\n", d.PSI, d.JS, d.TV, d.KS)
	// Output: psi 0.0415, js 0.0720, tv 0.0758, ks 0.0758
}

// A PSI of 0.04 over 20 cells is nothing new in a thousand events, and a good deal in ten thousand.
func ExamplePSICut() {
	for _, live := range []float64{1_000, 10_000} {
		fmt.Printf("%.4f\n", drift.PSICut(20, live, 1e6, 0.001, 0))
	}
	// Output:
	// 0.0439
	// 0.0044
}

// Recent figures are those of closed ticks.
func ExampleShard_CloseTick() {
	monitor, _ := drift.NewMonitor(drift.Options{
		Features: []drift.Feature{{Name: "hour", Edges: []float64{11}, Counts: []int64{500, 500}}},
	})
	shard, now := monitor.Shard(""), time.Unix(0, 1)
	shard.CloseTick(now) // begins the first tick
	for range 300 {
		shard.Observe([]float64{20}, math.NaN(), 0)
	}
	for _, age := range []time.Duration{9 * time.Second, 10 * time.Second} {
		_, closed := shard.CloseTick(now.Add(age))
		fmt.Println(closed, monitor.Report().Features[0].Recent.TV)
	}
	// Output:
	// false NaN
	// true 0.5
}

// Every third amount is dearer than it was in training: the second such tick alarms. A tick is closed where Observe says
// that it is full; without TickEvents, CloseTick is called once a second and decides by itself.
func ExampleShard_Observe() {
	amount := drift.Feature{Name: "amount", Edges: []float64{10, 1000}, Counts: []int64{700_000, 290_000, 10_000}}
	monitor, _ := drift.NewMonitor(drift.Options{Features: []drift.Feature{amount}, TickEvents: 500})
	shard := monitor.Shard("3")
	for i := range 2000 {
		x := []float64{5, 5, 5, 5, 5, 5, 5, 50, 50, 50}[i%10]
		if i >= 1000 && i%3 == 0 {
			x = 5000
		}
		if !shard.Observe([]float64{x}, math.NaN(), 0) {
			continue
		}
		tick, _ := shard.CloseTick(time.Unix(0, 0))
		for _, a := range tick.Alarms {
			fmt.Printf("tick %d, %s: %s\n", a.Tick, a.Severity(), a.Describe())
		}
		for _, e := range tick.Episodes {
			fmt.Println("episode", e.State)
		}
	}
	fmt.Println(monitor.Guarantee())
	// Output:
	// tick 4, warning: amount over 1,000: 1 % → 33 %; amount up to 10: 70 % → 47 %; amount over 10 to 1,000: 29 % → 20 %
	// episode open
	// while less than epsilon of the traffic changes cell, all 2 detectors together give at most one false alarm in a year on average (3,153,600 ticks)
}

// Another process goes on where this one was.
func ExampleShard_Restore() {
	options := drift.Options{
		Features: []drift.Feature{{Name: "hour", Edges: []float64{11}, Counts: []int64{500, 500}}}, TickEvents: 100,
	}
	one, _ := drift.NewMonitor(options)
	shard := one.Shard("0")
	for range 130 {
		if shard.Observe([]float64{20}, math.NaN(), 0) {
			shard.CloseTick(time.Unix(0, 0))
		}
	}
	snapshot := shard.Snapshot(130) // one tick, and 30 events of the next

	other, _ := drift.NewMonitor(options)
	shard = other.Shard("0")
	next, err := shard.Restore(snapshot)
	fmt.Println("go on at offset", next, err)
	full := false
	for offset := next; !full; offset++ {
		if full = shard.Observe([]float64{20}, math.NaN(), 0); full {
			tick, _ := shard.CloseTick(time.Unix(0, 0))
			fmt.Printf("tick %d closed after offset %d\n", tick.Number, offset)
		}
	}
	// Output:
	// go on at offset 130 <nil>
	// tick 2 closed after offset 199
}

// A refused event has no score, and the field at fault stands in one quality cell.
func ExampleShard_ObserveRefused() {
	monitor, _ := drift.NewMonitor(drift.Options{Features: []drift.Feature{
		{Name: "amount", Edges: []float64{10}, Counts: []int64{50, 50}}, {Name: "age", Edges: []float64{40}, Counts: []int64{50, 50}},
	}})
	shard := monitor.Shard("")
	shard.ObserveRefused([]float64{math.NaN(), 33}, "missing_field", 0, 0)
	shard.ObserveRefused([]float64{12, math.Inf(1)}, "wrong_type", 1, 0)
	shard.Flush()
	for _, f := range monitor.Report().Features {
		fmt.Println(f.Name, "ok, missing, outside, unseen:", f.Quality.Counts, "values:", f.Cells)
	}
	// Output:
	// amount ok, missing, outside, unseen: [1 1 0 0] values: [0 1]
	// age ok, missing, outside, unseen: [1 0 1 0] values: [1 0]
}

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

package drift

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func newRandom() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }

// drawCell draws an index with the given weights.
func drawCell(r *rand.Rand, weights []float64) int {
	at := r.Float64() * (Histogram{Counts: weights}).total()
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	return len(weights) - 1
}

func amount() Feature {
	return Feature{
		Name: "amount", Edges: []float64{1, 5}, Counts: []int64{10, 80, 9}, Sums: []float64{6.1, 240, 91.2}, Rows: 101,
		Missing: 1, Infinite: 1, HasRange: true, HasMoments: true, Min: 0.01, Max: 14.2, Mean: 3.4070707, Std: 2.6,
	}
}

// country is coded: GB 0, US 1 are listed, FR 2 is known, -1 is anything else and -2 Python's None.
func country() Feature {
	return Feature{
		Name: "country", Categorical: true, Values: []float64{0, 1}, Labels: []string{"GB", "US"}, Known: []float64{2},
		KnownGiven: true, Counts: []int64{60, 30}, Other: 5, Rows: 100, Missing: 5,
	}
}

func observed(t testing.TB, o Options, rows [][]float64, scores ...float64) *Report {
	t.Helper()
	m, err := NewMonitor(o)
	if err != nil {
		t.Fatal(err)
	}
	s := m.Shard("")
	for i, x := range rows {
		score := math.NaN()
		if i < len(scores) {
			score = scores[i]
		}
		s.Observe(x, score, 0)
	}
	s.Flush()
	return m.Report()
}

func TestNumericCells(t *testing.T) {
	type want struct {
		cell    int
		quality quality
	}
	inf := math.Inf(1)
	for x, w := range map[float64]want{
		0.5: {0, ok}, 1: {0, ok}, math.Nextafter(1, 2): {1, ok}, 5: {1, ok}, 5.5: {2, ok}, 14.2: {2, ok},
		14.3: {2, outside}, 0.009: {0, outside}, 0.01: {0, ok}, 0: {0, outside}, math.Copysign(0, -1): {0, outside},
		-3: {0, outside}, math.MaxFloat64: {2, outside}, -math.MaxFloat64: {0, outside},
		inf: {noCell, outside}, -inf: {noCell, outside}, math.NaN(): {noCell, missing},
		math.Copysign(math.NaN(), -1): {noCell, missing},
	} {
		f := observed(t, Options{Features: []Feature{amount()}}, [][]float64{{x}}).Features[0]
		cells, quality := make([]int64, 3), [4]int64{}
		if w.cell != noCell {
			cells[w.cell]++
		}
		quality[w.quality]++
		if !slices.Equal(f.Cells, cells) || f.Quality.Counts != quality {
			t.Errorf("%v: cells %v, quality %v, want %v, %v", x, f.Cells, f.Quality.Counts, cells, quality)
		}
	}
}

func TestCategoricalCells(t *testing.T) {
	for _, c := range []struct {
		x       float64
		cells   []int64
		quality [4]int64
	}{
		{0, []int64{1, 0, 0}, [4]int64{1, 0, 0, 0}},
		{math.Copysign(0, -1), []int64{1, 0, 0}, [4]int64{1, 0, 0, 0}},
		{1, []int64{0, 1, 0}, [4]int64{1, 0, 0, 0}},
		{2, []int64{0, 0, 1}, [4]int64{1, 0, 0, 0}},
		{-1, []int64{0, 0, 1}, [4]int64{0, 0, 0, 1}},
		{0.5, []int64{0, 0, 1}, [4]int64{0, 0, 0, 1}},
		{1e300, []int64{0, 0, 1}, [4]int64{0, 0, 0, 1}},
		{math.NaN(), []int64{0, 0, 0}, [4]int64{0, 1, 0, 0}},
		{math.Inf(1), []int64{0, 0, 0}, [4]int64{0, 0, 1, 0}},
	} {
		f := observed(t, Options{Features: []Feature{country()}}, [][]float64{{c.x}}).Features[0]
		if !slices.Equal(f.Cells, c.cells) || f.Quality.Counts != c.quality {
			t.Errorf("%v: cells %v, quality %v, want %v, %v", c.x, f.Cells, f.Quality.Counts, c.cells, c.quality)
		}
	}
}

func TestQualityBaseline(t *testing.T) {
	unknown := country()
	unknown.KnownGiven = false
	bare := Feature{Name: "bare", Missing: 3, Rows: 50}
	m := observed(t, Options{Features: []Feature{amount(), country(), unknown, bare}}, nil)
	for i, want := range [][4]int64{{99, 1, 1, 0}, {95, 5, 0, 0}, {90, 5, 0, 5}, {47, 3, 0, 0}} {
		if got := m.Features[i].Quality.Baseline; got != want {
			t.Errorf("%s: quality baseline %v, want %v", m.Features[i].Name, got, want)
		}
	}
}

// TestSearchAgreesWithDefinition compares the branch-free search with classify, on and beside everything that
// classify compares with.
func TestSearchAgreesWithDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFeature(t)
		c, err := newClassifier(&f)
		if err != nil {
			t.Skip(err)
		}
		tables, places := newTable(c, 7)
		interesting := slices.Concat(f.Edges, f.Values, f.Known, []float64{
			f.Min, f.Max, 0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), -math.NaN(),
			math.MaxFloat64, math.SmallestNonzeroFloat64, -math.SmallestNonzeroFloat64,
		})
		interesting = append(interesting, rapid.Float64().Draw(t, "x"))
		for _, v := range interesting {
			for _, x := range []float64{v, math.Nextafter(v, math.Inf(1)), math.Nextafter(v, math.Inf(-1)), -v} {
				tallies := make([]tally, 7+len(places))
				count([]table{tables}, tallies, []float64{x})
				found := slices.IndexFunc(tallies, func(a tally) bool { return a.n == 1 })
				if got, want := places[found-7], c.classify(x); got != want {
					t.Fatalf("%v: found %v, defined as %v", x, got, want)
				}
			}
		}
	})
}

func drawFeature(t *rapid.T) Feature {
	number := rapid.OneOf(rapid.Float64Range(-1e3, 1e3), rapid.Map(rapid.IntRange(-5, 5), func(i int) float64 { return float64(i) }))
	numbers := func(name string, most int) []float64 {
		return rapid.SliceOfNDistinct(number, 0, most, func(x float64) float64 { return x + 0 }).Draw(t, name)
	}
	if rapid.Bool().Draw(t, "categorical") {
		return Feature{Categorical: true, Values: numbers("values", 80), Known: numbers("known", 10)}
	}
	f := Feature{Edges: numbers("edges", 40), HasRange: rapid.Bool().Draw(t, "moments")}
	slices.Sort(f.Edges)
	f.Min, f.Max = number.Draw(t, "min"), math.NaN()
	if rapid.Bool().Draw(t, "max given") {
		f.Max = f.Min + rapid.Float64Range(0, 100).Draw(t, "range")
	}
	return f
}

// TestShardsAddUp deals rows to one shard and to several, in another order, and compares the reports.
func TestShardsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, _ := NewMonitor(Options{Features: []Feature{amount(), country()}, Score: &Feature{Edges: []float64{0.5}, Counts: []int64{9, 1}}})
		one := m.Shard("")
		value := rapid.SampledFrom([]float64{-2, -1, 0, 1, 2, 0.5, 3, 7, 20, math.NaN(), math.Inf(1)})
		rows := rapid.SliceOfN(rapid.SliceOfN(value, 3, 3), 1, 60).Draw(t, "rows")
		for _, r := range rows {
			one.Observe(r[:2], r[2], 0)
		}
		one.Flush()
		want := m.Report()
		one.Close()

		n, _ := NewMonitor(Options{Features: []Feature{amount(), country()}, Score: &Feature{Edges: []float64{0.5}, Counts: []int64{9, 1}}})
		shards := []*Shard{n.Shard(""), n.Shard(""), n.Shard("")}
		for _, i := range rapid.Permutation(indices(len(rows))).Draw(t, "order") {
			s := shards[rapid.IntRange(0, 2).Draw(t, "shard")]
			s.Observe(rows[i][:2], rows[i][2], 0)
			if rapid.Bool().Draw(t, "flush") {
				s.Flush()
			}
		}
		shards[0].Flush()
		shards[1].Close() // publishes what it has, and is kept
		shards[2].Flush()
		got := n.Report()
		for i := range want.Features {
			compareReports(t, &got.Features[i], &want.Features[i])
		}
		compareReports(t, got.Score, want.Score)
		if got.Events != int64(len(rows)) || want.Events != got.Events {
			t.Fatalf("%d and %d events of %d", got.Events, want.Events, len(rows))
		}
	})
}

func compareReports(t *rapid.T, got, want *FeatureReport) {
	if !slices.Equal(got.Cells, want.Cells) || got.Quality.Counts != want.Quality.Counts || got.N != want.N {
		t.Fatalf("%s: cells %v, quality %v; in one shard %v, %v", want.Name, got.Cells, got.Quality, want.Cells, want.Quality)
	}
	g, w := append(all(got.Distances), float64(got.Mean)), append(all(want.Distances), float64(want.Mean))
	for i := range w {
		if !(g[i] == w[i] || math.IsNaN(g[i]) && math.IsNaN(w[i]) || math.Abs(g[i]-w[i]) < 1e-12) {
			t.Fatalf("%s: figure %d is %v, in one shard %v", want.Name, i, g[i], w[i])
		}
	}
}

func TestCloseKeepsTotals(t *testing.T) {
	m, _ := NewMonitor(Options{Features: []Feature{amount()}})
	s := m.Shard("")
	s.Observe([]float64{3}, math.NaN(), 0)
	s.Close()
	s.Close() // twice does not count twice
	if r := m.Report(); r.Events != 1 || r.Features[0].Cells[1] != 1 {
		t.Errorf("after Close: %d events, cells %v", r.Events, r.Features[0].Cells)
	}
	if len(m.watches) != 0 {
		t.Errorf("%d partitions left", len(m.watches))
	}
}

func closes(s *Shard, now time.Time) bool {
	_, closed := s.CloseTick(now)
	return closed
}

func TestAClockThatIsSetBackHoldsNoTickOpen(t *testing.T) {
	m, _ := NewMonitor(Options{Features: []Feature{amount()}})
	s, start := m.Shard(""), time.Unix(1_700_000_000, 0)
	closes(s, start)
	for range 200 {
		s.Observe([]float64{3}, math.NaN(), 0)
	}
	back := start.Add(-time.Hour)
	if closes(s, back) || !closes(s, back.Add(10*time.Second)) {
		t.Error("a tick lasts ten seconds of the clock as it is now")
	}
}

func TestTicks(t *testing.T) {
	m, _ := NewMonitor(Options{Features: []Feature{amount()}})
	s, start := m.Shard(""), time.Unix(1_700_000_000, 0)
	observe := func(n int, x float64) {
		for range n {
			s.Observe([]float64{x}, math.NaN(), 0)
		}
	}
	if closes(s, start) {
		t.Fatal("the first call closed a tick")
	}
	observe(199, 3)
	if closes(s, start.Add(11*time.Second)) {
		t.Fatal("a tick of 199 events closed")
	}
	observe(1, 3)
	if closes(s, start.Add(10*time.Second-1)) {
		t.Fatal("a tick under 10 s closed")
	}
	if n := m.Report().Features[0].Recent.N; n != 0 {
		t.Fatalf("%v recent values before a tick has closed", n)
	}
	if !closes(s, start.Add(10*time.Second)) {
		t.Fatal("a tick of 10 s and 200 events stayed open")
	}
	observe(400, 10)
	if !closes(s, start.Add(20*time.Second)) {
		t.Fatal("the second tick stayed open")
	}
	r := m.Report().Features[0].Recent
	if want := 200*math.Exp2(-1.0/64) + 400; math.Abs(float64(r.N)-want) > 1e-9 {
		t.Errorf("recent values %v, want %v", r.N, want)
	}
	d := math.Exp2(-1.0 / 64)
	want := Compare(Histogram{[]float64{10, 80, 9}, []float64{6.1, 240, 91.2}},
		Histogram{[]float64{0, 200 * d, 400}, []float64{0, 600 * d, 4000}}, true, 2.6)
	for i, w := range all(want) {
		if got := all(r.Distances)[i]; math.Abs(got-w) > 1e-12 && !math.IsInf(w, 1) {
			t.Errorf("recent distance %d is %v, want %v", i, got, w)
		}
	}
}

// TestReportWhileCounting is for the race detector; the counts must be whole at every moment.
func TestReportWhileCounting(t *testing.T) {
	m, _ := NewMonitor(Options{Features: []Feature{amount(), country()}})
	var owners sync.WaitGroup
	for range 3 {
		owners.Go(func() {
			s := m.Shard("")
			defer s.Close()
			for i := range 200 {
				for range 50 {
					s.Observe([]float64{3, 1}, math.NaN(), 0)
				}
				s.CloseTick(time.Unix(int64(i), 0))
			}
		})
	}
	done := make(chan struct{})
	go func() {
		owners.Wait()
		close(done)
	}()
	for counting := true; counting; {
		select {
		case <-done:
			counting = false
		default:
		}
		r := m.Report()
		if a := r.Features[0]; a.N != r.Events || a.Cells[1] != r.Events || r.Events%50 != 0 {
			t.Fatalf("%d events, of them %d in a report of %v", r.Events, a.N, a.Cells)
		}
	}
	if n := m.Report().Events; n != 30_000 {
		t.Errorf("%d events at the end", n)
	}
}

func TestMoments(t *testing.T) {
	companion := Feature{Name: "age", HasRange: true, HasMoments: true, Min: 18, Max: 90, Mean: 40, Std: 10, Missing: 2, Rows: 100}
	r := observed(t, Options{Features: []Feature{companion}}, [][]float64{{30}, {50}, {100}, {math.NaN()}, {math.Inf(1)}})
	f := r.Features[0]
	std := math.Sqrt((900+100+1600)/3.0) / 10
	if f.Mean != 60 || f.MeanRatio != 1.5 || math.Abs(float64(f.StdRatio)-std) > 1e-12 {
		t.Errorf("mean %v, ratios %v, %v; want 60, 1.5, %v", f.Mean, f.MeanRatio, f.StdRatio, std)
	}
	if f.Quality.Counts != [4]int64{2, 1, 2, 0} || f.Missing != 0.2 {
		t.Errorf("quality %v, missing %v", f.Quality.Counts, f.Missing)
	}
	if !math.IsNaN(float64(f.PSI)) || f.Baseline != nil || len(f.Moved) != 0 {
		t.Errorf("distances without baseline counts: %+v", f)
	}
}

func TestMovedCells(t *testing.T) {
	f := Feature{Name: "x", Edges: []float64{1, 2, 3, 4}, Counts: []int64{20, 20, 20, 20, 20}}
	rows := slices.Concat(slices.Repeat([][]float64{{0}}, 5), slices.Repeat([][]float64{{1.5}}, 2),
		slices.Repeat([][]float64{{2.5}}, 2), slices.Repeat([][]float64{{9}}, 1))
	want := []Cell{
		{"≤ 1", 0.2, 0.5, "x up to 1: 20 % → 50 %", 0},
		{"(3, 4]", 0.2, 0, "x over 3 to 4: 20 % → 0 %", 3},
		{"> 4", 0.2, 0.1, "x over 4: 20 % → 10 %", 4},
	}
	if got := observed(t, Options{Features: []Feature{f}}, rows).Features[0].Moved; !slices.Equal(got, want) {
		t.Errorf("moved %v, want %v", got, want)
	}
	other := observed(t, Options{Features: []Feature{country()}}, [][]float64{{2}}).Features[0].Moved
	if len(other) != 3 || other[0].Name != "other" || other[1].Name != "GB" || other[2].Name != "US" {
		t.Errorf("moved %v", other)
	}
}

func TestReportJSON(t *testing.T) {
	score := Feature{Edges: []float64{0.5}, Counts: []int64{9, 1}}
	r := observed(t, Options{Features: []Feature{amount()}, Score: &score}, [][]float64{{3}, {3}}, 0.2)
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		`"events":2`, `"name":"amount"`, `"n":2`, `"psi_unsmoothed":null`, `"mean":3`, `"missing":0`,
		`"tolerance":0.02,"epsilon":0.2235740`, `,"log_m":0,"threshold":`, `"alarmed":false,"widened":true,"quality":{"counts":[2,0,0,0],"baseline":[99,1,1,0]`,
		`"tolerance":0.002,"epsilon":0.0766752`, `"score":{`, `"alarms":[],"alarm_count":0`, `"recent":{"n":0,"psi":null`, `"moved":[{"cell":"(1, 5]"`, `"score":{"name":"score"`,
	} {
		if !strings.Contains(string(data), part) {
			t.Errorf("no %s in %s", part, data)
		}
	}
	if r.Score.Cells[0] != 1 || r.Score.Cells[1] != 0 {
		t.Errorf("score cells %v: a refused event has no score", r.Score.Cells)
	}
}

func TestContradictionsAreNamed(t *testing.T) {
	for name, spoil := range map[string]func(*Feature){
		"counts for":     func(f *Feature) { f.Counts = f.Counts[1:] },
		"sums for":       func(f *Feature) { f.Sums = f.Sums[1:] },
		"negative":       func(f *Feature) { f.Counts = []int64{-1, 2, 3} },
		"ascending":      func(f *Feature) { f.Edges = []float64{5, 5} },
		"not finite":     func(f *Feature) { f.Edges = []float64{1, math.Inf(1)} },
		"above max":      func(f *Feature) { f.Min = 20 },
		"std":            func(f *Feature) { f.Std = -1 },
		"a count is neg": func(f *Feature) { f.Missing = 1000 },
	} {
		f := amount()
		spoil(&f)
		_, err := NewMonitor(Options{Features: []Feature{f}})
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "feature amount") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for name, spoil := range map[string]func(*Feature){
		"stands twice": func(f *Feature) { f.Values = []float64{1, 1} },
		"labels":       func(f *Feature) { f.Labels = f.Labels[1:] },
	} {
		f := country()
		spoil(&f)
		if _, err := NewMonitor(Options{Features: []Feature{f}}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestCategoriesThatNothingTellsAreNoNews has a categorical baseline of which only the missing values were counted.
func TestCategoriesThatNothingTellsAreNoNews(t *testing.T) {
	m, err := NewMonitor(Options{Features: []Feature{{Name: "country", Categorical: true, Rows: 1000, Missing: 10}}})
	if err != nil {
		t.Fatal(err)
	}
	s := m.Shard("")
	for _, x := range []float64{0, 7, -1, math.NaN(), math.Inf(1)} {
		s.Observe([]float64{x}, math.NaN(), 0)
	}
	s.Flush()
	if q := m.Report().Features[0].Quality.Counts; q != [4]int64{3, 1, 1, 0} {
		t.Errorf("quality %v", q)
	}
}

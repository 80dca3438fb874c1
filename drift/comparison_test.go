package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"
	"sync"
	"testing"
	"time"

	"gonum.org/v1/gonum/stat"
)

// The usual rules look at each window alone: ten seconds of a hundred events a second, the ticks of the detectors.
const windowEvents = 1000

// A stream is a feature's traffic, clean and with a fault.
type stream struct {
	name        string
	feature     Feature
	reference   []float64 // sorted training values, for Kolmogorov-Smirnov; nil: there is no order
	clean, ruin func(r *rand.Rand) float64
}

func streams() []stream {
	normal := func(mean float64) func(r *rand.Rand) float64 {
		return func(r *rand.Rand) float64 { return mean + r.NormFloat64() }
	}
	amount := func(r *rand.Rand) float64 { return math.Exp(3 + r.NormFloat64()) }
	gaps := func(share float64) func(r *rand.Rand) float64 {
		return func(r *rand.Rand) float64 {
			if r.Float64() < share {
				return math.NaN()
			}
			return r.NormFloat64()
		}
	}
	codes := newCellLaw([]float64{0.4, 0.25, 0.15, 0.1, 0.06, 0.04})
	code := func(r *rand.Rand) float64 { return float64(codes.draw(r)) }
	var all []stream
	for _, sigma := range []float64{0.1, 0.2, 0.3, 0.5} {
		all = append(all, numeric(fmt.Sprintf("shift by %g σ", sigma), normal(0), normal(sigma)))
	}
	missing := numeric("missing 0.5 % → 4 %", gaps(0.005), gaps(0.04))
	missing.reference = nil // it would see nothing: it compares values that are there
	return append(all, missing,
		stream{
			name: "unseen category at 1 %", clean: code, feature: categories(code),
			ruin: func(r *rand.Rand) float64 {
				if r.IntN(100) == 0 {
					return -1
				}
				return code(r)
			},
		},
		numeric("×100 on 10 % of rows", amount, func(r *rand.Rand) float64 {
			if r.IntN(10) == 0 {
				return 100 * amount(r)
			}
			return amount(r)
		}))
}

const trainingRows = 100_000

// numeric trains a baseline of twenty bins of equal counts.
func numeric(name string, clean, ruin func(r *rand.Rand) float64) stream {
	r := rand.New(rand.NewPCG(5, 6))
	var values []float64
	f := Feature{Name: "x", HasRange: true, Rows: trainingRows}
	for range trainingRows {
		if x := clean(r); x == x {
			values = append(values, x)
		} else {
			f.Missing++
		}
	}
	reference := slices.Clone(values[:10_000])
	slices.Sort(reference)
	slices.Sort(values)
	f.Min, f.Max = values[0], values[len(values)-1]
	for b := 1; b < 20; b++ {
		f.Edges = append(f.Edges, values[b*len(values)/20])
	}
	f.Counts = make([]int64, 20)
	for _, x := range values {
		f.Counts[sort.SearchFloat64s(f.Edges, x)]++
	}
	return stream{name: name, feature: f, reference: reference, clean: clean, ruin: ruin}
}

func categories(clean func(r *rand.Rand) float64) Feature {
	f := Feature{Name: "x", Categorical: true, KnownGiven: true, Counts: make([]int64, 6), Rows: trainingRows}
	for v := range 6 {
		f.Values = append(f.Values, float64(v))
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range trainingRows {
		f.Counts[int(clean(r))]++
	}
	return f
}

// rules are what is asked of each window. The first is this package's.
var rules = []string{"e-CUSUM", "KS p<0.05", "χ² p<0.001", "PSI>0.1", "PSI>0.25"}

// watcher runs all rules side by side on one stream.
type watcher struct {
	stream   *stream
	shard    *Shard
	random   *rand.Rand
	baseline Histogram
	values   []float64
}

func newWatcher(t *testing.T, s *stream, seed int) *watcher {
	// One feature has two detectors; thirty sets of them have the threshold of thirty features.
	m := mustMonitor(t, Options{Features: []Feature{s.feature}, TickEvents: windowEvents, Partitions: 30})
	w := &watcher{stream: s, shard: m.Shard(""), random: rand.New(rand.NewPCG(uint64(seed), 9))}
	w.baseline = m.columns[0].histogram()
	w.baseline.Counts = append(w.baseline.Counts, float64(s.feature.Missing)) // a cell of its own, to be fair
	return w
}

// window observes a window and tells which rules alarm.
func (w *watcher) window(draw func(r *rand.Rand) float64) (alarms [5]bool) {
	w.values = w.values[:0]
	for range windowEvents {
		x := draw(w.random)
		w.shard.Observe([]float64{x}, math.NaN(), 0)
		if x == x {
			w.values = append(w.values, x)
		}
	}
	w.shard.Flush()
	column := &w.shard.monitor.columns[0]
	live := column.fold(&w.shard.watch.tick, kindValues).Counts
	live = append(live, column.fold(&w.shard.watch.tick, kindQuality).Counts[missing])
	tick, _ := w.shard.CloseTick(time.UnixMilli(0))

	alarms[0] = len(tick.Alarms) > 0
	if w.stream.reference != nil {
		slices.Sort(w.values)
		alarms[1] = kolmogorovP(stat.KolmogorovSmirnov(w.values, nil, w.stream.reference, nil), len(w.values), len(w.stream.reference)) < 0.05
	}
	expected := w.baseline.shares(0.5)
	index := psi(expected, Histogram{Counts: live}.shares(0.5))
	for b := range expected {
		expected[b] *= windowEvents
	}
	alarms[2] = 1-chiSquaredCDF(stat.ChiSquare(live, expected), float64(len(live)-1)) < 0.001
	alarms[3], alarms[4] = index > 0.1, index > 0.25
	return alarms
}

// kolmogorovP is the asymptotic probability of so large a distance between two samples of one law:
// 2·Σ (-1)^(k-1)·exp(-2k²λ²).
func kolmogorovP(distance float64, n, m int) float64 {
	scale := math.Sqrt(float64(n) * float64(m) / float64(n+m))
	lambda, p, sign := distance*scale, 0.0, 2.0
	for k := 1.0; k < 100; k++ {
		p += sign * math.Exp(-2*k*k*lambda*lambda)
		sign = -sign
	}
	return min(1, p)
}

// TestSimulationBesideTheUsualRules prints how often each rule alarms on clean data, and how soon on faults.
func TestSimulationBesideTheUsualRules(t *testing.T) {
	times := scale(t)
	cleanWindows, runs := 5000*times, 40*times
	if raceDetector {
		cleanWindows, runs = 200, 3
	}
	const most = 60
	all := streams()
	steady := numeric("clean: the training law", all[0].clean, all[0].clean)
	uneasy := numeric("tolerated: 2 % of rows change bin", all[0].clean, func(r *rand.Rand) float64 { return 0.05 + r.NormFloat64() })
	rows := make([][]string, 3)
	rows[0] = append([]string{"alarms in 10,000 windows"}, rules...)
	var work sync.WaitGroup
	for i, s := range []stream{steady, uneasy} {
		work.Go(func() {
			var alarms [5]int
			w := newWatcher(t, &s, 77)
			for range cleanWindows {
				for rule, alarmed := range w.window(s.ruin) {
					if alarmed {
						alarms[rule]++
					}
				}
			}
			if alarms[0] > 0 {
				t.Errorf("%s: %d alarms of the e-CUSUM", s.name, alarms[0])
			}
			rows[1+i] = []string{s.name}
			for _, n := range alarms {
				rows[1+i] = append(rows[1+i], strconv.Itoa(n*10_000/cleanWindows))
			}
		})
	}
	faults := make([][]string, 1+len(all))
	faults[0] = append([]string{"windows until the first alarm, median"}, rules...)
	for i, s := range all {
		work.Go(func() {
			delays := delaysOf(t, &s, runs, most)
			faults[1+i] = []string{s.name}
			for rule := range rules {
				faults[1+i] = append(faults[1+i], median(delays[rule], most, rule == 1 && s.reference == nil))
			}
			if delays[0][runs/2] > most { // sorted by now
				t.Errorf("%s: the e-CUSUM took over %d ticks", s.name, most)
			}
		})
	}
	work.Wait()
	t.Logf("%d windows of %d events each, thresholds for 30 features and a false alarm a year\n\n%s\n%s",
		cleanWindows, windowEvents, printed(rows), printed(faults))
}

// delaysOf is, by rule and run, the number of windows from the beginning of a fault to the first alarm.
func delaysOf(t *testing.T, s *stream, runs, most int) (delays [5][]int) {
	for run := range runs {
		w := newWatcher(t, s, run)
		for range 20 {
			w.window(s.clean)
		}
		first := [5]int{}
		for window := 1; window <= most && slices.Contains(first[:], 0); window++ {
			for rule, alarmed := range w.window(s.ruin) {
				if alarmed && first[rule] == 0 {
					first[rule] = window
				}
			}
		}
		for rule, window := range first {
			if window == 0 {
				window = most + 1
			}
			delays[rule] = append(delays[rule], window)
		}
	}
	return delays
}

func median(delays []int, most int, blind bool) string {
	slices.Sort(delays)
	switch middle := delays[len(delays)/2]; {
	case blind:
		return "blind"
	case middle > most:
		return fmt.Sprintf("over %d", most)
	default:
		return strconv.Itoa(middle)
	}
}

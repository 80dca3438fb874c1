package main

import (
	"strconv"
	"testing"
	"time"

	"fraudstream/cmd/fraudstream/demo/cards"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// A simulated week has some 250,000 payments: by day 2,500 in an hour, by night 260.
const weekPayments = 250_000

// week lets a model score generated payments and monitors watch them.
type week struct {
	model    *scoring.Scorer
	payments *cards.Generator
	batch    *scoring.Batch
	watches  []*backtest                       // of the same payments, with intervals of different lengths
	observe  func(card int, r *scoring.Result) // lets them see one; a test may see to something else
}

// newWeek takes the demo's bundle as it is: no setting of the configuration has its say.
func newWeek(t *testing.T, seed int64, tickEvents ...int) *week {
	t.Helper()
	model, err := scoring.Load("demo/bundle", scoring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := &week{model: model, payments: cards.New(seed), batch: model.NewBatch(100)}
	for _, n := range tickEvents {
		options, err := driftOptions(model, DriftConfig{}, time.Now(), func(line string) { t.Error(line) })
		if err != nil {
			t.Fatal(err)
		}
		options.TickEvents = n
		monitor, err := drift.NewMonitor(options)
		if err != nil {
			t.Fatal(err)
		}
		w.watches = append(w.watches, newBacktest(monitor, options))
	}
	w.observe = func(_ int, r *scoring.Result) {
		for _, b := range w.watches {
			if err := b.observe(0, r); err != nil {
				t.Fatal(err)
			}
		}
	}
	return w
}

// pass lets n payments pass; where they are spoilt, web amounts are cents for euros, as in the demo.
func (w *week) pass(n int, spoilt bool) {
	var owners [100]int
	for range n / len(owners) {
		w.batch.Events = w.batch.Events[:0]
		for i := range owners {
			p := w.payments.Next()
			if spoilt && p.Channel == "ecommerce" {
				p.Amount *= 100
				p.AmountToMean7d *= 100
			}
			owners[i] = p.Card
			w.batch.Events = append(w.batch.Events, scoring.Event{Value: p.AppendJSON(nil)})
		}
		w.model.Score(w.batch)
		for i := range w.batch.Results {
			w.observe(owners[i], &w.batch.Results[i])
		}
	}
}

// TestWeekIsCalm lets the demo's payments of a whole week pass, days and nights, and then what its gateway spoils. The
// mix of countries, the pauses of the cards and with them the score follow the clock all the while.
func TestWeekIsCalm(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped a simulated week: some seconds")
	}
	t.Parallel()
	w := newWeek(t, 1, 100, 250, 0)
	for _, f := range w.watches[0].options.Features {
		if f.Off || f.Seasonal == nil {
			t.Errorf("%s: alarm off: %v, seasonal shares: %v", f.Name, f.Off, f.Seasonal != nil)
		}
	}
	w.pass(weekPayments, false)
	for _, b := range w.watches {
		for i := range b.alarms {
			a := &b.alarms[i]
			t.Errorf("intervals of %d payments: false alarm for %s %s in number %d: %s",
				b.options.TickEvents, a.Feature, a.Kind, a.Tick, a.Describe())
		}
	}
	calm := make([]int64, len(w.watches))
	for i, b := range w.watches {
		calm[i], b.alarms = b.ticks, nil
	}
	w.pass(2000, true)
	for i, b := range w.watches {
		delay := int64(-1)
		for _, a := range b.alarms {
			if a.Feature == "amount" && a.Kind == kindValues {
				delay = a.Tick - calm[i]
				break
			}
		}
		if delay < 2 || delay > 4 {
			t.Errorf("intervals of %d payments: the alarm for the amount came after %d of them, want 2 to 4", b.options.TickEvents, delay)
		}
	}
}

// TestPooledDaysAreCalm lets three days and nights pass with the evidence of four partitions pooled, as in the demo: an
// interval is a hundred payments of one partition, which by night take one and a half hours to come.
func TestPooledDaysAreCalm(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped three simulated days")
	}
	t.Parallel()
	const partitions = 4
	w := newWeek(t, 3, 100)
	counting := w.watches[0].options
	counting.Pooled = true
	monitor, err := drift.NewMonitor(counting)
	if err != nil {
		t.Fatal(err)
	}
	var shards [partitions]*drift.Shard
	for i := range shards {
		shards[i] = monitor.Shard(strconv.Itoa(i))
	}
	pool, intervals := w.watches[0].monitor.Shard("pool"), 0
	w.observe = func(card int, r *scoring.Result) {
		at := r.Time / int64(time.Millisecond)
		if s := shards[card%partitions]; s.Observe(r.X, r.Decision.Score, at) {
			tick, _ := s.CloseTick(time.UnixMilli(at))
			if err := pool.Merge(tick.Counts); err != nil {
				t.Fatal(err)
			}
			verdict, closed := pool.CloseTick(time.UnixMilli(at))
			for i := range verdict.Alarms {
				t.Errorf("false alarm: %s", verdict.Alarms[i].Describe())
			}
			if closed {
				intervals++
			}
		}
	}
	const threeDays = weekPayments * 3 / 7
	w.pass(threeDays, false)
	if want := threeDays/100 - partitions; intervals < want {
		t.Errorf("%d intervals, want at least %d", intervals, want)
	}
}

// TestWithoutHoursTheWeekAlarms shows what the hours of the baseline are good for: one day against the mean of all.
func TestWithoutHoursTheWeekAlarms(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped a simulated day")
	}
	t.Parallel()
	w := newWeek(t, 1, 250)
	b := w.watches[0]
	for i := range b.options.Features {
		b.options.Features[i].Seasonal = nil
	}
	b.options.Score.Seasonal = nil
	monitor, err := drift.NewMonitor(b.options)
	if err != nil {
		t.Fatal(err)
	}
	w.watches[0] = newBacktest(monitor, b.options)
	w.pass(weekPayments/7, false)
	alarmed := map[string]bool{}
	for _, a := range w.watches[0].alarms {
		alarmed[a.Feature] = true
	}
	if !alarmed["country"] || !alarmed["minutes_since_last"] {
		t.Errorf("alarms for %v, want some for the country and for the minutes since the last payment", alarmed)
	}
}

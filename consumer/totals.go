package consumer

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Totals are what the metrics have counted since the start, for whoever has no Prometheus at hand. They are the same
// numbers, read in the same way.
type Totals struct {
	Consumed    int64            // events that counted
	Skipped     int64            // of these, left out by the configuration
	Decisions   map[string]int64 // by decision
	DeadLetters map[string]int64 // by error code
	Score       Buckets
	Latency     Buckets // record timestamp to acknowledged decision, in seconds
}

// Buckets are the counts of a histogram. Bucket i holds the values above Bounds[i-1] and up to Bounds[i]; the last one
// has no bound.
type Buckets struct {
	Bounds []float64 `json:"bounds"`
	Counts []int64   `json:"counts"`
}

// Totals may be called by any goroutine, at any time.
func (c *Consumer) Totals() Totals {
	m := c.o.Metrics
	t := Totals{
		Decisions: sums(m.decisions, "decision"), DeadLetters: sums(m.letters, "code"),
		Score: m.score.read(), Latency: m.latency.read(),
	}
	for _, n := range sums(m.skipped, "reason") {
		t.Skipped += n
	}
	var consumed dto.Metric
	if err := m.consumed.Write(&consumed); err == nil {
		t.Consumed = int64(consumed.Counter.GetValue())
	}
	return t
}

// sums adds a counter up by one of its labels. Collect sends one metric for each combination of labels and waits
// until it is taken, hence the goroutine.
func sums(v *prometheus.CounterVec, label string) map[string]int64 {
	series := make(chan prometheus.Metric)
	go func() {
		defer close(series)
		v.Collect(series)
	}()
	total := map[string]int64{}
	for one := range series {
		var d dto.Metric
		if err := one.Write(&d); err != nil {
			continue // a counter always writes itself
		}
		at := slices.IndexFunc(d.Label, func(l *dto.LabelPair) bool { return l.GetName() == label })
		total[d.Label[at].GetValue()] += int64(d.Counter.GetValue())
	}
	return total
}

// read copies the counts. They are those of each bucket alone, not cumulative as in a scrape.
func (b *buckets) read() Buckets {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := Buckets{Bounds: b.bounds, Counts: make([]int64, len(b.counts))}
	for i, n := range b.counts {
		out.Counts[i] = int64(n)
	}
	return out
}

package consumer

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fraudstream/scoring"
)

// Metrics are the Prometheus metrics of the stream. What is counted is added once a run of batches, when the broker
// has acknowledged it, so the counters agree with the topics; what describes a partition is read from its pipeline at
// the scrape and is gone when the partition has moved to another member. The stream and the pool of one process share
// them.
type Metrics struct {
	consumed       prometheus.Counter
	skipped        *prometheus.CounterVec // reason
	decisions      *prometheus.CounterVec // decision, model
	letters        *prometheus.CounterVec // code
	missing        *prometheus.CounterVec // feature, kind
	score          *buckets
	latency        *buckets               // seconds
	commits        *prometheus.CounterVec // result
	transactions   *prometheus.CounterVec // result
	rebalances     prometheus.Counter
	retries        *prometheus.CounterVec // operation, code
	offsetsSkipped *prometheus.CounterVec // topic, partition
	library        prometheus.Gauge
	gauges         partitionGauges
}

// lateAfter leaves records out of the latency that were old when they were fetched: after an outage or in a backfill
// the figure would tell of the past.
const lateAfter = 10 * time.Minute

// NewMetrics makes the metrics and registers them; nil registers nowhere.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		consumed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fraudstream_events_consumed_total",
			Help: "Events of which a decision, a dead letter or nothing (skipped) has come, acknowledged.",
		}),
		skipped: vector("fraudstream_events_skipped_total",
			"Events left out, by reason: where (the configuration); update, delete, tombstone, truncate, message (Debezium).", "reason"),
		decisions: vector("fraudstream_decisions_total",
			"Decisions acknowledged by the output topic; model is name@version.", "decision", "model"),
		letters: vector("fraudstream_dead_letters_total", "Dead letters acknowledged, by error code.", "code"),
		missing: vector("fraudstream_missing_fields_total",
			"Events in which the field of a feature was absent or null (kind), whatever then stood in for it.", "feature", "kind"),
		score: newBuckets("fraudstream_score", "Scores of the decided events.",
			.01, .02, .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .98, .99),
		latency: newBuckets("fraudstream_event_to_decision_seconds",
			"Record timestamp to acknowledged decision; records over 10 minutes old are left out.",
			.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300),
		commits: vector("fraudstream_commits_total", "Offset commits, by result (ok, error).", "result"),
		transactions: vector("fraudstream_transactions_total",
			"Transactions of exactly-once delivery, by result: committed, aborted, or fenced where another process had taken over.", "result"),
		rebalances: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fraudstream_rebalances_total", Help: "Generations of the group that this process has joined.",
		}),
		retries: vector("fraudstream_retries_total", "Failed attempts, by operation and Kafka error code.", "operation", "code"),
		offsetsSkipped: vector("fraudstream_offsets_skipped_total",
			"Offsets that were not read: gone, or passed over because somebody said so.", "topic", "partition"),
		library: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fraudstream_library_protocol",
			Help: "1 where fetch and produce requests go by the types of the Kafka library, because the broker refused this program's own or somebody said so.",
		}),
		gauges: partitionGauges{states: map[*state]bool{}},
	}
	m.begin()
	if r != nil {
		r.MustRegister(m.consumed, m.skipped, m.decisions, m.letters, m.missing, m.score, m.latency, m.commits, m.transactions,
			m.rebalances, m.retries, m.offsetsSkipped, m.library, &m.gauges)
	}
	return m
}

// begin starts at zero the series whose labels are known beforehand. A counter that appears with its first event shows
// Prometheus no increase, so that the first dead letter of a code would raise nobody.
func (m *Metrics) begin() {
	for _, code := range scoring.Codes() {
		m.letters.WithLabelValues(string(code))
	}
	for why := range scoring.Skips {
		m.skipped.WithLabelValues(scoring.Skip(why).String())
	}
	m.commits.WithLabelValues("ok")
	m.commits.WithLabelValues("error")
}

// vector is a counter with labels. Their values must be few and known to this program, since each is a series for
// good: never a key, an id or anything else out of an event.
func vector(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

// count adds a run that counts: once, when the broker has acknowledged it or its transaction is committed, so that what is
// sent twice is counted once. The latency of a decision is the wall clock now less the record's timestamp, in seconds: the
// broker's time of the append, or the producer's, as the topic has it, and 0 where that clock is ahead of this one.
func (m *Metrics) count(w *receipt) {
	t := &w.tally
	m.consumed.Add(float64(t.consumed))
	for why, n := range t.skipped {
		if n > 0 {
			m.skipped.WithLabelValues(scoring.Skip(why).String()).Add(float64(n))
		}
	}
	for _, c := range t.codes {
		m.letters.WithLabelValues(string(c.code)).Add(float64(c.count))
	}
	m.countMissing(w)
	var verdicts [3]int
	for i := range t.decided {
		verdicts[t.decided[i].verdict]++
	}
	for v, n := range verdicts {
		if n > 0 {
			m.decisions.WithLabelValues(scoring.Verdict(v).String(), w.model).Add(float64(n))
		}
	}
	m.score.observe(len(t.decided), func(i int) (float64, bool) { return t.decided[i].score, true })
	now := time.Now()
	oldest := w.fetchedAt.Add(-lateAfter).UnixMilli()
	m.latency.observe(len(t.decided), func(i int) (float64, bool) {
		stamp := t.decided[i].stamp
		return max(float64(now.UnixMilli()-stamp)/1e3, 0), stamp >= oldest
	})
}

// countMissing tells a field that is no longer sent from one that is sent empty: the first is a change upstream.
func (m *Metrics) countMissing(w *receipt) {
	for i, n := range w.tally.missing {
		if n.Absent > 0 {
			m.missing.WithLabelValues(w.features[i], "absent").Add(float64(n.Absent))
		}
		if n.Null > 0 {
			m.missing.WithLabelValues(w.features[i], "null").Add(float64(n.Null))
		}
	}
}

// add shows a partition from now on; the offsets that it may have to leave out count from zero.
func (m *Metrics) add(s *state) {
	m.offsetsSkipped.WithLabelValues(s.topic, itoa(s.partition))
	m.gauges.mu.Lock()
	defer m.gauges.mu.Unlock()
	m.gauges.states[s] = true
}

// remove takes the partition's gauges away when it moves to another member, which will show it; its counters stay, since a
// counter that vanished would count anew when it comes back.
func (m *Metrics) remove(s *state) {
	m.gauges.mu.Lock()
	defer m.gauges.mu.Unlock()
	delete(m.gauges.states, s)
}

// partitions are the states of all that this process has been assigned, in no order.
func (m *Metrics) partitions() []*state {
	m.gauges.mu.Lock()
	defer m.gauges.mu.Unlock()
	all := make([]*state, 0, len(m.gauges.states))
	for s := range m.gauges.states {
		all = append(all, s)
	}
	return all
}

// buckets is a histogram that takes a whole run under one lock, where the client library's own takes several atomic
// operations for each value. The bounds ascend and never change; the rest is under mu, since the publishers of all
// partitions add to it while a scrape reads.
type buckets struct {
	about  *prometheus.Desc
	bounds []float64
	mu     sync.Mutex
	counts []uint64 // one more than bounds
	sum    float64
	total  uint64
}

func newBuckets(name, help string, bounds ...float64) *buckets {
	return &buckets{
		about: prometheus.NewDesc(name, help, nil, nil), bounds: bounds, counts: make([]uint64, len(bounds)+1),
	}
}

// observe adds n values; those that value says no of are left out.
func (b *buckets) observe(n int, value func(i int) (v float64, ok bool)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range n {
		v, ok := value(i)
		if !ok {
			continue
		}
		at := 0
		for at < len(b.bounds) && v > b.bounds[at] {
			at++
		}
		b.counts[at]++
		b.sum += v
		b.total++
	}
}

// Describe and Collect make buckets a prometheus.Collector.
func (b *buckets) Describe(out chan<- *prometheus.Desc) { out <- b.about }

// Collect sends the histogram with cumulative counts.
func (b *buckets) Collect(out chan<- prometheus.Metric) {
	b.mu.Lock()
	defer b.mu.Unlock()
	cumulative, so := make(map[float64]uint64, len(b.bounds)), uint64(0)
	for i, bound := range b.bounds {
		so += b.counts[i]
		cumulative[bound] = so
	}
	out <- prometheus.MustNewConstHistogram(b.about, b.total, b.sum, cumulative)
}

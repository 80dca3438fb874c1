package console

import (
	"slices"
	"sync"
	"time"

	"fraudstream/consumer"
	"fraudstream/scoring"
)

// Door counts requests where they are the live traffic, for a console without a stream: once for each request,
// however many events it has. Workers of the HTTP door call Count from many goroutines, and the console asks once a
// second; the lock is held for the additions and the copy alone. Sample and wanted are the two sides of one question:
// wanted is set by whoever takes the last sample, and cleared by the request that answers.
type Door struct {
	show func(value []byte) map[string]string // nil: no field is shown

	mu      sync.Mutex
	totals  Totals
	refused []Refusal // the newest first
	sample  *consumer.Sample
	wanted  bool
}

// NewDoor returns a door that has counted nothing. show makes of an event what people may see of it, beside the
// decision or the fault; nil is nothing. The bounds of the scores are finest at both ends, where thresholds are;
// those of the latencies go from 0.1 ms to 10 s.
func NewDoor(show func(value []byte) map[string]string) *Door {
	d := &Door{show: show, totals: newTotals()}
	d.totals.Score = newBuckets(.01, .02, .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .98, .99)
	d.totals.Latency = newBuckets(.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10)
	return d
}

// newBuckets is an empty histogram. The bounds ascend; there is one count more than there are bounds, for what lies
// above all.
func newBuckets(bounds ...float64) consumer.Buckets {
	return consumer.Buckets{Bounds: bounds, Counts: make([]int64, len(bounds)+1)}
}

// Count adds what came of one request. Its time counts for each of its events, since that is how long each of them
// took to be answered. The results are those of the events, one for each. They are read before it returns and not
// kept: the worker scores its next request into the same memory.
func (d *Door) Count(events []scoring.Event, results []scoring.Result, took time.Duration) {
	refused := d.lastRefused(events, results)
	if i := d.add(results, took, refused); i >= 0 {
		sample := &consumer.Sample{Decision: results[i].Decision.AppendJSON(nil), Shown: d.shown(events[i].Value)}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.sample = sample
	}
}

// add counts the results, and remembers the last refused ones. It returns the event that is wanted as a sample; -1:
// none is. Only what was decided has a score and a latency.
func (d *Door) add(results []scoring.Result, took time.Duration, refused []Refusal) (sample int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	sample = -1
	for i := range results {
		r := &results[i]
		d.totals.Events++
		switch r.Outcome {
		case scoring.Decided:
			d.totals.Decisions[r.Decision.Verdict.String()]++
			count(&d.totals.Score, r.Decision.Score)
			count(&d.totals.Latency, took.Seconds())
			if d.wanted {
				sample, d.wanted = i, false
			}
		case scoring.Skipped:
			d.totals.Skipped++
		case scoring.Refused:
			d.totals.Refused[string(r.Err.Code)]++
		}
	}
	if len(refused) > 0 {
		d.refused = slices.Concat(refused, d.refused)
		d.refused = d.refused[:min(len(d.refused), shown)]
	}
	return sample
}

// lastRefused are the last refused events of a request, the newest first, no more than are remembered. Looking into
// an event takes time, so it is done for these alone and while nobody is kept waiting.
func (d *Door) lastRefused(events []scoring.Event, results []scoring.Result) (last []Refusal) {
	now := time.Now().UnixMilli()
	for i := len(results) - 1; i >= 0 && len(last) < shown; i-- {
		if r := &results[i]; r.Outcome == scoring.Refused {
			last = append(last, Refusal{
				At: now, Source: string(r.Decision.Origin.AppendID(nil)), Code: string(r.Err.Code), Field: r.Err.Field,
				Shown: d.shown(events[i].Value),
			})
		}
	}
	return last
}

// shown is what people may see of an event.
func (d *Door) shown(value []byte) map[string]string {
	if d.show == nil {
		return nil
	}
	return d.show(value)
}

// count adds a value to its bucket: the first whose bound is not below it, as in Prometheus' histograms, the last one
// for what is above all bounds.
func count(b *consumer.Buckets, v float64) {
	at, _ := slices.BinarySearch(b.Bounds, v)
	b.Counts[at]++
}

// tell copies what was counted. The maps and counts are cloned under the lock, because the state is encoded after it
// is given back.
func (d *Door) tell(s *State) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Totals = d.totals.copied()
	s.Refused = append(s.Refused, d.refused...)
}

// samples takes the decision that was set aside since the last call, and asks for the next.
func (d *Door) samples() []consumer.Sample {
	d.mu.Lock()
	defer d.mu.Unlock()
	taken := d.sample
	d.sample, d.wanted = nil, true
	if taken == nil {
		return nil
	}
	return []consumer.Sample{*taken}
}

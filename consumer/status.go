package consumer

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"fraudstream/scoring"
)

// Status is what people are shown of a running stream, beyond what the metrics count: where each partition of this
// process stands, and the last events that became dead letters.
type Status struct {
	Partitions []PartitionStatus // by number; none while the group is being joined
	Refused    []Refusal         // the newest last
}

// PartitionStatus is where one partition stands.
type PartitionStatus struct {
	Partition int32
	Committed int64   // offset that the group has: where another process would go on; -1: none yet
	Next      int64   // everything below is acknowledged; ahead of Committed for one commit interval at most
	End       int64   // where the partition ended at the last fetch; -1: not known yet
	Lag       int64   // from Next to End
	Behind    float64 // age of the last acknowledged event while there are more to come, in seconds
	Paused    string  // why it stands still; empty: it does not
}

// Refusal is an event that became a dead letter. Where it lies, what is wrong with it and the fields that may be shown is
// all that is kept: the event is in the topics, whose readers are known.
type Refusal struct {
	Partition int32
	Offset    int64 // in the input
	Code      scoring.Code
	Field     string // a feature, or the id or time; empty: the value as a whole
	At        int64  // when its dead letter was acknowledged, Unix milliseconds

	Shown map[string]string // what Options.Show made of the event
}

// Sample is a decision that was set aside.
type Sample struct {
	Decision []byte            // as it was published
	Shown    map[string]string // what Options.Show made of its event
}

// Status may be called at any time, by any goroutine. Nothing of it stops a pipeline: partitions are read as a scrape of
// the metrics reads them.
func (c *Consumer) Status() Status {
	now := time.Now()
	s := Status{Refused: c.letters.all()}
	for _, p := range c.o.Metrics.gauges.current() {
		if p.topic != c.o.Input {
			continue // of the pool, which shares the metrics
		}
		one := PartitionStatus{
			Partition: p.partition, Committed: p.committed.Load(), Next: p.next.Load(), End: p.end.Load(),
			Lag: p.lag(), Behind: p.behind(now),
		}
		if c.o.ExactlyOnce {
			one.Committed = one.Next // what is acknowledged is what the transaction has committed
		}
		if reason := p.paused.Load(); reason != nil {
			one.Paused = *reason
		}
		s.Partitions = append(s.Partitions, one)
	}
	slices.SortFunc(s.Partitions, func(a, b PartitionStatus) int { return cmp.Compare(a.Partition, b.Partition) })
	return s
}

// Samples takes the decisions that have been set aside since the last call, as they were published, at most one of each
// partition, and asks for the next ones. Without a caller none is set aside: a chunk of events then costs one look at a
// flag. It is the last decision of the first chunk after the call, whatever it says, so the sample is not biased.
func (c *Consumer) Samples() []Sample {
	var all []Sample
	for _, p := range c.o.Metrics.gauges.current() {
		if p.topic != c.o.Input {
			continue
		}
		if sample := p.sample.Swap(nil); sample != nil {
			all = append(all, *sample)
		}
		p.wanted.Store(true)
	}
	return all
}

// sample sets the last decision of the chunk aside. It is shown when the run that it is in counts, and not before.
func (p *partition) sample(w *run) {
	for i := len(p.batch.Results) - 1; i >= 0; i-- {
		if r := &p.batch.Results[i]; r.Outcome == scoring.Decided {
			w.sample = &Sample{Decision: r.Decision.AppendJSON(nil), Shown: p.c.shown(p.batch.Events[i].Value)}
			p.state.wanted.Store(false)
			return
		}
	}
}

// exhibit shows what was set aside of a run that counts from now on.
func (p *partition) exhibit(r *receipt) {
	if r.sample != nil {
		p.state.sample.Store(r.sample)
	}
	if len(r.tally.refused) == 0 {
		return
	}
	p.c.letters.add(r.tally.refused, time.Now().UnixMilli())
	for i := range r.tally.refused {
		p.c.tellOf(&r.tally.refused[i])
	}
}

// tellOf puts a refused event into the log for whoever has asked for details: a stream of which half fails would fill any
// disk otherwise.
func (c *Consumer) tellOf(e *Refusal) {
	if !c.o.Log.Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	attributes := []any{"partition", e.Partition, "offset", e.Offset, "code", string(e.Code), "field", e.Field}
	if len(e.Shown) > 0 {
		attributes = append(attributes, "shown", e.Shown)
	}
	c.o.Log.Debug("an event became a dead letter", attributes...)
}

// shown is what people may see of an event.
func (c *Consumer) shown(value []byte) map[string]string {
	if c.o.Show == nil {
		return nil
	}
	return c.o.Show(value)
}

// keptRefusals is how many refused events are remembered: of a run, and of the process.
const keptRefusals = 16

// keep remembers a refused event, if it is among the first of its run; shown is asked of those alone.
func (t *tally) keep(partition int32, offset int64, e *scoring.EventError, shown func([]byte) map[string]string, value []byte) {
	if len(t.refused) < keptRefusals {
		t.refused = append(t.refused, Refusal{Partition: partition, Offset: offset, Code: e.Code, Field: e.Field, Shown: shown(value)})
	}
}

// refusals are the last refused events of a process.
type refusals struct {
	mu   sync.Mutex
	last []Refusal
}

// add keeps the newest. at is when their letters counted, Unix milliseconds.
func (r *refusals) add(more []Refusal, at int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range more {
		one.At = at
		r.last = append(r.last, one)
	}
	r.last = slices.Delete(r.last, 0, max(len(r.last)-keptRefusals, 0))
}

// all is a copy, the newest last.
func (r *refusals) all() []Refusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.last)
}

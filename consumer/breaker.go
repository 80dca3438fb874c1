package consumer

import (
	"context"
	"encoding/json"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// Breaker says when so many events fail that something is wrong with all of them: a field that was renamed upstream,
// a schema that changed, a configuration that does not fit. Then the stream pauses before the run of events that tells
// so, instead of emptying the topic into the dead letters: nothing of that run is published and its offsets are not
// committed. The group goes on, and so do partitions whose events can be scored.
//
// A paused partition goes on by itself when a model in force from then on can score the run. After a repair that takes
// a restart, the next process begins at the same run. And where the events are bad for good, whoever is on call says
// so with [Consumer.Accept].
type Breaker struct {
	Share  float64 // of the last minute's events that may fail, 0 to 1; 0: no breaker
	Events int     // below so many events in a minute the breaker says nothing
}

// window is the time over which events are counted.
const window = time.Minute

// breaker counts the events of all partitions of the process in buckets of a second.
type breaker struct {
	o       Breaker
	mu      sync.Mutex
	buckets [window / time.Second]bucket
}

// bucket counts the events of one second. The same one serves again a minute later: its second says which of the two
// minutes it is of.
type bucket struct {
	second         int64 // Unix time
	events, failed int
}

// admit counts a run, unless it and the last minute with it have more failures than are allowed. A run in which
// enough can be scored passes even in a bad minute. One that is held is not counted, so that it takes no other with
// it.
func (b *breaker) admit(now time.Time, c outcome) bool {
	if b.o.Share <= 0 || b.o.Share >= 1 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	second, sum := now.Unix(), c
	for _, old := range b.buckets {
		if second-old.second < int64(len(b.buckets)) {
			sum.events += old.events
			sum.failed += old.failed
		}
	}
	if sum.events >= b.o.Events && sum.share() > b.o.Share && c.share() > b.o.Share {
		return false
	}
	slot := &b.buckets[second%int64(len(b.buckets))]
	if slot.second != second {
		*slot = bucket{second: second}
	}
	slot.events += c.events
	slot.failed += c.failed
	return true
}

// forget begins to count anew: what has been decided upon must not count against what follows.
func (b *breaker) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.buckets[:])
}

// outcome is how many events of a run were scored or failed.
type outcome struct{ events, failed int }

// share is the part that failed, 0 to 1; of no events it is 0.
func (o outcome) share() float64 {
	if o.events == 0 {
		return 0
	}
	return float64(o.failed) / float64(o.events)
}

// outcome counts the events of w from an offset on. Events that were skipped say nothing.
func (w *run) outcome(from int64) (o outcome) {
	for _, out := range w.out[:w.used] {
		if out.cargo != ofLetters {
			continue
		}
		for _, offset := range out.inputs {
			if offset >= from {
				o.failed++
			}
		}
	}
	o.events = o.failed
	for i := range w.tally.decided {
		if w.tally.decided[i].offset >= from {
			o.events++
		}
	}
	return o
}

// admit lets a scored run pass to the publisher, or holds it as long as the breaker is open. It returns false if ctx,
// that of the fetcher, ends first: then the run is not published, and whoever has the partition next meets it again.
func (p *partition) admit(ctx, hard context.Context, w *run, scored chan<- *run) (bool, error) {
	if p.c.breaker.admit(time.Now(), w.outcome(p.accepted)) {
		return true, nil
	}
	if p.mayPass(ctx, w) {
		return true, nil // accepted already, which this process or this partition had not heard
	}
	at := w.first
	if err := p.sayOpen(hard, w, at, scored); err != nil {
		return false, err
	}
	tick := time.NewTicker(p.c.timing.breaker)
	defer tick.Stop()
	for {
		p.state.turn()
		p.state.pause("breaker") // again each time: the publisher of the runs before this one says otherwise
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, nil
		}
		if p.mayPass(ctx, w) {
			p.c.breaker.forget()
			p.state.resume()
			p.c.o.Log.Info("the breaker closes, the partition goes on", slog.String("partition", p.state.name()), slog.Int64("offset", at))
			p.note(breakerAlert{State: "closed", Episode: p.episode(at), Offset: at}, w.outcome(p.accepted))
			p.notes.attach(w, p.writer.codec, time.Now().UnixMilli())
			return true, nil
		}
	}
}

// mayPass tells whether the run that is held may go on: because its failures have been accepted, or because another
// model is in force that can score it.
func (p *partition) mayPass(ctx context.Context, w *run) bool {
	if accepted, err := p.c.acceptedUpTo(ctx, p.id); err != nil && ctx.Err() == nil {
		p.c.quiet.warn("accepted", "cannot ask whether failing events are accepted", slog.String("group", p.c.breakerGroup()),
			slog.Any("error", err), slog.String("advice", "grant Read on this group, or set dlq.breaker.share to 1 and restart"))
	} else {
		p.accepted = max(p.accepted, accepted)
	}
	if p.c.scorer.Load() != p.scorer {
		w.clearOutput()
		_ = p.score(w) // its batches have been read once already without fault
	}
	return w.outcome(p.accepted).share() <= p.c.o.Breaker.Share
}

// breakerAlert is what the topic of alerts is told of a partition that pauses, and that goes on.
type breakerAlert struct {
	Kind      string  `json:"kind"`
	State     string  `json:"state"` // open, closed
	Episode   string  `json:"episode"`
	Partition string  `json:"partition"`
	Model     string  `json:"model"`
	Offset    int64   `json:"offset"` // from which nothing is published
	Events    int     `json:"events"` // of the run that is held
	Failed    int     `json:"failed"`
	Share     float64 `json:"share"`
	Allowed   float64 `json:"allowed"`
	Code      string  `json:"code,omitempty"` // that most of them have
}

// sayOpen raises the alert: a line in the log, and a record where there is a topic for alerts.
func (p *partition) sayOpen(ctx context.Context, w *run, at int64, scored chan<- *run) error {
	o, code := w.outcome(p.accepted), w.tally.commonest()
	p.c.o.Log.Error("too many events fail: the partition pauses before them", slog.String("partition", p.state.name()),
		slog.Int64("offset", at), slog.Int("events", o.events), slog.Int("failed", o.failed), slog.String("code", code),
		slog.Float64("allowed_share", p.c.o.Breaker.Share),
		slog.String("advice", "repair what sends them, or the configuration, and restart; or accept them as dead letters: fraudstream dlq resume"))
	p.note(breakerAlert{State: "open", Episode: p.episode(at), Offset: at, Code: code}, o)
	if !p.notes.waiting() {
		return nil
	}
	// A run of its own: the one that is held must wait, and the others may all be waiting behind it.
	return p.sendNotes(ctx, &run{aside: true}, time.Now(), scored)
}

// note addresses an alert of the breaker.
func (p *partition) note(a breakerAlert, o outcome) {
	if p.c.o.Alerts == "" {
		return
	}
	a.Kind, a.Partition, a.Model, a.Allowed = "breaker", itoa(p.id), p.model, p.c.o.Breaker.Share
	a.Events, a.Failed, a.Share = o.events, o.failed, math.Round(o.share()*1e4)/1e4
	value, err := json.Marshal(a)
	if err != nil {
		return // numbers and text always encode
	}
	key := p.key()
	p.notes.add(note{
		topic: p.c.o.Alerts, partition: p.routes.alerts.byKey(key), kind: breakerType,
		id: a.Episode + "/" + a.State, key: key, value: value,
	})
}

// episode names a pause: the same for every process that meets the same run.
func (p *partition) episode(offset int64) string {
	return string(p.key()) + "/breaker/" + itoa64(offset)
}

// commonest is the code that most failed events have.
func (t *tally) commonest() string {
	best := codeCount{}
	for _, c := range t.codes {
		if c.count > best.count {
			best = c
		}
	}
	return string(best.code)
}

// breakerGroup is where accepted offsets are kept: as the committed offsets of a group without members. So the word of
// whoever is on call reaches every process, and one that starts later.
func (c *Consumer) breakerGroup() string { return c.o.Group + ".breaker" }

// acceptedUpTo is the offset of a partition below which failing events are accepted.
func (c *Consumer) acceptedUpTo(ctx context.Context, partition int32) (int64, error) {
	offsets, err := c.committedBy(ctx, c.breakerGroup(), c.o.Input, partition)
	return offsets[partition].offset, err
}

// Accept lets failing events that are in the input topic now become dead letters, whatever their share; later ones are
// judged as before. It returns the offset up to which it does so, by partition.
func (c *Consumer) Accept(ctx context.Context) (map[int32]int64, error) {
	defer c.transport.CloseIdleConnections()
	count, err := c.partitions(ctx, c.o.Input)
	if err != nil {
		return nil, c.explainedTopic(c.o.Input, err)
	}
	all := make([]int32, count)
	for i := range all {
		all[i] = int32(i)
	}
	ends, err := c.listOffsets(ctx, c.o.Input, kafka.LastOffset, all...)
	if err != nil {
		return nil, c.explainedTopic(c.o.Input, err)
	}
	marks := map[int32]mark{}
	for p, end := range ends {
		marks[p] = mark{offset: end}
	}
	return ends, c.explainedGroup(c.breakerGroup(), c.commitMarks(ctx, c.breakerGroup(), nobody(), c.o.Input, marks))
}

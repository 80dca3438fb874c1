package consumer

import (
	"context"
	"sync/atomic"
	"time"

	"fraudstream/consumer/recordbatch"
)

// The CloudEvents types of alerts.
const (
	alertType   = "fraudstream.drift.alert.v1"
	breakerType = "fraudstream.breaker.alert.v1"
)

// note is one record that the monitor hands over.
type note struct {
	topic      string
	partition  int32
	id, kind   string // of an alert; kind is its CloudEvents type
	input      string // of a snapshot: the topic whose offsets it speaks of
	key, value []byte
}

// headerInput names, with a snapshot, the topic that it was taken on: a group may be pointed at another one.
const headerInput = "fraudstream.input"

// notes are what a partition's monitor has handed over and the broker has not acknowledged yet. They travel with the
// runs, behind the decisions, so that they are there before the offset passes. A pipeline that starts again scores
// its events anew, but shows none of them to the monitor twice: what the monitor said about them is kept here until
// then. All but acked belongs to the loop, and between two pipelines to whoever starts the next.
type notes struct {
	owed     []note
	first    int64        // the number of owed[0], counted since the partition was assigned
	attached int64        // notes below it travel with a run of this pipeline
	acked    atomic.Int64 // notes below it are acknowledged; the publisher moves it
}

// add puts more at the end and forgets what is acknowledged.
func (n *notes) add(more ...note) {
	done := n.acked.Load() - n.first
	n.owed = append(n.owed[:0], n.owed[done:]...)
	n.first += done
	n.owed = append(n.owed, more...)
}

// restart takes back what travelled with the runs of a pipeline that has ended.
func (n *notes) restart() { n.attached = n.acked.Load() }

// waiting tells whether there is something that travels with no run yet.
func (n *notes) waiting() bool { return n.attached < n.first+int64(len(n.owed)) }

// attach writes what is waiting into w.
func (n *notes) attach(w *run, codec recordbatch.Codec, now int64) {
	for _, one := range n.owed[n.attached-n.first:] {
		w.note(one, codec, now)
	}
	n.attached = n.first + int64(len(n.owed))
	w.notes = n.attached
}

// closeTick asks the monitor for what has come of the intervals that have ended, and sends it with w.
func (p *partition) closeTick(w *run, now time.Time) {
	if p.observer == nil {
		return
	}
	p.collect(p.observer.CloseTick(now))
	if p.notes.waiting() {
		p.notes.attach(w, p.writer.codec, now.UnixMilli())
	}
}

// closeIdleTick does the same where there is no run. What cannot go now, because every run is under way, goes with the
// next one.
func (p *partition) closeIdleTick(ctx context.Context, now time.Time, scored chan<- *run, free <-chan *run) error {
	if p.observer == nil {
		return nil
	}
	p.collect(p.observer.CloseTick(now))
	if !p.notes.waiting() {
		return nil
	}
	select {
	case w := <-free:
		return p.sendNotes(ctx, w, now, scored)
	default:
		return nil
	}
}

// handOver sends the monitor's last words, when the loop has scored all that was fetched. It waits for a free run,
// since there is no next one to take them along.
func (p *partition) handOver(ctx context.Context, scored chan<- *run, free <-chan *run) error {
	if p.observer == nil {
		return nil
	}
	p.collect(p.observer.Drain())
	if !p.notes.waiting() {
		return nil
	}
	select {
	case w := <-free:
		return p.sendNotes(ctx, w, time.Now(), scored)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sendNotes sends a run that holds nothing but notes and moves no offset.
func (p *partition) sendNotes(ctx context.Context, w *run, now time.Time, scored chan<- *run) error {
	w.reset(0)
	p.notes.attach(w, p.writer.codec, now.UnixMilli())
	return p.handOn(ctx, w, scored)
}

// collect addresses what the monitor hands over. Alerts and ticks come before the snapshot, so that a crash in between
// repeats them rather than losing them. What has no topic goes nowhere.
func (p *partition) collect(n Notes) {
	o := &p.c.o
	var all []note
	if o.Alerts != "" {
		for _, a := range n.Alerts {
			key := []byte(a.Key)
			all = append(all, note{topic: o.Alerts, partition: p.routes.alerts.byKey(key), id: a.ID, kind: alertType, key: key, value: a.Value})
		}
	}
	if o.Ticks != "" {
		for _, tick := range n.Ticks {
			all = append(all, note{topic: o.Ticks, key: p.key(), value: tick})
		}
	}
	if o.State != "" && n.Snapshot != nil {
		at := p.id % p.routes.state.partitions
		all = append(all, note{topic: o.State, partition: at, input: o.Input, key: p.key(), value: n.Snapshot})
	}
	if len(all) > 0 {
		p.notes.add(all...)
	}
}

// key names the partition on the topics of the monitor: the group and the partition of its input.
func (p *partition) key() []byte { return []byte(p.c.o.Group + "/" + itoa(p.id)) }

// note encodes one note.
func (w *run) note(n note, codec recordbatch.Codec, now int64) {
	var h recordbatch.Headers
	if n.id != "" {
		h.AddText("ce_specversion", "1.0")
		h.AddText("ce_type", n.kind)
		h.AddText("ce_source", "/fraudstream/drift")
		h.AddText("ce_id", n.id)
		h.AddText("content-type", "application/json")
	}
	if n.input != "" {
		h.AddText(headerInput, n.input)
	}
	o := w.outputFor(n.topic, n.partition, ofMonitor, len(n.key)+len(n.value)+len(h.Raw)+32, codec)
	o.batch.Append(now, n.key, n.value, h)
	o.inputs = append(o.inputs, w.next-1)
}

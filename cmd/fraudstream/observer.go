package main

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

	"fraudstream/consumer"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// driftWatch is what the observers of all partitions share.
type driftWatch struct {
	monitor *drift.Monitor
	model   string // name@version
	log     *slog.Logger
}

func modelName(s *scoring.Scorer) string { return s.Bundle.Name + "@" + s.Bundle.Version }

// partition makes the observer of one of so many partitions.
func (w *driftWatch) partition(partition, _ int32) consumer.PartitionObserver {
	label := strconv.Itoa(int(partition))
	return &observer{driftWatch: w, label: label, life: rand.Uint64(), shard: w.monitor.Shard(label)}
}

// observer lets one partition's loop feed the monitor, and turns what comes of a tick into records.
type observer struct {
	*driftWatch
	label string // of the partition
	shard *drift.Shard
	life  uint64 // tells this partition's ticks from those counted before its state was lost
	next  int64  // the offset after the last observed event
	saved int64  // next in the last snapshot
	notes consumer.Notes
}

// ObserveBatch counts what the loop has scored or refused. Ticks of a fixed number of events end at their event, others
// at the end of a fetched run.
func (o *observer) ObserveBatch(events []consumer.Observation, next int64) {
	repeated := len(events) > 0 && events[0].Repeated // all or none
	for i := range events {
		if o.observe(&events[i]) {
			o.next = events[i].Offset + 1
			o.flush(repeated)
			o.close(time.Now())
		}
	}
	o.next = next
	o.flush(repeated)
}

// observe tells that a tick is complete.
func (o *observer) observe(e *consumer.Observation) bool {
	at := e.Time / 1_000_000
	if e.Code != "" {
		return o.shard.ObserveRefused(e.X, string(e.Code), e.Feature, at)
	}
	return o.shard.Observe(e.X, e.Score, at)
}

func (o *observer) flush(repeated bool) {
	if repeated {
		o.shard.FlushRepeated()
		return
	}
	o.shard.Flush()
}

// CloseTick ends a drift interval if it is long enough, and hands over what has come of all that have ended.
func (o *observer) CloseTick(now time.Time) consumer.Notes {
	o.close(now)
	notes := o.notes
	o.notes = consumer.Notes{}
	return notes
}

// close ends the open tick if it may end.
func (o *observer) close(now time.Time) {
	tick, closed := o.shard.CloseTick(now)
	if !closed {
		return
	}
	for i := range tick.Episodes {
		o.alert(&tick, &tick.Episodes[i])
	}
	if tick.Counts != nil {
		o.notes.Ticks = append(o.notes.Ticks, appendTick(nil, o.life, tick.Number, tick.Counts))
	}
	o.notes.Snapshot = o.snapshot()
}

// Drain hands over the state with the open tick, unless it was handed over already.
func (o *observer) Drain() consumer.Notes {
	notes := o.notes
	if o.next > o.saved {
		notes.Snapshot = o.snapshot()
	}
	o.notes = consumer.Notes{}
	return notes
}

// lifeBytes is the length of what stands before the shard's own snapshot.
const lifeBytes = 8

func (o *observer) snapshot() []byte {
	o.saved = o.next
	return append(binary.BigEndian.AppendUint64(nil, o.life), o.shard.Snapshot(o.next)...)
}

// Restore goes on where the last owner of the partition has stopped.
func (o *observer) Restore(snapshot []byte) (next int64, err error) {
	if len(snapshot) < lifeBytes {
		return 0, errors.New("the snapshot is cut short")
	}
	if next, err = o.shard.Restore(snapshot[lifeBytes:]); err != nil {
		return 0, err
	}
	o.life, o.next, o.saved = binary.BigEndian.Uint64(snapshot), next, next
	return next, nil
}

// Close keeps the totals and forgets the partition.
func (o *observer) Close() { o.shard.Close() }

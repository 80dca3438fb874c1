package main

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"time"

	"fraudstream/cmd/fraudstream/web"
	"fraudstream/consumer"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// driftWatch is what watches the drift of a stream: a monitor for the partitions of the events and, where their
// evidence is pooled, one for the pool.
type driftWatch struct {
	monitor *drift.Monitor
	pooled  *drift.Monitor // nil: each partition has detectors of its own
	options drift.Options  // that the monitor was made of
	model   string         // name@version
	log     *slog.Logger

	accepted *acceptances
}

// newDriftWatch makes the monitors; tickEvents over 0 makes their ticks so many events. With a pool there are two of
// them over the same baseline: one counts the partitions of this process and judges nothing, the other judges the
// ticks of the whole group, where this process has the topic of the ticks. Both are made everywhere, since that topic
// may move here at any time. Errors are of the configuration, such as an override of a feature that is not there, and
// end the start.
func newDriftWatch(c Config, model *scoring.Scorer, tickEvents int, log *slog.Logger) (*driftWatch, error) {
	options, err := driftOptions(model, c.Drift, time.Now(), func(line string) { log.Info(line) })
	if err != nil {
		return nil, err
	}
	w := &driftWatch{model: modelName(model), log: log}
	options.TickEvents = tickEvents
	if c.Drift.Pool {
		if w.pooled, err = newMonitor(model, options, log); err != nil {
			return nil, err
		}
		options.Pooled = true
	}
	if w.monitor, err = newMonitor(model, options, log); err != nil {
		return nil, err
	}
	w.options = options
	w.monitor.JudgedBy(w.pooled)
	w.accepted = acceptancesOf(c.Drift, &options, w.model)
	if c.Kafka.Alerts == "" {
		log.Info("kafka.alerts names no topic: drift alarms are logged and shown, and not published")
	}
	if c.Kafka.DriftState == "" {
		log.Info("kafka.drift_state names no topic: the drift detectors of a partition start anew wherever it starts")
	}
	return w, nil
}

// modelName is how alarms, overrides and logs call a model: name@version.
func modelName(s *scoring.Scorer) string { return s.Bundle.Name + "@" + s.Bundle.Version }

// streams are the consumers of a service: that of the events and, with a pool, that of the ticks. The latter has a
// group of its own, in which one member has the one partition and the others stand by; it decides nothing, and
// everything else (offsets, snapshots, the order of acknowledgements) it does as the former.
func (w *driftWatch) streams(o consumer.Options, ticks string, model *scoring.Scorer) []*consumer.Consumer {
	if w.pooled == nil {
		return []*consumer.Consumer{consumer.New(o, model)}
	}
	pool := consumer.Options{
		Dial: o.Dial, SASL: o.SASL, Brokers: o.Brokers, Group: o.Group + web.PoolSuffix, Input: ticks,
		Log: o.Log, Metrics: o.Metrics, Observer: w.pool, Alerts: o.Alerts, State: o.State,
		ExactlyOnce: o.ExactlyOnce, CommitInterval: o.CommitInterval, CommitEvents: o.CommitEvents,
		Memory: consumer.MinMemory, LibraryProtocol: o.LibraryProtocol,
	}
	o.Ticks = ticks
	return []*consumer.Consumer{consumer.New(o, model), consumer.New(pool, nil)}
}

// partition makes the observer of one of so many partitions. Their number is what the mean time between false alarms is
// divided by; the group learns it here, from the cluster, and again when the topic has grown.
func (w *driftWatch) partition(partition, of int32) consumer.PartitionObserver {
	w.monitor.SetPartitions(int(of))
	return w.observer(w.monitor, strconv.Itoa(int(partition)))
}

// observer makes the observer of a partition under a label of its own. Its life is drawn at random: a partition whose
// state is lost numbers its ticks from 1 again, and the pool must not take them for ticks that it has counted.
func (w *driftWatch) observer(monitor *drift.Monitor, label string) *observer {
	return &observer{driftWatch: w, monitor: monitor, label: label, life: rand.Uint64(), shard: monitor.Shard(label), merged: map[string]lastTick{}}
}

// observer lets one partition's loop feed the monitor, and turns what comes of a tick into records.
type observer struct {
	*driftWatch
	monitor *drift.Monitor
	label   string // of the partition
	shard   *drift.Shard
	life    uint64              // tells this partition's ticks from those counted before its state was lost
	next    int64               // the offset after the last observed event
	saved   int64               // next in the last snapshot
	kept    bool                // there is a snapshot
	merged  map[string]lastTick // of a pool: by the key of each partition
	notes   consumer.Notes
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

// observe shows the monitor one event, and tells that a tick of a fixed number of events is complete. Its time is in
// Unix nanoseconds and the monitor's in milliseconds.
func (o *observer) observe(e *consumer.Observation) bool {
	at := e.Time / 1_000_000
	if e.Code != "" {
		return o.shard.ObserveRefused(e.X, string(e.Code), e.Feature, at)
	}
	return o.shard.Observe(e.X, e.Score, at)
}

// flush publishes the chunk to reports and detectors: one lock a chunk, and none for an event.
func (o *observer) flush(repeated bool) {
	if repeated {
		o.shard.FlushRepeated()
		return
	}
	o.shard.Flush()
}

// CloseTick ends a drift interval if it is long enough, and hands over what has come of all that have ended. The first
// snapshot does not wait for an interval to end: it goes with the first events, or whoever has the partition next could
// not know that there was somebody who counted them.
func (o *observer) CloseTick(now time.Time) consumer.Notes {
	o.close(now)
	if !o.kept && o.next != o.saved {
		o.notes.Snapshot = o.snapshot()
	}
	notes := o.notes
	o.notes = consumer.Notes{}
	return notes
}

// close ends the open tick if it may end: its alerts, its counts for the pool and the snapshot after it wait as notes
// for the run that carries them. The detectors look at the tick here, in the loop of the partition, because only there
// is it known which events the tick holds and which offset follows it; that is once in 10 s and takes a millisecond or
// two for 30 features.
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
	if o.next != o.saved {
		notes.Snapshot = o.snapshot()
	}
	o.notes = consumer.Notes{}
	return notes
}

// carried is what a snapshot holds beyond the state of the shard; it stands before that as JSON, with its length.
type carried struct {
	Life     uint64
	Merged   map[string]lastTick `json:",omitempty"` // of a pool
	Accepted map[string]string   `json:",omitempty"` // for which model each override was accepted
}

// lengthBytes is what the length of the JSON takes.
const lengthBytes = 4

// snapshot is the state of the shard and what else must be known where the partition goes on.
func (o *observer) snapshot() []byte {
	o.saved, o.kept = o.next, true
	head, err := json.Marshal(carried{o.life, o.merged, o.accepted.models()})
	if err != nil {
		panic(err) // numbers and texts by text always marshal
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(head)))
	return append(append(out, head...), o.shard.Snapshot(o.next)...)
}

// Restore goes on where the last owner of the partition has stopped. What was accepted for which model is learnt even
// from a snapshot of another model, which is of no other use.
func (o *observer) Restore(snapshot []byte) (next int64, err error) {
	if len(snapshot) < lengthBytes {
		return 0, errors.New("the snapshot is cut short")
	}
	n, rest := int64(binary.BigEndian.Uint32(snapshot)), snapshot[lengthBytes:]
	if n > int64(len(rest)) {
		return 0, errors.New("the snapshot is cut short")
	}
	var head carried
	if err := json.Unmarshal(rest[:n], &head); err != nil {
		return 0, errors.New("the snapshot does not begin as it should")
	}
	o.accepted.learn(head.Accepted, o.model, o.log)
	if next, err = o.shard.Restore(rest[n:]); err != nil {
		return 0, err
	}
	o.life, o.next, o.saved, o.kept = head.Life, next, next, true
	if head.Merged != nil {
		o.merged = head.Merged
	}
	return next, nil
}

// Close keeps the totals and forgets the partition.
func (o *observer) Close() { o.shard.Close() }

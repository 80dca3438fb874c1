package main

import (
	"encoding/binary"
	"errors"
	"log/slog"
	"time"

	"fraudstream/consumer"
)

// validatePool wants a topic that the ticks of all partitions are gathered in. It is asked of a stream alone: files and
// requests have no partitions.
func (c *Config) validatePool() error {
	if c.Drift.Pool && c.Kafka.DriftTicks == "" {
		return errors.New("drift.pool: kafka.drift_ticks names no topic to gather the ticks in")
	}
	return nil
}

// tickHeader is the length of what stands before a tick's counts on the topic of the pool: whose it is and which.
const tickHeader = 16

// appendTick encodes a tick for the pool. All numbers are big-endian; AsyncAPI describes the form under DriftTick.
func appendTick(dst []byte, life uint64, number int64, counts []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, life)
	dst = binary.BigEndian.AppendUint64(dst, uint64(number))
	return append(dst, counts...)
}

// pool runs the detectors on the sums of all partitions' ticks, in the one process of the group that has the topic of
// the ticks.
//
// The ticks of the pool go by the clock of the records, not by the wall clock: so what it finds is a function of the
// topic alone, and a member that takes over, however late, finds the same.
type pool struct{ observer }

// lastTick is the last tick of a partition that the pool has counted. A crash between a tick and the snapshot that goes
// with it repeats the tick, under the same life and number; a partition that has lost its state begins another life.
type lastTick struct {
	Life   uint64
	Number int64
}

// pool makes the observer of the topic of the ticks. That topic has one partition, which the pool's label does not
// name.
func (w *driftWatch) pool(_, _ int32) consumer.PartitionObserver {
	return &pool{*w.observer(w.pooled, "pool")}
}

// ObserveBatch adds ticks of partitions to the open tick of the pool, and closes it when one makes it long enough.
func (p *pool) ObserveBatch(ticks []consumer.Observation, next int64) {
	for i := range ticks {
		t := &ticks[i]
		p.next = t.Offset + 1
		if err := p.merge(t.Key, t.Value); err != nil {
			p.log.Warn("a drift tick cannot be counted", slog.Int64("offset", t.Offset), slog.Any("error", err))
			continue
		}
		p.close(time.Unix(0, t.Time))
	}
	p.next = next
}

// merge counts a tick, unless it is counted already.
func (p *pool) merge(key, value []byte) error {
	if len(value) < tickHeader {
		return errors.New("it is cut short")
	}
	tick := lastTick{binary.BigEndian.Uint64(value), int64(binary.BigEndian.Uint64(value[8:]))}
	last, known := p.merged[string(key)]
	if known && last.Life == tick.Life && tick.Number <= last.Number {
		return nil
	}
	if err := p.shard.Merge(value[tickHeader:]); err != nil {
		return err
	}
	p.merged[string(key)] = tick
	return nil
}

// CloseTick hands over what has come of the ticks that have ended; the wall clock ends none.
func (p *pool) CloseTick(time.Time) consumer.Notes {
	notes := p.notes
	p.notes = consumer.Notes{}
	return notes
}

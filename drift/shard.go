package drift

import (
	"math"
	"time"
)

// Shard counts rows of one partition. Only its owner calls its methods; reports read what it has flushed.
type Shard struct {
	watch   *watch
	monitor *Monitor
	closed  bool
	left    int // events until a tick of fixed size is full; below zero where ticks have none

	pending totals // the owner's own, not yet published
	times   times  // of the pending rows
	first   int64  // time of the first of them
	score   [1]float64
	row     []float64 // scratch of ObserveRefused
}

// Observe counts one row: x as the pipeline saw it, in training order (NaN missing, ±Inf unreadable), the score, and at,
// the event time in Unix milliseconds (0: unknown). It tells that a tick of a fixed number of events is complete: call
// CloseTick before the next Observe. It neither allocates nor locks; the row is seen by reports after the next Flush.
func (s *Shard) Observe(x []float64, score float64, at int64) (full bool) {
	m := s.monitor
	count(m.tables, s.pending.tallies, x[:m.inputs])
	s.score[0] = score
	count(m.tables[m.inputs:], s.pending.tallies, s.score[:len(m.tables)-m.inputs]) // none, without a score baseline
	for i, spread := range m.spreads {
		if d := x[spread.column] - spread.center; finite(d) {
			s.pending.squares[i] += d * d
		}
	}
	if s.pending.rows == 0 {
		s.first = at
	}
	s.pending.rows++
	s.times.add(at)
	s.left--
	return s.left == 0
}

// ObserveRefused counts an event that has no score. Of the codes, missing_field counts the field at fault (feature; -1:
// none) as missing, wrong_type and non_finite as outside, unknown_category as unseen and, among the values, as other;
// with unscorable every feature counts as its value is. An event refused for anything else is not counted: nothing of
// it could be read.
func (s *Shard) ObserveRefused(x []float64, code string, feature int, at int64) (full bool) {
	fault, counts := math.NaN(), true
	switch code {
	case "missing_field":
	case "wrong_type", "non_finite":
		fault = math.Inf(1)
	case "unknown_category":
		if feature >= 0 {
			fault = s.monitor.unseen(feature, x[feature])
		}
	case "unscorable":
		feature = -1
	default:
		counts = false
	}
	if !counts {
		return false
	}
	copy(s.row, x)
	if feature >= 0 {
		s.row[feature] = fault
	}
	return s.Observe(s.row, math.NaN(), at)
}

// Flush publishes the rows observed since the last one. Call it once a batch.
func (s *Shard) Flush() { s.publish(false) }

// FlushRepeated is Flush for rows that an earlier owner of the partition has counted: they enter the tick and its
// detectors but not the totals since the start, which add up over processes.
func (s *Shard) FlushRepeated() { s.publish(true) }

func (s *Shard) publish(repeated bool) {
	if s.pending.rows == 0 {
		return
	}
	s.watch.add(&s.pending, &s.times, s.first, repeated)
	s.pending.clear()
	s.times.clear()
}

// CloseTick ends the tick if it has lasted 10 s and holds 200 events, or holds Options.TickEvents, and says what came of
// it; otherwise the tick goes on. Call it after a batch, or once a second; the first call after a tick, or of all,
// begins the next one. now is the wall clock; over a file it is the time of the event that is observed next.
func (s *Shard) CloseTick(now time.Time) (Tick, bool) {
	s.Flush()
	t, closed := s.watch.close(now)
	if closed {
		s.left = s.monitor.tickEvents
		s.monitor.record(t.Alarms)
	}
	return t, closed
}

// Snapshot returns all that the partition's detectors know, the open tick included, and next, the offset after the last
// observed event. It may be taken at any time; take it when a tick closes and on drain.
func (s *Shard) Snapshot(next int64) []byte {
	s.Flush()
	return s.watch.snapshot(next)
}

// Restore goes on from a snapshot: call it before the first Observe. What is damaged, of another version or taken
// against another baseline (then errors.Is ErrOtherBaseline) is an error and changes nothing: the detectors start anew.
func (s *Shard) Restore(snapshot []byte) (next int64, err error) {
	next, rows, err := s.watch.restore(snapshot)
	if err == nil && s.monitor.tickEvents > 0 {
		s.left = s.monitor.tickEvents - rows
	}
	return next, err
}

// Merge adds a closed tick of another partition (Tick.Counts) to the open tick of the pool. Bytes that are damaged or
// were counted against another baseline are an error and change nothing.
func (s *Shard) Merge(counts []byte) error { return s.watch.merge(counts) }

// Close publishes what is left and takes the shard out of the monitor, which keeps its totals. The last shard of a
// partition takes the detectors with it: they go on where the partition goes on.
func (s *Shard) Close() {
	s.Flush()
	s.monitor.retire(s)
}

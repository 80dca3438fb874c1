package drift

import (
	"errors"
	"math"
	"sync"
	"time"
)

// A tick closes when it is old enough and holds enough events.
const (
	tickTime   = 10 * time.Second
	tickEvents = 200
)

// Shard counts rows. Only its owner calls Observe, Flush, CloseTick and Close; reports read it meanwhile.
type Shard struct {
	monitor   *Monitor
	partition string
	pending   totals // the owner's own, not yet published
	score     [1]float64
	opened    time.Time // when the tick began

	mu     sync.Mutex // guards what reports read
	total  totals     // since the start
	tick   totals     // since the last tick
	recent totals     // of closed ticks, halved every 64
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
		if d := x[spread.column] - spread.center; d-d == 0 { // finite
			s.pending.squares[i] += d * d
		}
	}
	s.pending.rows++
	return false
}

// ObserveRefused counts an event that has no score. Of the codes, missing_field counts the field at fault (feature; -1:
// none) as missing, wrong_type and non_finite as outside, unknown_category as unseen; with unscorable every feature
// counts as its value is. An event refused for anything else is not counted: nothing of it was read.
func (s *Shard) ObserveRefused(x []float64, code string, feature int, at int64) (full bool) {
	return s.Observe(x, math.NaN(), at)
}

// Flush publishes the rows observed since the last one. Call it once a batch.
func (s *Shard) Flush() {
	if s.pending.rows == 0 {
		return
	}
	s.mu.Lock()
	s.total.add(&s.pending)
	s.tick.add(&s.pending)
	s.mu.Unlock()
	s.pending.clear()
}

// FlushRepeated is Flush for rows that an earlier owner of the partition has counted: they enter the tick and its
// detectors but not the totals since the start, which add up over processes.
func (s *Shard) FlushRepeated() { s.Flush() }

// CloseTick ends the tick if it has lasted 10 s and holds 200 events, or holds Options.TickEvents, and says what came of
// it; otherwise the tick goes on. Call it after a batch, or once a second; the first call after a tick, or of all,
// begins the next one. now is the wall clock; over a file it is the event time of the event about to be observed.
func (s *Shard) CloseTick(now time.Time) (Tick, bool) {
	s.Flush()
	if s.opened.IsZero() {
		s.opened = now
	}
	if now.Sub(s.opened) < tickTime || s.tick.rows < tickEvents {
		return Tick{}, false
	}
	s.mu.Lock()
	s.recent.scale(decay)
	s.recent.add(&s.tick)
	s.tick.clear()
	s.mu.Unlock()
	s.opened = now
	return Tick{}, true
}

// Snapshot returns all that the partition's detectors know, the open tick included, and next, the offset after the last
// observed event. It may be taken at any time; take it when a tick closes and on drain.
func (s *Shard) Snapshot(next int64) []byte { return nil }

// Restore goes on from a snapshot: call it before the first Observe. What is damaged, of another version or taken
// against another baseline (then errors.Is ErrOtherBaseline) is an error and changes nothing: the detectors start anew.
func (s *Shard) Restore(snapshot []byte) (next int64, err error) {
	return 0, ErrOtherBaseline
}

// ErrOtherBaseline says that counts were taken against another baseline and cannot be gone on with.
var ErrOtherBaseline = errors.New("drift: counted against another baseline")

// Merge adds a closed tick of another partition (Tick.Counts) to the open tick of the pool.
func (s *Shard) Merge(counts []byte) error { return ErrOtherBaseline }

// Close publishes what is left and takes the shard out of the monitor, which keeps its totals and forgets its recent
// counts: they go on where the partition goes on.
func (s *Shard) Close() {
	s.Flush()
	s.monitor.retire(s)
}

package drift

import (
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
	monitor *Monitor
	pending totals // the owner's own, not yet published
	score   [1]float64
	opened  time.Time // when the tick began

	mu     sync.Mutex // guards what reports read
	total  totals     // since the start
	tick   totals     // since the last tick
	recent totals     // of closed ticks, halved every 64
}

// Observe counts one row: x as the pipeline saw it, in training order (NaN missing, +Inf unreadable), and the score,
// NaN if the event was refused. It neither allocates nor locks; the row is seen by reports after the next Flush.
func (s *Shard) Observe(x []float64, score float64) {
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

// CloseTick ends the tick if it has lasted 10 s and holds 200 events, and tells whether it did; otherwise the tick
// goes on. Call it after a batch, or once a second. The first call after a tick, or of all, begins the next one.
func (s *Shard) CloseTick(now time.Time) bool {
	s.Flush()
	if s.opened.IsZero() {
		s.opened = now
	}
	if now.Sub(s.opened) < tickTime || s.tick.rows < tickEvents {
		return false
	}
	s.mu.Lock()
	s.recent.scale(decay)
	s.recent.add(&s.tick)
	s.tick.clear()
	s.mu.Unlock()
	s.opened = now
	return true
}

// Close publishes what is left and takes the shard out of the monitor, which keeps its totals and forgets its recent
// counts: they go on where the partition goes on.
func (s *Shard) Close() {
	s.Flush()
	s.monitor.retire(s)
}

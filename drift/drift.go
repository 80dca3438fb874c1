package drift

import (
	"math"
	"sync"
)

// scoreName is the name under which the score is watched.
const scoreName = "score"

// Options configures a Monitor.
type Options struct {
	Features []Feature // in the order of a row
	Score    *Feature  // nil: no score baseline
}

// Monitor compares live rows with the baseline; a Shard counts for one partition without locks.
type Monitor struct {
	columns []column // the score, if there is one, is the last
	tables  []table  // of columns, side by side: all that Observe reads
	inputs  int      // columns of a row
	tallies int      // of all columns

	mu      sync.Mutex
	shards  []*Shard
	retired totals // of shards that were closed
}

// column is a feature or the score.
type column struct {
	Feature
	first  int     // index of its first tally
	places []place // of its tallies
}

// NewMonitor checks the baseline and builds the cell tables. An error names the feature and what contradicts itself.
func NewMonitor(o Options) (*Monitor, error) {
	m := &Monitor{inputs: len(o.Features)}
	features := o.Features
	if o.Score != nil {
		score := *o.Score
		score.Name = scoreName
		features = append(features[:len(features):len(features)], score)
	}
	for _, f := range features {
		if err := f.check(); err != nil {
			return nil, err
		}
		c, err := newClassifier(&f)
		if err != nil {
			return nil, err
		}
		t, places := newTable(c, m.tallies)
		m.tables = append(m.tables, t)
		m.columns = append(m.columns, column{Feature: f, first: m.tallies, places: places})
		m.tallies += len(places)
	}
	m.retired = newTotals(m.tallies)
	return m, nil
}

// Shard returns a new counter set for one partition (or the batch or HTTP door); one goroutine writes it, Report
// reads it. It counts until it is closed.
func (m *Monitor) Shard() *Shard {
	s := &Shard{
		monitor: m,
		pending: newTotals(m.tallies),
		total:   newTotals(m.tallies),
		tick:    newTotals(m.tallies),
		recent:  newTotals(m.tallies),
	}
	m.mu.Lock()
	m.shards = append(m.shards, s)
	m.mu.Unlock()
	return s
}

// retire keeps the totals of a shard and forgets it.
func (m *Monitor) retire(s *Shard) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, other := range m.shards {
		if other == s {
			m.shards = append(m.shards[:i], m.shards[i+1:]...)
			m.retired.add(&s.total)
			return
		}
	}
}

// sums adds up the shards: all rows since the start, and the recent ones.
func (m *Monitor) sums() (total, recent totals) {
	total, recent = newTotals(m.tallies), newTotals(m.tallies)
	m.mu.Lock()
	defer m.mu.Unlock()
	total.add(&m.retired)
	for _, s := range m.shards {
		s.mu.Lock()
		total.add(&s.total)
		recent.add(&s.recent)
		s.mu.Unlock()
	}
	return total, recent
}

// totals are counts of rows.
type totals struct {
	rows    float64
	tallies []tally
}

// tally counts the values of one place. Counts are float64, exact to 2⁵³, because recent ones are decayed.
type tally struct {
	n       float64
	sum     float64
	squares float64 // of the distances from the table's center
}

func newTotals(tallies int) totals { return totals{tallies: make([]tally, tallies)} }

func (t *totals) add(other *totals) {
	t.rows += other.rows
	for i := range other.tallies {
		a, b := &t.tallies[i], &other.tallies[i]
		a.n += b.n
		a.sum += b.sum
		a.squares += b.squares
	}
}

func (t *totals) scale(factor float64) {
	t.rows *= factor
	for i := range t.tallies {
		a := &t.tallies[i]
		a.n *= factor
		a.sum *= factor
		a.squares *= factor
	}
}

func (t *totals) clear() {
	t.rows = 0
	clear(t.tallies)
}

// decay is what remains of a recent count one tick later: it halves every 64 ticks.
var decay = math.Exp2(-1.0 / 64)

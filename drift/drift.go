// Package drift watches whether live inputs still look like the training data.
package drift

// Feature is the baseline of one column in the numbers that rows carry.
type Feature struct {
	Name string
	// Numeric: bins (edge[i-1], edge[i]]. Categorical: Values are the numbers of the listed categories.
	Categorical              bool
	Edges                    []float64
	Values                   []float64
	Labels                   []string // of Values
	Known                    []float64
	KnownGiven               bool
	Counts                   []int64
	Sums                     []float64
	Rows                     int64
	Missing, Infinite, Other int64
	Min, Max, Mean, Std      float64
	HasMoments               bool
	Off                      bool    // drift.enabled: false
	Tolerance                float64 // 0: 0.02
}

// Options configures a Monitor.
type Options struct {
	Features []Feature
	Score    *Feature // nil: no score baseline
}

// Monitor compares live rows with the baseline; a Shard counts for one partition without locks.
type Monitor struct{}

// NewMonitor checks the baseline and builds the cell tables.
func NewMonitor(o Options) (*Monitor, error) { return &Monitor{}, nil }

// Shard returns a new counter set for one partition (or the batch or HTTP door); one goroutine writes it, Report reads it.
func (m *Monitor) Shard() *Shard { return &Shard{} }

// Shard counts rows. Only its owner calls Observe.
type Shard struct{}

// Observe counts one row: x as the pipeline saw it (NaN missing, +Inf unreadable), score NaN if refused.
func (s *Shard) Observe(x []float64, score float64) {}

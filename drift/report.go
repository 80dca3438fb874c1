package drift

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// cutAlpha is the level of the PSI cut in a report: one feature in a thousand exceeds it without drift.
const cutAlpha = 0.001

// Report is what the monitor has seen so far. Its JSON is the drift report.
type Report struct {
	Events   int64           `json:"events"` // rows observed and flushed
	Features []FeatureReport `json:"features"`
	Score    *FeatureReport  `json:"score"` // nil: no score baseline

	Alarms     []Alarm `json:"alarms"`              // the newest thousand; whoever needs all collects those of the ticks
	AlarmCount int64   `json:"alarm_count"`         // all of them
	Resampled  bool    `json:"resampled,omitempty"` // the baseline allows no alarm
	Guarantee  string  `json:"guarantee"`           // what an alarm is worth; empty: no detector runs

	Partitions []PartitionReport `json:"-"` // for metrics
}

// PartitionReport is the state of the detectors of one partition.
type PartitionReport struct {
	Partition string
	Ticks     int64      // closed
	LastTick  time.Time  // when, by the clock given to CloseTick; zero: none yet
	Evidence  []Evidence // of every detector
}

// FeatureReport has the figures of one feature, over all events since the start unless it says recent.
type FeatureReport struct {
	Name string `json:"name"`
	N    int64  `json:"n"` // values observed, missing ones included
	Distances
	PSICut    Figure    `json:"psi_cut"`            // what psi exceeds once in a thousand times without drift
	Mean      Figure    `json:"mean"`               // numeric: of the finite values
	MeanRatio Figure    `json:"mean_ratio"`         // over the baseline's
	StdRatio  Figure    `json:"std_ratio"`          // only of a baseline that has no counts
	Missing   Figure    `json:"missing"`            // share
	Tolerance Figure    `json:"tolerance"`          // share that may change value cell unpunished
	Epsilon   Figure    `json:"epsilon"`            // the larger of it and the baseline's radius
	LogM      Figure    `json:"log_m"`              // evidence against the baseline: the largest expert of any partition
	Threshold Figure    `json:"threshold"`          // of an alarm
	Alarmed   bool      `json:"alarmed"`            // an episode is open
	Off       bool      `json:"off,omitempty"`      // by the bundle: no detector
	Override  *Override `json:"override,omitempty"` // of the tolerance, by the configuration
	Quality   Quality   `json:"quality"`
	Recent    Recent    `json:"recent"`
	Moved     []Cell    `json:"moved"` // the three cells with the largest |live - baseline|, largest first

	// Counts of the value cells, for metrics; Baseline is nil if there is none to compare with.
	Cells    []int64 `json:"-"`
	Baseline []int64 `json:"-"`
}

// Quality counts [ok, missing, outside, unseen].
type Quality struct {
	Counts   [4]int64 `json:"counts"`
	Baseline [4]int64 `json:"baseline"`

	Tolerance Figure `json:"tolerance"`
	Epsilon   Figure `json:"epsilon"`
	LogM      Figure `json:"log_m"`
	Threshold Figure `json:"threshold"`
	Alarmed   bool   `json:"alarmed"`
}

// Recent holds the distances of the recent events: those of closed ticks, halved every 64 ticks.
type Recent struct {
	N Figure `json:"n"` // decayed count of the values compared
	Distances
}

// Cell names a cell and its shares.
type Cell struct {
	Name     string  `json:"cell"` // "(5, 10]"
	Baseline float64 `json:"baseline"`
	Live     float64 `json:"live"`
	Text     string  `json:"text"` // for people: "amount over 5 to 10: 20 % → 24 %"
}

// CellLabel is the label of value or quality cell i in metrics: two digits, in the order of the cells.
func CellLabel(i int) string { return fmt.Sprintf("%02d", i) }

// Report adds up the shards and compares them with the baseline. It may be called while they count.
func (m *Monitor) Report() *Report {
	total, recent := m.sums()
	r := &Report{Events: int64(total.rows), Features: make([]FeatureReport, m.inputs)}
	for i := range m.columns {
		c := &m.columns[i]
		f := c.report(&total, &recent)
		if i < m.inputs {
			r.Features[i] = f
		} else {
			r.Score = &f
		}
	}
	for i, spread := range m.spreads {
		r.Features[spread.column].StdRatio = m.stdRatio(spread, &r.Features[spread.column], total.squares[i])
	}
	return r
}

// stdRatio turns a sum of squares around the baseline's mean into the live deviation, over the baseline's.
func (m *Monitor) stdRatio(of spread, f *FeatureReport, squares float64) Figure {
	off := float64(f.Mean) - of.center
	variance := squares/float64(sum(f.Cells)) - off*off
	return Figure(math.Sqrt(max(0, variance)) / m.columns[of.column].Std)
}

func (c *column) report(total, recent *totals) FeatureReport {
	live, quality := c.fold(total)
	lately, _ := c.fold(recent)
	base := c.histogram()
	r := FeatureReport{
		Name: c.Name, Off: c.Off,
		Distances: c.compare(base, live),
		Recent:    Recent{Figure(lately.total()), c.compare(base, lately)},
		PSICut:    Figure(math.NaN()), StdRatio: Figure(math.NaN()),
		Quality:  Quality{Counts: quality, Baseline: c.qualityBaseline()},
		Cells:    make([]int64, len(live.Counts)),
		Baseline: c.baseline(),
		Moved:    c.moved(base, live),
	}
	for i, n := range live.Counts {
		r.Cells[i] = int64(n)
	}
	for _, n := range quality {
		r.N += n
	}
	r.Missing = Figure(float64(quality[missing]) / float64(r.N))
	if len(base.Counts) > 1 && live.total() > 0 {
		r.PSICut = Figure(PSICut(len(base.Counts), live.total(), base.total(), cutAlpha, 0))
	}
	r.Mean, r.MeanRatio = c.mean(live)
	return r
}

// fold adds up the tallies of a column by value cell and by quality cell.
func (c *column) fold(t *totals) (h Histogram, quality [qualities]int64) {
	h.Counts, h.Sums = make([]float64, c.cells()), make([]float64, c.cells())
	for i, p := range c.places {
		a := &t.tallies[c.first+i]
		quality[p.quality] += int64(a.n)
		if p.cell != noCell {
			h.Counts[p.cell] += a.n
			h.Sums[p.cell] += a.sum
		}
	}
	return h, quality
}

// histogram is the baseline's; empty if there is none to compare with.
func (c *column) histogram() (h Histogram) {
	for _, n := range c.baseline() {
		h.Counts = append(h.Counts, float64(n))
	}
	h.Sums = c.Sums
	return h
}

func (c *column) compare(base, live Histogram) Distances {
	std := math.NaN()
	if c.HasMoments {
		std = c.Std
	}
	return Compare(base, live, !c.Categorical, std)
}

// mean returns the mean of the finite values, and its ratio to the baseline's.
func (c *column) mean(live Histogram) (mean, ratio Figure) {
	if c.Categorical {
		return Figure(math.NaN()), Figure(math.NaN())
	}
	var sum float64
	for _, s := range live.Sums {
		sum += s
	}
	mean = Figure(sum / live.total())
	if !c.HasMoments {
		return mean, Figure(math.NaN())
	}
	return mean, mean / Figure(c.Mean)
}

// moved returns the three cells that have gained or lost most.
func (c *column) moved(base, live Histogram) []Cell {
	cells := []Cell{}
	if base.total() == 0 || live.total() == 0 {
		return cells
	}
	p, q := base.shares(0), live.shares(0)
	for i := range p {
		if p[i] != q[i] {
			cells = append(cells, Cell{c.cellName(i), p[i], q[i], sentence(c.valueWords(i), p[i], q[i])})
		}
	}
	slices.SortStableFunc(cells, func(a, b Cell) int {
		return cmp.Compare(math.Abs(b.Live-b.Baseline), math.Abs(a.Live-a.Baseline))
	})
	return cells[:min(3, len(cells))]
}

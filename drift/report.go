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
	Events   int64           `json:"events"` // rows observed and flushed since the start
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
	PSICut    Figure `json:"psi_cut"`    // what psi exceeds once in a thousand times without drift
	Mean      Figure `json:"mean"`       // numeric: of the finite values
	MeanRatio Figure `json:"mean_ratio"` // over the baseline's
	StdRatio  Figure `json:"std_ratio"`  // only of a baseline that has no counts
	Missing   Figure `json:"missing"`    // share
	Verdict
	Off      bool      `json:"off,omitempty"`      // by the bundle, or without a baseline: no detector
	Override *Override `json:"override,omitempty"` // of the tolerance, by the configuration
	Quality  Quality   `json:"quality"`
	Recent   Recent    `json:"recent"`
	Moved    []Cell    `json:"moved"` // the three cells with the largest |live - baseline|, largest first

	// Counts of the value cells, for metrics; Baseline is nil if there is none to compare with.
	Cells    []int64 `json:"-"`
	Baseline []int64 `json:"-"`
}

// Verdict is how it stands with a detector; there is no figure where none runs.
type Verdict struct {
	Tolerance Figure `json:"tolerance"`         // share of the traffic that may change cell
	Epsilon   Figure `json:"epsilon"`           // the larger of it and the baseline's radius, by the law of the last tick
	LogM      Figure `json:"log_m"`             // evidence against the baseline: the largest expert of any partition at its last tick
	Threshold Figure `json:"threshold"`         // of an alarm
	Alarmed   bool   `json:"alarmed"`           // an episode is open in a partition
	Widened   bool   `json:"widened,omitempty"` // epsilon is above the tolerance, because the training rows are few
}

// Quality counts [ok, missing, outside, unseen].
type Quality struct {
	Counts   [4]int64 `json:"counts"`
	Baseline [4]int64 `json:"baseline"`
	Verdict
	Moved []Cell `json:"moved"` // as of the values
}

// Recent holds the distances of the recent events: those of closed ticks, halved every 64 ticks.
type Recent struct {
	N Figure `json:"n"` // decayed count of the values compared
	Distances

	Cells []float64 `json:"-"` // decayed counts of the value cells
}

// Cell names a cell and its shares.
type Cell struct {
	Name     string  `json:"cell"` // "(5, 10]"
	Baseline float64 `json:"baseline"`
	Live     float64 `json:"live"`
	Text     string  `json:"text"` // for people: "amount over 5 to 10: 20 % → 24 %"

	index int
}

// CellLabel is the label of value or quality cell i in metrics: two digits, in the order of the cells.
func CellLabel(i int) string { return fmt.Sprintf("%02d", i) }

// Report adds up the partitions and compares them with the baseline. It may be called while they count.
func (m *Monitor) Report() *Report {
	v := m.view()
	r := &Report{
		Events: int64(v.total.rows), Features: make([]FeatureReport, m.inputs), Resampled: m.resampled,
		Alarms: v.alarms, AlarmCount: v.alarmCount, Guarantee: m.Guarantee(), Partitions: v.partitions,
	}
	for i := range m.columns {
		c := &m.columns[i]
		f := c.report(&v.total, v.recent[c.values])
		f.Verdict = v.verdicts[c.values]
		if c.quality >= 0 {
			f.Quality.Verdict = v.verdicts[c.quality]
		}
		if i < m.inputs {
			r.Features[i] = f
		} else {
			r.Score = &f
		}
	}
	for i, spread := range m.spreads {
		r.Features[spread.column].StdRatio = m.stdRatio(spread, &r.Features[spread.column], v.total.squares[i])
	}
	if m.pool != nil {
		r.judge(m.pool.Report())
	}
	return r
}

// view is the sum of all partitions at one moment.
type view struct {
	total      totals
	recent     []Histogram // by detector
	verdicts   []Verdict   // by detector
	partitions []PartitionReport
	alarms     []Alarm
	alarmCount int64
}

func (m *Monitor) view() *view {
	v := &view{total: m.newTotals(), alarms: []Alarm{}}
	for i := range m.detectors {
		d := &m.detectors[i]
		v.recent = append(v.recent, newExpert(0, d.cells, d.sums).memory)
		v.verdicts = append(v.verdicts, m.verdict(d))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v.total.add(&m.retired)
	v.alarms, v.alarmCount = append(v.alarms, m.alarms...), m.alarmCount
	for _, w := range m.watches {
		w.mu.Lock()
		v.add(w)
		w.mu.Unlock()
	}
	for i := range v.verdicts {
		v.verdicts[i].Widened = v.verdicts[i].Epsilon > v.verdicts[i].Tolerance
	}
	return v
}

// verdict is that of a detector as long as this process has no partition, or not the pool: the threshold stands, and of
// the evidence nothing is known here. A zero would read as calm.
func (m *Monitor) verdict(d *detector) Verdict {
	none, now := Figure(math.NaN()), time.Now()
	tolerance := m.columns[d.column].now(now).toleranceOf(d.kind)
	if !d.bets {
		return Verdict{Tolerance: Figure(tolerance), Epsilon: none, LogM: none, Threshold: none}
	}
	return Verdict{Tolerance: Figure(tolerance), Epsilon: Figure(d.lawsAt(now).whole.epsilon), LogM: none, Threshold: Figure(m.threshold())}
}

func (v *view) add(w *watch) {
	v.total.add(&w.total)
	p := PartitionReport{Partition: w.partition, Ticks: w.number, LastTick: w.closed}
	for i := range w.states {
		d, s := &w.monitor.detectors[i], &w.states[i]
		v.recent[i].add(s.recent())
		if !d.bets {
			continue
		}
		to := &v.verdicts[i]
		logM, epsilon := Figure(s.evidence), Figure(d.lawsAt(w.closed).at(w.lastTime).epsilon)
		if len(v.partitions) == 0 {
			to.LogM, to.Epsilon = logM, epsilon
		}
		to.LogM, to.Epsilon = max(to.LogM, logM), max(to.Epsilon, epsilon)
		to.Alarmed = to.Alarmed || s.episode.open()
		p.Evidence = append(p.Evidence, w.evidence(i))
	}
	v.partitions = append(v.partitions, p)
}

// stdRatio turns a sum of squares around the baseline's mean into the live deviation, over the baseline's.
func (m *Monitor) stdRatio(of spread, f *FeatureReport, squares float64) Figure {
	off := float64(f.Mean) - of.center
	variance := squares/float64(sum(f.Cells)) - off*off
	return Figure(math.Sqrt(max(0, variance)) / m.columns[of.column].Std)
}

func (c *column) report(total *totals, lately Histogram) FeatureReport {
	live, quality := c.fold(total, kindValues), c.fold(total, kindQuality)
	base, none := c.histogram(), Figure(math.NaN())
	judged := c.now(time.Now())
	r := FeatureReport{
		Name: c.Name, Off: judged.Off, Override: judged.Override,
		Distances: c.compare(base, live),
		Recent:    Recent{Figure(lately.total()), c.compare(base, lately), lately.Counts},
		PSICut:    none, StdRatio: none,
		Quality: Quality{
			Counts: [4]int64(wholes(quality.Counts)), Baseline: c.qualityBaseline(),
			Verdict: Verdict{Tolerance: none, Epsilon: none, LogM: none, Threshold: none},
		},
		Cells:    wholes(live.Counts),
		Baseline: c.baseline(),
		Moved:    c.moved(kindValues, base, live),
	}
	r.N = sum(r.Quality.Counts[:])
	r.Quality.Moved = c.moved(kindQuality, Histogram{Counts: floats(r.Quality.Baseline[:])}, quality)
	r.Missing = Figure(float64(r.Quality.Counts[missing]) / float64(r.N))
	if len(base.Counts) > 1 && live.total() > 0 {
		r.PSICut = Figure(PSICut(len(base.Counts), live.total(), base.total(), cutAlpha, 0))
	}
	r.Mean, r.MeanRatio = c.mean(live)
	return r
}

func wholes(counts []float64) []int64 {
	all := make([]int64, len(counts))
	for i, n := range counts {
		all[i] = int64(n)
	}
	return all
}

// fold adds up the tallies of a column by value cell or by quality cell.
func (c *column) fold(t *totals, kind string) (h Histogram) {
	if kind == kindQuality {
		h.Counts = make([]float64, qualities)
		for i, p := range c.places {
			h.Counts[p.quality] += t.tallies[c.first+i].n
		}
		return h
	}
	h.Counts, h.Sums = make([]float64, c.cells()), make([]float64, c.cells())
	for i, p := range c.places {
		if p.cell != noCell {
			a := &t.tallies[c.first+i]
			h.Counts[p.cell] += a.n
			h.Sums[p.cell] += a.sum
		}
	}
	return h
}

// histogram is the baseline's; empty if there is none to compare with.
func (c *column) histogram() Histogram {
	return Histogram{Counts: floats(c.baseline()), Sums: c.Sums}
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
func (c *column) moved(kind string, base, live Histogram) []Cell {
	cells := []Cell{}
	if base.total() <= 0 || live.total() <= 0 {
		return cells
	}
	p, q := base.shares(0), live.shares(0)
	for i := range p {
		if p[i] != q[i] {
			cells = append(cells, c.cell(kind, i, p[i], q[i]))
		}
	}
	slices.SortStableFunc(cells, func(a, b Cell) int {
		return cmp.Compare(math.Abs(b.Live-b.Baseline), math.Abs(a.Live-a.Baseline))
	})
	return cells[:min(3, len(cells))]
}

// cell names value or quality cell i.
func (c *column) cell(kind string, i int, baseline, live float64) Cell {
	name, words := "", ""
	if kind == kindQuality {
		name, words = quality(i).String(), c.qualityWords(quality(i))
	} else {
		name, words = c.cellName(i), c.valueWords(i)
	}
	return Cell{name, baseline, live, sentence(words, baseline, live), i}
}

package drift

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// scoreName is the name under which the score is watched.
const scoreName = "score"

// What holds where nothing else is said.
const (
	defaultTolerance        = 0.02
	defaultQualityTolerance = 0.002
	defaultFalseAlarmEvery  = 8760 * time.Hour
)

// mostAlarms is how many alarms a monitor remembers for its reports.
const mostAlarms = 1000

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
	columns     []column // the score, if there is one, is the last
	tables      []table  // of columns, side by side: all that Observe reads
	inputs      int      // columns of a row
	tallies     int      // of all columns
	spreads     []spread // of features without counts: their standard deviation is all there is to compare
	detectors   []detector
	every       time.Duration // mean time between false alarms
	tickEvents  int           // 0: ticks last 10 s
	resampled   bool
	pooled      bool
	fingerprint [16]byte // of the baseline

	budget atomic.Pointer[budget]
	pool   *Monitor // that judges in place of this one; nil: none

	mu         sync.Mutex
	watches    []*watch
	retired    totals // of those that were closed
	alarms     []Alarm
	alarmCount int64
}

// column is a feature or the score.
type column struct {
	Feature
	first    int     // index of its first tally
	places   []place // of its tallies
	stranger float64 // a category in neither Values nor Known
	values   int     // index of its detectors; -1: none
	quality  int
}

// spread says around which number the squares of a column are summed, so that they do not cancel.
type spread struct {
	column int
	center float64
}

// NewMonitor checks the baseline, builds the cell tables and the detectors. An error names the feature and what
// contradicts itself.
func NewMonitor(o Options) (*Monitor, error) {
	if o.FalseAlarmEvery != 0 && o.FalseAlarmEvery < tickTime || o.Partitions < 0 || o.TickEvents < 0 {
		return nil, fmt.Errorf("drift: a false alarm every %s, %d partitions, ticks of %d events: the first is at least %s, the others are not negative",
			o.FalseAlarmEvery, o.Partitions, o.TickEvents, tickTime)
	}
	m := &Monitor{
		inputs: len(o.Features), every: cmp.Or(o.FalseAlarmEvery, defaultFalseAlarmEvery),
		tickEvents: o.TickEvents, resampled: o.Resampled, pooled: o.Pooled,
	}
	features := o.Features
	if o.Score != nil {
		score := *o.Score
		score.Name = scoreName
		features = append(slices.Clip(features), score)
	}
	for i := range features {
		if err := m.add(features[i]); err != nil {
			return nil, err
		}
	}
	m.SetPartitions(o.Partitions)
	m.fingerprint = m.identify()
	m.retired = m.newTotals()
	return m, nil
}

// add appends a feature, or the score behind all features.
func (m *Monitor) add(f Feature) error {
	if err := f.check(); err != nil {
		return err
	}
	f.Tolerance = cmp.Or(f.Tolerance, defaultTolerance)
	f.QualityTolerance = cmp.Or(f.QualityTolerance, defaultQualityTolerance)
	c, err := newClassifier(&f)
	if err != nil {
		return err
	}
	t, places := newTable(c, m.tallies)
	index := len(m.columns)
	if index < m.inputs && f.Counts == nil && !f.Categorical && f.HasMoments {
		m.spreads = append(m.spreads, spread{index, f.Mean})
	}
	m.tables = append(m.tables, t)
	column := column{Feature: f, first: m.tallies, places: places, stranger: c.stranger(), quality: -1}
	m.tallies += len(places)

	column.values = m.addDetector(index, kindValues, &f)
	if index < m.inputs {
		column.quality = m.addDetector(index, kindQuality, &f)
	}
	m.columns = append(m.columns, column)
	return nil
}

// addDetector appends that of a column's cells of a kind and returns its index. Value cells have one even where it
// cannot bet, since it keeps the recent counts; quality cells then have none, which is -1.
func (m *Monitor) addDetector(column int, kind string, f *Feature) int {
	then := f.afterwards()
	now, given := f.lawsOf(kind)
	bets := given && !m.resampled && !m.pooled && !(f.Off && then.Off)
	if kind == kindQuality && !bets {
		return -1
	}
	d := detector{
		column: column, kind: kind, cells: int(qualities), tolerance: f.toleranceOf(kind),
		laws: now, bets: bets, override: f.Override, muted: f.Off,
	}
	if kind == kindValues {
		d.cells, d.sums = f.cells(), !f.Categorical
	}
	d.after, _ = then.lawsOf(kind)
	m.detectors = append(m.detectors, d)
	return len(m.detectors) - 1
}

// betting is the number of detectors that can alarm.
func (m *Monitor) betting() (n int) {
	for i := range m.detectors {
		if m.detectors[i].bets {
			n++
		}
	}
	return n
}

// ticksBetween is the mean number of ticks between false alarms.
func (m *Monitor) ticksBetween() float64 { return float64(m.every) / float64(tickTime) }

// unseen is the value to count in place of a category that the pipeline does not know: one in neither list of the
// baseline, even if the baseline lists it. A number stays what it is.
func (m *Monitor) unseen(feature int, x float64) float64 {
	if c := &m.columns[feature]; c.Categorical {
		return c.stranger
	}
	return x
}

// Shard returns a new counter for the goroutine that scores a partition. Shards of one partition label (the workers of
// an HTTP door, whose label is "" as that of a file) share its ticks and its detectors. It counts until it is closed.
func (m *Monitor) Shard(partition string) *Shard {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := slices.IndexFunc(m.watches, func(w *watch) bool { return w.partition == partition })
	if at < 0 {
		at = len(m.watches)
		m.watches = append(m.watches, m.newWatch(partition))
	}
	w := m.watches[at]
	w.shards++
	return &Shard{watch: w, monitor: m, left: m.tickEvents, pending: m.newTotals(), row: make([]float64, m.inputs)}
}

// retire keeps the totals of a partition when its last shard closes.
func (m *Monitor) retire(s *Shard) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := s.watch
	if s.closed {
		return
	}
	s.closed = true
	w.shards--
	if w.shards > 0 {
		return
	}
	m.watches = slices.DeleteFunc(m.watches, func(other *watch) bool { return other == w })
	m.retired.add(&w.total)
}

// record keeps alarms for the report.
func (m *Monitor) record(alarms []Alarm) {
	if len(alarms) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alarmCount += int64(len(alarms))
	m.alarms = append(m.alarms, alarms...)
	if over := len(m.alarms) - mostAlarms; over > 0 {
		m.alarms = slices.Delete(m.alarms, 0, over)
	}
}

// ErrOtherBaseline says that counts were taken against another baseline and cannot be gone on with.
var ErrOtherBaseline = errors.New("drift: counted against another baseline")

package console

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"fraudstream/drift"
)

// Drift is how the live events compare with training. Evidence is that of the partition where there is most of it,
// and counts are those of all partitions together.
type Drift struct {
	Guarantee string    `json:"guarantee"` // what an alarm is worth; empty: nothing alarms
	Features  []Feature `json:"features"`  // the strongest evidence first; the score among them
}

// Feature is one feature, or the score. Figures that do not exist are null and never 0, which would say that nothing
// has moved.
type Feature struct {
	Name        string `json:"name"`
	Score       bool   `json:"score,omitempty"`
	Categorical bool   `json:"categorical,omitempty"`
	Seasonal    bool   `json:"seasonal,omitempty"` // alarms compare it with its hour of the week
	State       string `json:"state"`

	Kind      string   `json:"kind"`     // values or quality: the detector that is nearer to its alarm
	Evidence  *float64 `json:"evidence"` // its natural logarithm; null: not judged in this process, or not yet
	Threshold *float64 `json:"threshold"`
	Judged    *float64 `json:"judged"`  // share that has changed cell as this detector sees it, which is what it holds against epsilon
	Epsilon   *float64 `json:"epsilon"` // share that may change cell
	Alarm     string   `json:"alarm"`   // what moved when the open alarm was given, in words, without the name
	Page      bool     `json:"page"`    // the open alarm calls somebody; else it is a ticket

	Recent bool     `json:"recent"` // live are the recent events; else all since the start
	PSI    *float64 `json:"psi"`
	PSICut *float64 `json:"psi_cut"` // what PSI exceeds once in a thousand times without drift
	TV     *float64 `json:"tv"`      // share that changed cell, against all of training
	Cells  []Cell   `json:"cells"`

	Quality         [4]int64 `json:"quality"` // since the start: in order, missing, out of range, never seen
	QualityBaseline [4]int64 `json:"quality_baseline"`
}

// Cell is one value cell: its words, training rows in it, and live events, which are not whole where they are decayed.
type Cell struct {
	Words    string  `json:"words"`
	Baseline int64   `json:"baseline"`
	Live     float64 `json:"live"`
}

// The states of a feature.
const (
	stateAlarm      = "alarm"
	stateSuspicious = "suspicious" // over half of what an alarm needs
	stateCalm       = "calm"
	stateWaiting    = "waiting" // for a first interval, or judged in another process
	stateOff        = "off"
)

// driftOf turns a report into what the page shows. features and score are those that the monitor was made of: they
// know the words for their cells. The features of the report are in the order of those that the monitor was made of,
// so an index is enough to find the words.
func driftOf(r *drift.Report, features []drift.Feature, score *drift.Feature) *Drift {
	d := &Drift{Guarantee: r.Guarantee}
	seen := strongest(r.Partitions)
	for i := range r.Features {
		d.Features = append(d.Features, featureOf(&r.Features[i], &features[i], r.Alarms, seen))
	}
	if r.Score != nil {
		f := featureOf(r.Score, score, r.Alarms, seen)
		f.Score = true
		d.Features = append(d.Features, f)
	}
	d.sort()
	return d
}

// detector names one of the two of a feature. The pair is the key under which report, alarms and evidence speak of
// the same thing.
type detector struct{ feature, kind string }

// strongest is, for each detector, what it sees in the partition where it has most evidence. Partitions without an
// interval have seen nothing yet.
func strongest(partitions []drift.PartitionReport) map[detector]drift.Evidence {
	all := map[detector]drift.Evidence{}
	for _, p := range partitions {
		for _, e := range p.Evidence {
			at := detector{e.Feature, e.Kind}
			if best, known := all[at]; p.Ticks > 0 && (!known || e.LogM > best.LogM) {
				all[at] = e
			}
		}
	}
	return all
}

// featureOf is one feature of the report. Its cells are those of the recent events where there are any, decayed with a
// half-life of 64 intervals, and so may hold fractions; before the first interval is over they are all events since the
// start. The words for the cells come from what the monitor was made of: the report has their numbers alone.
func featureOf(r *drift.FeatureReport, about *drift.Feature, alarms []drift.Alarm, seen map[detector]drift.Evidence) Feature {
	f := Feature{
		Name: r.Name, Categorical: about.Categorical, Seasonal: about.Seasonal != nil, State: stateOff,
		Quality: r.Quality.Counts, QualityBaseline: r.Quality.Baseline, Cells: []Cell{},
	}
	f.judge(r)
	if e, known := seen[detector{f.Name, f.Kind}]; known {
		f.Judged = number(drift.Figure(e.TV))
	} else if f.State == stateCalm { // no interval is over yet
		f.State, f.Evidence = stateWaiting, nil
	}
	live := r.Recent.Cells
	if f.Recent = float64(r.Recent.N) > 0; !f.Recent {
		live = make([]float64, len(r.Cells))
		for i, n := range r.Cells {
			live[i] = float64(n)
		}
	}
	for i, n := range r.Baseline {
		f.Cells = append(f.Cells, Cell{about.CellWords(i), n, live[i]})
	}
	f.measure()
	if f.State == stateAlarm {
		f.explain(r, alarms)
	}
	return f
}

// judge takes the detector that is nearer to its alarm, by evidence over threshold: a feature has one for its values
// and one for missing, unreadable and unseen ones, and the page one line. An open alarm beats any figure, and a
// detector that has no figure yet is behind all that have one. Over half of its threshold a feature is called
// suspicious: that alarms nobody and promises nothing, and shows where to look. Evidence is the logarithm of what a
// gambler's stake has become who bets against the baseline, so it may be far below zero, and the share of a threshold
// is taken of what is above.
func (f *Feature) judge(r *drift.FeatureReport) {
	nearest := math.Inf(-1)
	for _, v := range []struct {
		kind string
		drift.Verdict
	}{{"values", r.Verdict}, {"quality", r.Quality.Verdict}} {
		if math.IsNaN(float64(v.Threshold)) || r.Off {
			continue
		}
		near := max(0, float64(v.LogM/v.Threshold)) // below zero a bet has lost, which is not nearer than none
		switch {
		case v.Alarmed:
			near = math.Inf(1)
		case math.IsNaN(near):
			near = -1
		}
		if near > nearest {
			nearest = near
			f.Kind, f.Evidence, f.Threshold, f.Epsilon = v.kind, number(v.LogM), number(v.Threshold), number(v.Epsilon)
		}
	}
	switch {
	case f.Threshold == nil:
	case math.IsInf(nearest, 1):
		f.State = stateAlarm
	case f.Evidence == nil:
		f.State = stateWaiting
	case nearest > .5:
		f.State = stateSuspicious
	default:
		f.State = stateCalm
	}
}

// explain says what had moved when the alarm was given; where another process gave it, what has moved since. The name
// of the feature, with which each part begins, is left out: it stands beside it.
func (f *Feature) explain(r *drift.FeatureReport, alarms []drift.Alarm) {
	given := drift.Alarm{Feature: f.Name, Kind: f.Kind, Moved: r.Moved}
	if f.Kind == "quality" {
		given.Moved = r.Quality.Moved
	}
	for _, a := range slices.Backward(alarms) {
		if a.Feature == f.Name && a.Kind == f.Kind {
			given = a
			break
		}
	}
	given.Moved = slices.Clone(given.Moved)
	for i := range given.Moved {
		given.Moved[i].Text = strings.TrimPrefix(given.Moved[i].Text, f.Name+" ")
	}
	f.Alarm, f.Page = given.Describe(), given.Severity() == "page"
}

// summary is what moved most. The parts of an alarm's text are ordered by how far they have moved and divided by
// semicolons.
func (f *Feature) summary() string {
	most, _, _ := strings.Cut(f.Alarm, "; ")
	return strings.TrimSpace(f.Name + " " + most)
}

// measure computes PSI and the total variation from the cells, so that they are those of the sum where cells were
// added up. PSICut is the value that PSI of as many events exceeds once in a thousand times although nothing has
// drifted (χ² with one degree of freedom less than there are cells, times 1/n + 1/m): below it a PSI says nothing,
// however it looks.
func (f *Feature) measure() {
	base, live := drift.Histogram{}, drift.Histogram{}
	var m, n float64
	for _, c := range f.Cells {
		base.Counts, live.Counts = append(base.Counts, float64(c.Baseline)), append(live.Counts, c.Live)
		m, n = m+float64(c.Baseline), n+c.Live
	}
	d := drift.Compare(base, live, !f.Categorical, math.NaN())
	f.PSI, f.TV, f.PSICut = number(d.PSI), number(d.TV), nil
	if len(f.Cells) > 1 && m > 0 && n > 0 {
		f.PSICut = number(drift.Figure(drift.PSICut(len(f.Cells), n, m, .001, 0)))
	}
}

// number is a figure, or nil where there is none. encoding/json refuses NaN and the infinities, and a page would show
// them as words.
func number(f drift.Figure) *float64 {
	x := float64(f)
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// sort puts what matters first: open alarms, then by the share of what an alarm needs, then what has no evidence.
// Equals keep the order of training, so that rows do not change places without a cause.
func (d *Drift) sort() {
	rank := func(f *Feature) float64 {
		switch {
		case f.State == stateAlarm:
			return math.Inf(1)
		case f.Evidence == nil || f.Threshold == nil:
			return math.Inf(-1)
		}
		return *f.Evidence / *f.Threshold
	}
	slices.SortStableFunc(d.Features, func(a, b Feature) int { return cmp.Compare(rank(&b), rank(&a)) })
}

package console

import (
	"math"
	"testing"

	"fraudstream/drift"
)

// A feature is shown as its detector sees it: with the share that this one holds against what is tolerated, which of a
// baseline by the hour is another than that against all of training, and of the partition with most evidence.
func TestJudged(t *testing.T) {
	verdict := func(epsilon, logM float64, alarmed bool) drift.Verdict {
		return drift.Verdict{Epsilon: drift.Figure(epsilon), LogM: drift.Figure(logM), Threshold: 20, Alarmed: alarmed}
	}
	report := drift.FeatureReport{Name: "amount", Baseline: []int64{50, 50}, Verdict: verdict(.03, 0, false), Moved: []drift.Cell{{Text: "amount over 5: 50 % → 90 %"}}}
	report.Cells, report.Recent = []int64{10, 90}, drift.Recent{N: 100, Cells: []float64{10, 90}}
	report.Quality.Verdict = verdict(.002, -.5, false)
	seen := []drift.PartitionReport{
		{Ticks: 1, Evidence: []drift.Evidence{{Feature: "amount", Kind: "values", LogM: -1, TV: .5}}},
		{Ticks: 1, Evidence: []drift.Evidence{{Feature: "amount", Kind: "values", LogM: 0, TV: .01}, {Feature: "amount", Kind: "quality", LogM: 25, TV: .07}}},
		{Evidence: []drift.Evidence{{Feature: "amount", Kind: "values", LogM: 9, TV: .9}}}, // no interval is over
	}
	shown := func(partitions []drift.PartitionReport, alarms ...drift.Alarm) Feature {
		r := &drift.Report{Features: []drift.FeatureReport{report}, Partitions: partitions, Alarms: alarms}
		return driftOf(r, []drift.Feature{{Name: "amount", Edges: []float64{5}}}, nil).Features[0]
	}
	if f := shown(seen); f.State != stateCalm || f.Kind != "values" || *f.Judged != .01 || *f.Epsilon != .03 || math.Abs(*f.TV-.4) > 1e-9 {
		t.Errorf("calm: %+v, judged %v of %v, against training %v", f, *f.Judged, *f.Epsilon, *f.TV)
	}
	if f := shown(seen[2:]); f.State != stateWaiting || f.Judged != nil || f.Evidence != nil {
		t.Errorf("before the first interval: %+v", f)
	}
	report.Quality.Verdict = verdict(.002, 25, true)
	f := shown(seen, drift.Alarm{Feature: "amount", Kind: "quality", Moved: []drift.Cell{{Name: "missing", Text: "amount missing: 0 % → 7 %"}}})
	if f.State != stateAlarm || f.Kind != "quality" || *f.Judged != .07 || *f.Epsilon != .002 || !f.Page {
		t.Errorf("alarm: %+v, judged %v of %v", f, *f.Judged, *f.Epsilon)
	}
	if f.Alarm != "missing: 0 % → 7 %" || f.summary() != "amount missing: 0 % → 7 %" {
		t.Errorf("the alarm says %q, the log %q", f.Alarm, f.summary())
	}
}

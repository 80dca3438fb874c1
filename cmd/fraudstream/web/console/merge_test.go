package console

import (
	"slices"
	"testing"

	"fraudstream/consumer"
)

// Two processes are one: what they counted adds up, the cells are measured as a sum, and the verdict is that of the one
// which judges.
func TestMerge(t *testing.T) {
	state := func(at int64, events int64, live float64, evidence *float64) State {
		s := State{At: at, Totals: newTotals(), Partitions: []Partition{{Number: int32(events % 2), Worker: "w", Committed: events}}}
		s.Totals.Events = events
		s.Totals.Decisions["block"] = events
		s.Totals.Refused["bad_json"] = 1
		s.Totals.Score = consumer.Buckets{Bounds: []float64{.5}, Counts: []int64{events, 1}}
		f := Feature{Name: "amount", State: stateWaiting, Threshold: new(10.0), Evidence: evidence, Recent: true, Cells: []Cell{{"low", 50, 100 - live}, {"high", 50, live}}}
		if evidence != nil {
			f.State = stateCalm
		}
		s.Drift = &Drift{Features: []Feature{{Name: "other", State: stateCalm, Evidence: new(2.0), Threshold: new(10.0)}, f}}
		s.Decisions, s.Refused = []Decision{{At: at}}, []Refusal{{At: at}}
		return s
	}
	a, b := state(5, 3, 90, nil), state(9, 4, 10, new(7.0))
	all := Merge([]State{a, b})
	if all.At != 9 || all.Totals.Events != 7 || all.Totals.Decisions["block"] != 7 || all.Totals.Refused["bad_json"] != 2 || all.Totals.Score.Counts[0] != 7 {
		t.Errorf("%+v", all.Totals)
	}
	if len(all.Partitions) != 2 || all.Partitions[0].Number != 0 || all.Decisions[0].At != 9 || all.Refused[1].At != 5 {
		t.Errorf("%+v", all)
	}
	f := all.Drift.Features[0]
	if f.Name != "amount" || *f.Evidence != 7 || f.State != stateCalm || f.Cells[1].Live != 100 || *f.TV != 0 {
		t.Errorf("%+v, tv %v", f, f.TV)
	}
	if n := a.Drift.Features[1].Cells[1].Live; n != 90 {
		t.Errorf("merging has changed what was merged: %v", n)
	}
	if none := Merge(nil); none.Partitions == nil || none.Drift != nil {
		t.Errorf("of none: %+v", none)
	}
}

// The story has what changed between two states, and nothing that did not.
func TestStory(t *testing.T) {
	before := State{At: 1, Partitions: []Partition{{Number: 0, Worker: "a"}, {Number: 1, Worker: "b"}}, Drift: &Drift{Features: []Feature{{Name: "amount", State: stateCalm}}}}
	now := State{At: 2, Partitions: []Partition{{Number: 0, Worker: "a", Paused: "produce"}, {Number: 1, Worker: "a"}}, Drift: &Drift{Features: []Feature{{Name: "amount", State: stateAlarm, Alarm: "over 96: 10 % → 32 %; up to 6: 10 % → 3 %"}}}}
	var s story
	s.follow(&State{}, &before)
	s.follow(&before, &before)
	if len(s.lines) != 0 {
		t.Errorf("news of nothing: %+v", s.lines)
	}
	s.follow(&before, &now)
	s.follow(&now, &before)
	want := []string{
		"partition 0: standing still, produce", "partition 1: now with a", "drift alarm: amount over 96: 10 % → 32 %",
		"partition 0: going on, with a", "partition 1: now with b", "amount is back within its tolerance",
	}
	for i, l := range s.lines {
		if i >= len(want) || l.Text != want[i] {
			t.Errorf("line %d is %q", i, l.Text)
		}
	}
	if len(s.lines) != len(want) {
		t.Errorf("%d lines, want %d", len(s.lines), len(want))
	}
}

// While nobody judges a feature, because the process that did has gone, its alarm is neither over nor new.
func TestStoryOfAnAlarmThatMoves(t *testing.T) {
	var s story
	at := func(state string) *State {
		return &State{At: 1, Drift: &Drift{Features: []Feature{{Name: "amount", State: state}}}}
	}
	states := []*State{at(stateCalm), at(stateAlarm), at(stateWaiting), {At: 1}, at(stateOff), at(stateAlarm), at(stateSuspicious), at(stateAlarm)}
	for i, now := range states {
		before := &State{}
		if i > 0 {
			before = states[i-1]
		}
		s.follow(before, now)
	}
	var told []string
	for _, l := range s.lines {
		told = append(told, l.Text)
	}
	if want := []string{"drift alarm: amount", "amount is back within its tolerance", "drift alarm: amount"}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

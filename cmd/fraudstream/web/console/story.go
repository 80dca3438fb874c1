package console

import (
	"cmp"
	"fmt"
	"slices"
)

// story tells what happened, as far as it shows in the states: alarms that open and close, partitions that come, go and
// stand still.
type story struct{ lines []Line }

// follow compares two states that follow each other. The first of all has no one before it and is no news.
func (t *story) follow(before, now *State) {
	if before.At == 0 {
		return
	}
	t.partitions(before, now)
	if before.Drift == nil || now.Drift == nil {
		return
	}
	was := map[string]bool{}
	for i := range before.Drift.Features {
		f := &before.Drift.Features[i]
		was[f.Name] = f.State == stateAlarm
	}
	for i := range now.Drift.Features {
		f := &now.Drift.Features[i]
		switch alarmed := f.State == stateAlarm; {
		case alarmed && !was[f.Name]:
			t.add(now.At, Alarm, "drift alarm: "+f.summary())
		case !alarmed && was[f.Name]:
			t.add(now.At, Calm, f.Name+" is back within its tolerance")
		}
	}
}

func (t *story) partitions(before, now *State) {
	was := map[int32]Partition{}
	for _, p := range before.Partitions {
		was[p.Number] = p
	}
	for _, p := range now.Partitions {
		old, known := was[p.Number]
		delete(was, p.Number)
		switch {
		case p.Paused != "" && old.Paused != p.Paused:
			t.add(now.At, Bad, fmt.Sprintf("partition %d stands still: %s", p.Number, p.Paused))
		case p.Paused == "" && old.Paused != "":
			t.add(now.At, Good, fmt.Sprintf("partition %d goes on", p.Number))
		case !known:
			t.add(now.At, Note, fmt.Sprintf("partition %d has come%s", p.Number, to(p.Worker)))
		case old.Worker != p.Worker:
			t.add(now.At, Note, fmt.Sprintf("partition %d has moved%s", p.Number, to(p.Worker)))
		}
	}
	for number := range was {
		t.add(now.At, Note, fmt.Sprintf("partition %d has gone", number))
	}
}

func to(worker string) string {
	if worker == "" {
		return ""
	}
	return " to " + worker
}

func (t *story) add(at int64, kind, text string) {
	t.lines = append(t.lines, Line{at, kind, text})
	t.lines = slices.Delete(t.lines, 0, max(len(t.lines)-maxLines, 0))
}

// with is the story among the lines that the source tells, in the order of time, the last of all.
func (t *story) with(told []Line) []Line {
	all := slices.Concat(told, t.lines)
	slices.SortStableFunc(all, func(a, b Line) int { return cmp.Compare(a.At, b.At) })
	return all[max(len(all)-maxLines, 0):]
}

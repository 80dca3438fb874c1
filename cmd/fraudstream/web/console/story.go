package console

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// story tells what happened, as far as it shows in the states: alarms that open and close, partitions that come, go
// and stand still. It has no source of its own: what is not in a state, or comes and goes between two of them, is not
// told.
type story struct {
	lines   []Line
	alarmed map[string]bool // features whose alarm has been told, or was open when the story began, and has not been seen to end
}

// follow compares two states that follow each other. The first of all has no one before it and is no news. Alarms
// that are open in it are remembered without a line, since nobody knows when they began.
func (t *story) follow(before, now *State) {
	if before.At == 0 {
		t.alarms(now, func(string, string) {})
		return
	}
	t.partitions(before, now)
	t.alarms(now, func(kind, text string) { t.add(now.At, kind, text) })
}

// alarms tells of those that have opened and closed. An alarm is over when the feature is judged and found calm.
// Where it is not judged for the moment, because the process that did so has gone or the model is being swapped,
// nothing is known of it and nothing is said; it would else be closed, and opened a second time by whoever takes
// over.
func (t *story) alarms(now *State, tell func(kind, text string)) {
	if now.Drift == nil {
		return
	}
	if t.alarmed == nil {
		t.alarmed = map[string]bool{}
	}
	for i := range now.Drift.Features {
		f := &now.Drift.Features[i]
		switch told := t.alarmed[f.Name]; {
		case f.State == stateAlarm && !told:
			t.alarmed[f.Name] = true
			tell(Alarm, "drift alarm: "+f.summary())
		case (f.State == stateCalm || f.State == stateSuspicious) && told:
			delete(t.alarmed, f.Name)
			tell(Calm, f.Name+" is back within its tolerance")
		}
	}
}

// partitions tells what became of them, those of one fate in one line: a rebalance moves dozens at once, and dozens
// of lines would push out what had happened before. A partition may stand still, go on, be taken up, change hands or
// be given up. The order of the cases is their weight: of a partition that changes hands and stands still only the
// latter is told.
func (t *story) partitions(before, now *State) {
	was := map[int32]Partition{}
	for _, p := range before.Partitions {
		was[p.Number] = p
	}
	var fates []fate
	for _, p := range now.Partitions {
		old, known := was[p.Number]
		delete(was, p.Number)
		switch {
		case p.Paused != "" && old.Paused != p.Paused:
			fates = meet(fates, Bad, "standing still, "+p.Paused, p.Number)
		case p.Paused == "" && old.Paused != "":
			fates = meet(fates, Good, "going on"+after(", with ", p.Worker), p.Number)
		case !known:
			fates = meet(fates, Note, "taken up"+after(" by ", p.Worker), p.Number)
		case old.Worker != p.Worker:
			fates = meet(fates, Note, "now with "+p.Worker, p.Number)
		}
	}
	for _, p := range before.Partitions {
		if _, gone := was[p.Number]; gone {
			fates = meet(fates, Note, "given up", p.Number)
		}
	}
	for _, f := range fates {
		t.add(now.At, f.kind, f.numbers+": "+f.text)
	}
}

// fate is what became of some partitions.
type fate struct{ kind, text, numbers string }

// meet puts a partition to those of the same fate, or begins a new one. There are half a dozen fates in a second at
// most, so they are looked through and not indexed.
func meet(fates []fate, kind, text string, number int32) []fate {
	for i := range fates {
		if fates[i].text == text {
			fates[i].numbers = fmt.Sprintf("%s, %d", strings.Replace(fates[i].numbers, "partition ", "partitions ", 1), number)
			return fates
		}
	}
	return append(fates, fate{kind, text, fmt.Sprintf("partition %d", number)})
}

// after is a worker with the word before it, where there are several.
func after(word, worker string) string {
	if worker == "" {
		return ""
	}
	return word + worker
}

// add appends a line and forgets the oldest beyond maxLines.
func (t *story) add(at int64, kind, text string) {
	t.lines = append(t.lines, Line{at, kind, text})
	t.lines = slices.Delete(t.lines, 0, max(len(t.lines)-maxLines, 0))
}

// among is the story among the lines that the source tells, in the order of time, the last of all.
func (t *story) among(told []Line) []Line {
	all := append(append([]Line{}, told...), t.lines...) // a list in JSON, be it empty
	slices.SortStableFunc(all, func(a, b Line) int { return cmp.Compare(a.At, b.At) })
	return all[max(len(all)-maxLines, 0):]
}

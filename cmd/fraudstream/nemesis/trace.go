package nemesis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// traces are what a fault has left behind, by subject and by what was seen. A fault that nobody met shows nothing,
// and a row without traces would claim that something was survived which never happened. Nothing is ever taken out of
// them.
type traces struct {
	mu    sync.Mutex
	found map[*Subject]map[string]int
}

// Met says that the fault has met a subject n times, and what that was seen by. Calls add up. Every subject must have
// been met, and whatever is named must have been seen at least once: else the test fails. n may be nought, which says
// that it was looked for and not found.
func (w *World) Met(s *Subject, by string, n int) {
	t := &w.strike.traces
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.found == nil {
		t.found = map[*Subject]map[string]int{}
	}
	if t.found[s] == nil {
		t.found[s] = map[string]int{}
	}
	t.found[s][by] += n
}

// MetAll says the same of all subjects, where what was seen cannot be told apart by them.
func (w *World) MetAll(by string, n int) {
	for _, s := range w.Subjects {
		w.Met(s, by, n)
	}
}

// Spared says that a subject has nothing to do with this fault: it need not have met it.
func (w *World) Spared(s *Subject) { w.Met(s, spared, 1) }

// spared is the trace of those who need none.
const spared = "spared"

// of returns what a subject has met.
func (t *traces) of(s *Subject) map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.found[s])
}

// unmet says what is missing for a subject to have met the fault; it is empty if nothing is.
func unmet(found map[string]int) string {
	if len(found) == 0 {
		return "no trace of it"
	}
	for by, n := range found {
		if n <= 0 {
			return "no " + by
		}
	}
	return ""
}

// MetWaiting says that events of every subject are waiting now for longer than they ever do on a good day.
func (w *World) MetWaiting() {
	for _, s := range w.Subjects {
		w.Met(s, "events waiting for over a second", s.Ledger.waiting(time.Second))
	}
}

// waiting counts the acknowledged events that were handed to the client so long ago and have no answer that a reader
// of committed records could see. That an event is young and has no answer yet says nothing, so the age is part of
// the question.
func (l *Ledger) waiting(age time.Duration) int {
	before, n := time.Now().Add(-age), 0
	for _, p := range l.Missing(l.book.Ends()) {
		if l.book.at(p.partition, p.offset).at.Before(before) {
			n++
		}
	}
	return n
}

// inFlight counts the acknowledged events without an answer in the partitions that a worker has now; those of the plain
// loop, which does not tell what it has, in all partitions.
func (s *Subject) inFlight(worker *Worker) int {
	var own map[int32]bool
	if !s.Plain {
		own = worker.partitions()
	}
	n := 0
	for _, p := range s.Ledger.Missing(s.Ledger.book.Ends()) {
		if s.Plain || own[p.partition] {
			n++
		}
	}
	return n
}

// partitions are those that a worker says it has, now: the metric of its lag has a series for each, and none for
// others.
func (w *Worker) partitions() map[int32]bool {
	own := map[int32]bool{}
	for key := range w.scrape() {
		var p int32
		if _, err := fmt.Sscanf(key, lagRecords+"{partition=\"%d\"", &p); err == nil {
			own[p] = true
		}
	}
	return own
}

// lagRecords is the metric of how many records of a partition are still to be read.
const lagRecords = "fraudstream_consumer_lag_records"

// inMidBatch returns when a worker is busy with events, and how many of them wait for it then: they are acknowledged,
// nobody has seen their answers, and the worker has their partitions. What it has done of them, read, scored, written
// or half of a commit, nobody knows, and over many kills it is all of that. It feeds a worker that is not busy, with
// 50 events at a time, and gives up one that has no partition for longer than a group needs to find itself.
func (w *World) inMidBatch(s *Subject, worker *Worker) int {
	for deadline := time.Now().Add(patienceOfDrain); time.Now().Before(deadline); pauseFor(20 * time.Millisecond) {
		if n := s.inFlight(worker); n > 0 {
			return n
		}
		if w.run.atRest(s) {
			w.Burst(50)
		}
	}
	w.T.Errorf("%s has nothing to do: nothing would be struck", worker.Name)
	return 0
}

// atRest tells whether a subject's group has all of its workers and each of these knows its partitions. No answer
// within five seconds is a no.
func (r *run) atRest(s *Subject) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	state, members, err := r.describe(ctx, s.Group)
	return err == nil && state == "Stable" && members == len(s.Workers())
}

// members are the ids of a group's members, each the name of one life in the group: the coordinator makes one up for
// whoever joins, and a worker that was given up comes back under another.
func (w *World) members(s *Subject) (all map[string]bool) {
	w.eventually("the members of "+s.Group, time.Minute, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		req := kmsg.NewPtrDescribeGroupsRequest()
		req.Groups = []string{s.Group}
		res, err := req.RequestWith(ctx, w.run.admin)
		if err != nil || res.Groups[0].ErrorCode != 0 {
			return false
		}
		all = map[string]bool{}
		for _, m := range res.Groups[0].Members {
			all[m.MemberID] = true
		}
		return true
	})
	return all
}

// gone counts those who were there and are no more.
func gone(before, now map[string]bool) (n int) {
	for id := range before {
		if !now[id] {
			n++
		}
	}
	return n
}

// coordinators are the brokers that look after a subject's group and, in exactly-once mode, after the transactions of
// each of its partitions, by key.
func (w *World) coordinators(s *Subject) map[string]int32 {
	w.T.Helper()
	all := map[string]int32{}
	find := func(kind int8, keys ...string) {
		req := kmsg.NewPtrFindCoordinatorRequest()
		req.CoordinatorType, req.CoordinatorKeys = kind, keys
		req.CoordinatorKey = keys[0] // for brokers that know one key only
		w.eventually("the coordinators of "+s.Name, time.Minute, func() bool {
			res, err := req.RequestWith(w.T.Context(), w.run.admin)
			if err != nil {
				return false
			}
			for _, c := range res.Coordinators {
				if c.ErrorCode != 0 {
					return false
				}
				all[c.Key] = c.NodeID
			}
			return len(res.Coordinators) == len(keys)
		})
	}
	find(0, s.Group)
	if s.ExactlyOnce {
		var ids []string
		for p := range w.partitions(input) {
			ids = append(ids, fmt.Sprintf("%s/%s/%d", s.Group, input, p))
		}
		find(1, ids...)
	}
	return all
}

// moved counts what has another broker now than before, of what is known of both times.
func moved(before, now map[string]int32) (n int) {
	for key, broker := range before {
		if other, ok := now[key]; ok && other != broker {
			n++
		}
	}
	return n
}

// leaders are the brokers that lead the partitions of the input and of a subject's outputs, by topic and partition; -1
// where none does. Alerts and the drift monitor's snapshots are not among them.
func (w *World) leaders(s *Subject) map[string]int32 {
	w.T.Helper()
	all := map[string]int32{}
	w.eventually("the leaders", time.Minute, func() bool {
		m, err := w.metadata()
		if err != nil {
			return false
		}
		for _, t := range m.Topics {
			if name := *t.Topic; name == input || name == s.Topics.decisions || name == s.Topics.letters {
				for _, p := range t.Partitions {
					all[fmt.Sprintf("%s/%d", name, p.Partition)] = p.Leader
				}
			}
		}
		return len(all) > 0
	})
	return all
}

// eachMoved calls move so many times, and more often until it has moved something of each subject: one that is moved at
// random may stay where it is.
func (w *World) eachMoved(what string, times int, where func(*Subject) map[string]int32, move func()) {
	w.T.Helper()
	sums := map[*Subject]int{}
	still := func(s *Subject) bool { return sums[s] == 0 }
	for i := 0; i < times || i < 10*times && slices.ContainsFunc(w.Subjects, still); i++ {
		before := map[*Subject]map[string]int32{}
		for _, s := range w.Subjects {
			before[s] = where(s)
		}
		move()
		for _, s := range w.Subjects {
			sums[s] += moved(before[s], where(s))
		}
	}
	for s, n := range sums {
		w.Met(s, what, n)
	}
}

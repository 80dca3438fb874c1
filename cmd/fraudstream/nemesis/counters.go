package nemesis

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// stretch is how many events are sent while nothing happens: enough for some forty drift intervals and eighty dead
// letters, and still only seconds for all three subjects. It is sent in one go, so what is measured is no rate.
const stretch = 4000

// countUndisturbed holds the counters of the workers against the ids that the witness reads, one by one, where nothing
// happens to the workers that could take their counts along: the steady flow has ended, everything is answered, the old
// workers have left and new ones have begun, and then a stretch of events is sent.
func (r *run) countUndisturbed(ctx context.Context) {
	r.logf("a last stretch without faults, with new workers")
	r.book.setStrike(0)
	for _, s := range r.subjects {
		s.Ledger.setStrike(0)
	}
	if !r.answerAll(ctx) {
		return
	}
	for _, s := range r.subjects {
		s.end()
		for range r.o.Workers {
			_, err := s.Start()
			s.must(err)
		}
	}
	before := map[*Subject]tallied{}
	for _, s := range r.subjects {
		r.settleGroup(ctx, s)
		if !s.Plain {
			r.catchUp(ctx, s)
			before[s] = s.tallied()
		}
	}
	r.generator.burst(stretch)
	if !r.answerAll(ctx) {
		return
	}
	for _, s := range r.subjects {
		if !s.Plain {
			r.compareCounters(ctx, s, before[s])
		}
	}
}

// catchUp waits until a group has committed all that was sent, and the witness has read all that was written: in
// at-least-once mode the new workers may have had to answer what the old ones had answered and not committed.
func (r *run) catchUp(ctx context.Context, s *Subject) {
	patient, cancel := context.WithTimeout(ctx, r.o.Patience)
	defer cancel()
	for {
		_, err := s.sampler.check(patient)
		if err == nil && len(s.sampler.short(r.book.Ends())) == 0 {
			return
		}
		if pause(patient, 100*time.Millisecond) != nil {
			r.t.Errorf("%s does not commit what it has answered: %v, %v", s.Name, s.sampler.short(r.book.Ends()), err)
			return
		}
	}
}

// tallied is how many answers of a subject are there, and what its living workers have counted of them.
type tallied struct{ consumed, decided, letters, skipped, gaps, readDecided, readLetters int }

// tallied adds up what the workers say now.
func (s *Subject) tallied() tallied {
	var all tallied
	for _, w := range s.Workers() {
		figures := w.scrape()
		all.consumed += int(total(figures, consumedTotal))
		all.decided += int(total(figures, decisionsTotal))
		all.letters += int(total(figures, lettersTotal))
		all.skipped += int(total(figures, skippedTotal))
		all.gaps += int(total(figures, gapsTotal))
	}
	all.readDecided, all.readLetters = s.Ledger.records()
	return all
}

// since is what has come since another tally.
func (t tallied) since(before tallied) tallied {
	return tallied{
		t.consumed - before.consumed, t.decided - before.decided, t.letters - before.letters, t.skipped - before.skipped,
		t.gaps - before.gaps, t.readDecided - before.readDecided, t.readLetters - before.readLetters,
	}
}

// agrees tells whether so many events were counted as their answers are there: consumed as one answer for each, decided
// and dead-lettered as what was read of each, nothing left out and nothing passed over. In exactly-once mode each event
// has one answer. In at-least-once mode it has one or more: a worker that found no core for the length of its session
// has lost its partitions, and its answers are given again.
func (t tallied) agrees(events int, exactlyOnce bool) bool {
	answers := t.readDecided + t.readLetters
	return t.consumed == answers && t.decided == t.readDecided && t.letters == t.readLetters && t.skipped == 0 && t.gaps == 0 &&
		(answers == events || answers > events && !exactlyOnce)
}

// answerAll waits until everything that was sent is acknowledged and answered, each with the run's patience. What has
// no answer by then is given up as lost. It tells whether the service has answered all: the plain loop may owe what
// it likes, and where the service owes something its counters need not be looked at. It is called when the steady
// flow has ended, so the ends do not move.
func (r *run) answerAll(ctx context.Context) bool {
	patient, cancel := context.WithTimeout(ctx, r.o.Patience)
	defer cancel()
	if err := r.generator.flush(patient); err != nil {
		r.t.Errorf("the generator's events are not acknowledged: %v", err)
		return false
	}
	open := r.unanswered(r.book.Ends())
	for _, s := range r.subjects {
		if missing := s.Ledger.Missing(r.book.Ends()); len(missing) > 0 {
			r.logf("%s does not answer %d events, first %v", s.Name, len(missing), missing[0])
			s.Ledger.writeOff(missing, false)
		}
	}
	return len(open) == 0 || len(open) == 1 && open[0] == "plain"
}

// compareCounters holds what the living workers have counted since an earlier tally against what was read since then.
// What counts is counted after it was written, so it waits until the two agree. Counters have no ids, so this compares
// numbers; that the records are those of the events sent is what the ledger holds.
func (r *run) compareCounters(ctx context.Context, s *Subject, before tallied) {
	patient, cancel := context.WithTimeout(ctx, r.o.Patience)
	defer cancel()
	got := s.tallied().since(before)
	for !got.agrees(stretch, s.ExactlyOnce) && pause(patient, 200*time.Millisecond) == nil {
		got = s.tallied().since(before)
	}
	text := fmt.Sprintf("%s: read decided=%d dead_letter=%d of %d; the workers counted consumed=%d decided=%d dead_letter=%d skipped=%d",
		s.Name, got.readDecided, got.readLetters, stretch, got.consumed, got.decided, got.letters, got.skipped)
	r.logf("    %s", text)
	if !got.agrees(stretch, s.ExactlyOnce) {
		r.t.Errorf("the counters differ from the ids in the undisturbed stretch: %s", text)
	}
}

// The counters that are compared, and that of failed attempts.
const (
	consumedTotal  = "fraudstream_events_consumed_total"
	decisionsTotal = "fraudstream_decisions_total"
	lettersTotal   = "fraudstream_dead_letters_total"
	skippedTotal   = "fraudstream_events_skipped_total"
	gapsTotal      = "fraudstream_offsets_skipped_total"
	retriesTotal   = "fraudstream_retries_total" // by operation and code
)

// boundCounters checks the counters of the whole run. A worker that was killed took along what it had counted since
// it was last asked, so the sum of the last answers of all workers is a lower bound of what they have counted, and
// may fall short of what was read. It may not exceed it: nothing counts that is not there, except what went with a
// deleted topic of decisions before anybody had read it. How far it falls short is shown, for that much double
// counting would not be seen here. deleted is how many decisions may have been written, and counted, that no witness
// could read.
func (r *run) boundCounters(s *Subject, deleted int) {
	decided, letters := s.Ledger.records()
	for _, c := range []struct {
		name string
		most int
	}{{consumedTotal, decided + letters + deleted}, {decisionsTotal, decided + deleted}, {lettersTotal, letters}} {
		n := s.counted(c.name)
		r.logf("%-13s %s: %v seen, %d there", s.Name, c.name, n, c.most)
		if n > float64(c.most) {
			r.t.Errorf("%s: the workers have counted %s=%v, and %d are there", s.Name, c.name, n, c.most)
		}
	}
}

// settleGroup waits until a group has found itself with all workers of the subject, or the test has failed: before
// that a worker might answer events which were counted by the one that it took them over from.
func (r *run) settleGroup(ctx context.Context, s *Subject) {
	for deadline := time.Now().Add(r.o.Patience); ; time.Sleep(200 * time.Millisecond) {
		state, members, err := r.describe(ctx, s.Group)
		if err == nil && state == "Stable" && members == r.o.Workers {
			return
		}
		if time.Now().After(deadline) {
			text := fmt.Sprintf("%s: the group has not found itself: %s with %d members, %v", s.Name, state, members, err)
			if r.logf("    %s", text); !s.Plain {
				r.t.Errorf("%s", text)
			}
			return
		}
	}
}

// describe asks for the state of a group, in Kafka's words, and the number of its members. While the group has no
// coordinator that is an error; it is Empty or Dead when all members have left, and Stable when each knows what it has.
func (r *run) describe(ctx context.Context, group string) (state string, members int, err error) {
	req := kmsg.NewPtrDescribeGroupsRequest()
	req.Groups = []string{group}
	res, err := req.RequestWith(ctx, r.admin)
	if err != nil {
		return "", 0, err
	}
	g := res.Groups[0]
	return g.State, len(g.Members), kerr.ErrorForCode(g.ErrorCode)
}

// close ends the run in good order: the workers leave, and what the subjects did over the whole run is judged. It
// returns how many records the service's topics hold, so that yet another client may count them.
func (r *run) close(ctx context.Context) map[string]int {
	records := map[string]int{}
	for _, s := range r.subjects {
		s.end()
		last, cancel := context.WithTimeout(ctx, time.Minute)
		if _, err := s.sampler.check(last); err != nil {
			r.t.Errorf("%s: the last look at the committed offsets: %v", s.Name, err)
		}
		cancel()
		r.judgeOffsets(s)
		r.summarize(s)
		if !s.Plain {
			s.witness.mu.Lock()
			records[s.Topics.decisions] = s.witness.counts[s.Topics.decisions]
			records[s.Topics.letters] = s.witness.counts[s.Topics.letters]
			records[s.Topics.alerts] = s.witness.counts[s.Topics.alerts]
			s.witness.mu.Unlock()
		}
	}
	return records
}

// judgeOffsets demands that a service whose workers have drained has committed all that it answered. It holds the
// sampler, too: one that sees no offsets would find nothing.
func (r *run) judgeOffsets(s *Subject) {
	if short := s.sampler.short(r.book.Ends()); len(short) > 0 && !s.Plain {
		r.t.Errorf("%s: all workers have drained, and partitions and their committed offsets %v are before the ends %v", s.Name, short, r.book.Ends())
	}
}

// summarize says what a subject did over the whole run, and judges what belongs to no fault.
func (r *run) summarize(s *Subject) {
	var all Tally
	for number := range len(r.results) + 1 {
		t, _ := s.Ledger.of(number)
		all.Lost += t.Lost
		all.Deleted += t.Deleted
		all.Duplicated += t.Duplicated
	}
	decided, letters := s.Ledger.records()
	checks, failed, trouble := s.sampler.soFar()
	r.logf("%-13s sent=%d decided=%d dead_letter=%d lost=%d deleted=%d duplicated=%d, %d samples of committed offsets, %d given up (%v), %d workers, %d ended by themselves",
		s.Name, r.book.Acked(), decided, letters, all.Lost, all.Deleted, all.Duplicated, checks, failed, trouble, s.started, s.restarts)
	for _, text := range s.Ledger.examples {
		r.logf("    %s", text)
	}
	if s.Plain {
		for _, text := range s.oddities {
			r.logf("    %s", text)
		}
		return
	}
	last, _ := s.Ledger.of(0)
	r.judge(s, "between the faults", &last, true)
	r.judgeNotes(s)
	r.boundCounters(s, s.Ledger.unanswered())
	for _, text := range s.oddities {
		r.t.Errorf("%s: %s", s.Name, text)
	}
}

// judgeNotes judges what the service writes beside its answers: alerts and the snapshots of the drift monitor. In
// exactly-once mode everything is written in transactions, and no alert is there twice.
func (r *run) judgeNotes(s *Subject) {
	n := s.witness.noted()
	r.logf("%-13s %d alerts of %d ids, %d snapshots of the drift monitor", s.Name, n.alerts, n.ids, n.snapshots)
	if n.alerts == 0 || n.snapshots == 0 {
		r.t.Errorf("%s: %d alerts and %d snapshots: nothing was there to be judged", s.Name, n.alerts, n.snapshots)
	}
	if n.nameless > 0 {
		r.t.Errorf("%s: %d alerts without ce_id", s.Name, n.nameless)
	}
	if !s.ExactlyOnce {
		return
	}
	if n.alerts != n.ids {
		r.t.Errorf("%s: %d alerts have been there before, such as %s", s.Name, n.alerts-n.ids, n.again)
	}
	if n.outside > 0 {
		r.t.Errorf("%s: %d records were written outside of transactions, the first to %s", s.Name, n.outside, n.where)
	}
}

package nemesis

import (
	"context"
	"time"
)

// countUndisturbed holds the counters of workers that nothing happens to against what the witness reads: new workers
// take over from the old ones, a stretch of events is sent, and what each counter says is compared with the ids, one by
// one. For the whole run, in which killed workers took their last counts along, the counters may not exceed what is there.
func (r *run) countUndisturbed(ctx context.Context) {
	r.logf("a last stretch without faults, with new workers")
	r.book.setStrike(0)
	for _, s := range r.subjects {
		s.Ledger.setStrike(0)
	}
}

// close ends the run in good order: what was sent is acknowledged, answered and read, the workers leave, and
// what they have counted, and whatever else they did, is judged.
func (r *run) close(ctx context.Context) {
	flushing, cancel := context.WithTimeout(ctx, r.o.Patience)
	defer cancel()
	if err := r.generator.flush(flushing); err != nil {
		r.t.Errorf("the generator's events are not acknowledged: %v", err)
	}
	if open := r.recover(r.book.Ends(), r.o.Patience); len(open) > 0 {
		r.logf("%v have not answered everything at the end", open)
	}
	for _, s := range r.subjects {
		s.end()
		last, cancel := context.WithTimeout(ctx, time.Minute)
		if _, err := s.sampler.check(last); err != nil {
			r.t.Errorf("%s: the last look at the committed offsets: %v", s.Name, err)
		}
		cancel()
		s.Ledger.writeOff(s.Ledger.Missing(r.book.Ends()), false)
		r.summarize(s)
	}
}

// summarize says what a subject did over the whole run.
func (r *run) summarize(s *Subject) {
	var all Tally
	for number := range len(r.results) + 1 {
		t, _ := s.Ledger.of(number)
		all.Lost += t.Lost
		all.Deleted += t.Deleted
		all.Duplicated += t.Duplicated
	}
	decided, letters := s.Ledger.records()
	r.logf("%-13s sent=%d decided=%d dead_letter=%d lost=%d deleted=%d duplicated=%d, %d samples of committed offsets, %d workers, %d ended by themselves",
		s.Name, r.book.Acked(), decided, letters, all.Lost, all.Deleted, all.Duplicated, s.sampler.checks, s.started, s.restarts)
	for _, text := range s.Ledger.examples {
		r.logf("    %s", text)
	}
	last, _ := s.Ledger.of(0)
	r.judge(s, "between the faults", &last, true)
	for _, text := range s.oddities {
		if s.Plain {
			r.logf("    %s", text)
		} else {
			r.t.Errorf("%s: %s", s.Name, text)
		}
	}
}

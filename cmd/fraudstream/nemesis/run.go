package nemesis

import (
	"context"
	"fmt"
	"io"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Options of a run.
type Options struct {
	Ground     *Ground
	Seed       uint64
	Faults     []Fault
	For        time.Duration // each fault strikes once, and then they strike again until this time is over
	Partitions int32         // of the input, and of all outputs but the alerts
	Rate       float64       // events a second
	Workers    int           // of each subject
	Patience   time.Duration // how long a subject may take to recover
	Settle     time.Duration // after recovery, for what comes late

	Executable string    // the service
	Model      string    // its bundle
	Plain      string    // the loop that a developer would write; empty: without it
	Logs       string    // directory for what the workers say
	Results    io.Writer // gets the results of each fault when it is over
}

// maxRounds is more than any run sees. It bounds the schedule, which is drawn before the first fault strikes.
const maxRounds = 100

// input is the topic that all subjects read.
const input = "transactions"

// run is one run under way. Its own goroutine strikes and judges; the flow of events and, for each subject, a
// witness, a sampler and a supervisor of the workers run beside it until the end.
type run struct {
	t         testing.TB
	o         *Options
	began     time.Time
	book      *Book
	addresses *addresses // shared by the subjects
	generator *generator
	subjects  []*Subject
	admin     *kgo.Client
	results   []Result
}

// strike is one fault of a run under way: what it says of itself, to be written when it is over. Its faults write to
// it through the World, some of them from several goroutines.
type strike struct {
	number  int
	runs    int
	traces  traces
	watches map[*Subject]*stopwatch

	mu       sync.Mutex
	mendings []mending // in their order
	notes    map[string]any
}

// note may be called by any goroutine.
func (s *strike) note(name string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notes == nil {
		s.notes = map[string]any{}
	}
	s.notes[name] = value
}

// A Report is what a run has found, for those who want to look once more with other eyes.
type Report struct {
	Results []Result
	Records map[string]int // what the witnesses have read of each output topic of the service, as it is at the end
}

// Run lets a schedule of faults strike, and returns what they did. It fails the test where the service breaks what it
// promises. Before the first fault all subjects must have answered what was sent, and after the last one the flow
// ends, so that counters can be held against ids. The results of each fault are written when it is over: a run that
// is broken off leaves those that came before.
func Run(t testing.TB, o *Options) Report {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := &run{t: t, o: o, began: time.Now(), book: newBook(), addresses: newAddresses()}
	t.Logf("FRAUDSTREAM_SEED=%d replays this schedule; %s", o.Seed, o.Ground.Name)
	r.prepare(ctx)
	var background sync.WaitGroup
	flowing, dry := context.WithCancel(ctx)
	background.Go(func() { r.generator.flow(flowing, o.Rate) })
	for _, s := range r.subjects {
		background.Go(func() { s.supervise(ctx.Done()) })
		background.Go(func() { s.sampler.watch(ctx) })
	}
	defer background.Wait()
	defer cancel()
	defer dry()
	for r.book.Acked() < 500 {
		time.Sleep(10 * time.Millisecond)
	}
	if stuck := r.unanswered(r.book.Ends()); len(stuck) > 0 {
		t.Fatalf("%v do not answer even before the first fault", stuck)
	}
	r.settle()
	r.logf("all subjects work")
	for i, next := range NewSchedule(o.Seed, o.Faults, maxRounds) {
		if i >= len(o.Faults) && time.Since(r.began) > o.For {
			break
		}
		if err := Append(o.Results, r.suffer(i+1, next)); err != nil {
			t.Errorf("the results: %v", err)
		}
	}
	dry()
	r.countUndisturbed(ctx)
	return Report{Results: r.results, Records: r.close(ctx)}
}

// logf says something in the test's log, with the seconds since the run began.
func (r *run) logf(format string, args ...any) {
	r.t.Logf("%6.1f s  %s", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

// suffer lets one fault strike, waits for the recovery of all subjects, and returns what it did to each. The order
// matters: tallies are taken only after everybody has recovered, the groups have come to rest and a sample of the
// committed offsets has come to an end, so that what is lost or comes twice is in the row of its fault.
func (r *run) suffer(number int, next scheduled) []Result {
	r.t.Helper()
	var results []Result
	r.book.setStrike(number)
	for _, s := range r.subjects {
		s.Ledger.setStrike(number)
	}
	began, before, sampled := time.Now(), r.book.Acked(), r.samples()
	current := &strike{number: number, runs: 1}
	w := &World{T: r.t, Ground: r.o.Ground, Subjects: r.subjects, Random: newRandom(next.seed), run: r, strike: current}
	r.logf("fault %d: %s", number, next.fault.Name)
	timing, over := context.WithCancel(context.Background())
	watches := r.startWatches(timing, current)
	next.fault.Strike(w)
	if len(current.allMendings()) == 0 {
		current.mend(r.book)
	}
	recovered := r.recoverAll(r.book.Ends())
	over()
	watches.Wait()
	r.settle()
	r.sampleAgain(sampled)
	for _, s := range r.subjects {
		tally, wait := s.Ledger.of(number)
		result := Result{
			Ground: r.o.Ground.Name, Seed: r.o.Seed, Number: number, Fault: next.fault.Name, Subject: s.Name,
			Runs: current.runs, Events: r.book.Acked() - before, Seconds: seconds(time.Since(began)),
			Tally: tally, Recoveries: current.took(s), Wait: seconds(wait), Stuck: !recovered[s],
			Met: current.traces.of(s), Notes: maps.Clone(current.notes),
		}
		broken, unmet := r.judge(s, result.Fault, &tally, !result.Stuck), r.judgeTraces(s, result.Fault, result.Met)
		result.Failed = broken || unmet
		results = append(results, result)
		r.logf("    %-13s lost=%d duplicated=%d deleted=%d phantoms=%d disordered=%d recovery=%v s longest wait %.1f s stuck=%v met=%v",
			s.Name, tally.Lost, tally.Duplicated, tally.Deleted, tally.Phantoms, tally.Disordered, result.Recoveries, result.Wait,
			result.Stuck, result.Met)
	}
	r.results = append(r.results, results...)
	return results
}

// settle lets what comes late come: the run's time for it, and up to ten times as long until every group is Stable
// with all of its workers, so that what a rebalance repeats belongs to the fault that made it. A group that does not
// come to rest fails nothing here; what it does is in the next row.
func (r *run) settle() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*r.o.Settle)
	defer cancel()
	time.Sleep(r.o.Settle)
	for _, s := range r.subjects {
		for ctx.Err() == nil {
			if state, members, err := r.describe(ctx, s.Group); err == nil && state == "Stable" && members == len(s.Workers()) {
				break
			}
			_ = pause(ctx, 200*time.Millisecond)
		}
	}
}

// samples are how many looks at the committed offsets of each subject came to an end so far.
func (r *run) samples() map[*Subject]int {
	all := map[*Subject]int{}
	for _, s := range r.subjects {
		all[s], _, _ = s.sampler.soFar()
	}
	return all
}

// sampleAgain holds that the committed offsets of every subject were looked at since there were so many samples, and
// waits for that if need be, up to a minute for each: a sampler that is refused all the time finds nothing wrong.
func (r *run) sampleAgain(since map[*Subject]int) {
	for _, s := range r.subjects {
		for deadline := time.Now().Add(time.Minute); ; pauseFor(50 * time.Millisecond) {
			checks, failed, trouble := s.sampler.soFar()
			if checks > since[s] {
				break
			}
			if time.Now().After(deadline) {
				r.t.Errorf("%s: nobody could look at its committed offsets; %d attempts were given up, the last with %v", s.Name, failed, trouble)
				break
			}
		}
	}
}

// judge fails the test for a promise of the service that was broken, in a tally or by not recovering, and tells
// whether it has. What the plain loop does fails nothing. It goes on in any case: a day is worth more when it is seen
// to its end.
func (r *run) judge(s *Subject, fault string, tally *Tally, recovered bool) (failed bool) {
	if s.Plain {
		return false
	}
	broken := tally.broken(s.ExactlyOnce)
	if broken != "" {
		r.t.Errorf("%s, %s:%s", fault, s.Name, broken)
	}
	if !recovered {
		r.t.Errorf("%s, %s: no recovery within %v", fault, s.Name, r.o.Patience)
	}
	return broken != "" || !recovered
}

// judgeTraces fails the test for a fault that has not met a subject, and tells whether it has.
func (r *run) judgeTraces(s *Subject, fault string, met map[string]int) (failed bool) {
	missing := unmet(met)
	if missing != "" {
		r.t.Errorf("%s has not struck %s: %s", fault, s.Name, missing)
	}
	return missing != ""
}

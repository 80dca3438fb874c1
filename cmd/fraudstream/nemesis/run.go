package nemesis

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
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
	Rounds     int           // of all faults
	For        time.Duration // no fault begins later than this; 0: no such limit
	Partitions int32
	Rate       float64       // events a second
	Workers    int           // of each subject
	Patience   time.Duration // how long a subject may take to recover
	Settle     time.Duration // after recovery, for what comes late

	Executable string // the service
	Model      string // its bundle
	Plain      string // the loop that a developer would write; empty: without it
	Logs       string // directory for what the workers say
}

// input is the topic that all subjects read.
const input = "transactions"

// run is one run under way.
type run struct {
	t         testing.TB
	o         *Options
	began     time.Time
	book      *Book
	generator *generator
	subjects  []*Subject
	admin     *kgo.Client
	results   []Result
}

// strike is one fault of a run under way.
type strike struct {
	number int
	runs   int
	mended time.Time
	mu     sync.Mutex
	notes  map[string]any
}

func (s *strike) note(name string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.notes == nil {
		s.notes = map[string]any{}
	}
	s.notes[name] = value
}

// Run lets a schedule of faults strike, and returns what they did. It fails the test where the service breaks what
// it promises.
func Run(t testing.TB, o *Options) []Result {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := &run{t: t, o: o, began: time.Now(), book: newBook()}
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
	if stuck := r.recover(r.book.Ends(), o.Patience); len(stuck) > 0 {
		t.Fatalf("%v do not answer even before the first fault", stuck)
	}
	r.logf("all subjects work")
	for i, next := range NewSchedule(o.Seed, o.Faults, max(o.Rounds, 1)) {
		if o.For > 0 && time.Since(r.began) > o.For || t.Failed() {
			break
		}
		r.suffer(i+1, next)
	}
	r.countUndisturbed(ctx)
	dry()
	r.close(ctx)
	return r.results
}

func (r *run) logf(format string, args ...any) {
	r.t.Logf("%6.1f s  %s", time.Since(r.began).Seconds(), fmt.Sprintf(format, args...))
}

// prepare creates the topics and starts everything.
func (r *run) prepare(ctx context.Context) {
	r.t.Helper()
	fatal := func(err error) {
		if err != nil {
			r.t.Fatal(err)
		}
	}
	o := r.o
	var err error
	r.admin, err = o.Ground.client()
	fatal(err)
	r.t.Cleanup(r.admin.Close)
	o.Ground.createTopic(r.t, r.admin, input, o.Partitions)
	r.generator, err = newGenerator(o.Ground, input, r.book, o.Seed)
	fatal(err)
	r.t.Cleanup(r.generator.client.Close)
	r.subjects = []*Subject{r.service("exactly-once", true), r.service("at-least-once", false)}
	if o.Plain != "" {
		r.subjects = append(r.subjects, r.plain())
	}
	for _, s := range r.subjects {
		o.Ground.createTopic(r.t, r.admin, s.Topics.decisions, o.Partitions)
		o.Ground.createTopic(r.t, r.admin, s.Topics.letters, o.Partitions)
		o.Ground.createTopic(r.t, r.admin, s.Topics.alerts, 1)
		s.witness, err = newWitness(o.Ground, input, s.Topics, s.Ledger)
		fatal(err)
		s.sampler = &sampler{client: r.admin, input: input, group: s.Group, topics: s.Topics, witness: s.witness, ledger: s.Ledger}
		r.t.Cleanup(s.destroy)
		for range o.Workers {
			_, err = s.Start()
			fatal(err)
		}
		go s.witness.watch(ctx)
		r.t.Cleanup(s.witness.client.Close)
	}
}

// client is one that asks questions.
func (g *Ground) client() (*kgo.Client, error) {
	return kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(g.Direct, ",")...), kgo.MetadataMinAge(200 * time.Millisecond),
	}, g.Login...)...)
}

// subject is what all subjects have in common.
func (r *run) subject(name string) *Subject {
	return &Subject{
		Name: name, Group: "nemesis-" + name, Ledger: newLedger(r.book), size: r.o.Workers, logs: r.o.Logs,
		Topics:      outputs{name + ".decisions", name + ".dlq", name + ".alerts"},
		environment: withoutOwnVariables(os.Environ()),
	}
}

// service is a subject made of `fraudstream run`.
func (r *run) service(name string, exactlyOnce bool) *Subject {
	s := r.subject(name)
	s.ExactlyOnce = exactlyOnce
	config := filepath.Join(r.o.Logs, name+".yaml")
	text := fmt.Sprintf("kafka:\n  brokers: [%s]\n  group: %s\n  input: %s\n  output: %s\n  dead_letter: %s\n  alerts: %s\n%s"+
		"model: {path: %q}\ndelivery: %s\n",
		quoted(r.o.Ground.Brokers), s.Group, input, s.Topics.decisions, s.Topics.letters, s.Topics.alerts,
		r.o.Ground.Access, r.o.Model, name)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	s.command = func(_, listen string) (string, []string) {
		return r.o.Executable, []string{"run", "--config", config, "--listen", listen}
	}
	return s
}

// quoted is a list of addresses for YAML.
func quoted(addresses string) string { return `"` + strings.ReplaceAll(addresses, ",", `", "`) + `"` }

// plain is the subject made of the loop that a developer would write.
func (r *run) plain() *Subject {
	s := r.subject("plain")
	s.Plain = true
	s.command = func(_, _ string) (string, []string) {
		return r.o.Plain, []string{
			"-brokers", r.o.Ground.Brokers, "-group", s.Group, "-input", input,
			"-output", s.Topics.decisions, "-dead-letter", s.Topics.letters, "-model", r.o.Model,
		}
	}
	return s
}

// withoutOwnVariables keeps settings that were meant for the test from its workers.
func withoutOwnVariables(environment []string) []string {
	var kept []string
	for _, v := range environment {
		if !strings.HasPrefix(v, "FRAUDSTREAM_") {
			kept = append(kept, v)
		}
	}
	return kept
}

// suffer lets one fault strike, waits for the recovery of all subjects, and books what it did to each.
func (r *run) suffer(number int, next scheduled) {
	r.t.Helper()
	r.book.setStrike(number)
	for _, s := range r.subjects {
		s.Ledger.setStrike(number)
	}
	began, before := time.Now(), r.book.Acked()
	current := &strike{number: number, runs: 1}
	w := &World{T: r.t, Ground: r.o.Ground, Subjects: r.subjects, Random: newRandom(next.seed), run: r, strike: current}
	r.logf("fault %d: %s", number, next.fault.Name)
	next.fault.Strike(w)
	if current.mended.IsZero() {
		current.mended = time.Now()
	}
	ends := r.book.Ends()
	recovered := r.recoverAll(ends, current)
	time.Sleep(r.o.Settle)
	for _, s := range r.subjects {
		tally, wait := s.Ledger.of(number)
		took, ok := recovered[s]
		result := Result{
			Ground: r.o.Ground.Name, Seed: r.o.Seed, Number: number, Fault: next.fault.Name, Subject: s.Name,
			Runs: current.runs, Events: r.book.Acked() - before, Seconds: seconds(time.Since(began)),
			Tally: tally, Recovery: seconds(took), Wait: seconds(wait), Stuck: !ok, Notes: maps.Clone(current.notes),
		}
		r.results = append(r.results, result)
		r.logf("    %-13s lost=%d duplicated=%d deleted=%d phantoms=%d disordered=%d recovery=%.1f s longest wait %.1f s stuck=%v",
			s.Name, tally.Lost, tally.Duplicated, tally.Deleted, tally.Phantoms, tally.Disordered, result.Recovery, result.Wait, result.Stuck)
		r.judge(s, next.fault.Name, &tally, ok)
	}
}

// judge fails the test for what the service promises.
func (r *run) judge(s *Subject, fault string, tally *Tally, recovered bool) {
	if s.Plain {
		return
	}
	if broken := tally.broken(s.ExactlyOnce); broken != "" {
		r.t.Errorf("%s, %s:%s", fault, s.Name, broken)
	}
	if !recovered {
		r.t.Errorf("%s, %s: no recovery within %v", fault, s.Name, r.o.Patience)
	}
}

// recoverAll waits for every subject. The plain loop may hang for good; then its workers are started anew, as the person
// on call would do, and it is given the same time again.
func (r *run) recoverAll(ends map[int32]int64, current *strike) map[*Subject]time.Duration {
	recovered := map[*Subject]time.Duration{}
	deadline := time.Now().Add(r.o.Patience)
	for len(recovered) < len(r.subjects) && time.Now().Before(deadline) {
		for _, s := range r.subjects {
			if _, ok := recovered[s]; !ok && len(s.Ledger.Missing(ends)) == 0 {
				recovered[s] = max(0, time.Since(current.mended))
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, s := range r.subjects {
		if _, ok := recovered[s]; ok {
			continue
		}
		r.logf("    %s is stuck: %d events have no answer; its workers are started anew", s.Name, len(s.Ledger.Missing(ends)))
		for _, w := range s.Workers() {
			w.Kill()
			if err := s.Replace(w); err != nil {
				r.t.Fatal(err)
			}
		}
		if stuck := r.recover(ends, r.o.Patience, s); len(stuck) > 0 {
			s.Ledger.writeOff(s.Ledger.Missing(ends), false)
		}
	}
	return recovered
}

// recover waits until subjects have answered every event below the ends, and returns the names of those that do not.
func (r *run) recover(ends map[int32]int64, patience time.Duration, subjects ...*Subject) []string {
	if len(subjects) == 0 {
		subjects = r.subjects
	}
	var open []string
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		open = open[:0]
		for _, s := range subjects {
			if len(s.Ledger.Missing(ends)) > 0 {
				open = append(open, s.Name)
			}
		}
		if len(open) == 0 || time.Now().After(deadline) {
			return open
		}
	}
}

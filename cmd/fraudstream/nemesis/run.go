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
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Options of a run.
type Options struct {
	Ground     *Ground
	Seed       uint64
	Faults     []Fault
	FirstRow   int           // of the faults in the table, where other runs have those before
	For        time.Duration // each fault strikes once, and then they strike again until this time is over
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

// maxRounds is more than any run sees.
const maxRounds = 100

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

// A Report is what a run has found.
type Report struct {
	Results []Result
	Records map[string]int // what the witnesses have read of each output topic of the service, as it is at the end
}

// Run lets a schedule of faults strike, and returns what they did. It fails the test where the service breaks what
// it promises.
func Run(t testing.TB, o *Options) Report {
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
	if stuck := r.unanswered(r.book.Ends()); len(stuck) > 0 {
		t.Fatalf("%v do not answer even before the first fault", stuck)
	}
	r.settle()
	r.logf("all subjects work")
	for i, next := range NewSchedule(o.Seed, o.Faults, maxRounds) {
		if i >= len(o.Faults) && time.Since(r.began) > o.For || t.Failed() {
			break
		}
		r.suffer(i+1, next)
	}
	dry()
	r.countUndisturbed(ctx)
	return Report{Results: r.results, Records: r.close(ctx)}
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
		return r.o.Plain, append([]string{
			"-brokers", r.o.Ground.Brokers, "-group", s.Group, "-input", input,
			"-output", s.Topics.decisions, "-dead-letter", s.Topics.letters, "-model", r.o.Model,
		}, r.o.Ground.PlainAccess...)
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
	r.settle()
	for _, s := range r.subjects {
		tally, wait := s.Ledger.of(number)
		took, ok := recovered[s]
		result := Result{
			Ground: r.o.Ground.Name, Seed: r.o.Seed, Number: number, Row: r.o.FirstRow + next.row, Fault: next.fault.Name, Subject: s.Name,
			Runs: current.runs, Events: r.book.Acked() - before, Seconds: seconds(time.Since(began)),
			Tally: tally, Recovery: seconds(took), Wait: seconds(wait), Stuck: !ok, Notes: maps.Clone(current.notes),
		}
		r.results = append(r.results, result)
		r.logf("    %-13s lost=%d duplicated=%d deleted=%d phantoms=%d disordered=%d recovery=%.1f s longest wait %.1f s stuck=%v",
			s.Name, tally.Lost, tally.Duplicated, tally.Deleted, tally.Phantoms, tally.Disordered, result.Recovery, result.Wait, result.Stuck)
		r.judge(s, next.fault.Name, &tally, ok)
	}
}

// settle lets what comes late come: a little time, and for a while longer, until every group is at rest, so that what a
// rebalance repeats belongs to the fault that made it.
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

// recoverAll waits for every subject, and returns how long each took from the end of the fault. One that makes no progress
// is stuck: the plain loop may hang for good, or meet an event again and again that it cannot get past. Then what the
// person on call would do is done.
func (r *run) recoverAll(ends map[int32]int64, current *strike) map[*Subject]time.Duration {
	var mu sync.Mutex
	recovered := map[*Subject]time.Duration{}
	var all sync.WaitGroup
	for _, s := range r.subjects {
		all.Go(func() {
			if r.await(s, ends) {
				mu.Lock()
				defer mu.Unlock()
				recovered[s] = max(0, time.Since(current.mended))
			} else {
				r.rescue(s, ends)
			}
		})
	}
	all.Wait()
	return recovered
}

// await waits until a subject has answered every event below the ends, for as long as it makes progress.
func (r *run) await(s *Subject, ends map[int32]int64) bool {
	patience := r.o.Patience
	if s.Plain {
		patience = patienceWithPlain
	}
	least, deadline := -1, time.Now().Add(patience)
	for time.Now().Before(deadline) {
		n := len(s.Ledger.Missing(ends))
		if n == 0 {
			return true
		}
		if least < 0 || n < least {
			least = n
			if s.Plain {
				deadline = time.Now().Add(patience)
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

// patienceWithPlain is how long the plain loop may go on without an answer. Its session is over after 10 s.
const patienceWithPlain = 45 * time.Second

// rescue starts the workers of a subject anew. If that does not help, the partitions that stand still are moved by hand
// past the event that they stand before, as the person on call would do, and what is missing then is lost.
func (r *run) rescue(s *Subject, ends map[int32]int64) {
	r.logf("    %s is stuck: %d events have no answer; its workers are started anew", s.Name, len(s.Ledger.Missing(ends)))
	for again := range 5 {
		s.destroy()
		if again > 0 {
			r.moveOver(s, ends)
		}
		for range s.size {
			_, err := s.Start()
			s.must(err)
		}
		if r.await(s, ends) {
			return
		}
	}
	s.Ledger.writeOff(s.Ledger.Missing(ends), false)
}

// moveOver commits, for a group without members, the offset after the first event of each partition that has no answer.
func (r *run) moveOver(s *Subject, ends map[int32]int64) {
	ctx, cancel := context.WithTimeout(context.Background(), r.o.Patience)
	defer cancel()
	for ctx.Err() == nil {
		if _, members, err := r.describe(ctx, s.Group); err == nil && members == 0 {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	first := map[int32]place{}
	for _, p := range s.Ledger.Missing(ends) {
		if known, ok := first[p.partition]; !ok || p.offset < known.offset {
			first[p.partition] = p
		}
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = s.Group, -1
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = input
	for _, p := range first {
		partition := kmsg.NewOffsetCommitRequestTopicPartition()
		partition.Partition, partition.Offset = p.partition, p.offset+1
		topic.Partitions = append(topic.Partitions, partition)
		r.logf("    %s is moved over %v by hand", s.Name, p)
	}
	req.Topics = append(req.Topics, topic)
	if _, err := req.RequestWith(ctx, r.admin); err != nil {
		r.t.Errorf("moving %s: %v", s.Name, err)
	}
}

// unanswered waits until every subject has answered every event below the ends, and names those that do not.
func (r *run) unanswered(ends map[int32]int64) []string {
	var stuck []string
	for _, s := range r.subjects {
		if !r.await(s, ends) {
			stuck = append(stuck, s.Name)
		}
	}
	return stuck
}

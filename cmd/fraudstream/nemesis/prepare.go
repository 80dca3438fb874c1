package nemesis

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// prepare creates the topics and starts everything: for each subject its witness first, from the beginning of empty
// topics, and then its workers. Whatever cannot be started ends the test, and everything that was started ends with
// it. Alerts have one partition, all other topics as many as the input. The order of the two does not matter to what
// is read, but a witness that cannot be made ends the test before a process is started.
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
		o.Ground.createTopic(r.t, r.admin, s.Topics.state, o.Partitions)
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

// client is one that asks questions, by the direct way. It keeps what it knows of topics and leaders for a fifth of a
// second at least.
func (g *Ground) client() (*kgo.Client, error) {
	return kgo.NewClient(
		kgo.SeedBrokers(strings.Split(g.Direct, ",")...), kgo.MetadataMinAge(200*time.Millisecond),
	)
}

// subject is what all subjects have in common. Topics begin with its name and a dot, groups with nemesis-: the rights
// of secure clusters are given by these prefixes.
func (r *run) subject(name string) *Subject {
	return &Subject{
		Name: name, Group: "nemesis-" + name, Ledger: newLedger(r.book), size: r.o.Workers, logs: r.o.Logs,
		Topics:      outputs{name + ".decisions", name + ".dlq", name + ".alerts", name + ".drift-state"},
		environment: withoutOwnVariables(os.Environ()), addresses: r.addresses,
	}
}

// service is a subject made of `fraudstream run`, with a configuration file of its own beside the logs. It sets what
// tells the subjects apart and leaves everything else at its default, sessions and commit intervals among it: what is
// harmed is what people run.
func (r *run) service(name string, exactlyOnce bool) *Subject {
	s := r.subject(name)
	s.ExactlyOnce, s.Ledger.shared, s.client = exactlyOnce, true, "fraudstream"
	config := filepath.Join(r.o.Logs, name+".yaml")
	text := fmt.Sprintf("kafka:\n  brokers: [%s]\n  group: %s\n  input: %s\n  output: %s\n  dead_letter: %s\n  alerts: %s\n  drift_state: %s\n%s"+
		"model: {path: %q}\ndelivery: %s\n",
		quoted(r.o.Ground.Brokers), s.Group, input, s.Topics.decisions, s.Topics.letters, s.Topics.alerts, s.Topics.state,
		r.o.Ground.Access, r.o.Model, name)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	s.command = func(_, listen string) (string, []string) {
		return r.o.Executable, []string{"run", "--config", config, "--listen", listen, "--drift-tick-events", strconv.Itoa(tickEvents)}
	}
	return s
}

// tickEvents is the length of a drift interval: short, so that snapshots of the monitor are written all the time and
// are in the batches that the faults strike.
const tickEvents = 100

// quoted is a list of addresses for YAML. They stand in quotes, since a colon means something there.
func quoted(addresses string) string { return `"` + strings.ReplaceAll(addresses, ",", `", "`) + `"` }

// plain is the subject made of the loop that a developer would write. It has no metrics and no alerts; those topics
// stay empty.
func (r *run) plain() *Subject {
	s := r.subject("plain")
	s.Plain, s.client = true, "plain@" // the library takes the name of the program, and of the machine
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

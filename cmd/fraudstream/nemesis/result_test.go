package nemesis

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// A schedule follows from its seed, and each round has every fault.
func TestScheduleIsReplayed(t *testing.T) {
	faults := []Fault{{Name: "a"}, {Name: "b"}, {Name: "c"}, {Name: "d"}}
	text := func(seed uint64) string {
		var b strings.Builder
		for _, s := range NewSchedule(seed, faults, 3) {
			b.WriteString(s.fault.Name)
		}
		return b.String()
	}
	first, again, other := text(7), text(7), text(8)
	if first != again || first == other {
		t.Errorf("seed 7 gives %s and %s, seed 8 %s", first, again, other)
	}
	for round := range 3 {
		for _, f := range faults {
			if !strings.Contains(first[4*round:4*round+4], f.Name) {
				t.Errorf("round %d of %s is without %s", round, first, f.Name)
			}
		}
	}
}

// Results of several runs, written and read again, add up in one table.
func TestTableAddsUp(t *testing.T) {
	results := []Result{
		{Fault: "network cut for 5 s", Subject: "exactly-once", Runs: 1, Recoveries: []float64{1}},
		{Fault: "network cut for 5 s", Subject: "plain", Runs: 1, Tally: Tally{Lost: 3, Phantoms: 1}, Recoveries: []float64{4}},
		{Fault: "SIGKILL in mid-batch", Subject: "exactly-once", Runs: 6, Recoveries: []float64{2, 2, 2}},
		{Fault: "network cut for 5 s", Subject: "exactly-once", Runs: 1, Tally: Tally{Deleted: 5}, Recoveries: []float64{3}},
		{Fault: "network cut for 5 s", Subject: "plain", Runs: 1, Tally: Tally{Duplicated: 7, Disordered: 2}, Stuck: true},
	}
	var file bytes.Buffer
	if err := Append(&file, results); err != nil {
		t.Fatal(err)
	}
	read, err := Read(&file)
	if err != nil || !reflect.DeepEqual(read, results) {
		t.Fatalf("%v: read %+v", err, read)
	}
	lines := strings.Split(Table(read), "\n")
	want := []string{
		"| SIGKILL in mid-batch | 6 | 0 | 0 | 2.0 (2.0), 3 measured | – | – | – | – | – | – |",
		"| network cut for 5 s | 2 | 0 (+5 deleted) | 0 | 3.0 (3.0) | – | – | – | 3, 1 invented | 7, 2 out of order | 4.0 (4.0), 1 measured, stuck 1× |",
		"| **all** | 8 | 0 (+5 deleted) | 0 | 2.0 (3.0), 5 measured | – | – | – | 3, 1 invented | 7, 2 out of order | 4.0 (4.0), 1 measured, stuck 1× |",
	}
	if !reflect.DeepEqual(lines[2:5], want) {
		t.Errorf("the table is\n%s", strings.Join(lines, "\n"))
	}
}

// A table holds the runs of one version that have come to a good end, and the others are named.
func TestBadRunsAreLeftOut(t *testing.T) {
	row := func(ground string, seed uint64, failed bool) Result {
		return Result{Ground: ground, Seed: seed, Fault: "network cut for 5 s", Subject: "exactly-once", Runs: 1, Failed: failed}
	}
	results := []Result{
		row("Apache Kafka 4.4.0", 1, false), Verdict("Apache Kafka 4.4.0", 1, false),
		row("Apache Kafka 4.4.0", 2, true), Verdict("Apache Kafka 4.4.0", 2, true),
		row("Apache Kafka 4.4.0", 3, false), Verdict("Apache Kafka 4.4.0", 3, true),
		row("Apache Kafka 4.4.0", 4, false),
		row("Apache Kafka 4.4.0 with TLS", 5, false), Verdict("Apache Kafka 4.4.0 with TLS", 5, false),
		row("Apache Kafka 3.9.2", 1, false), Verdict("Apache Kafka 3.9.2", 1, false),
	}
	want := []Tier{
		{Name: "Apache Kafka 3.9.2", Runs: []string{"Apache Kafka 3.9.2, seed 1"}, Results: []Result{row("Apache Kafka 3.9.2", 1, false)}},
		{
			Name: "Apache Kafka 4.4.0", Runs: []string{"Apache Kafka 4.4.0, seed 1", "Apache Kafka 4.4.0 with TLS, seed 5"},
			LeftOut: []string{
				"Apache Kafka 4.4.0, seed 2: failed; network cut for 5 s, exactly-once", "Apache Kafka 4.4.0, seed 3: failed",
				"Apache Kafka 4.4.0, seed 4: broken off",
			},
			Results: []Result{row("Apache Kafka 4.4.0", 1, false), row("Apache Kafka 4.4.0 with TLS", 5, false)},
		},
	}
	if got := Tiers(results); !reflect.DeepEqual(got, want) {
		t.Errorf("sorted into %+v", got)
	}
}

// A seed may be replayed. Each of its runs is judged by itself, so that a good one takes no bad one along.
func TestRunsOfOneSeedAreToldApart(t *testing.T) {
	row := func(number int, subject string, lost int) Result {
		return Result{Ground: "g", Seed: 1, Number: number, Fault: "f", Subject: subject, Tally: Tally{Lost: lost}}
	}
	good := []Result{row(1, "exactly-once", 0), row(1, "plain", 0), row(2, "exactly-once", 0), row(2, "plain", 0), Verdict("g", 1, false)}
	failed := []Result{row(1, "exactly-once", 1), row(1, "plain", 1), Verdict("g", 1, true)}
	for _, c := range []struct {
		name    string
		before  []Result
		leftOut []string
	}{
		{"failed", failed, []string{"g, seed 1: failed"}},
		{"broken off after a strike", failed[:2], []string{"g, seed 1: broken off"}},
		{"broken off in the lines of a strike", failed[:1], []string{"g, seed 1: broken off"}},
		{"alone", nil, nil},
	} {
		tiers := Tiers(append(append([]Result(nil), c.before...), good...))
		if len(tiers) != 1 || !reflect.DeepEqual(tiers[0].LeftOut, c.leftOut) || !reflect.DeepEqual(tiers[0].Results, good[:4]) {
			t.Errorf("%s, then replayed: %+v", c.name, tiers)
		}
	}
}

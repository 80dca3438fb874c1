package nemesis

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A subject that has met nothing of a fault, or of something that it should have met, fails its row; one that has nothing to
// do with the fault does not.
func TestFaultsMustBeMet(t *testing.T) {
	t.Parallel()
	s := &Subject{Name: "e"}
	for _, c := range []struct {
		name string
		met  func(*World)
		want string
	}{
		{"nothing", func(*World) {}, "no trace"},
		{"not enough", func(w *World) { w.Met(s, "kills", 2); w.Met(s, "answers", 0) }, "no answers"},
		{"another subject", func(w *World) { w.Met(&Subject{}, "kills", 2) }, "no trace"},
		{"met", func(w *World) { w.Met(s, "kills", 0); w.Met(s, "kills", 2) }, ""},
		{"spared", func(w *World) { w.Spared(s) }, ""},
	} {
		p := &protocol{TB: t}
		w := &World{T: p, Subjects: []*Subject{s}, strike: &strike{}}
		c.met(w)
		failed := (&run{t: p}).judgeTraces(s, "a fault", w.strike.traces.of(s))
		if !p.said(c.want) || failed != (c.want != "") {
			t.Errorf("%s: the run says %q, failed=%v", c.name, p.errors, failed)
		}
	}
}

// Each harm of a strike has a recovery of its own, which ends when everything is answered that was sent until then.
func TestRecoveriesOfOneStrike(t *testing.T) {
	t.Parallel()
	l, b := desk()
	s := &strike{}
	watch := &stopwatch{ledger: l, strike: s}
	watch.look()
	s.mend(b)
	e := event{id: 14, value: 114}
	b.try(e)
	b.ack(0, 4, e)
	s.mend(b)
	for offset, want := range []int{0, 0, 0, 1, 2} {
		l.answered(answerTo(int64(offset)))
		watch.look()
		if len(watch.took) != want {
			t.Errorf("with the answers up to offset %d, %d recoveries are over, want %d", offset, len(watch.took), want)
		}
	}
}

// A topic that is deleted takes its decisions along and no others: they count as deleted, may not come again, and what the
// topic did not hold is missing as before.
func TestTopicDeleted(t *testing.T) {
	t.Parallel()
	l, b := desk()
	for offset := range int64(3) {
		l.answered(answerTo(offset))
	}
	// Offset 3 was in a transaction that was open; offset 1 was read, and the topic did not hold it.
	deleted, elsewhere := l.topicDeleted(map[place]bool{{0, 0}: true, {0, 3}: true})
	if deleted != 1 || elsewhere != 1 {
		t.Errorf("%d decisions are deleted and %d were elsewhere, want 1 and 1", deleted, elsewhere)
	}
	if missing := l.Missing(b.Ends()); !reflect.DeepEqual(missing, []place{{0, 3}}) {
		t.Errorf("missing are %v", missing)
	}
	l.writeOff([]place{{0, 3}}, true)
	if tally, _ := l.of(0); tally != (Tally{Deleted: 2}) || l.unanswered() != 1 {
		t.Errorf("counted %+v, %d without an answer; want 2 deleted, 1 of them never read", tally, l.unanswered())
	}
	l.answered(answerTo(3)) // it was aborted, and is decided again
	l.answered(answerTo(0)) // it was not
	if tally, _ := l.of(0); tally.Deleted != 1 || tally.Duplicated != 1 || tally.Disordered != 0 {
		t.Errorf("counted %+v, want 1 deleted and 1 duplicated", tally)
	}
}

// Silence lasts from the last decision before a kill to the first one after, or until now where none has come.
func TestLongestGap(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1000, 0)
	at := func(seconds ...int) (all []time.Time) {
		for _, s := range seconds {
			all = append(all, begin.Add(time.Duration(s)*time.Second))
		}
		return all
	}
	for _, c := range []struct {
		moments []time.Time
		want    int
	}{
		{at(-2, -1, 5, 6, 7, 8, 9), 6}, {at(-2, -1), 11}, {nil, 10}, {at(4), 6}, {at(-1, 2, 30), 8}, {at(-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10), 1},
	} {
		if got := longestGap(c.moments, begin, at(10)[0]); got != time.Duration(c.want)*time.Second {
			t.Errorf("%v: silent for %v, want %d s", c.moments, got, c.want)
		}
	}
}

// What is written beside the answers is counted: alerts without an id, alerts that were there before, and what no
// transaction holds.
func TestAlertsAreCounted(t *testing.T) {
	t.Parallel()
	w := &witness{topics: outcomes, known: map[string]bool{}}
	const standing = "0/offset/7/7/paused" // each owner of the partition says it
	for _, id := range []string{"a", "b", "a", "", standing, standing} {
		r := &kgo.Record{Topic: outcomes.alerts, Value: []byte("{}")}
		if id != "" {
			r.Headers = []kgo.RecordHeader{{Key: "ce_id", Value: []byte(id)}}
		}
		w.read(r)
	}
	w.read(&kgo.Record{Topic: outcomes.state})
	if got := w.noted(); got != (notes{alerts: 5, ids: 4, nameless: 1, snapshots: 1, outside: 7, where: "alerts/0/0", again: "a"}) {
		t.Errorf("counted %+v", got)
	}
	for _, c := range []struct {
		name    string
		exactly bool
		notes   notes
		want    string
	}{
		{"well", true, notes{alerts: 2, ids: 2, snapshots: 1}, ""},
		{"twice", true, notes{alerts: 3, ids: 2, snapshots: 1, again: "a"}, "such as a"},
		{"twice, at least once", false, notes{alerts: 3, ids: 2, snapshots: 1}, ""},
		{"outside, at least once", false, notes{alerts: 2, ids: 2, snapshots: 1, outside: 9}, ""},
		{"outside", true, notes{alerts: 2, ids: 2, snapshots: 1, outside: 9, where: "x"}, "the first to x"},
		{"no snapshots", true, notes{alerts: 2, ids: 2}, "nothing was there"},
		{"no alerts", false, notes{snapshots: 2}, "nothing was there"},
		{"no id", false, notes{alerts: 2, ids: 2, snapshots: 1, nameless: 1}, "without ce_id"},
	} {
		p := &protocol{TB: t}
		(&run{t: p}).judgeNotes(&Subject{ExactlyOnce: c.exactly, witness: &witness{notes: c.notes}})
		if !p.said(c.want) {
			t.Errorf("%s: the run says %q, want %q", c.name, p.errors, c.want)
		}
	}
}

// Of the workers' own figures those tell the partitions that a worker has.
func TestPartitionsOfAWorker(t *testing.T) {
	t.Parallel()
	w := &Worker{figures: map[string]float64{
		lagRecords + `{partition="0",topic="transactions"}`: 0, lagRecords + `{partition="12",topic="transactions"}`: 7,
		`fraudstream_offsets_skipped_total{partition="3",topic="transactions"}`: 1,
	}}
	if got := w.partitions(); !reflect.DeepEqual(got, map[int32]bool{0: true, 12: true}) {
		t.Errorf("it has %v", got)
	}
}

// A worker that ends badly after SIGTERM is excused only if it had no time to say anything.
func TestSilentWorkerMustBeYoung(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, script string
		age          time.Duration
		fails        bool
	}{
		{"silent and young", "exec sleep 60", 0, false},
		{"silent and old", "exec sleep 60", unaware + time.Second, true},
		{"young with something to say", "echo broken; exit 1", 0, true},
	} {
		w, err := start(c.name, t.TempDir()+"/log", "", nil, "/bin/sh", "-c", c.script)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(c.script, "echo") {
			<-w.expired
		}
		w.began = w.began.Add(-c.age)
		if _, err := w.Terminate(10 * time.Second); (err != nil) != c.fails {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

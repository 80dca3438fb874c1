package nemesis

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// protocol is a test that keeps what a run says to it, so that a test of ours can see a run fail.
type protocol struct {
	testing.TB
	errors []string
}

func (p *protocol) Helper()             {}
func (p *protocol) Logf(string, ...any) {}
func (p *protocol) Errorf(format string, args ...any) {
	p.errors = append(p.errors, fmt.Sprintf(format, args...))
}

// said tells whether exactly one thing was found, with a text in it; none if the text is empty.
func (p *protocol) said(text string) bool {
	if text == "" {
		return len(p.errors) == 0
	}
	return len(p.errors) == 1 && strings.Contains(p.errors[0], text)
}

// What a strike did to the service fails the run; what it did to the plain loop does not, and at least once does not
// promise that nothing comes twice.
func TestRunIsJudged(t *testing.T) {
	exactly, least, loop := &Subject{Name: "e", ExactlyOnce: true}, &Subject{Name: "a"}, &Subject{Name: "p", Plain: true}
	for _, c := range []struct {
		name      string
		subject   *Subject
		tally     Tally
		recovered bool
		want      string // in what the run says; empty: it says nothing
	}{
		{"a good day", exactly, Tally{}, true, ""},
		{"what the fault itself deleted", exactly, Tally{Deleted: 7}, true, ""},
		{"a duplicate, exactly once", exactly, Tally{Duplicated: 1}, true, "duplicated=1"},
		{"a duplicate, at least once", least, Tally{Duplicated: 1}, true, ""},
		{"a loss, exactly once", exactly, Tally{Lost: 1}, true, "lost=1"},
		{"a loss, at least once", least, Tally{Lost: 1}, true, "lost=1"},
		{"a phantom, at least once", least, Tally{Phantoms: 1}, true, "phantoms=1"},
		{"other bytes, at least once", least, Tally{Duplicated: 1, Different: 1}, true, "different=1"},
		{"decided and a dead letter, at least once", least, Tally{Both: 1}, true, "both=1"},
		{"out of order, at least once", least, Tally{Disordered: 1}, true, "disordered=1"},
		{"in another partition, at least once", least, Tally{Misplaced: 1}, true, "misplaced=1"},
		{"an offset ahead of the answers", least, Tally{Lost: 1, Ahead: 1}, true, "ahead=1"},
		{"no recovery", least, Tally{}, false, "no recovery"},
		{"whatever the plain loop does", loop, Tally{Lost: 1, Duplicated: 1, Phantoms: 1}, false, ""},
	} {
		p := &protocol{TB: t}
		r := &run{t: p, o: &Options{}}
		r.judge(c.subject, "a fault", &c.tally, c.recovered)
		if !p.said(c.want) {
			t.Errorf("%s: the run says %q, want %q", c.name, p.errors, c.want)
		}
	}
}

// counters are what a worker of the undisturbed stretch shows when all is well.
func counters() map[string]int {
	return map[string]int{consumedTotal: stretch, decisionsTotal: stretch - 80, lettersTotal: 80, skippedTotal: 0, gapsTotal: 0}
}

// metrics is a page of metrics as the service writes it, half of each figure under another label.
func metrics(figures map[string]int) string {
	var page strings.Builder
	for name, n := range figures {
		fmt.Fprintf(&page, "# TYPE %s counter\n%s{partition=\"0\"} %d\n%s{partition=\"1\"} %d\n", name, name, n/2, name, n-n/2)
	}
	return page.String()
}

// In the undisturbed stretch every counter is equal to the ids, one by one.
func TestCountersAreHeldToTheIds(t *testing.T) {
	for _, c := range []struct {
		name             string
		change           func(map[string]int)
		decided, letters int // that were read
		wrong            bool
	}{
		{"all is well", func(map[string]int) {}, stretch - 80, 80, false},
		{"one decided twice", func(c map[string]int) { c[consumedTotal]++; c[decisionsTotal]++ }, stretch - 79, 80, true},
		{"one consumed too many", func(c map[string]int) { c[consumedTotal]++ }, stretch - 80, 80, true},
		{"one consumed too few", func(c map[string]int) { c[consumedTotal]-- }, stretch - 80, 80, true},
		{"a decision counted twice", func(c map[string]int) { c[decisionsTotal]++ }, stretch - 80, 80, true},
		{"a decision not counted", func(c map[string]int) { c[decisionsTotal]-- }, stretch - 80, 80, true},
		{"a dead letter counted twice", func(c map[string]int) { c[lettersTotal]++ }, stretch - 80, 80, true},
		{"a decision counted as a dead letter", func(c map[string]int) { c[decisionsTotal]--; c[lettersTotal]++ }, stretch - 80, 80, true},
		{"an event counted as skipped", func(c map[string]int) { c[skippedTotal]++ }, stretch - 80, 80, true},
		{"an offset counted as passed over", func(c map[string]int) { c[gapsTotal]++ }, stretch - 80, 80, true},
		{"one read too few", func(map[string]int) {}, stretch - 81, 80, true},
		{"one lost that was not counted", func(c map[string]int) { c[decisionsTotal]-- }, stretch - 81, 80, true},
	} {
		figures := counters()
		c.change(figures)
		page := metrics(figures)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, page) }))
		ledger := newLedger(newBook())
		ledger.decided, ledger.letters = 1000+c.decided, 20+c.letters
		s := &Subject{Name: "s", Ledger: ledger, live: []*Worker{{listen: strings.TrimPrefix(server.URL, "http://")}}}
		for _, s.ExactlyOnce = range []bool{true, false} {
			p := &protocol{TB: t}
			r := &run{t: p, o: &Options{}}
			r.compareCounters(t.Context(), s, tallied{readDecided: 1000, readLetters: 20})
			wrong := c.wrong && (s.ExactlyOnce || c.name != "one decided twice")
			if want := map[bool]string{true: "the counters differ"}[wrong]; !p.said(want) {
				t.Errorf("%s, exactly once %v: the run says %q, want %q", c.name, s.ExactlyOnce, p.errors, want)
			}
		}
		server.Close()
	}
}

// Over the whole run killed workers take counts along, so that fewer are right and more are not.
func TestCountersOfTheWholeRunAreBounded(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(map[string]float64)
		want   string
	}{
		{"equal", func(map[string]float64) {}, ""},
		{"counts went with a killed worker", func(c map[string]float64) { c[consumedTotal] -= 9; c[decisionsTotal] -= 9 }, ""},
		{"one more consumed than is there", func(c map[string]float64) { c[consumedTotal]++ }, consumedTotal},
		{"one more decided than is there", func(c map[string]float64) { c[decisionsTotal]++ }, decisionsTotal},
		{"one more dead letter than is there", func(c map[string]float64) { c[lettersTotal]++ }, lettersTotal},
		{"a deleted decision was counted", func(c map[string]float64) { c[consumedTotal] += 3; c[decisionsTotal] += 3 }, ""},
	} {
		figures := map[string]float64{consumedTotal: 100, decisionsTotal: 98, lettersTotal: 2}
		c.change(figures)
		ledger := newLedger(newBook())
		ledger.decided, ledger.letters = 98, 2
		// The living one has half of the counts, the one that was killed had the rest.
		half := map[string]float64{}
		for name, n := range figures {
			half[name] = n / 2
		}
		s := &Subject{Name: "s", Ledger: ledger, live: []*Worker{{figures: half}}, gone: []*Worker{{figures: half}}}
		p := &protocol{TB: t}
		r := &run{t: p, o: &Options{}}
		deleted := 0
		if strings.Contains(c.name, "deleted") {
			deleted = 3
		}
		r.boundCounters(s, deleted)
		if !p.said(c.want) {
			t.Errorf("%s: the run says %q, want %q", c.name, p.errors, c.want)
		}
	}
}

// Alerts and snapshots are judged, too: in exactly-once mode no alert is there twice, and nothing is written outside of
// transactions.
func TestNotesAreJudged(t *testing.T) {
	alert := func(id string, at int64) *kgo.Record {
		return &kgo.Record{Topic: outcomes.alerts, Offset: at, Headers: []kgo.RecordHeader{{Key: "ce_id", Value: []byte(id)}}}
	}
	right := []*kgo.Record{alert("a", 0), alert("b", 1)}
	for _, c := range []struct {
		name             string
		alerts           []*kgo.Record
		snapshots, stray int
		want             [2]string // of exactly once and at least once
	}{
		{"all is well", right, 1, 0, [2]string{}},
		{"an alert is read twice, since the client went back", append(right, right[1]), 1, 0, [2]string{}},
		{"an alert is there twice", append(right, alert("a", 2)), 1, 0, [2]string{"have been there before, such as a"}},
		{"an alert has no id", append(right, alert("", 2)), 1, 0, [2]string{"without ce_id", "without ce_id"}},
		{"there was no alert", nil, 1, 0, [2]string{"nothing was there", "nothing was there"}},
		{"there was no snapshot", right, 0, 0, [2]string{"nothing was there", "nothing was there"}},
		{"one record is outside of the transactions", right, 1, 1, [2]string{"outside of transactions"}},
	} {
		for i, exactlyOnce := range []bool{true, false} {
			w := &witness{topics: outcomes, next: map[lane]int64{}, counts: map[string]int{}, known: map[string]bool{}}
			for _, r := range c.alerts {
				w.see(r)
			}
			// No test can make a record that is part of a transaction.
			w.notes.snapshots, w.notes.outside = c.snapshots, c.stray
			p := &protocol{TB: t}
			(&run{t: p, o: &Options{}}).judgeNotes(&Subject{Name: "s", ExactlyOnce: exactlyOnce, witness: w})
			if !p.said(c.want[i]) {
				t.Errorf("%s, exactly once %v: the run says %q, want %q", c.name, exactlyOnce, p.errors, c.want[i])
			}
		}
	}
}

// The service is built without any of this.
func TestServiceIsBuiltWithout(t *testing.T) {
	t.Parallel()
	out, err := exec.Command("go", "list", "-deps", "fraudstream/cmd/fraudstream").Output()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(out))
	if !slices.Contains(all, "fraudstream/consumer") {
		t.Fatalf("the service is built of %d packages, without its consumer", len(all))
	}
	for _, name := range []string{"testing", "fraudstream/cmd/fraudstream/nemesis", "fraudstream/consumer/kafkatest"} {
		if slices.Contains(all, name) {
			t.Errorf("the service is built with %s", name)
		}
	}
}

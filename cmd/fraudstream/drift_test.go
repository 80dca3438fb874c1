package main

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"pgregory.net/rapid"

	"fraudstream/cmd/fraudstream/demo/cards"
	"fraudstream/cmd/fraudstream/web"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// writePayments is a command of the scripts: payments FILE N [FROM] writes N payments of the demo as JSON lines, of which
// those from number FROM on have cents for euros in one event of five.
func writePayments(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	from := math.MaxInt
	if len(args) > 2 {
		from, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), drifting(n, from), 0o600))
}

// drifting returns n payments, those from number from on with amounts in cents in one event of five.
func drifting(n, from int) []byte {
	var text bytes.Buffer
	for i, payment := range firstPayments()[:n] {
		if number := i + 1; number >= from && number%5 == 0 {
			payment.Amount *= 100
		}
		text.Write(append(payment.AppendJSON(nil), '\n'))
	}
	return text.Bytes()
}

// firstPayments are those of one seed, drawn once: a generator lives through ten days before its first payment.
var firstPayments = sync.OnceValue(func() []cards.Transaction {
	generator, drawn := cards.New(7), make([]cards.Transaction, 5000)
	for i := range drawn {
		drawn[i] = generator.Next()
	}
	return drawn
})

// runDrift runs the command over the text, with the demo's model unless args name another.
func runDrift(t *testing.T, text []byte, args ...string) (code int, out, said string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	args = append([]string{"drift", "--model", "demo/bundle"}, args...)
	code = execute(args, streams{bytes.NewReader(text), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

// TestDriftEndsWithTheCodeOfWhatItFound is about exit codes: drift alone is no failure, --fail-on-alarm makes it a finding,
// and what is wrong with command line, file, model or page is named.
func TestDriftEndsWithTheCodeOfWhatItFound(t *testing.T) {
	clean, drifted := drifting(1500, math.MaxInt), drifting(2500, 1000)
	timeless := bytes.ReplaceAll(clean, []byte(`"event_time"`), []byte(`"when"`))
	missing := filepath.Join(t.TempDir(), "nothing.ndjson")
	same := filepath.Join(t.TempDir(), "rows.ndjson")
	if err := os.WriteFile(same, clean, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text []byte
		args []string
		want int
		says string
	}{
		"calm":                           {clean, []string{"--tick-events", "250", "--fail-on-alarm"}, 0, ""},
		"calm by event time":             {clean, []string{"--fail-on-alarm"}, 0, ""},
		"drift":                          {drifted, []string{"--tick-events", "250"}, 0, ""},
		"drift that shall fail":          {drifted, []string{"--tick-events", "250", "--fail-on-alarm"}, exitFindings, ""},
		"drift by event time":            {drifted, []string{"--fail-on-alarm"}, exitFindings, ""},
		"no times":                       {timeless, nil, exitUsage, "row 1 has no event time"},
		"no times, and none are needed":  {timeless, []string{"--tick-events", "250"}, 0, ""},
		"an interval of nothing":         {clean, []string{"--tick-events=-1"}, exitUsage, "--tick-events -1"},
		"no file":                        {nil, []string{"--in", missing}, exitFailure, "nothing.ndjson"},
		"no model":                       {clean, []string{"--model", missing}, exitFailure, "nothing.ndjson"},
		"a page over the rows":           {nil, []string{"--in", same, "--html", same}, exitUsage, "--html is the file that --in reads"},
		"a page that cannot be written":  {clean, []string{"--tick-events", "250", "--html", missing + "/page.html"}, exitFailure, "page.html"},
		"CSV with a column twice":        {[]byte("amount,amount\n1,2\n"), []string{"--format", "csv"}, exitFailure, "comes twice"},
		"an unknown flag":                {clean, []string{"--ticks", "3"}, exitUsage, "--ticks"},
		"nothing that could be observed": {[]byte("no JSON\n"), []string{"--tick-events", "1"}, 0, "refused=1"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, said := runDrift(t, c.text, c.args...)
			if code != c.want || !strings.Contains(said, c.says) {
				t.Errorf("code %d, want %d; it said %q, want %q", code, c.want, said, c.says)
			}
		})
	}
}

// driftOutput is what the tests look at of drift --json.
type driftOutput struct {
	Events   int64
	Model    struct{ Name, Version string }
	Features []map[string]any
	Score    map[string]any
	Alarms   []struct {
		Feature, Kind    string
		Event, Tick      int64
		Moved            []map[string]any
		Replay           bool
		TV, PSI          float64
		HalfLife         int     `json:"half_life"`
		Evidence         float64 `json:"log_m"`
		EvidenceForAlarm float64 `json:"threshold"`
	}
}

// TestDriftJSONIsTheReportOfTheContract reads the JSON as scripts do: every key is there, a figure that a category cannot
// have is null, and the first alarm is about the amounts, within a thousand events of the first one in cents.
func TestDriftJSONIsTheReportOfTheContract(t *testing.T) {
	code, out, said := runDrift(t, drifting(3000, 1001), "--tick-events", "250", "--json")
	if code != 0 {
		t.Fatalf("code %d: %s", code, said)
	}
	var report driftOutput
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if report.Events != 3000 || report.Model.Name != "card-fraud" || report.Model.Version == "" || len(report.Features) != 12 {
		t.Errorf("%d events, model %v, %d features", report.Events, report.Model, len(report.Features))
	}
	for _, f := range append(slices.Clone(report.Features), report.Score) {
		for _, key := range []string{
			"name", "n", "psi", "psi_unsmoothed", "js", "hellinger", "tv", "ks", "w1_over_std", "mean", "missing",
			"tolerance", "epsilon", "log_m", "threshold", "alarmed", "quality", "recent", "moved",
		} {
			if _, there := f[key]; !there {
				t.Errorf("feature %v has no %s", f["name"], key)
			}
		}
	}
	if report.Features[0]["alarmed"] != true || report.Features[1]["ks"] != nil {
		t.Errorf("amount: %v; a category has ks %v", report.Features[0]["alarmed"], report.Features[1]["ks"])
	}
	if len(report.Alarms) == 0 {
		t.Fatal("no alarm")
	}
	first := report.Alarms[0]
	if first.Feature != "amount" || first.Event%250 != 0 || first.Tick != first.Event/250 || first.Event <= 1000 || first.Event > 2000 {
		t.Errorf("the first alarm is %+v", first)
	}
	if first.Evidence < first.EvidenceForAlarm || first.EvidenceForAlarm < 15 || len(first.Moved) != 3 && first.Kind == kindValues || first.Replay {
		t.Errorf("the first alarm is %+v", first)
	}
}

// TestDriftKeepsEveryAlarm would fail if the report had only those that the monitor still knows.
func TestDriftKeepsEveryAlarm(t *testing.T) {
	b := newTestBacktest(t, 2)
	for range 30_000 {
		b.feed(t, 0.99)
	}
	report := b.finish()
	if n := len(report.Alarms); n < 1100 || int64(n) != report.AlarmCount {
		t.Errorf("%d alarms in the report, %d were given", n, report.AlarmCount)
	}
	if len(b.episodes) == 0 || b.episodes[0].Alarms < 100 || b.episodes[0].closedTick != 0 {
		t.Errorf("%+v", b.episodes)
	}
}

// TestRefusedRowsReachTheQualityCells takes away a required field, then gives it as text: neither event has a score.
func TestRefusedRowsReachTheQualityCells(t *testing.T) {
	text := drifting(2000, math.MaxInt)
	lines := bytes.SplitAfter(text, []byte("\n"))
	for i := 1000; i < 2000; i += 20 {
		lines[i] = bytes.Replace(lines[i], []byte(`"amount":`), []byte(`"amount_eur":`), 1)
		lines[i+10] = bytes.Replace(lines[i+10], []byte(`"amount":`), []byte(`"amount":"about ",`+"\"x\":"), 1)
	}
	_, out, said := runDrift(t, bytes.Join(lines, nil), "--tick-events", "250", "--json")
	var report struct {
		Features []struct {
			N       int64
			Quality struct {
				Counts  [4]int64
				Alarmed bool
			}
		}
		Alarms []struct{ Feature, Kind string }
	}
	if err := json.Unmarshal([]byte(out), &report); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said, "refused=100") {
		t.Errorf("it said %s", said)
	}
	amount := report.Features[0]
	if amount.N != 2000 || amount.Quality.Counts != [4]int64{1900, 50, 50, 0} || !amount.Quality.Alarmed {
		t.Errorf("amount: %+v", amount)
	}
	if !slices.Contains(report.Alarms, struct{ Feature, Kind string }{"amount", kindQuality}) {
		t.Errorf("alarms %v", report.Alarms)
	}
}

// TestTimesThatGoBackEndIntervals reads a file newest first, and one that holds the later half before the earlier: it has
// about as many intervals as in order, and no more where single events are late.
func TestTimesThatGoBackEndIntervals(t *testing.T) {
	lines := slices.Collect(bytes.Lines(drifting(4000, math.MaxInt)))
	intervals := func(lines [][]byte) int {
		_, out, said := runDrift(t, bytes.Join(lines, nil))
		found := regexp.MustCompile(`4,000 events in (\d+) interval`).FindStringSubmatch(out)
		if found == nil {
			t.Fatalf("printed %s\nand said %s", out, said)
		}
		n, err := strconv.Atoi(found[1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	ordered := intervals(lines)
	if ordered < 10 {
		t.Fatalf("%d intervals in order", ordered)
	}
	backward := slices.Clone(lines)
	slices.Reverse(backward)
	late := slices.Clone(lines)
	for i := 100; i < len(late); i += 100 {
		late[i] = lines[0]
	}
	for name, other := range map[string][][]byte{
		"newest first":   backward,
		"halves swapped": slices.Concat(lines[2000:], lines[:2000]),
		"some are late":  late,
	} {
		if n := intervals(other); n < ordered-3 || n > ordered {
			t.Errorf("%s: %d intervals, %d in order", name, n, ordered)
		}
	}
}

// TestHistoryKeepsPeaks feeds curves of any length and looks for each peak where it was.
func TestHistoryKeepsPeaks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5*historyPoints).Draw(t, "ticks")
		peak := rapid.IntRange(0, n-1).Draw(t, "peak")
		var h history
		for i := range n {
			evidence := drift.Evidence{Feature: "amount", Kind: kindValues, LogM: 1, Threshold: 20}
			if i == peak {
				evidence.LogM = 30
			}
			h.add([]drift.Evidence{evidence})
		}
		c := h.of("amount", kindValues)
		want := (n + h.stride - 1) / h.stride
		if len(c.points) > historyPoints || len(c.points) != want {
			t.Fatalf("%d points of %d ticks each for %d ticks", len(c.points), h.stride, n)
		}
		for i, x := range c.points {
			if (x == 30) != (i == peak/h.stride) {
				t.Fatalf("point %d is %v; the peak is tick %d of %d, %d to a point", i, x, peak, n, h.stride)
			}
		}
		if c.largest != 30 || len(h.of("amount", kindQuality).points) != 0 {
			t.Fatalf("largest %v", c.largest)
		}
	})
}

// TestDriftTextIsSortedByWhatMatters looks for the two that alarmed at the head of the table, and for the words about how
// much was read and what an alarm is worth.
func TestDriftTextIsSortedByWhatMatters(t *testing.T) {
	_, out, _ := runDrift(t, drifting(3000, 1001), "--tick-events", "250")
	_, table, found := strings.Cut(out, "\nFEATURE ")
	lines := strings.Split(table, "\n")
	alarmed := regexp.MustCompile(`(?m)\A.*\nscore .* ALARM .*\namount .* ALARM .*\n`)
	if !found || len(lines) < 14 || !alarmed.MatchString(table) {
		t.Errorf("the table is\n%s", table)
	}
	for _, want := range []string{"3,000 events in 12 intervals", "guarantee", "a year", "amount over 95.86: 10 % → "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestFiguresForPeople writes figures that are none, zero, tiny, large and negative: never in more digits than mean
// anything, and never so short that 99.96 % becomes 100 %.
func TestFiguresForPeople(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{percent(math.NaN()), "-"},
		{percent(0), "0 %"},
		{percent(1), "100 %"},
		{percent(0.0004), "0.04 %"},
		{percent(0.123), "12.3 %"},
		{percent(0.9996), "99.96 %"},
		{count(1234567), "1,234,567"},
		{count(123), "123"},
		{figureText(math.Inf(1)), "-"},
		{figureText(0), "0"},
		{figureText(0.00001), "<0.0001"},
		{figureText(0.041467), "0.0415"},
		{figureText(1234.5), "1,234"},
		{figureText(-123456.7), "-123,457"},
		{figureText(1e300), "1e+300"},
		{evidenceOf(-3, 19.3), "0.0 of 19.3"},
		{evidenceOf(1, 0), "-"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

// TestInputsMayBeCalledScore would lose all metrics if two features had one name.
func TestInputsMayBeCalledScore(t *testing.T) {
	baseline := scoring.Baseline{Edges: []float64{1}, Counts: []int64{500, 500}, Rows: 1000}
	model := &scoring.Scorer{Bundle: scoring.Bundle{
		Features: []scoring.Feature{{Name: "score", Baseline: &baseline}}, Score: &baseline, GoldenTolerance: 1e-3,
	}}
	options, err := driftOptions(model, DriftConfig{}, time.Now(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	monitor, err := drift.NewMonitor(options)
	if err != nil {
		t.Fatal(err)
	}
	registry := web.NewRegistry()
	registry.MustRegister(web.NewDriftCollector(monitor, "0a0b0c0d"))
	if _, err := registry.Gather(); err != nil {
		t.Error(err)
	}
	if report := monitor.Report(); report.Features[0].Name != "score (input)" || report.Score.Name != "score" {
		t.Errorf("the feature is %s, the score %s", report.Features[0].Name, report.Score.Name)
	}
}

// TestALastDigitMovesNoScoreToTheNextBin has an edge that is a score, and gives that score a digit more.
func TestALastDigitMovesNoScoreToTheNextBin(t *testing.T) {
	baseline := scoring.Baseline{Edges: []float64{0.25, 0.5}, Counts: []int64{500, 400, 100}, Rows: 1000}
	model := &scoring.Scorer{Bundle: scoring.Bundle{Score: &baseline, GoldenTolerance: 1e-12}}
	options, err := driftOptions(model, DriftConfig{}, time.Now(), func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	monitor, err := drift.NewMonitor(options)
	if err != nil {
		t.Fatal(err)
	}
	shard := monitor.Shard("")
	for _, score := range []float64{0.25, math.Nextafter(0.25, 1), 0.25 + 9e-13, 0.25 + 2e-12, math.Nextafter(0.5, 1)} {
		shard.Observe(nil, score, 0)
	}
	shard.Flush()
	if cells := monitor.Report().Score.Cells; !slices.Equal(cells, []int64{3, 2, 0}) {
		t.Errorf("cells %v", cells)
	}
	if baseline.Edges[0] != 0.25 {
		t.Error("the bundle's own edges have moved")
	}
}

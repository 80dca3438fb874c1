package prometheus_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fraudstream/drift"
)

// promtool returns the promtool that the environment names.
func promtool(t *testing.T) string {
	t.Helper()
	path := os.Getenv("FRAUDSTREAM_PROMTOOL")
	if path == "" {
		t.Skip("FRAUDSTREAM_PROMTOOL is not set: the path of promtool, of Debian's package prometheus")
	}
	return path
}

// run starts a program of Prometheus and fails the test with what it said.
func run(t *testing.T, program string, args ...string) {
	t.Helper()
	if said, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(program), strings.Join(args, " "), err, said)
	}
}

func TestAlertsBehave(t *testing.T) {
	tool := promtool(t)
	run(t, tool, "check", "rules", "fraudstream.rules.yml")
	run(t, tool, "test", "rules", "fraudstream.test.yml", "objectives.test.yml")
}

// The shipped configuration is one that Prometheus takes, also with what stands there for TLS in force.
func TestScrapeConfiguration(t *testing.T) {
	tool := promtool(t)
	text, err := os.ReadFile("prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	secured := regexp.MustCompile(`(?m)^( +)#([a-z_]+:)`).ReplaceAllString(string(text), "$1$2")
	if !strings.Contains(secured, "\n    scheme: https\n") {
		t.Error("there is nothing about TLS")
	}
	for name, config := range map[string]string{"shipped": string(text), "secured": secured} {
		path := filepath.Join(t.TempDir(), "prometheus.yml")
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Log(name)
		run(t, tool, "check", "config", "--syntax-only", path)
	}
}

// distanceCase is a case of the golden figures.
type distanceCase struct {
	ID, Kind   string
	Base, Live []float64
	Expect     map[string]any
}

// TestRulesComputeThePSIOfTheProgram lets two processes count the golden live counts within an hour, and within a day,
// and compares what the rules record with the golden figure and with what drift.Compare says.
func TestRulesComputeThePSIOfTheProgram(t *testing.T) {
	tool := promtool(t)
	text, err := os.ReadFile("../../drift/testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Cases []distanceCase }
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	rules, err := filepath.Abs("fraudstream.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	test := &strings.Builder{}
	fmt.Fprintf(test, "rule_files: [%s]\nevaluation_interval: 5m\ntests:\n", rules)
	compared := 0
	for _, c := range golden.Cases {
		if c.Kind != "distance" {
			continue
		}
		compared++
		psi := float64(drift.Compare(drift.Histogram{Counts: c.Base}, drift.Histogram{Counts: c.Live}, false, 0).PSI)
		if off := math.Abs(psi - c.Expect["psi"].(float64)); off > 1e-9 {
			t.Errorf("%s: the program says psi %v, off by %v", c.ID, psi, off)
		}
		fmt.Fprintf(test, "  - interval: 1m\n    input_series:\n")
		writeSeries(test, c, "hour", 60)
		writeSeries(test, c, "day", 24*60)
		// What has not been seen yet has no figure: 0 would read as "no drift".
		writeSeries(test, distanceCase{ID: "silent", Base: []float64{5, 5}, Live: []float64{0, 0}}, "hour", 60)
		fmt.Fprintf(test, "    promql_expr_test:\n")
		writeExpectation(test, c, "hour", "1h", 65, psi)
		writeExpectation(test, c, "day", "24h", 24*60+5, psi)
		fmt.Fprintf(test, "      - {expr: 'feature:fraudstream_psi:1h{feature=\"silent\"}', eval_time: 65m, exp_samples: []}\n")
	}
	if compared < 6 {
		t.Fatalf("only %d golden cases", compared)
	}
	path := filepath.Join(t.TempDir(), "psi.test.yml")
	if err := os.WriteFile(path, []byte(test.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, tool, "test", "rules", path)
}

// writeSeries lets two processes share the live counts, one to three, evenly over so many minutes. Both show the same
// baseline.
func writeSeries(w *strings.Builder, c distanceCase, job string, minutes float64) {
	for cell := range c.Base {
		for instance, share := range map[string]float64{"a": 0.25, "b": 0.75} {
			labels := fmt.Sprintf(`{job=%q, instance=%q, feature=%q, cell=%q, baseline="0a0b0c0d"}`, job, instance, c.ID, drift.CellLabel(cell))
			fmt.Fprintf(w, "      - {series: 'fraudstream_feature_cell_total%s', values: '0+%.17gx1450'}\n", labels, c.Live[cell]*share/minutes)
			fmt.Fprintf(w, "      - {series: 'fraudstream_feature_baseline_count%s', values: '%gx1450'}\n", labels, c.Base[cell])
		}
	}
}

// writeExpectation expects the recorded PSI within 1e-9. The cut, whose χ² is Wilson and Hilferty's, may be 3 % off.
func writeExpectation(w *strings.Builder, c distanceCase, job, window string, minute int, psi float64) {
	var n, m float64
	for i := range c.Base {
		n, m = n+c.Live[i], m+c.Base[i]
	}
	labels := fmt.Sprintf(`{job=%q, feature=%q, baseline="0a0b0c0d"}`, job, c.ID)
	for _, expression := range []string{
		fmt.Sprintf("abs(feature:fraudstream_psi:%s%s - %.17g) < bool 1e-9", window, labels, psi),
		fmt.Sprintf("abs(feature:fraudstream_psi_cut:%s%s / %.17g - 1) < bool 0.03", window, labels, drift.PSICut(len(c.Base), n, m, 0.001, 0)),
	} {
		fmt.Fprintf(w, "      - {expr: '%s', eval_time: %dm, exp_samples: [{labels: '%s', value: 1}]}\n", expression, minute, labels)
	}
}

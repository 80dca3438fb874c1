package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A judged row is what the examples promise of one: the id as it stands in the event, what was decided or why nothing was.
type judged struct {
	ID       json.RawMessage `json:"transaction_id"`
	Time     string          `json:"event_time"`
	Decision string          `json:"decision"`
	Score    float64         `json:"score"`
	Skipped  string          `json:"skipped"`
	Error    struct{ Code, Field string }
}

// judgements reads NDJSON as written by score: a decision, a skipped row or an error on each line.
func judgements(t *testing.T, lines string) (rows []judged) {
	t.Helper()
	for line := range strings.Lines(lines) {
		var row judged
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		rows = append(rows, row)
	}
	return rows
}

// The shipped configurations hold, and make of the shipped events the decisions beside them. The payments are golden
// rows of the demo's bundle, so that the scores are those of scikit-learn.
func TestExamples(t *testing.T) {
	const examples = "../../deploy/examples"
	t.Setenv("FRAUD_MODEL", "demo/bundle")
	for name, refused := range map[string]int{"flat": 1, "debezium": 1, "iso8583": 1} {
		config := filepath.Join(examples, name, "fraudstream.yaml")
		if code, out, stderr := say("config", "check", "--offline", "--config", config); code != 0 {
			t.Errorf("%s: check ends with %d: %s%s", name, code, out, stderr)
		}
		code, out, stderr := say("score", "--config", config, "--in", filepath.Join(examples, name, "events.ndjson"))
		if code != exitFindings {
			t.Errorf("%s: score ends with %d: %s", name, code, stderr)
		}
		want, err := os.ReadFile(filepath.Join(examples, name, "decisions.ndjson"))
		if err != nil {
			t.Fatal(err)
		}
		got, expected := judgements(t, out), judgements(t, string(want))
		if len(got) != len(expected) {
			t.Fatalf("%s: %d rows, want %d", name, len(got), len(expected))
		}
		for i, g := range got {
			w := expected[i]
			if string(g.ID) != string(w.ID) || g.Time != w.Time || g.Decision != w.Decision || math.Abs(g.Score-w.Score) > 1e-12 ||
				g.Skipped != w.Skipped || g.Error != w.Error {
				t.Errorf("%s: row %d is %+v, want %+v", name, i+1, g, w)
			}
			if g.Error.Code != "" {
				refused--
			}
		}
		if refused != 0 {
			t.Errorf("%s: %d refused events are missing", name, refused)
		}
	}
	isGolden(t, filepath.Join(examples, "flat", "decisions.ndjson"))
}

// isGolden wants every score of a file of decisions among those that scikit-learn gave.
func isGolden(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile("demo/bundle/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct{ Score []float64 }
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	decisions, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range judgements(t, string(decisions)) {
		found := row.Decision == ""
		for _, score := range golden.Score {
			found = found || math.Abs(score-row.Score) <= 1e-12
		}
		if !found {
			t.Errorf("%s has the score %v, which no golden row has", row.ID, row.Score)
		}
	}
}

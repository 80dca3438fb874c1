package demo

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"fraudstream/cmd/fraudstream/demo/cards"
	"fraudstream/scoring"
)

// TestBundle puts the embedded model through the whole gate and lets it score what the show will send.
func TestBundle(t *testing.T) {
	dir := t.TempDir()
	if err := WriteBundle(dir); err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	for _, name := range []string{"model.joblib", "metadata.json", "golden.json"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 1<<20 {
		t.Errorf("the embedded bundle has %d bytes", size)
	}
	if _, err := describeBundle(); err != nil {
		t.Error(err)
	}
	model := load(t, dir)
	if model.Bundle.GoldenRows != 200 || model.Bundle.GoldenMaxDiff > 1e-12 {
		t.Errorf("%d golden rows, largest difference %v", model.Bundle.GoldenRows, model.Bundle.GoldenMaxDiff)
	}
	verdicts := scoreMany(t, model, 20_000)
	if b, r := verdicts[scoring.Block], verdicts[scoring.Review]; b < 80 || b > 400 || r < 200 || r > 1000 {
		t.Errorf("of 20000 payments %d blocked and %d reviewed, want about one and a few per cent", b, r)
	}
}

func load(t *testing.T, dir string) *scoring.Scorer {
	t.Helper()
	model, err := scoring.Load(dir, scoring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// scoreMany scores generated payments, which must all be decided, and counts the verdicts.
func scoreMany(t *testing.T, model *scoring.Scorer, n int) map[scoring.Verdict]int {
	t.Helper()
	verdicts, payments, batch := map[scoring.Verdict]int{}, cards.New(9), model.NewBatch(100)
	for range n / 100 {
		batch.Events = batch.Events[:0]
		for range 100 {
			tx := payments.Next()
			batch.Events = append(batch.Events, scoring.Event{Value: tx.AppendJSON(nil), Origin: scoring.Origin{Topic: input}})
		}
		model.Score(batch)
		for i := range batch.Results {
			r := &batch.Results[i]
			if r.Outcome != scoring.Decided {
				t.Fatalf("%v: %s", r.Err, batch.Events[i].Value)
			}
			verdicts[r.Decision.Verdict]++
		}
	}
	return verdicts
}

// TestPoisonCodes checks that the model refuses each poison for the reason that the show names.
func TestPoisonCodes(t *testing.T) {
	dir := t.TempDir()
	if err := WriteBundle(dir); err != nil {
		t.Fatal(err)
	}
	model := load(t, dir)
	payments, batch := cards.New(1), model.NewBatch(len(poisons))
	for _, p := range poisons {
		tx := payments.Next()
		batch.Events = append(batch.Events, scoring.Event{Value: p.spoil(tx.AppendJSON(nil)), Origin: scoring.Origin{Topic: input}})
	}
	model.Score(batch)
	for i, p := range poisons {
		if r := &batch.Results[i]; r.Outcome != scoring.Refused || string(r.Err.Code) != p.code {
			t.Errorf("%s: outcome %v, code %q, want %q", p.fault, r.Outcome, r.Err.Code, p.code)
		}
	}
}

// TestUntilComingWeek checks that payments are put off by whole weeks, and never into the past.
func TestUntilComingWeek(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for now, want := range map[time.Time]time.Duration{
		cards.Start.Add(-400 * 24 * time.Hour): 0,
		cards.Start.Add(-time.Second):          0,
		cards.Start:                            week,
		cards.Start.Add(week - time.Second):    week,
		cards.Start.Add(week):                  2 * week,
		cards.Start.Add(1000*week + 1):         1001 * week,
	} {
		if got := untilComingWeek(now); got != want {
			t.Errorf("at %v payments are put off by %v, want %v", now, got, want)
		}
	}
}

// TestTraining trains a small model with the committed script and loads it.
func TestTraining(t *testing.T) {
	python := os.Getenv("FRAUDSTREAM_PYTHON")
	if python == "" {
		t.Skip("skipped the training script: FRAUDSTREAM_PYTHON names no Python with scikit-learn and pandas")
	}
	dir := t.TempDir()
	out, err := exec.CommandContext(t.Context(), python, filepath.Join("train", "train.py"),
		"--rows", "6000", "--holdout", "3000", "--trees", "10", "--out", dir).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	model := load(t, dir)
	if model.Bundle.GoldenRows != 200 || model.Bundle.GoldenMaxDiff > 1e-12 {
		t.Errorf("%d golden rows, largest difference %v", model.Bundle.GoldenRows, model.Bundle.GoldenMaxDiff)
	}
	scoreMany(t, model, 1000)
}

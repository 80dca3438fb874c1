package scoring

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Asked about the golden rows as events, a model gives the golden scores.
func TestGoldenEventsGiveTheGoldenScores(t *testing.T) {
	for _, name := range []string{"refuse/bundle-control", "fixtures/labels-string-sk1.8.0", "fixtures/ct-ordinal-rf-sk1.8.0"} {
		path := "testdata/" + name
		s, err := Load(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		events, err := GoldenEvents(path)
		if err != nil || len(events) != s.Bundle.GoldenRows {
			t.Fatalf("%s: %d events for %d rows (%v)", name, len(events), s.Bundle.GoldenRows, err)
		}
		want := goldenScores(t, path)
		batch := s.NewBatch(len(events))
		for _, event := range events {
			batch.Events = append(batch.Events, Event{Value: event, Origin: Origin{Row: 1}})
		}
		s.Score(batch)
		decided := 0
		for i := range batch.Results {
			r := &batch.Results[i]
			switch {
			case r.Outcome == Decided:
				decided++
				if diff := r.Decision.Score - want[i]; diff > 1e-12 || diff < -1e-12 {
					t.Errorf("%s: row %d: %v, golden %v", name, i, r.Decision.Score, want[i])
				}
			// Golden rows may hold what the corridor refuses: a missing value where the metadata reject it.
			case r.Err.Code != MissingField && r.Err.Code != WrongType:
				t.Errorf("%s: row %d: %+v", name, i, r.Err)
			}
		}
		if 2*decided < len(events) {
			t.Errorf("%s: %d of %d rows decided", name, decided, len(events))
		}
	}
}

func TestGoldenEventsOfOthers(t *testing.T) {
	if events, err := GoldenEvents("testdata/fixtures/seed/fraud_model.pkl"); events != nil || err != nil {
		t.Errorf("a bare file: %d events, %v", len(events), err)
	}
	if _, err := GoldenEvents("testdata/refuse/bundle-golden-short-row"); Reason(err) != goldenMismatch {
		t.Errorf("a short row: %v", err)
	}
	file := goldenFile{Score: []float64{0, 0}, Rows: []byte(`[[1], [2]]`), Events: []byte(`[{"a": 1}, {"a": 2}]`)}
	if events, err := file.asEvents(); err != nil || len(events) != 2 || string(events[1]) != `{"a": 2}` {
		t.Errorf("given events: %q, %v", events, err)
	}
}

// goldenScores reads the scores of golden.json.
func goldenScores(t *testing.T, folder string) []float64 {
	t.Helper()
	var golden struct{ Score []float64 }
	data, err := os.ReadFile(filepath.Join(folder, "golden.json"))
	if err == nil {
		err = json.Unmarshal(data, &golden)
	}
	if err != nil {
		t.Fatal(err)
	}
	return golden.Score
}

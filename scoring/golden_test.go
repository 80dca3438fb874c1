package scoring

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden is golden.json of the control bundle, to be changed.
type golden map[string]any

// withGolden writes the control bundle with other golden rows and metadata that do not hash them.
func withGolden(t *testing.T, change func(golden)) string {
	t.Helper()
	folder := edited(t, `"sha256": "e7175de2d1542d68a646448d35672bcd717e972d40232bf222c2fccd9e7d6e9c", "tolerance": 1e-12`, `"tolerance": 1e-12`)
	path := filepath.Join(folder, "golden.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g := golden{}
	d := json.NewDecoder(strings.NewReader(string(data)))
	d.UseNumber()
	if err := d.Decode(&g); err != nil {
		t.Fatal(err)
	}
	change(g)
	if data, err = json.Marshal(g); err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func (g golden) row(n int) []any { return g["rows"].([]any)[n].([]any) }

// events are the rows as the events that they stand for.
func (g golden) events() []any {
	var events []any
	for _, row := range g["rows"].([]any) {
		event := map[string]any{"transaction_id": "t"}
		for i, name := range g["columns"].([]any) {
			event[name.(string)] = row.([]any)[i]
		}
		events = append(events, event)
	}
	return events
}

// natural keeps the rows whose boolean is one; the others try what no event may hold.
func (g golden) natural() {
	rows, scores, labels := g["rows"].([]any), g["score"].([]any), g["label"].([]any)
	var r, s, l []any
	for i := range rows {
		if _, ok := g.row(i)[9].(bool); ok {
			r, s, l = append(r, rows[i]), append(s, scores[i]), append(l, labels[i])
		}
	}
	g["rows"], g["score"], g["label"] = r, s, l
}

func TestGoldenRules(t *testing.T) {
	for name, c := range map[string]struct {
		change func(golden)
		field  string // of a golden-mismatch; empty: it loads
	}{
		"untouched":             {func(golden) {}, ""},
		"a truth is not read":   {func(g golden) { g["truth"] = "whatever" }, ""},
		"an unknown key":        {func(g golden) { g["seed"] = 7 }, ""},
		"predicted":             {func(g golden) { g["predicted"] = g["label"]; delete(g, "label") }, ""},
		"no predictions":        {func(g golden) { delete(g, "label") }, ""},
		"other predictions":     {func(g golden) { g["predicted"] = []any{0} }, "golden.json: predicted"},
		"a prediction null":     {func(g golden) { g["label"].([]any)[2] = nil }, "golden.json: predicted[2]"},
		"no rows":               {func(g golden) { delete(g, "rows") }, "golden.json: rows"},
		"rows an object":        {func(g golden) { g["rows"] = map[string]any{} }, "golden.json: rows"},
		"a row an object":       {func(g golden) { g["rows"].([]any)[1] = map[string]any{} }, "golden.json: rows[1]"},
		"a row more":            {func(g golden) { g["rows"] = append(g["rows"].([]any), g.row(0)) }, "golden.json: rows"},
		"a row twice as wide":   {func(g golden) { g["rows"].([]any)[1] = append(g.row(1), g.row(1)...) }, "golden.json: rows[1]"},
		"a list in a row":       {func(g golden) { g.row(1)[6] = []any{} }, "golden.json: rows[1][6]"},
		"a text for a number":   {func(g golden) { g.row(1)[0] = "12" }, "golden.json: rows[1]"},
		"a null where rejected": {func(g golden) { g.row(1)[0] = nil }, "golden.json: rows[1]"},
		"a score as text":       {func(g golden) { g["score"].([]any)[1] = "0.5" }, "golden.json: score[1]"},
		"columns swapped":       {func(g golden) { c := g["columns"].([]any); c[0], c[1] = c[1], c[0] }, "golden.json: columns"},
		"no columns":            {func(g golden) { delete(g, "columns") }, "golden.json: columns"},
		"events":                {func(g golden) { g.natural(); g["events"] = g.events() }, ""},
		"an event less":         {func(g golden) { g.natural(); e := g.events(); g["events"] = e[:len(e)-1] }, "golden.json: events"},
		"an event more":         {func(g golden) { g.natural(); g["events"] = append(g.events(), map[string]any{}) }, "golden.json: events"},
		"an event of another": {func(g golden) {
			g.natural()
			e := g.events()
			e[3].(map[string]any)["country"] = "IT"
			g["events"] = e
		}, "golden.json: events[3]"},
		"an event that is no row": {func(g golden) {
			g.natural()
			e := g.events()
			e[3].(map[string]any)["amount"] = "12"
			g["events"] = e
		}, "golden.json: events[3]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(withGolden(t, c.change), Options{})
			var bundle *BundleError
			switch errors.As(err, &bundle); {
			case c.field == "" && err != nil:
				t.Error(err)
			case c.field != "" && (Reason(err) != "golden-mismatch" || bundle.Field != c.field):
				t.Errorf("%v: want golden-mismatch at %s", err, c.field)
			}
		})
	}
}

func TestGoldenIsStrictJSON(t *testing.T) {
	for _, text := range []string{
		"", "{", `{"rows": []} x`, `{"rows": [], "rows": []}`, `{"rows": [[NaN]]}`, `[]`, "{\"columns\": [\"\xff\"]}",
	} {
		folder := withGolden(t, func(golden) {})
		if err := os.WriteFile(filepath.Join(folder, "golden.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(folder, Options{}); Reason(err) != "golden-mismatch" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestFewGoldenRowsWarn(t *testing.T) {
	s, err := Load(withGolden(t, func(g golden) {
		for _, key := range []string{"rows", "score", "label"} {
			g[key] = g[key].([]any)[:3]
		}
	}), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if w := strings.Join(s.Bundle.Warnings, "; "); s.Bundle.GoldenRows != 3 || !strings.Contains(w, "3 golden rows") {
		t.Errorf("%d rows, warnings %q", s.Bundle.GoldenRows, w)
	}
}

// The tolerance is absolute for a probability, and grows with the score where that has no bounds.
func TestToleranceOfUnboundedOutputs(t *testing.T) {
	row := []any{2.66, 14.0, 2.0, 14.73, 2.44, 31.0, "GB", "web", 5812.0, true}
	for output, admitted := range map[string]bool{"predict_proba": false, "decision_function": true} {
		s, err := Load(withoutGolden(t, `"output": "predict_proba"`, `"output": "`+output+`"`), Options{Thresholds: &Thresholds{}})
		if err != nil {
			t.Fatal(err)
		}
		score, _, refused := s.scoreRow(row)
		if refused != nil || admitted && score > -3 {
			t.Fatalf("%v, %v", score, refused)
		}
		check := goldenCheck{scorer: s, score: []float64{score + 2e-6}, tolerance: 1e-6}
		if _, err := check.checkScore(0, row); (err == nil) != admitted {
			t.Errorf("%s: a score of %v may be off by 2e-6: %v", output, score, err == nil)
		}
	}
}

// save_bundle writes flat events; a configuration that maps the fields loads the bundle all the same, and says what
// the events do not prove.
func TestFlatGoldenEventsUnderAMapping(t *testing.T) {
	mapped := Mapping{
		Time: TimeField{Path: "at", Type: "epoch_ms"}, Where: &Where{Path: "mti", In: []any{"0100"}},
		Fields: map[string]Field{"amount": {Path: "de.4", Type: "integer_text", Scale: 2}},
	}
	const bundle = "testdata/saved/derived"
	s, err := Load(bundle, Options{Mapping: mapped})
	if err != nil {
		t.Fatal(err)
	}
	if w := strings.Join(s.Bundle.Warnings, "; "); !strings.Contains(w, "60 golden events") {
		t.Errorf("warnings %q", w)
	}
	wrong := editedCopy(t, bundle, `"of": ["opened", "event_time"]`, `"of": ["event_time", "opened"]`)
	if _, err := Load(wrong, Options{Mapping: mapped}); Reason(err) != goldenMismatch {
		t.Errorf("a wrong rule under a mapping: %v", err)
	}
}

// TestSinglePrecisionIsNamed: where scores miss by what float32 costs, the message says that it may be that.
func TestSinglePrecisionIsNamed(t *testing.T) {
	shifted := withGolden(t, func(g golden) {
		score, _ := g["score"].([]any)[0].(json.Number).Float64()
		g["score"].([]any)[0] = score + 1e-7
	})
	path := filepath.Join(shifted, "metadata.json")
	for _, dtype := range []string{"float64", "float32"} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		data = []byte(strings.Replace(string(data), `"dtype": "float64"`, `"dtype": "`+dtype+`"`, 1))
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err = Load(shifted, Options{})
		if Reason(err) != goldenMismatch || strings.Contains(err.Error(), "astype") != (dtype == "float32") {
			t.Errorf("%s columns: %v", dtype, err)
		}
	}
}

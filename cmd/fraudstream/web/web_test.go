package web

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"fraudstream/cmd/fraudstream/web/console"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// newDoor returns a door over the tutorial's model.
func newDoor(t *testing.T, change func(*Options)) http.Handler {
	t.Helper()
	model, err := scoring.Load("../../../scoring/testdata/fixtures/seed/fraud_model.pkl", scoring.Options{Features: []string{"income", "debt"}})
	if err != nil {
		t.Fatal(err)
	}
	o := doorOptions(model)
	if change != nil {
		change(&o)
	}
	return checked(t, New(o).http.Handler, o.Token)
}

// doorOptions are the least that a door needs.
func doorOptions(model *scoring.Scorer) Options {
	registry := NewRegistry()
	NewModelMetrics(registry).Loaded(&model.Bundle)
	return Options{Scorer: model, Gatherer: registry, Requests: NewRequestMetrics(registry), Log: slog.New(slog.DiscardHandler)}
}

// commaTable reads lines of cells with commas between them, the first line being the names: a table in small, for the
// real one is the command's.
func commaTable(model *scoring.Scorer) *Table {
	return &Table{Scorer: model, Open: func(body io.Reader) (func([]byte) ([]byte, *scoring.EventError, error), error) {
		reader := csv.NewReader(body)
		reader.FieldsPerRecord = -1
		header, err := reader.Read()
		if err == nil && !slices.Contains(header, "amount") && !slices.Contains(header, "terminal_risk") && !slices.Contains(header, "a") {
			err = errors.New("no column is one of the model's")
		}
		return func(dst []byte) ([]byte, *scoring.EventError, error) {
			row, err := reader.Read()
			if err != nil {
				return dst, nil, err
			}
			if len(row) != len(header) {
				return dst, &scoring.EventError{Code: scoring.BadJSON, Message: "a row of another length"}, nil
			}
			dst = append(dst, '{')
			for i, cell := range row {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = append(append(appendText(dst, header[i]), ':'), cellJSON(cell)...)
			}
			return append(dst, '}'), nil, nil
		}, err
	}}
}

// cellJSON leaves numbers and booleans as they are and makes everything else a text.
func cellJSON(cell string) string {
	if cell == "" {
		return "null"
	}
	if json.Valid([]byte(cell)) && cell != "4111" {
		return cell
	}
	return string(appendText(nil, cell))
}

// ask sends one request and decodes the answer, if it is JSON.
func ask(t *testing.T, door http.Handler, method, path, body string, answer any) *http.Response {
	t.Helper()
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest(method, path, strings.NewReader(body))
	request.Header.Set("X-Request-Id", "q-1")
	door.ServeHTTP(recorder, request)
	response := recorder.Result()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer != nil {
		if err := json.Unmarshal(text, answer); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
	}
	return response
}

type prediction struct {
	Status     string  `json:"status"`
	IsFraud    any     `json:"is_fraud"`
	Score      float64 `json:"score"`
	Decision   string  `json:"decision"`
	DecisionID string  `json:"decision_id"`
	Source     any     `json:"source"`
	Error      struct{ Code, Field, Message string }
}

func TestPredictOne(t *testing.T) {
	var p prediction
	r := ask(t, newDoor(t, nil), "POST", "/predict", `{"income": 40000, "debt": 30000}`, &p)
	if r.StatusCode != 200 || p.Status != "success" || p.IsFraud != 1.0 || p.Decision != "block" || p.Source != nil {
		t.Errorf("status %d, %+v", r.StatusCode, p)
	}
	// scikit-learn 1.7.2 gives this for the row [40000, 30000].
	if want := 0.5340704634959965; math.Abs(p.Score-want) > 1e-12 {
		t.Errorf("score %v, scikit-learn gives %v", p.Score, want)
	}
	if p.DecisionID != "http/q-1/1" || r.Header.Get("X-Request-Id") != "q-1" {
		t.Errorf("id %q for request %q", p.DecisionID, r.Header.Get("X-Request-Id"))
	}
}

// A request may ask for the reasons of every decision, or for none; the next one is answered as before.
func TestPredictReasons(t *testing.T) {
	door := newDoor(t, nil)
	const fraud, usual = `{"income": 40000, "debt": 30000}`, `{"income": 20000, "debt": 1000}`
	for _, c := range []struct {
		query, event, first string
		told                bool
	}{
		{"", fraud, "debt", true},
		{"", usual, "", false},
		{"?reasons=all", usual, "income", true},
		{"?reasons=none", fraud, "", false},
		{"?reasons=flagged", usual, "", false},
		{"", fraud, "debt", true},
	} {
		var p struct {
			Reasons []struct{ Feature string }
			Method  string `json:"reason_method"`
		}
		ask(t, door, "POST", "/predict"+c.query, c.event, &p)
		if (p.Method == "linear") != c.told || c.told && p.Reasons[0].Feature != c.first {
			t.Errorf("%s %s: %+v", c.query, c.event, p)
		}
	}
	var p prediction
	if r := ask(t, door, "POST", "/predict?reasons=some", fraud, &p); r.StatusCode != 400 || p.Error.Field != "reasons" {
		t.Errorf("some: status %d, %+v", r.StatusCode, p)
	}
}

func TestPredictRefuses(t *testing.T) {
	door := newDoor(t, nil)
	for _, c := range []struct {
		body   string
		status int
		code   string
		field  string
	}{
		{`{"income": "a", "debt": 1}`, 400, "wrong_type", "income"},
		{`{"income": 1e999, "debt": 1}`, 400, "non_finite", "income"},
		{`{"income": 1, "debt": null}`, 400, "unscorable", "debt"},
		{``, 400, "empty", ""},
		{`{"income": 1`, 400, "bad_json", ""},
		{`[{"income": 1`, 400, "bad_json", ""},
		{`[] []`, 400, "bad_json", ""},
		{`{"income": 1, "debt": "` + strings.Repeat("x", 1<<20) + `"}`, 413, "too_large", ""},
		{strings.Repeat(" ", 1<<20) + "{}", 413, "too_large", ""},
		{" [" + strings.Repeat(`{"income": 1, "debt": 2},`, 1<<16) + "{}]", 413, "too_large", ""},
		{"\x00\x00\x00\x00\x01\x06abc", 400, "unknown_schema", ""},
	} {
		var p prediction
		r := ask(t, door, "POST", "/predict", c.body, &p)
		if r.StatusCode != c.status || p.Status != "error" || p.Error.Code != c.code || p.Error.Field != c.field || p.Error.Message == "" {
			t.Errorf("%.40q: status %d, %+v", c.body, r.StatusCode, p)
		}
	}
}

func TestPredictArray(t *testing.T) {
	var ps []prediction
	r := ask(t, newDoor(t, nil), "POST", "/predict", ` [{"income": 40000, "debt": 30000}, 7, {"income": 1, "debt": 2, "debt": 3}] `, &ps)
	if r.StatusCode != 200 || len(ps) != 3 {
		t.Fatalf("status %d, %+v", r.StatusCode, ps)
	}
	if ps[0].Status != "success" || ps[0].DecisionID != "http/q-1/1" || ps[1].Status != "error" || ps[2].Error.Code != "duplicate_key" {
		t.Errorf("%+v", ps)
	}
	r = ask(t, newDoor(t, nil), "POST", "/predict", `[]`, &ps)
	if r.StatusCode != 200 || len(ps) != 0 {
		t.Errorf("an empty array: status %d, %+v", r.StatusCode, ps)
	}
}

// A row that is no row of its table is counted for the console by the code that its answer has, and no card number of the
// fault is in the answer; neither is one in the fault of an event of an array.
func TestFaultsOfATable(t *testing.T) {
	var seen *console.Own
	door := newDoor(t, func(o *Options) {
		rows := []string{`{"income": 40000, "debt": 30000}`, "", `{"income": 1, "debt": 2}`}
		o.Table = &Table{Scorer: o.Scorer, Open: func(io.Reader) (func([]byte) ([]byte, *scoring.EventError, error), error) {
			return func(dst []byte) ([]byte, *scoring.EventError, error) {
				if len(rows) == 0 {
					return dst, nil, io.EOF
				}
				row := rows[0]
				rows = rows[1:]
				if row == "" {
					return dst, &scoring.EventError{Code: scoring.BadJSON, Field: "4111111111111111", Message: "no column 4111 1111 1111 1111"}, nil
				}
				return append(dst, row...), nil, nil
			}, nil
		}}
		o.Traffic = console.NewDoor(nil)
		seen = &console.Own{Scorer: o.Scorer, Door: o.Traffic}
	})
	recorder := httptest.NewRecorder()
	request := httptest.NewRequest("POST", "/predict", strings.NewReader("a\n"))
	request.Header.Set("Content-Type", "text/csv")
	door.ServeHTTP(recorder, request)
	var ps []prediction
	if err := json.Unmarshal(recorder.Body.Bytes(), &ps); err != nil || len(ps) != 3 {
		t.Fatalf("%v, %s", err, recorder.Body)
	}
	if ps[0].Status != "success" || ps[1].Error.Code != "bad_json" || ps[1].Error.Message == "" || ps[2].Status != "success" || !strings.HasSuffix(ps[2].DecisionID, "/3") {
		t.Errorf("%+v", ps)
	}
	if strings.Contains(recorder.Body.String(), "4111111") || strings.Contains(recorder.Body.String(), "4111 1111") {
		t.Errorf("a card number is in %s", recorder.Body)
	}
	if counted := seen.State(false).Totals.Refused; len(counted) != 1 || counted["bad_json"] != 1 {
		t.Errorf("the console counts %v", counted)
	}
	if answer := string(appendResult(nil, &scoring.Result{Outcome: scoring.Refused, Err: scoring.EventError{Field: "4111111111111111"}})); strings.Contains(answer, "4111111") {
		t.Errorf("a card number is in %s", answer)
	}
}

func TestRequestIDsAreCheckedOrMade(t *testing.T) {
	for given, kept := range map[string]bool{"abc-1.2_3": true, "": false, "a b": false, "a/b": false, `"`: false, strings.Repeat("a", 129): false} {
		r := httptest.NewRequest("POST", "/predict", nil)
		r.Header["X-Request-Id"] = []string{given}
		if got := requestID(r); (got == given) != kept || got == "" {
			t.Errorf("id %q became %q", given, got)
		}
	}
}

func TestHealth(t *testing.T) {
	ready, healthy := false, true
	door := newDoor(t, func(o *Options) {
		o.Ready = func() bool { return ready }
		o.Healthy = func() bool { return healthy }
	})
	status := func(path string) int { return ask(t, door, "GET", path, "", nil).StatusCode }
	if status("/readyz") != 503 || status("/healthz") != 200 {
		t.Error("before the group is joined: want alive and not ready")
	}
	ready = true
	if status("/readyz") != 200 {
		t.Error("want ready")
	}
	healthy = false
	if status("/healthz") != 503 {
		t.Error("a loop that stands still: want not alive")
	}
	if status("/drift") != 404 || status("/predict") != 405 {
		t.Error("no monitor: want no report; /predict by GET: want 405")
	}
}

func TestMetricsNameTheModel(t *testing.T) {
	recorder := httptest.NewRecorder()
	newDoor(t, nil).ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`fraudstream_model_info{name="fraud_model"`, `fraudstream_model_loads_total{reason="",result="ok"} 1`, "go_goroutines"} {
		if !strings.Contains(recorder.Body.String(), want) {
			t.Errorf("no %s in /metrics", want)
		}
	}
}

// Where requests are the live traffic, whoever wants to know is told what came of a drift interval.
func TestTicksAreTold(t *testing.T) {
	bins := drift.Feature{Name: "income", Edges: []float64{30_000}, Counts: []int64{50, 50}}
	monitor, err := drift.NewMonitor(drift.Options{Features: []drift.Feature{bins, {Name: "debt", Off: true}}, TickEvents: 3})
	if err != nil {
		t.Fatal(err)
	}
	var told []int64
	door := newDoor(t, func(o *Options) {
		o.Monitor, o.Observe = monitor, true
		o.Ticked = func(tick drift.Tick) { told = append(told, tick.Number, tick.Rows) }
	})
	for range 7 {
		ask(t, door, "POST", "/predict", `{"income": 40000, "debt": 3000}`, nil)
	}
	if !slices.Equal(told, []int64{1, 3, 2, 3}) {
		t.Errorf("told of the ticks %v, want two of three rows", told)
	}
}

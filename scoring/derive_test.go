package scoring

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// derivedCase is a rule, raw events, and the column that pandas made of them; nil is missing.
type derivedCase struct {
	From   *fromEntry        `json:"from"`
	DType  string            `json:"dtype"`
	Events []json.RawMessage `json:"events"`
	Want   []*float64        `json:"want"`
}

// What testdata/derived/derive.py had pandas compute.
func TestDerivedEqualsPandas(t *testing.T) {
	data, err := os.ReadFile("testdata/derived/derived.json")
	if err != nil {
		t.Fatal(err)
	}
	checkDerived(t, data, true)
}

// The same, computed now, from other numbers each time.
func TestDerivedEqualsPandasNow(t *testing.T) {
	python := os.Getenv("FRAUDSTREAM_PYTHON")
	if python == "" {
		t.Skip("skipped: FRAUDSTREAM_PYTHON names no Python with pandas; what it computed before is tested")
	}
	seed := strconv.Itoa(rand.IntN(1e9))
	t.Log("seed", seed)
	data, err := exec.Command(python, "testdata/derived/derive.py", seed).Output()
	if err != nil {
		t.Fatal(err)
	}
	checkDerived(t, data, false)
}

// checkDerived compares all cases. Of one pandas, the newest, everything is the same, bit for bit, but what depends on
// the processor.
func checkDerived(t *testing.T, data []byte, exact bool) {
	var cases []derivedCase
	if err := json.Unmarshal(data, &cases); err != nil || len(cases) < 50 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	for _, c := range cases {
		s := newDerivedScorer(t, c.DType, c.From, Mapping{})
		for i, event := range c.Events {
			r := scoreUntimed(s, string(event))
			want := math.NaN()
			if c.Want[i] != nil {
				want = *c.Want[i]
			}
			slack := !exact || c.From.Op == "log1p"
			if r.X == nil || !same(r.X[1], want) && !(slack && s.schema.features[1].agrees(want, r.X[1])) {
				t.Errorf("%s %s: %s gives %v, pandas %v (%v)", c.From.describe(), c.DType, event, r.X, want, r.Err.Error())
			}
		}
	}
}

// newDerivedScorer has the features plain, a field of its own, and made, which is derived.
func newDerivedScorer(tb testing.TB, dtype string, from *fromEntry, m Mapping) *Scorer {
	tb.Helper()
	specs := []featureSpec{{Name: "plain", DType: "float64"}, {Name: "made", DType: dtype, From: from}}
	s, err := derivedScorer(tb, specs, m)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

func derivedScorer(tb testing.TB, specs []featureSpec, m Mapping) (*Scorer, error) {
	tb.Helper()
	var names []string
	for _, s := range specs {
		names = append(names, s.Name)
	}
	p := newLogistic(tb, names)
	for _, s := range specs {
		if s.From == nil {
			continue
		}
		if err := s.From.check("features"); err != nil {
			return nil, err
		}
	}
	schema, err := newSchema(p, specs, m)
	if err != nil {
		return nil, err
	}
	return newScorer(p, schema, testBundle, Thresholds{}, "bundle", false), nil
}

// scoreUntimed scores an event whose record has no time either.
func scoreUntimed(s *Scorer, value string) *Result {
	b := s.NewBatch(1)
	b.Events = append(b.Events, Event{Value: []byte(value), Origin: Origin{Row: 1}})
	s.Score(b)
	return &b.Results[0]
}

func TestDerivedOfTheRecordsTime(t *testing.T) {
	s := newDerivedScorer(t, "int64", &fromEntry{Op: "epoch_s", Of: []string{"event_time"}}, Mapping{})
	if r := scoreOne(s, `{"plain":1}`); r.X[1] != 1 {
		t.Errorf("without an event time: %v, want the second of the record", r.X)
	}
}

func TestDerivedFieldsAreMapped(t *testing.T) {
	from := &fromEntry{Op: "seconds_between", Of: []string{"opened", "event_time"}}
	s := newDerivedScorer(t, "float64", from, Mapping{
		Time:   TimeField{Path: "at", Type: "epoch_s"},
		Fields: map[string]Field{"opened": {Path: "account.opened", Type: "epoch_ms"}},
	})
	if r := scoreOne(s, `{"plain":1,"at":1000.5,"account":{"opened":1000250}}`); r.X[1] != 0.25 {
		t.Errorf("seconds between mapped times: %v", r.X)
	}
	from = &fromEntry{Op: "ratio", Of: []string{"plain", "limit"}}
	s = newDerivedScorer(t, "float64", from, Mapping{
		Fields: map[string]Field{"plain": {Path: "p", Type: "decimal"}, "limit": {Path: "card.limit", Default: 4}},
	})
	for event, want := range map[string]float64{
		`{"p":"3","card":{"limit":2}}`: 1.5, `{"p":"3"}`: 0.75, `{"card":{"limit":2}}`: math.NaN(), `{"p":"3","card":{"limit":0}}`: math.NaN(),
	} {
		if r := scoreOne(s, event); !same(r.X[1], want) {
			t.Errorf("%s: %v, want %v", event, r.X, want)
		}
	}
}

// A column may replace the field that it is computed from: x = log1p(x).
func TestDerivedOfItsOwnName(t *testing.T) {
	s := newDerivedScorer(t, "float64", &fromEntry{Op: "log1p", Of: []string{"made"}}, Mapping{Fields: map[string]Field{"made": {Path: "m"}}})
	if r := scoreOne(s, `{"plain":1,"m":1,"made":"x"}`); r.Outcome != Decided || r.X[1] != math.Log1p(1) {
		t.Errorf("%v %v", r.X, r.Err.Error())
	}
	if r := scoreOne(s, `{"plain":1,"m":"1"}`); r.Err.Code != WrongType || r.Err.Field != "made" {
		t.Errorf("%v", r.Err.Error())
	}
}

func TestSlackOfGoldenEvents(t *testing.T) {
	ulp, single := math.Nextafter(3, 4), float64(math.Nextafter32(3, 4))
	for _, c := range []struct {
		op, dtype string
		got       float64
		want      bool
	}{
		{"log1p", "float64", ulp, true},
		{"log1p", "float64", single, false},
		{"log1p", "float32", single, true},
		{"log1p", "float32", 3.00001, false},
		{"seconds_between", "float64", ulp, true},
		{"seconds_between", "int64", ulp, false},
		{"ratio", "float64", ulp, false},
	} {
		from := &fromEntry{Op: c.op, Of: []string{"a", "b"}[:operations[operationOf(c.op)].operands]}
		s := newDerivedScorer(t, c.dtype, from, Mapping{})
		if got := s.schema.features[1].agrees(3, c.got); got != c.want {
			t.Errorf("%s %s: 3 agrees with %v: %v", c.op, c.dtype, c.got, got)
		}
	}
}

func TestDerivedRefusals(t *testing.T) {
	ratio := &fromEntry{Op: "ratio", Of: []string{"plain", "limit"}}
	for _, c := range []struct {
		from     *fromEntry
		rejected bool
		event    string
		code     Code
		field    string
		feature  int
		x        float64
	}{
		{ratio, false, `{"plain":1,"limit":"2"}`, WrongType, "limit", 1, math.Inf(1)},
		{ratio, false, `{"plain":"1","limit":"2"}`, WrongType, "plain", 0, math.Inf(1)},
		{ratio, false, `{"plain":1e300,"limit":1e-300}`, NonFinite, "made", 1, math.Inf(1)},
		{ratio, false, `{"plain":1,"limit":1e999}`, NonFinite, "limit", 1, math.Inf(1)},
		{ratio, true, `{"plain":1,"limit":0}`, MissingField, "made", 1, math.NaN()},
		{ratio, true, `{"plain":1}`, MissingField, "made", 1, math.NaN()},
		{&fromEntry{Op: "log1p", Of: []string{"plain"}}, false, `{"plain":-1}`, NonFinite, "made", 1, math.Inf(1)},
		{&fromEntry{Op: "hour", Of: []string{"event_time"}}, false, `{"plain":1,"event_time":7}`, WrongType, "event_time", -1, math.Inf(1)},
		{&fromEntry{Op: "hour", Of: []string{"event_time"}}, true, `{"plain":1}`, MissingField, "made", 1, math.NaN()},
		{&fromEntry{Op: "hour", Of: []string{"opened"}}, false, `{"plain":1,"opened":"noon"}`, WrongType, "opened", 1, math.Inf(1)},
		{&fromEntry{Op: "hour", Of: []string{"opened"}}, false, `{"plain":1,"opened":1e999}`, NonFinite, "opened", 1, math.Inf(1)},
		{&fromEntry{Op: "hour", Of: []string{"opened"}}, false, `{"plain":1,"opened":[]}`, WrongType, "opened", 1, math.Inf(1)},
	} {
		specs := []featureSpec{{Name: "plain", DType: "float64"}, {Name: "made", DType: "float64", From: c.from, MissingRejected: c.rejected}}
		s, err := derivedScorer(t, specs, Mapping{})
		if err != nil {
			t.Fatal(err)
		}
		r := scoreUntimed(s, c.event)
		if r.Err.Code != c.code || r.Err.Field != c.field || r.Feature != c.feature || !same(r.X[1], c.x) || r.Err.Message == "" {
			t.Errorf("%s of %s: %+v, feature %d, x %v", c.from.describe(), c.event, r.Err, r.Feature, r.X)
		}
	}
}

// The first error is that of the first feature in training order, computed or not.
func TestDerivedBeforeItsOperand(t *testing.T) {
	specs := []featureSpec{
		{Name: "made", DType: "float64", From: &fromEntry{Op: "difference", Of: []string{"a", "plain"}}},
		{Name: "plain", DType: "float64"},
	}
	s, err := derivedScorer(t, specs, Mapping{})
	if err != nil {
		t.Fatal(err)
	}
	if r := scoreOne(s, `{"a":3,"plain":1}`); r.X[0] != 2 {
		t.Errorf("x is %v", r.X)
	}
	if r := scoreOne(s, `{"a":"x","plain":"x"}`); r.Err.Field != "a" || r.Feature != 0 {
		t.Errorf("%+v at %d, want a", r.Err, r.Feature)
	}
	if r := scoreOne(s, `{"a":3,"plain":"x"}`); r.Err.Field != "plain" || r.Feature != 1 || !math.IsInf(r.X[0], 1) {
		t.Errorf("%+v at %d, x %v, want plain", r.Err, r.Feature, r.X)
	}
}

func TestDerivedMappingErrors(t *testing.T) {
	hour := &fromEntry{Op: "hour", Of: []string{"opened"}}
	for want, c := range map[string]struct {
		from *fromEntry
		m    Mapping
	}{
		"event.fields.made: the feature is computed": {hour, Mapping{Fields: map[string]Field{"made": {Path: "h"}}}},
		"event.fields.opened.type":                   {hour, Mapping{Fields: map[string]Field{"opened": {Type: "decimal"}}}},
		"event.fields.opened.path: a time has":       {hour, Mapping{Fields: map[string]Field{"opened": {Absent: "reject"}}}},
		"event.fields.opened.path \"a..b\"":          {hour, Mapping{Fields: map[string]Field{"opened": {Path: "a..b"}}}},
		"did you mean opened":                        {hour, Mapping{Fields: map[string]Field{"Opened": {}}}},
		"features[1].from.of[0]":                     {&fromEntry{Op: "hour", Of: []string{"plain"}}, Mapping{}},
		"event.fields.b.type":                        {&fromEntry{Op: "log1p", Of: []string{"b"}}, Mapping{Fields: map[string]Field{"b": {Type: "bool_text"}}}},
	} {
		specs := []featureSpec{{Name: "plain", DType: "float64"}, {Name: "made", DType: "float64", From: c.from}}
		if _, err := derivedScorer(t, specs, c.m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

// A computed column is of numbers, or of booleans for is_weekend, whatever the pipeline makes of it.
func TestDerivedCategories(t *testing.T) {
	p, specs := newProbe(t)
	weekend := &fromEntry{Op: "is_weekend", Of: []string{"event_time"}}
	specs[5].From = weekend // chip: a category of true and false
	specs[2].From = weekend // flag: a number
	specs[4].From = &fromEntry{Op: "difference", Of: []string{"amount", "fee"}}
	s := newTestScorer(t, p, specs, Mapping{})
	r := scoreOne(s, `{"amount":5412,"fee":1,"needed":0,"event_time":"2026-11-22T10:00:00Z"}`)
	if r.X[5] != 1 || r.X[2] != 1 || r.X[4] != 5411 {
		t.Errorf("%v", r.X)
	}
	specs[3].From = weekend // country: a category of texts
	if _, err := newSchema(p, specs, Mapping{}); Reason(err) != schemaMismatch || !strings.Contains(err.Error(), "features[3].from.op") {
		t.Errorf("%v", err)
	}
}

func TestDerivedDoesNotAllocate(t *testing.T) {
	specs := []featureSpec{{Name: "a", DType: "float64"}}
	for op := opHour; op <= opLog1p; op++ {
		from := &fromEntry{Op: operations[op].name, Of: []string{"event_time", "opened"}[:operations[op].operands]}
		if !operations[op].times {
			from.Of = []string{"a", "b"}[:operations[op].operands]
		}
		if operations[op].zoned {
			from.Zone = "America/New_York"
		}
		specs = append(specs, featureSpec{Name: from.Op, DType: "float64", From: from})
	}
	s, err := derivedScorer(t, specs, Mapping{})
	if err != nil {
		t.Fatal(err)
	}
	b := s.NewBatch(1)
	b.Events = append(b.Events, Event{Value: []byte(`{"a":1.5,"b":2,"event_time":"2026-11-22T10:15:00Z","opened":"2020-01-01T00:00:00Z"}`), Timestamp: 1})
	s.Score(b)
	if b.Results[0].Outcome != Decided {
		t.Fatal(b.Results[0].Err.Error())
	}
	if n := testing.AllocsPerRun(100, func() { s.Score(b) }); n != 0 {
		t.Errorf("%v allocations per event", n)
	}
}

func TestDerivedOfDerived(t *testing.T) {
	const head, tail = `{"schema": 1, "model": {"file": "m"}, "features": [{"name": "a", "from": {"op": "log1p", "of": ["`, `"]}},
		{"name": "b", "from": {"op": "hour", "of": ["event_time"]}}]}`
	_, err := parseMetadata([]byte(head + "b" + tail))
	if Reason(err) != metadataInvalid || !strings.Contains(err.Error(), "features[0].from.of[0]") {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"a", "c"} {
		if _, err := parseMetadata([]byte(head + name + tail)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

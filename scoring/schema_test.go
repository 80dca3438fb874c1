package scoring

import (
	"math"
	"slices"
	"strings"
	"testing"

	"fraudstream/scoring/program"
)

// probe is a step that finds faults on demand: a 13 in the first column is unscorable, a 14 an unknown category, a 15
// scores infinity, a 16 NaN. Else the score is the first column.
type probe struct{ score, predicted program.Reg }

func (p *probe) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		row[p.score], row[p.predicted] = row[0], 1
		switch row[0] {
		case 13:
			f.Fail(i, program.Unscorable, 0)
		case 14:
			f.Fail(i, program.UnknownCategory, 0)
		case 15:
			row[p.score] = math.Inf(1)
		case 16:
			row[p.score] = math.NaN()
		}
	}
}

func text1(s string) program.Constant    { return program.Constant{Type: program.String, Text: s} }
func number1(f float64) program.Constant { return program.Constant{Type: program.Number, Num: f} }
func bool1(f float64) program.Constant   { return program.Constant{Type: program.Bool, Num: f} }

// probeSpecs are one feature of every kind; the constants are what an encoder of the column would know.
var probeSpecs = []struct {
	featureSpec
	constants []program.Constant
}{
	{featureSpec{Name: "amount", DType: "float64"}, nil},
	{featureSpec{Name: "single", DType: "float32"}, nil},
	{featureSpec{Name: "flag", DType: "bool"}, nil},
	{featureSpec{Name: "country", DType: "object", Categorical: true}, []program.Constant{text1("GB"), text1("US")}},
	{featureSpec{Name: "mcc", DType: "int64", Categorical: true}, []program.Constant{number1(5411), number1(6011)}},
	{featureSpec{Name: "chip", DType: "bool", Categorical: true}, []program.Constant{bool1(0), bool1(1)}},
	{featureSpec{Name: "mixed", DType: "object", Categorical: true}, []program.Constant{text1("1"), number1(1), bool1(1)}},
	{featureSpec{Name: "needed", DType: "float64", MissingRejected: true}, nil},
	{featureSpec{Name: "none", DType: "object", Categorical: true, NoneIsMissing: true}, []program.Constant{text1("x")}},
}

func newProbe(tb testing.TB) (*program.Program, []featureSpec) {
	tb.Helper()
	var names []string
	var specs []featureSpec
	var none []bool
	for _, s := range probeSpecs {
		names, specs, none = append(names, s.Name), append(specs, s.featureSpec), append(none, s.NoneIsMissing)
	}
	b, err := program.NewBuilder(names, none)
	if err != nil {
		tb.Fatal(err)
	}
	for i, s := range probeSpecs {
		if s.Categorical {
			b.Categorical(program.Reg(i))
			b.Lookup(program.Reg(i), s.constants)
		}
	}
	p := &probe{b.New(-1), b.New(-1)}
	b.Add("probe (Probe)", p)
	prog, err := b.Finish(program.Outputs{Score: p.score, Predicted: p.predicted})
	if err != nil {
		tb.Fatal(err)
	}
	prog.Classes, prog.Positive = []program.Constant{number1(0), number1(1)}, 1
	return prog, specs
}

func newProbeScorer(tb testing.TB, m Mapping) *Scorer {
	tb.Helper()
	p, specs := newProbe(tb)
	return newTestScorer(tb, p, specs, m)
}

func scoreOne(s *Scorer, value string) *Result {
	b := s.NewBatch(1)
	b.Events = append(b.Events, Event{Value: []byte(value), Timestamp: 1000, Origin: Origin{Topic: "t"}})
	s.Score(b)
	return &b.Results[0]
}

// with is an event that lacks nothing but what the given fields say.
func with(fields string) string {
	for _, f := range []string{`"amount"`, `"needed"`} {
		if !strings.Contains(fields, f) {
			fields += "," + f + ":0.5"
		}
	}
	return "{" + strings.TrimPrefix(fields, ",") + "}"
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

func TestTypesOfValues(t *testing.T) {
	s := newProbeScorer(t, Mapping{})
	country, mixed := s.Program.Columns[3].Domain, s.Program.Columns[6].Domain
	code := func(d *program.Domain, c program.Constant) float64 {
		v, known := d.Value(c)
		if !known {
			t.Fatalf("%v is not known", c)
		}
		return v
	}
	inf, missing := math.Inf(1), program.Missing
	for _, c := range []struct {
		feature, value string
		want           float64
		code           Code
	}{
		{"amount", "1.5", 1.5, ""},
		{"amount", "-0", math.Copysign(0, -1), ""},
		{"amount", "null", missing, ""},
		{"amount", `"1.5"`, inf, WrongType},
		{"amount", "true", inf, WrongType},
		{"amount", "{}", inf, WrongType},
		{"amount", "[1]", inf, WrongType},
		{"amount", "1e999", inf, NonFinite},
		{"single", "0.1", float64(float32(0.1)), ""},
		{"flag", "true", 1, ""},
		{"flag", "false", 0, ""},
		{"flag", "1", 1, ""},
		{"flag", "0.0", 0, ""},
		{"flag", "2", inf, WrongType},
		{"flag", `"true"`, inf, WrongType},
		{"flag", "null", missing, ""},
		{"country", `"GB"`, code(country, text1("GB")), ""},
		{"country", `"\u0047B"`, code(country, text1("GB")), ""},
		{"country", `"US"`, code(country, text1("US")), ""},
		{"country", `"FR"`, program.Unseen, ""},
		{"country", `""`, program.Unseen, ""},
		{"country", "1", inf, WrongType},
		{"country", "true", inf, WrongType},
		{"country", "null", missing, ""},
		{"country", "1e400", inf, NonFinite},
		{"mcc", "5411", 5411, ""},
		{"mcc", "5411.0", 5411, ""},
		{"mcc", "9", 9, ""},
		{"mcc", `"5411"`, inf, WrongType},
		{"mcc", "true", inf, WrongType},
		{"chip", "true", 1, ""},
		{"chip", "false", 0, ""},
		{"chip", "1", inf, WrongType},
		{"chip", `"true"`, inf, WrongType},
		{"mixed", `"1"`, code(mixed, text1("1")), ""},
		{"mixed", "1", code(mixed, number1(1)), ""},
		{"mixed", "true", code(mixed, bool1(1)), ""},
		{"mixed", "false", program.Unseen, ""},
		{"mixed", "2", program.Unseen, ""},
		{"needed", "null", missing, MissingField},
		{"none", "null", missing, ""},
		{"none", `"x"`, 0, ""},
	} {
		r := scoreOne(s, with(`"`+c.feature+`":`+c.value))
		i := slices.IndexFunc(probeSpecs, func(p struct {
			featureSpec
			constants []program.Constant
		},
		) bool {
			return p.Name == c.feature
		})
		if r.X == nil || !same(r.X[i], c.want) || r.Err.Code != c.code && c.code != "" {
			t.Errorf("%s: %s is %v with %+v, want %v with %q", c.feature, c.value, r.X, r.Err, c.want, c.code)
		}
		if c.code != "" && (r.Outcome != Refused || r.Feature != i || r.Err.Field != c.feature || r.Err.Message == "") {
			t.Errorf("%s: %s: outcome %v, feature %d, %+v", c.feature, c.value, r.Outcome, r.Feature, r.Err)
		}
	}
}

// An event with a bad field is refused with the first error, and its other fields are read all the same.
func TestRefusedEventsAreReadToTheEnd(t *testing.T) {
	s := newProbeScorer(t, Mapping{})
	r := scoreOne(s, `{"amount":7,"single":"x","flag":true,"country":"GB","mcc":1e999,"chip":true,"mixed":[]}`)
	inf := math.Inf(1)
	want := []float64{7, inf, 1, 0, inf, 1, inf, program.Missing, program.Missing}
	if !slices.EqualFunc(r.X, want, same) {
		t.Errorf("x is %v, want %v", r.X, want)
	}
	if r.Err.Code != WrongType || r.Err.Field != "single" || r.Feature != 1 {
		t.Errorf("%+v at feature %d", r.Err, r.Feature)
	}
}

func TestPrecedence(t *testing.T) {
	s := newProbeScorer(t, Mapping{Where: &Where{Path: "mti", In: []any{"0100", 7, true, int64(-1), uint64(9), float32(2.5)}}})
	for _, c := range []struct {
		value string
		code  Code
		field string
	}{
		{"", Empty, ""},
		{`{"mti":"0400","amount":"x"`, BadJSON, ""},
		{`{"mti":"0400","amount":1,"amount":2}`, DuplicateKey, ""},
		{`{"mti":"0400","amount":"x","transaction_id":[],"z":1e999}`, "skipped", ""},
		{`{"amount":1}`, "skipped", ""},
		{`{"mti":null}`, "skipped", ""},
		{`{"mti":8}`, "skipped", ""},
		{`{"mti":false}`, "skipped", ""},
		{`{"mti":{"mti":7}}`, "skipped", ""},
		{`[{"mti":"0100"}]`, WrongType, ""},
		{`null`, WrongType, ""},
		{`{"mti":"0100","z":1e999,"transaction_id":[],"event_time":1,"amount":"x"}`, NonFinite, ""},
		{`{"mti":7,"event_time":1,"transaction_id":[],"amount":"x"}`, WrongType, "transaction_id"},
		{`{"mti":7,"transaction_id":true}`, WrongType, "transaction_id"},
		{`{"mti":7,"transaction_id":{}}`, WrongType, "transaction_id"},
		{`{"mti":7,"transaction_id":1e999}`, NonFinite, "transaction_id"},
		{`{"mti":7.0,"event_time":1,"amount":"x"}`, WrongType, "event_time"},
		{`{"mti":true,"event_time":1e999}`, NonFinite, "event_time"},
		{`{"mti":true,"event_time":"yesterday"}`, WrongType, "event_time"},
		{`{"mti":true,"mcc":"x","amount":"x"}`, WrongType, "amount"},
		{`{"mti":true,"mcc":"x"}`, WrongType, "mcc"},
		{`{"mti":true,"mcc":1e999}`, NonFinite, "mcc"},
		{`{"mti":true,"none":1}`, MissingField, "needed"},
		{`{"mti":true,"none":1,"needed":0}`, WrongType, "none"},
		{`{"mti":true,"amount":13}`, MissingField, "needed"},
		{`{"mti":true,"amount":13,"needed":0}`, Unscorable, "amount"},
		{`{"mti":true,"amount":14,"needed":0}`, UnknownCategory, "amount"},
		{`{"mti":true,"amount":15,"needed":0}`, Unscorable, ""},
		{`{"mti":true,"amount":16,"needed":0}`, Unscorable, ""},
		{`{"mti":true,"amount":0.5,"needed":0}`, "", ""},
		{`{"mti":-1,"amount":0.5,"needed":0}`, "", ""},
		{`{"mti":9,"amount":0.5,"needed":0}`, "", ""},
		{`{"mti":25e-1,"amount":0.5,"needed":0}`, "", ""},
	} {
		r := scoreOne(s, c.value)
		got := r.Err.Code
		switch r.Outcome {
		case Skipped:
			got = "skipped"
		case Decided:
			got = ""
		}
		if got != c.code || r.Err.Field != c.field {
			t.Errorf("%s: %q of %q, want %q of %q", c.value, got, r.Err.Field, c.code, c.field)
		}
		if grammar := c.code == BadJSON || c.code == Empty || c.code == DuplicateKey; grammar && (r.X != nil || r.Err.Byte == 0 && c.value != "") {
			t.Errorf("%s: x %v, byte %d", c.value, r.X, r.Err.Byte)
		}
		if strings.Contains(r.Err.Error(), "x\"") || (c.code == Unscorable && !strings.Contains(r.Err.Message, "probe (Probe)")) {
			t.Errorf("%s: message %q", c.value, r.Err.Error())
		}
	}
}

func TestMappingErrorsNameTheKey(t *testing.T) {
	p, specs := newProbe(t)
	for want, m := range map[string]Mapping{
		"event.fields.amuont":         {Fields: map[string]Field{"amuont": {}}},
		"did you mean amount":         {Fields: map[string]Field{"Amount": {}}},
		"event.fields.amount.type":    {Fields: map[string]Field{"amount": {Type: "money"}}},
		"event.fields.amount.path":    {Fields: map[string]Field{"amount": {Path: "a..b"}}},
		"event.fields.amount.scale":   {Fields: map[string]Field{"amount": {Scale: 2}}},
		"event.fields.single.scale":   {Fields: map[string]Field{"single": {Type: "decimal", Scale: 1000}}},
		"event.fields.amount.default": {Fields: map[string]Field{"amount": {Default: "GB"}}},
		"event.fields.flag.default":   {Fields: map[string]Field{"flag": {Default: 2}}},
		"event.fields.country.type":   {Fields: map[string]Field{"country": {Type: "decimal"}}},
		"event.fields.mcc.type":       {Fields: map[string]Field{"mcc": {Type: "bool_text"}}},
		"event.fields.amount.map":     {Fields: map[string]Field{"amount": {Map: map[string]bool{"Y": true}}}},
		"event.fields.amount.absent":  {Fields: map[string]Field{"amount": {Absent: "never"}}},
		"event.id.path":               {ID: Field{Path: "["}},
		"event.id: only path":         {ID: Field{Type: "decimal"}},
		"event.time.path":             {Time: TimeField{Path: "."}},
		"event.time.type":             {Time: TimeField{Type: "unix"}},
		"event.time.layout":           {Time: TimeField{Type: "layout", Layout: "yyyy"}},
		"set type to layout":          {Time: TimeField{Layout: "2006"}},
		"event.where.path":            {Where: &Where{In: []any{1}}},
		"event.where.in: no values":   {Where: &Where{Path: "a"}},
		"event.where.in: [1]":         {Where: &Where{Path: "a", In: []any{[]int{1}}}},
	} {
		if _, err := newSchema(p, specs, m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v does not say %q", m, err, want)
		}
	}
	if _, err := newSchema(p, specs[1:], Mapping{}); err == nil {
		t.Error("a feature too few is accepted")
	}
}

func TestMappedFields(t *testing.T) {
	s := newProbeScorer(t, Mapping{
		ID: Field{Path: "head.id"}, Time: TimeField{Path: "head.at", Type: "epoch_ms"},
		Fields: map[string]Field{
			"amount":  {Path: `"DE.4"`, Type: "integer_text", Scale: 2},
			"single":  {Path: `"DE.4"`, Type: "decimal"},
			"flag":    {Path: "pos.pin", Type: "bool_text", Map: map[string]bool{"Y": true, "N": false}},
			"country": {Path: "card.countries[1]", Default: "US"},
			"mcc":     {Default: 5411},
			"chip":    {Absent: "reject"},
			"needed":  {Path: "cents", Type: "debezium_decimal", Scale: 2, Default: 3.5},
		},
	})
	r := scoreOne(s, `{"head":{"id":12345678901234567890,"at":1700000000123.5},"DE.4":"000000001999","pos":{"pin":"Y"},`+
		`"card":{"countries":["FR","GB"]},"mcc":null,"chip":true,"cents":"B88="}`)
	want := []float64{19.99, 1999, 1, 0, 5411, 1, program.Missing, 19.99, program.Missing}
	if r.Outcome != Decided || !slices.EqualFunc(r.X, want, same) {
		t.Errorf("%+v: x is %v, want %v", r.Err, r.X, want)
	}
	if id := string(r.Decision.TransactionID); id != "12345678901234567890" || r.Time != 1700000000123500000 {
		t.Errorf("id %s, time %d", id, r.Time)
	}
	r = scoreOne(s, `{"pos":{"pin":"y"},"chip":null}`)
	want = []float64{program.Missing, program.Missing, math.Inf(1), 1, 5411, program.Missing, program.Missing, 3.5, program.Missing}
	if r.Err.Code != WrongType || r.Err.Field != "flag" || !slices.EqualFunc(r.X, want, same) {
		t.Errorf("%+v: x is %v, want %v", r.Err, r.X, want)
	}
	if r.Decision.TransactionID != nil || r.Time != 1_000_000_000 {
		t.Errorf("id %s, time %d", r.Decision.TransactionID, r.Time)
	}
	if r = scoreOne(s, `{}`); r.Err.Code != MissingField || r.Err.Field != "chip" || r.Err.Message != "the field is absent" {
		t.Errorf("absent: reject gives %+v", r.Err)
	}
	if r = scoreOne(s, `{"card":"GB","chip":null}`); r.Err.Code != WrongType || r.Err.Field != "country" {
		t.Errorf("a path through a string gives %+v", r.Err)
	}
	// A feature without a path is the field of its own name, dots and all.
	p := newLogistic(t, []string{"de.4"})
	dotted := newTestScorer(t, p, numericSpecs([]string{"de.4"}), Mapping{})
	if r = scoreOne(dotted, `{"de.4":1,"de":{"4":2}}`); r.Outcome != Decided || r.X[0] != 1 {
		t.Errorf("%+v: x is %v", r.Err, r.X)
	}
}

// A missing category is NaN to the monitor, and to the pipeline what it was in training.
func TestNoneReachesThePipeline(t *testing.T) {
	specs := []featureSpec{{Name: "none", Categorical: true, NoneIsMissing: true}, {Name: "nan", Categorical: true}}
	for i, want := range []float64{program.None, program.Missing} {
		b, err := program.NewBuilder([]string{"none", "nan"}, []bool{true, false})
		if err != nil {
			t.Fatal(err)
		}
		for column := range 2 {
			b.Categorical(program.Reg(column))
			b.Lookup(program.Reg(column), []program.Constant{text1("x")})
		}
		seen := &recorder{column: i}
		b.Add("recorder", seen)
		p, err := b.Finish(program.Outputs{})
		if err != nil {
			t.Fatal(err)
		}
		s := newTestScorer(t, p, specs, Mapping{})
		if r := scoreOne(s, "{}"); !math.IsNaN(r.X[i]) || !same(seen.value, want) {
			t.Errorf("%s: the monitor sees %v, the pipeline %v, want %v", specs[i].Name, r.X[i], seen.value, want)
		}
		seen.value = 7
		if _, _, err := s.scoreRow([]any{nil, nil}); err != nil || !same(seen.value, want) {
			t.Errorf("%s: a golden row gives %v, want %v (%v)", specs[i].Name, seen.value, want, err)
		}
	}
}

// recorder is a step that keeps what it meets in a column.
type recorder struct {
	column int
	value  float64
}

func (r *recorder) Run(f *program.Frame) {
	if f.Rows > 0 {
		r.value = f.Row(0)[r.column]
	}
}

func TestScoreRow(t *testing.T) {
	s := newProbeScorer(t, Mapping{Fields: map[string]Field{"amount": {Path: "x.y", Type: "decimal"}}})
	row := []any{0.25, 0.1, true, "GB", 5411.0, false, "1", 1.0, nil}
	if score, class, err := s.scoreRow(row); score != 0.25 || class != 1 || err != nil {
		t.Errorf("score %v, class %d, error %v", score, class, err)
	}
	for i, bad := range []any{"x", true, "1", 1.0, "5411", 1.0, []any{}, nil, false} {
		wrong := slices.Clone(row)
		wrong[i] = bad
		if _, _, err := s.scoreRow(wrong); err == nil || err.Field != probeSpecs[i].Name {
			t.Errorf("%v in %s: error %v", bad, probeSpecs[i].Name, err)
		}
	}
	row[0] = 13.0
	if _, _, err := s.scoreRow(row); err == nil || err.Code != Unscorable {
		t.Errorf("a fault of the pipeline gives %v", err)
	}
}

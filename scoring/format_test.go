package scoring

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sample is a message in the form that a connector or a producer gives it. The samples were written by hand after the forms
// that Debezium and CloudEvents publish; none was recorded from a running connector.
func sample(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "events", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "\n")
}

// payments maps the fields of the samples; amounts are text, or the bytes of a DECIMAL(12,2).
func payments(format, amount string) Mapping {
	scale := 0
	if amount == "debezium_decimal" {
		scale = 2
	}
	return Mapping{
		Format: format, ID: Field{Path: "id"}, Time: TimeField{Path: "booked_at", Type: "epoch_us"},
		Fields: map[string]Field{"amount": {Type: amount, Scale: scale}, "needed": {Default: 0}},
	}
}

// scoreContent scores one event with what headers say of it.
func scoreContent(s *Scorer, value string, c Content) *Result {
	b := s.NewBatch(1)
	b.Events = append(b.Events, Event{Value: []byte(value), Content: c, Origin: Origin{Row: 1}})
	s.Score(b)
	return &b.Results[0]
}

const schemaID = "\x00\x00\x00\x00\x07"

// TestWholeMessages reads whole messages of each format: the place of the fields changes nothing of what is read.
func TestWholeMessages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mapping Mapping
		value   string
		content Content
		id      string
		amount  float64
		country string
		micros  int64
	}{
		"Debezium with the schema":          {payments("debezium", "debezium_decimal"), sample(t, "debezium_schema.json"), Untold, "90071992547409931", 512.07, "GB", 0},
		"Debezium without the schema":       {payments("debezium", "decimal"), sample(t, "debezium_plain.json"), Untold, "7", 512.07, "US", 0},
		"Debezium, framed":                  {payments("debezium", "decimal"), schemaID + sample(t, "debezium_plain.json"), Untold, "7", 512.07, "US", 0},
		"CloudEvent in structured mode":     {payments("cloudevents", "decimal"), sample(t, "cloudevent_structured.json"), Structured, `"t-77"`, 512.07, "GB", 0},
		"CloudEvent in base64":              {payments("cloudevents", "decimal"), sample(t, "cloudevent_base64.json"), Structured, `"t-78"`, -0.5, "US", 1},
		"CloudEvent in binary mode":         {payments("cloudevents", "decimal"), sample(t, "cloudevent_data.json"), Binary, `"t-78"`, -0.5, "US", 1},
		"CloudEvent in binary mode, framed": {payments("cloudevents", "decimal"), schemaID + sample(t, "cloudevent_data.json"), Binary, `"t-78"`, -0.5, "US", 1},
		"plain":                             {payments("json", "decimal"), sample(t, "cloudevent_data.json"), Untold, `"t-78"`, -0.5, "US", 1},
		"plain, framed":                     {payments("", "decimal"), schemaID + sample(t, "cloudevent_data.json"), Untold, `"t-78"`, -0.5, "US", 1},
	} {
		s := newProbeScorer(t, c.mapping)
		r := scoreContent(s, c.value, c.content)
		if r.Outcome != Decided {
			t.Errorf("%s: %v", name, r.Err.Error())
			continue
		}
		if got := string(r.Decision.TransactionID); got != c.id || r.X[0] != c.amount || r.Decision.Score != c.amount {
			t.Errorf("%s: id %s, amount %v, score %v", name, got, r.X[0], r.Decision.Score)
		}
		plain := scoreContent(newProbeScorer(t, Mapping{}), with(`"amount":1,"country":"`+c.country+`"`), Untold)
		if r.X[3] != plain.X[3] {
			t.Errorf("%s: the country is read as %v, that of a plain event as %v", name, r.X[3], plain.X[3])
		}
		if want := (1795342500000000 + c.micros) * 1000; !r.Decision.HasTime || r.Time != want {
			t.Errorf("%s: time %d, want %d", name, r.Time, want)
		}
	}
}

// TestFormatsRefuse has, of each envelope, what can be wrong with it.
func TestFormatsRefuse(t *testing.T) {
	t.Parallel()
	const row = `{"amount":1,"needed":0}`
	encode := func(s string) string {
		return `{"specversion":"1.0","data_base64":"` + base64.StdEncoding.EncodeToString([]byte(s)) + `"}`
	}
	for _, c := range []struct {
		format, value string
		content       Content
		code          Code
		field         string
	}{
		{"debezium", `{"payload":{"after":` + row + `,"op":"c"}}`, Untold, "", ""},
		{"debezium", `{"op":"c","after":` + row + `}`, Untold, "", ""},
		{"debezium", `{"payload":{"op":"\u0063","after":` + row + `},"schema":null}`, Untold, "", ""},
		{"debezium", row, Untold, MissingField, "op"},
		{"debezium", `{"payload":` + row + `}`, Untold, MissingField, "payload.op"},
		{"debezium", `{"after":` + row + `,"op":null}`, Untold, MissingField, "op"},
		{"debezium", `{"after":` + row + `,"op":"x"}`, Untold, WrongType, "op"},
		{"debezium", `{"after":` + row + `,"op":"create"}`, Untold, WrongType, "op"},
		{"debezium", `{"after":` + row + `,"op":1}`, Untold, WrongType, "op"},
		{"debezium", `{"after":null,"op":"c"}`, Untold, MissingField, "after"},
		{"debezium", `{"payload":{"op":"r"}}`, Untold, MissingField, "payload.after"},
		{"debezium", `{"after":"x","op":"c"}`, Untold, WrongType, "after"},
		{"debezium", `{"payload":"x"}`, Untold, WrongType, "payload"},
		{"debezium", `{"payload":{"after":` + row + `,"op":"c"},"after":` + row + `}`, Untold, WrongType, "payload"},
		{"debezium", `{"after":{"amount":1},"op":"c"}`, Untold, MissingField, "needed"},
		{"debezium", `{"after":{"amount":1},"op":"c"`, Untold, BadJSON, ""},
		{"debezium", `{"after":{"amount":1},"op":"d","op":"c"}`, Untold, DuplicateKey, ""},
		{"debezium", `[]`, Untold, WrongType, ""},
		{"debezium", schemaID + "\x02\x04", Untold, UnknownSchema, ""},
		{"cloudevents", row, Binary, "", ""},
		{"cloudevents", row, Untold, MissingField, "ce_specversion"},
		{"cloudevents", row, Foreign, UnknownSchema, ""},
		{"cloudevents", row, Structured, MissingField, "specversion"},
		{"cloudevents", `{"specversion":"0.3","data":` + row + `}`, Structured, UnknownSchema, ""},
		{"cloudevents", `{"specversion":1.0,"data":` + row + `}`, Structured, UnknownSchema, ""},
		{"cloudevents", `{"specversion":"1.0","datacontenttype":"application/avro","data":` + row + `}`, Structured, UnknownSchema, ""},
		{"cloudevents", `{"specversion":"1.0","datacontenttype":"application/vnd.bank+JSON","data":` + row + `}`, Structured, "", ""},
		{"cloudevents", `{"specversion":"1.0"}`, Structured, MissingField, "data"},
		{"cloudevents", `{"specversion":"1.0","data":null}`, Structured, MissingField, "data"},
		{"cloudevents", `{"specversion":"1.0","data":"{}"}`, Structured, WrongType, "data"},
		{"cloudevents", `{"specversion":"1.0","data":{"amount":"x"}}`, Structured, WrongType, "amount"},
		{"cloudevents", `{"specversion":"1.0","data":` + row + `,"data_base64":"e30="}`, Structured, WrongType, "data_base64"},
		{"cloudevents", `{"specversion":"1.0","data_base64":"e30"}`, Structured, WrongType, "data_base64"},
		{"cloudevents", `{"specversion":"1.0","data_base64":7}`, Structured, WrongType, "data_base64"},
		{"cloudevents", encode(row), Structured, "", ""},
		{"cloudevents", encode(row[1:]), Structured, BadJSON, "data_base64"},
		{"cloudevents", encode(`[` + row + `]`), Structured, WrongType, "data_base64"},
		{"cloudevents", encode(`{"amount":1,"needed":0,"x":1e999}`), Structured, NonFinite, ""},
		{"cloudevents", `{"specversion":"1.0","data":`, Structured, BadJSON, ""},
		{"cloudevents", "", Binary, Empty, ""},
		{"cloudevents", schemaID + "\x02\x04", Binary, UnknownSchema, ""},
		{"json", `{"after":` + row + `,"op":"c"}`, Structured, MissingField, "needed"},
	} {
		r := scoreContent(newProbeScorer(t, Mapping{Format: c.format}), c.value, c.content)
		if r.Outcome == Skipped || r.Err.Code != c.code || r.Err.Field != c.field || (r.Outcome == Decided) != (c.code == "") {
			t.Errorf("%s %s: %v %s %s, want %s %s", c.format, c.value, r.Outcome, r.Err.Code, r.Err.Field, c.code, c.field)
		}
		if c.code == UnknownSchema && !strings.Contains(r.Err.Message, "Avro and Protobuf") {
			t.Errorf("%s: the message is %q", c.value, r.Err.Message)
		}
		if strings.HasPrefix(c.field, "data_base64") && r.Err.Byte != 0 {
			t.Errorf("%s: byte %d is none of the value", c.value, r.Err.Byte)
		}
	}
	if _, err := newSchemaOf(t, Mapping{Format: "avro"}); err == nil || !strings.Contains(err.Error(), `event.format: "avro" is none of`) {
		t.Errorf("another format: %v", err)
	}
}

func newSchemaOf(t *testing.T, m Mapping) (*Schema, error) {
	p, specs := newProbe(t)
	return newSchema(p, specs, m)
}

func TestSkippedRows(t *testing.T) {
	t.Parallel()
	const before = `"before":{"amount":1,"needed":0}`
	m := Mapping{Format: "debezium", Where: &Where{Path: "amount", In: []any{2}}}
	for value, want := range map[string]Skip{
		"":                               SkipTombstone,
		`{"schema":null,"payload":null}`: SkipTombstone,
		`{` + before + `,"after":{"amount":2,"needed":0},"op":"u"}`:                         SkipUpdate,
		`{"payload":{` + before + `,"after":null,"op":"d"}}`:                                SkipDelete,
		`{"op":"t","source":{"table":"payments"}}`:                                          SkipTruncate,
		`{"op":"m","message":{"prefix":"p","content":"AA=="},"source":{"lsn":7,"x":1e999}}`: SkipMessage,
		`{"op":"c","after":{"amount":1}}`:                                                   SkipWhere,
	} {
		r := scoreContent(newProbeScorer(t, m), value, Untold)
		if r.Outcome != Skipped || r.Skip != want {
			t.Errorf("%s: %v %v (%s), want %v", value, r.Outcome, r.Skip, r.Err.Error(), want)
		}
	}
	if r := scoreContent(newProbeScorer(t, Mapping{}), "", Untold); r.Err.Code != Empty {
		t.Errorf("a tombstone among plain events is %v", r.Err.Code)
	}
	for why := range Skips {
		if Skip(why).String() == "" {
			t.Errorf("reason %d has no word", why)
		}
	}
}

func TestContentOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		media, version string
		want           Content
	}{
		{"", "", Untold},
		{"application/json", "", Untold},
		{"application/cloudevents+json; charset=UTF-8", "", Structured},
		{"Application/CloudEvents+JSON", "1.0", Structured},
		{"application/cloudevents+avro", "1.0", Foreign},
		{"application/cloudevents-batch+json", "", Foreign},
		{"", "1.0", Binary},
		{"application/json;charset=utf-8", "1.0", Binary},
		{"text/json", "1.0", Binary},
		{"application/vnd.bank.payment+json", "1.0", Binary},
		{"application/avro", "1.0", Foreign},
		{"application/x+jso", "1.0", Foreign},
		{"application/json", "0.3", Foreign},
	} {
		var version []byte
		if c.version != "" {
			version = []byte(c.version)
		}
		if got := ContentOf([]byte(c.media), version); got != c.want {
			t.Errorf("%q %q is %v, want %v", c.media, c.version, got, c.want)
		}
	}
}

// Views into what was decoded from base64 stay valid for as long as the results do, however many events a batch has.
func TestDecodedDataStays(t *testing.T) {
	t.Parallel()
	s := newProbeScorer(t, payments("cloudevents", "decimal"))
	b := s.NewBatch(1)
	for range 300 {
		b.Events = append(b.Events, Event{Value: []byte(sample(t, "cloudevent_base64.json")), Content: Structured})
		b.Events = append(b.Events, Event{Value: []byte(sample(t, "cloudevent_structured.json")), Content: Structured})
	}
	s.Score(b)
	for i, want := range []string{`"t-78"`, `"t-77"`} {
		for n := i; n < len(b.Results); n += 2 {
			if got := string(b.Results[n].Decision.TransactionID); got != want {
				t.Fatalf("the id of event %d is %s", n, got)
			}
		}
	}
}

// No format costs an allocation for an event.
func TestFormatsDoNotAllocate(t *testing.T) {
	for name, c := range map[string]struct {
		mapping Mapping
		file    string
		content Content
	}{
		"debezium":   {payments("debezium", "debezium_decimal"), "debezium_schema.json", Untold},
		"structured": {payments("cloudevents", "decimal"), "cloudevent_structured.json", Structured},
		"base64":     {payments("cloudevents", "decimal"), "cloudevent_base64.json", Structured},
	} {
		s := newProbeScorer(t, c.mapping)
		b := s.NewBatch(64)
		for range 64 {
			b.Events = append(b.Events, Event{Value: []byte(sample(t, c.file)), Content: c.content})
		}
		s.Score(b)
		if n := testing.AllocsPerRun(10, func() { s.Score(b) }); n > 0 {
			t.Errorf("%s: %v allocations for a batch", name, n)
		}
		if slices.ContainsFunc(b.Results, func(r Result) bool { return r.Outcome != Decided }) {
			t.Errorf("%s: not all are decided", name)
		}
	}
}

// FuzzFormats looks for a value that breaks the reading of an envelope, or of which an envelope makes another event than
// its data alone is.
func FuzzFormats(f *testing.F) {
	for _, name := range []string{"debezium_schema.json", "debezium_plain.json", "cloudevent_structured.json", "cloudevent_base64.json", "cloudevent_data.json"} {
		f.Add([]byte(sample(f, name)))
	}
	f.Add([]byte(schemaID + `{"payload":null}`))
	plain := newProbeScorer(f, Mapping{})
	row, event := newProbeScorer(f, Mapping{Format: "debezium"}), newProbeScorer(f, Mapping{Format: "cloudevents"})
	f.Fuzz(func(t *testing.T, value []byte) {
		for _, content := range []Content{Untold, Structured, Binary, Foreign} {
			scoreContent(row, string(value), content)
			scoreContent(event, string(value), content)
		}
		alone := scoreContent(plain, string(value), Untold)
		if alone.Outcome != Decided {
			return
		}
		if _, body, framed := strings.Cut(string(value), "\x00"); framed {
			value = []byte(body[4:])
		}
		for _, wrapped := range []*Result{
			scoreContent(row, `{"after":`+string(value)+`,"op":"c"}`, Untold),
			scoreContent(row, `{"payload":{"op":"r","after":`+string(value)+`}}`, Untold),
			scoreContent(event, `{"data":`+string(value)+`,"specversion":"1.0"}`, Structured),
		} {
			if wrapped.Err.Code == TooDeep || wrapped.Err.Code == TooLarge {
				continue
			}
			if wrapped.Outcome != Decided || !same(wrapped.Decision.Score, alone.Decision.Score) ||
				string(wrapped.Decision.TransactionID) != string(alone.Decision.TransactionID) || wrapped.Time != alone.Time {
				t.Errorf("%s in an envelope: %+v, alone %+v", value, wrapped, alone)
			}
		}
	})
}

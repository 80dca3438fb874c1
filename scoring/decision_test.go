package scoring

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"fraudstream/scoring/program"
	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

func TestDecisionBytes(t *testing.T) {
	p, specs := newProbe(t)
	schema, err := newSchema(p, specs, Mapping{})
	if err != nil {
		t.Fatal(err)
	}
	const model = `,"model":{"name":"card-fraud","version":"2026-11-01","sha256":"9f2c"}`
	const none = `,"reasons":[],"reason_method":"none"`
	both := Thresholds{Review: new(0.3), Block: new(0.8)}
	topic := Origin{Topic: "transactions", Partition: 3, Offset: 1042}
	for _, c := range []struct {
		name       string
		thresholds Thresholds
		from       string
		low        bool
		origin     Origin
		timestamp  int64
		value      string
		want       string
	}{
		{
			"contract", both, "bundle", false, topic, 5, `{"transaction_id":"t-77","amount":0.9312,"event_time":"2026-11-22T10:15:00Z","needed":0}`,
			`{"decision_id":"transactions/3/1042","transaction_id":"t-77","score":0.9312,"predicted":1,"is_fraud":true,"decision":"block",` +
				`"thresholds":{"review":0.3,"block":0.8,"from":"bundle"}` + none + model +
				`,"event_time":"2026-11-22T10:15:00Z","source":{"topic":"transactions","partition":3,"offset":1042}}`,
		},
		{
			"number id, record time", both, "config", false, topic, 1795342500123, `{"transaction_id":12345678901234567890.50e1,"amount":0.3,"needed":0}`,
			`{"decision_id":"transactions/3/1042","transaction_id":12345678901234567890.50e1,"score":0.3,"predicted":1,"is_fraud":false,"decision":"review",` +
				`"thresholds":{"review":0.3,"block":0.8,"from":"config"}` + none + model +
				`,"event_time":"2026-11-22T10:15:00.123Z","source":{"topic":"transactions","partition":3,"offset":1042}}`,
		},
		{
			"file, no thresholds",
			Thresholds{},
			"bundle", false,
			Origin{Row: 7},
			0, `{"transaction_id":null,"amount":1e-7,"needed":0}`,
			`{"decision_id":"row/7","transaction_id":"row/7","score":1e-07,"predicted":1,"is_fraud":true,"decision":"block"` + none + model +
				`,"event_time":null,"source":{"row":7}}`,
		},
		{
			"request, one threshold, low",
			Thresholds{Review: new(-0.1)},
			"bundle", true,
			Origin{Request: "a\"é", Index: 2},
			0, `{"amount":-0.1,"needed":0}`,
			`{"decision_id":"http/a\"é/2","transaction_id":"http/a\"é/2","score":-0.1,"predicted":1,"is_fraud":false,"decision":"review",` +
				`"thresholds":{"review":-0.1,"from":"bundle"}` + none + model + `,"event_time":null}`,
		},
	} {
		s := newScorer(p, schema, testBundle, c.thresholds, c.from, c.low)
		b := s.NewBatch(1)
		b.Events = append(b.Events, Event{Value: []byte(c.value), Timestamp: c.timestamp, Origin: c.origin})
		s.Score(b)
		got := string(b.Results[0].Decision.AppendJSON([]byte("x")))
		want := c.want
		if c.name[0] == 'r' {
			want = strings.ReplaceAll(want, `a"é`, `a\"é`)
		}
		if got != "x"+want {
			t.Errorf("%s:\n got %s\nwant x%s", c.name, got, want)
		}
		if !jsontext.Value(got[1:]).IsValid() {
			t.Errorf("%s: no strict JSON", c.name)
		}
	}
}

func TestClassLabels(t *testing.T) {
	p, specs := newProbe(t)
	schema, err := newSchema(p, specs, Mapping{})
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]program.Constant{
		"-1": number1(-1), "1": number1(1), "0.5": number1(0.5), "true": bool1(1), `"fr\"aud"`: text1(`fr"aud`), "null": {},
	} {
		p.Classes = []program.Constant{number1(0), c}
		if want == "null" {
			p.Classes = nil
		}
		s := newScorer(p, schema, testBundle, Thresholds{}, "bundle", false)
		var d struct{ Predicted json.RawMessage }
		got := scoreOne(s, with(`"amount":0.5`)).Decision.AppendJSON(nil)
		if err := json.Unmarshal(got, &d); err != nil || string(d.Predicted) != want {
			t.Errorf("%s: predicted is %s, want %s (%v)", got, d.Predicted, want, err)
		}
	}
}

func TestNumbersReadBackBitForBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := rapid.Float64().Draw(t, "score")
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return
		}
		text := appendFloat(nil, f)
		var back float64
		if err := json.Unmarshal(text, &back); err != nil || math.Float64bits(back) != math.Float64bits(f) {
			t.Fatalf("%v is written %s and read %v (%v)", f, text, back, err)
		}
	})
}

func TestStringsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		var back string
		if err := json.Unmarshal(appendString(nil, s), &back); err != nil || back != s {
			t.Fatalf("%q is read back as %q (%v)", s, back, err)
		}
	})
}

func TestDecideIsMonotone(t *testing.T) {
	cuts := rapid.Ptr(rapid.Float64Range(-2, 2), true)
	rapid.Check(t, func(t *rapid.T) {
		th := Thresholds{Review: cuts.Draw(t, "review"), Block: cuts.Draw(t, "block")}
		a, b := rapid.Float64Range(-3, 3).Draw(t, "a"), rapid.Float64Range(-3, 3).Draw(t, "b")
		a, b = min(a, b), max(a, b)
		if th.Decide(a, false) > th.Decide(b, false) || th.Decide(a, true) < th.Decide(b, true) {
			t.Fatalf("verdicts on %v and %v are out of order", a, b)
		}
		if th.Block != nil && (th.Decide(*th.Block, false) != Block || th.Decide(*th.Block, true) != Block) {
			t.Fatal("the threshold itself does not block")
		}
	})
}

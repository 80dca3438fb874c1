package deadletter

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"

	"fraudstream/consumer/recordbatch"
)

func TestRedactedValues(t *testing.T) {
	r := NewRedactor([]string{"transaction_id", "card.country", "items.sku"})
	for _, c := range []struct{ value, want string }{
		{`{"transaction_id":"t-77","amount":1250.50,"pan":"4111 1111 1111 1111"}`, `{"transaction_id":"t-77","amount":9999.99,"pan":"9999 9999 9999 9999"}`},
		{`{"card":{"country":"GB","name":"Müller, Ann"},"vip":true,"x":null}`, `{"card":{"country":"GB","name":"Xxxxxx, Xxx"},"vip":false,"x":null}`},
		{`{"country":"GB"}`, `{"country":"XX"}`}, // another path
		{`{"items":[{"sku":"A1","n":-3e-2},["b2"]]}`, `{"items":[{"sku":"A1","n":-9e-9},["x9"]]}`},
		{`{"a":1,"a":"x2"}`, `{"a":9,"a":"x9"}`},
		{`{"by_card":{"4111111111111111":1},"de4":7}`, `{"by_card":{"9999999999999999":9},"de4":9}`},
		{`[1, "a"]`, `[9,"x"]`},
		{`"plain"`, `"xxxxx"`},
		{`{"transaction_id":"t-77","amount":`, `{"xxxxxxxxxxx_xx":"x-99","xxxxxx":`},
		{`{"a":1} {"b":2}`, `{"x":9} {"x":9}`},
		{"\xff\x00a", "??x"},
		{"", ""},
	} {
		if got := string(r.Value([]byte(c.value))); got != c.want {
			t.Errorf("%s\n gave %s\n want %s", c.value, got, c.want)
		}
	}
	if r.Value(nil) != nil || r.Key(nil) != nil || string(r.Key([]byte("card-4111"))) != "xxxx-9999" {
		t.Error("keys, and what is null")
	}
}

// Whatever an event holds, no letter and no digit of it is left, but in names; and JSON stays JSON of the same shape.
func TestNothingOfAnEventIsLeft(t *testing.T) {
	r := NewRedactor(nil)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		n := rapid.Float64().Draw(t, "n")
		if n-n != 0 {
			n = 0
		}
		value, err := json.Marshal(map[string]any{"k": text, "list": []any{n, map[string]any{"k": text}}})
		if err != nil {
			t.Fatal(err)
		}
		masked := r.Value(value)
		var got struct {
			K    string `json:"k"`
			List []any  `json:"list"`
		}
		if err := json.Unmarshal(masked, &got); err != nil && !strings.Contains(err.Error(), "cannot unmarshal number") {
			t.Fatalf("%s became %s: %v", value, masked, err)
		}
		for _, c := range got.K {
			if unicode.IsLetter(c) && c != 'x' && c != 'X' || unicode.IsDigit(c) && c != '9' {
				t.Fatalf("%q shows in %q", c, got.K)
			}
		}
		cut := value[:rapid.IntRange(0, len(value)-1).Draw(t, "cut")]
		for _, c := range string(r.Value(cut)) {
			if unicode.IsLetter(c) && c != 'x' && c != 'X' || unicode.IsDigit(c) && c != '9' {
				t.Fatalf("%q shows in the mask of %q", c, cut)
			}
		}
	})
}

func FuzzRedact(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":"c"}],"a":null}`))
	f.Add([]byte("{\"a\":\"\xff"))
	f.Fuzz(func(t *testing.T, value []byte) {
		masked := NewRedactor([]string{"keep"}).Value(value)
		if len(masked) > 2*len(value)+2 {
			t.Errorf("%d bytes became %d", len(value), len(masked))
		}
	})
}

func TestModes(t *testing.T) {
	for _, m := range []Mode{Raw, Redacted, Reference} {
		var back Mode
		if err := back.UnmarshalText([]byte(m.String())); err != nil || back != m {
			t.Errorf("%v became %v: %v", m, back, err)
		}
	}
	if err := new(Mode).UnmarshalText([]byte("none")); err == nil {
		t.Error("a mode that there is not")
	}
}

func record(offset int64, headers ...string) *recordbatch.Record {
	r := &recordbatch.Record{Offset: offset, Timestamp: 1_700_000_000_000, Value: []byte("v")}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Headers.AddText(headers[i], headers[i+1])
	}
	return r
}

func TestParse(t *testing.T) {
	l := Parse(3, record(9, "x", "y", HeaderTopic, "in", HeaderPartition, "2", HeaderOffset, "77", HeaderCode, "bad_json",
		HeaderField, "amount", HeaderMessage, "m", HeaderValue, "redacted"))
	if l.Source.String() != "in/2/77" || l.Code != "bad_json" || l.Field != "amount" || l.Message != "m" || l.Mode != Redacted ||
		l.Partition != 3 || l.Offset != 9 || l.Time.Unix() != 1_700_000_000 {
		t.Errorf("%+v", l)
	}
	strange := Parse(0, record(1, HeaderTopic, "in", HeaderPartition, "x", HeaderOffset, "-4"))
	if strange.Source.Known() || strange.Source.String() != "?" {
		t.Errorf("%+v", strange)
	}
	if l := Parse(0, record(1, HeaderValue, "omitted")); l.Mode != Reference {
		t.Errorf("%+v", l)
	}
	f := Filter{Codes: []string{"bad_json", "empty"}}
	if !f.Picks(&l) || f.Picks(&strange) || !new(Filter).Picks(&strange) {
		t.Error("the filter goes by the code")
	}
	if !IsErrorHeader([]byte(HeaderValue)) || !IsErrorHeader([]byte(HeaderTask)) || IsErrorHeader([]byte("traceparent")) {
		t.Error("which headers are the letter's")
	}
}

// model is Progress as a plain set.
type model map[string]map[int64]bool

// What ranges say is what a set of offsets would say, also after a way through the text.
func TestProgressIsASet(t *testing.T) {
	codes := []string{"a", "b"}
	rapid.Check(t, func(t *rapid.T) {
		var p Progress
		m := model{"a": {}, "b": {}}
		for range rapid.IntRange(0, 12).Draw(t, "steps") {
			from := rapid.Int64Range(0, 40).Draw(t, "from")
			to := from + rapid.Int64Range(0, 10).Draw(t, "length")
			var chosen []string
			switch rapid.IntRange(0, 2).Draw(t, "codes") {
			case 0:
				chosen = codes[:1]
			case 1:
				chosen = codes[1:]
			}
			p.Add(chosen, from, to, 0)
			for _, code := range codes {
				if chosen == nil || chosen[0] == code {
					for o := from; o < to; o++ {
						m[code][o] = true
					}
				}
			}
			back, err := ParseProgress(p.String())
			if err != nil {
				t.Fatalf("%q: %v", p, err)
			}
			p = back
		}
		for o := range int64(60) {
			for _, code := range codes {
				if p.Has(code, o) != m[code][o] {
					t.Fatalf("%q: Has(%s, %d) = %v", p, code, o, p.Has(code, o))
				}
			}
		}
	})
}

func TestProgressText(t *testing.T) {
	var p Progress
	p.Add([]string{"bad_json"}, 700, 900, 0)
	p.Add(nil, 0, 500, 0)
	p.Add(nil, 500, 600, 0)
	if got := p.String(); got != "*:0-600;bad_json:700-900" {
		t.Errorf("%q", got)
	}
	if p.End(0) != 600 || p.End(650) != 650 {
		t.Errorf("ends %d, %d", p.End(0), p.End(650))
	}
	p.Add(nil, 600, 1000, 300)
	if got := p.String(); got != "*:0-1000" {
		t.Errorf("a code within all codes: %q", got)
	}
	p.Add([]string{"empty"}, 2000, 2001, 1500)
	if got := p.String(); got != "empty:2000-2001" {
		t.Errorf("before the log: %q", got)
	}
	for _, bad := range []string{"x", ":1-2", "a:", "a:1", "a:2-1", "a:-1-2", "a:1-2,", ";", strings.Repeat("a", MaxText+1)} {
		if p, err := ParseProgress(bad); err == nil {
			t.Errorf("%.20q was read as %v", bad, p)
		}
	}
	for i := range int64(150) {
		p.Add([]string{"unknown_category"}, 10_000_000+20*i, 10_000_000+20*i+3, 0)
	}
	if n := len(p.String()); n > MaxText {
		t.Errorf("150 replays of one code take %d bytes", n)
	}
}

func ExampleRedactor() {
	r := NewRedactor([]string{"transaction_id"})
	fmt.Println(string(r.Value([]byte(`{"transaction_id":"t-77","amount":"12,50","pan":"4111111111111111"}`))))
	// Output: {"transaction_id":"t-77","amount":"99,99","pan":"9999999999999999"}
}

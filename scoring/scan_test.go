package scoring

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// testPaths is a scanner over the given paths, and the slot of each.
func testScanner(tb testing.TB, list ...string) (*scanner, []int32) {
	tb.Helper()
	var all [][]step
	for _, path := range list {
		steps, err := parsePath(path)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, steps)
	}
	p, slots := newPaths(all)
	return newScanner(p), slots
}

func keysJSON(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":%d`, i, i)
	}
	return "{" + strings.TrimPrefix(b.String(), ",") + "}"
}

// Every way in which a value can be no strict JSON, and the byte (from 0) that is blamed.
var grammarFaults = []struct {
	value string
	code  Code
	at    int
}{
	{"", Empty, 0},
	{" ", BadJSON, 1},
	{"{", BadJSON, 1},
	{"}", BadJSON, 0},
	{`{"a"}`, BadJSON, 4},
	{`{"a":}`, BadJSON, 5},
	{`{"a":1,}`, BadJSON, 7},
	{`{,"a":1}`, BadJSON, 1},
	{`{"a":1 "b":2}`, BadJSON, 7},
	{`{"a":1}{"a":1}`, BadJSON, 7},
	{`{"a":1}x`, BadJSON, 7},
	{"{\"a\":1}\x00", BadJSON, 7},
	{"\x00", BadJSON, 0},
	{"\ufeff{\"a\":1}", BadJSON, 0},
	{`{'a':1}`, BadJSON, 1},
	{`{a:1}`, BadJSON, 1},
	{`{"a":[1,]}`, BadJSON, 8},
	{`{"a":[1 2]}`, BadJSON, 8},
	{`{"a":[}`, BadJSON, 6},
	{`{"a":[1}`, BadJSON, 7},
	{`{"a":01}`, BadJSON, 6},
	{`{"a":-}`, BadJSON, 6},
	{`{"a":+1}`, BadJSON, 5},
	{`{"a":.5}`, BadJSON, 5},
	{`{"a":1.}`, BadJSON, 7},
	{`{"a":1e}`, BadJSON, 7},
	{`{"a":0x10}`, BadJSON, 6},
	{`{"a":NaN}`, BadJSON, 5},
	{`{"a":Infinity}`, BadJSON, 5},
	{`{"a":nul}`, BadJSON, 8},
	{`{"a":True}`, BadJSON, 5},
	{`{"a":truex}`, BadJSON, 9},
	{`{"a":"x}`, BadJSON, 8},
	{"{\"a\":\"\n\"}", BadJSON, 6},
	{"{\"a\":\"\x1f\"}", BadJSON, 6},
	{"{\"a\":\"abcdefghijklm\x01\"}", BadJSON, 19},
	{`{"a":"\x"}`, BadJSON, 7},
	{`{"a":"\u12g4"}`, BadJSON, 10},
	{"{\"a\":\"\\u\x10\x11\x12\x13\"}", BadJSON, 8},
	{`{"a":"\`, BadJSON, 7},
	{"{\"a\"\v:1}", BadJSON, 4},
	{"{\"a\":\u00a01}", BadJSON, 5},
	{"{\"a\":\"\xff\"}", BadUTF8, 6},
	{"{\"a\":\"\xc0\xaf\"}", BadUTF8, 6},
	{"{\"a\":\"\xed\xa0\x80\"}", BadUTF8, 6},
	{"{\"a\":\"\xf4\x90\x80\x80\"}", BadUTF8, 6},
	{"{\"a\":\"\xe2\x82", BadUTF8, 6},
	{"{\"\xff\":1}", BadUTF8, 2},
	{"\xff", BadUTF8, 0},
	{"{\"a\":1}\xfe", BadUTF8, 7},
	{`{"a":"\ud800"}`, BadUTF8, 6},
	{`{"a":"\udc00"}`, BadUTF8, 6},
	{`{"a":"\ud800A"}`, BadUTF8, 6},
	{`{"a":"\ud800\ud800"}`, BadUTF8, 6},
	{`{"a":"\udc00\udc00"}`, BadUTF8, 6},
	{`{"a":1,"a":2}`, DuplicateKey, 7},
	{`{"a":1,"\u0061":2}`, DuplicateKey, 7},
	{`{"\u0061":1,"a":2}`, DuplicateKey, 12},
	{`{"x":{"b":1,"c":2,"b":3}}`, DuplicateKey, 18},
	{`{"x":[{"b":1},{"b":1,"b":1}]}`, DuplicateKey, 21},
	{`{"":1,"":2}`, DuplicateKey, 6},
	{"[" + strings.Repeat("[", 31) + "1" + strings.Repeat("]", 32), "", 0},
	{"[" + strings.Repeat("[", 32) + "1" + strings.Repeat("]", 33), TooDeep, 32},
	{strings.Repeat(`{"a":`, 32) + "1" + strings.Repeat("}", 32), "", 0},
	{strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33), TooDeep, 160},
	{keysJSON(1024), "", 0},
	{keysJSON(1025), TooLarge, len(keysJSON(1024))},
	{`{"a":"` + strings.Repeat("x", 1<<20-8) + `"}`, "", 0},
	{`{"a":"` + strings.Repeat("x", 1<<20-7) + `"}`, TooLarge, 1 << 20},
	// Where several hold, the first byte decides, but for the size.
	{`{"a":1,"a":1` + "\xff", DuplicateKey, 7},
	{"{\"a\":\"\xff\",\"a\":1}", BadUTF8, 6},
	{`{"a":x,"a":1}`, BadJSON, 5},
	{strings.Repeat("x", 1<<20+1), TooLarge, 1 << 20},
	{"  {\"a\" :\t[ 1 , true,false ,null,\"\\ud83d\\ude00\u20ac\" ] }\r\n", "", 0},
	{`"x"`, "", 0},
	{`{"A":1,"a":2}`, "", 0},
	{`{}`, "", 0},
}

// Each fault is tried as it comes and after values whose shape it follows at first, since the short cut must not
// let through what the long way refuses.
func TestGrammar(t *testing.T) {
	s, _ := testScanner(t, "a", "b")
	for _, shape := range []string{"", `{"a":1}`, `{"a":1,"b":2}`} {
		for _, c := range grammarFaults {
			if shape != "" && !s.scan([]byte(shape)) {
				t.Fatalf("%s is refused: %s", shape, s.code)
			}
			ok := s.scan([]byte(c.value))
			if ok != (c.code == "") || s.code != c.code || s.at != c.at {
				t.Errorf("%.60q after %q: %q at %d, want %q at %d", c.value, shape, s.code, s.at, c.code, c.at)
			}
		}
	}
}

// A path finds the very bytes of its value, nothing where there is none, and says so where something else is in
// the way.
func TestPaths(t *testing.T) {
	const value = `{"amount":1.5,"DE.4":"000000001999","card":{"country":"GB","pan":null},"items":[{"p":7},[true,{"q":8}]],` +
		`"\u00e9":false,"":{"":9},"x":{"y":{"z":10}}}`
	for path, want := range map[string]string{
		"amount": "1.5", `"DE.4"`: `"000000001999"`, "card.country": `"GB"`, "card.pan": "null", "items[0].p": "7",
		"items[1][0]": "true", "items[1][1].q": "8", "é": "false", `"".""`: "9", "x.y.z": "10", `"x"."y".z`: "10",
		"card": `{"country":"GB","pan":null}`, "items": `[{"p":7},[true,{"q":8}]]`,
		"DE.4": "", "nothing": "", "items[2]": "", "items[0][0]": "blocked", "amount.x": "blocked", "amount[0]": "blocked",
		"card.country.code": "blocked", "card.pan.x": "", "items.p": "blocked",
	} {
		s, slots := testScanner(t, path, "amount", "items[1][1].q")
		if !s.scan([]byte(value)) {
			t.Fatalf("%s at %d", s.code, s.at)
		}
		got := s.tokens[slots[0]]
		switch {
		case want == "" && got.kind == absent, want == "blocked" && got.kind == blocked:
		case want == value[got.start:got.end] && want != "":
		default:
			t.Errorf("%s: %d %q, want %q", path, got.kind, value[got.start:got.end], want)
		}
	}
	for _, path := range []string{"", ".a", "a.", "a..b", `"a`, "a[", "a[x]", "a[-1]", "a]", `a"b"`, `"a"b`, "[0]", "a[1]b"} {
		if steps, err := parsePath(path); err == nil {
			t.Errorf("path %q is read as %v", path, steps)
		}
	}
}

// A number that no feature reads must be finite all the same: whoever reads the event next may stumble over it.
func TestNumbersOutsideThePaths(t *testing.T) {
	s, slots := testScanner(t, "a")
	for value, want := range map[string]int{
		`{"b":1e999}`: 5, `{"b":[1,-1e309]}`: 8, `{"b":1e308}`: -1, `{"a":1e999}`: -1, `{"b":0e999}`: -1, `{"b":1e-999}`: -1,
		`{"b":` + strings.Repeat("9", 310) + `}`: 5, `{"b":` + strings.Repeat("9", 308) + `}`: -1, `{"b":1.7976931348623159e308}`: 5,
	} {
		if !s.scan([]byte(value)) || s.infinite != want {
			t.Errorf("%.40s: %q, infinite at %d, want %d", value, s.code, s.infinite, want)
		}
	}
	if s.scan([]byte(`{"a":-1e400}`)); !math.IsInf(s.tokens[slots[0]].number, -1) {
		t.Error("an infinite number on a path is not marked")
	}
}

// drawValue draws JSON that repeats keys and shapes often.
func drawValue(t *rapid.T, depth int) string {
	switch k := rapid.IntRange(0, 9).Draw(t, "kind"); {
	case k < 4 || depth == 0:
		return rapid.SampledFrom([]string{"1", "-2.5e3", `"x"`, `"\u00e9\n"`, "true", "null", `"{\"a\":1}"`}).Draw(t, "leaf")
	case k < 8:
		var parts []string
		for range rapid.IntRange(0, 5).Draw(t, "keys") {
			key := rapid.SampledFrom([]string{"a", "b", "c", "abcdefghijk", "abcdefghijl", `\u0061`, "é", "", `"`, `\\`}).Draw(t, "key")
			if key == `"` {
				key = `\"`
			}
			parts = append(parts, `"`+key+`":`+drawValue(t, depth-1))
		}
		return "{" + strings.Join(parts, ",") + "}"
	default:
		var parts []string
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			parts = append(parts, drawValue(t, depth-1))
		}
		return "[" + strings.Join(parts, " , ") + "]"
	}
}

// What was scanned before must not matter: the remembered shape is a short cut and no more.
func TestShapeChangesNothing(t *testing.T) {
	paths := []string{"a", "b.a", "b.b", "c[0]", "c[1].a", "abcdefghijk", "abcdefghijl.a.b", "é", `"".a`}
	rapid.Check(t, func(t *rapid.T) {
		used, _ := testScanner(nopTB{}, paths...)
		var before string
		for range rapid.IntRange(1, 8).Draw(t, "events") {
			value := before
			switch rapid.IntRange(0, 3).Draw(t, "next") {
			case 0:
				value = drawValue(t, 4)
			case 1: // the same shape up to some place
				value = before[:rapid.IntRange(0, len(before)).Draw(t, "cut")] + drawValue(t, 2)
			case 2:
				value = strings.Replace(before, `"a"`, `"b"`, 1)
			}
			fresh, _ := testScanner(nopTB{}, paths...)
			a, b := used.scan([]byte(value)), fresh.scan([]byte(value))
			if a != b || used.code != fresh.code || used.at != fresh.at || !slices.Equal(used.tokens, fresh.tokens) {
				t.Fatalf("%q: after other events %v %q at %d, alone %v %q at %d", value, a, used.code, used.at, b, fresh.code, fresh.at)
			}
			if strict := jsontext.Value(value).IsValid(); b != strict && fresh.code != Empty {
				t.Fatalf("%q: accepted %v, by jsontext %v", value, b, strict)
			}
			before = value
		}
	})
}

// Pairs in which the second value looks like the first up to the point where taking its shape for granted would go wrong.
func TestShapeEndsWhereItMust(t *testing.T) {
	paths := []string{"a", "c[1].a", "abcdefghijk", "abcdefghijl"}
	for _, c := range []struct{ before, value string }{
		{`{"x":{"y":{"p":1},"p":2}}`, `{"x":{"y":{"p":1,"p":2}}}`}, // the same key, in another object
		{`{"x":[{"p":1},{"p":2}]}`, `{"x":[{"p":1,"p":2}]}`},       // likewise, in an array
		{`{"c":[1,{"a":5}]}`, `{"c":[{"a":5}]}`},                   // an object at another place of its array
		{`{"abcdefghijk":1}`, `{"abcdefghijl":1}`},                 // keys that differ after eight bytes
		{`{"abcdefghijk":1}`, `{"abcdefghij":1}`},                  //
		{`{"abcdefgh":1}`, `{"abcdefgh\u0000":1}`},                 //
		{`{"p":1,"q":2}`, `{"p":1,"r":3,"p":2}`},                   // a key twice, once before and once after the break
		{`{"p":1,"q":2}`, `{"p":1,"q":2,"p":3}`},                   // a key twice, beyond the end of the shape
		{`{"x":{"p":1},"q":2}`, `{"x":{"p":1,"q":2},"q":3,"x":4}`}, // likewise, across a closed object
		{`{"p":1,"\u0071":2,"r":3}`, `{"p":1,"\u0071":2,"q":3}`},   // an escaped key ends the shape
		{`{"a":1,"a":2}`, `{"a":1,"a":2}`},                         // a refused value teaches nothing
		{`{"p":1,"a":2,"a":3}`, `{"p":1,"a":2,"b":3}`},             //
	} {
		used, _ := testScanner(t, paths...)
		fresh, _ := testScanner(t, paths...)
		used.scan([]byte(c.before))
		a, b := used.scan([]byte(c.value)), fresh.scan([]byte(c.value))
		if a != b || used.code != fresh.code || used.at != fresh.at || !slices.Equal(used.tokens, fresh.tokens) {
			t.Errorf("%s after %s: %v %q at %d, alone %v %q at %d", c.value, c.before, a, used.code, used.at, b, fresh.code, fresh.at)
		}
		if b != jsontext.Value(c.value).IsValid() {
			t.Errorf("%s: accepted %v", c.value, b)
		}
	}
}

// nopTB lets helpers run inside of rapid.
type nopTB struct{ testing.TB }

func (nopTB) Helper() {}

// Duplicates hide best among many keys. The largest value that the limits allow must be scanned, its duplicate
// found, and the table must not keep what many small objects have left behind.
func TestHostileKeys(t *testing.T) {
	// 32 open objects of 1,024 keys each is the most that must be remembered at once.
	var b strings.Builder
	for depth := range 31 {
		b.WriteString("{")
		for i := range 1000 {
			b.WriteString(`"` + strconv.Itoa(i) + `":0,`)
		}
		b.WriteString(`"x` + strconv.Itoa(depth) + `":`)
	}
	value := b.String() + "{}" + strings.Repeat("}", 31)
	s, _ := testScanner(t, "a")
	for range 3 {
		if !s.scan([]byte(value)) {
			t.Fatalf("%s at %d of %d", s.code, s.at, len(value))
		}
	}
	twice := b.String() + `{"1":1,"1":1}` + strings.Repeat("}", 31)
	if s.scan([]byte(twice)) || s.code != DuplicateKey {
		t.Errorf("the duplicate in the innermost object is %q", s.code)
	}
	items := "[" + strings.Repeat(`{"a":1,"b":2},`, 50_000) + "{}]"
	if !s.scan([]byte(items)) || len(s.seen.table) > 1<<17 {
		t.Errorf("%q, and the table has %d places", s.code, len(s.seen.table))
	}
}

// Whatever came before and whatever comes, the scanner agrees with an independent strict reader, changes no
// byte of the value, and reads numbers and texts as that one does.
func FuzzScan(f *testing.F) {
	for _, c := range grammarFaults {
		if len(c.value) < 200 {
			f.Add([]byte(`{"a":1,"b":[{"a":"é"}]}`), []byte(c.value))
		}
	}
	f.Add([]byte(nil), []byte(`{"a":"\b\f\n\r\t\/\"\\\u00e9\uD83D\uDE00","\u0062":[{"a":"\u0000"},-12.50e-3]}`))
	f.Fuzz(func(t *testing.T, before, value []byte) {
		s, _ := testScanner(t, "a", "b[0].a", "b[1]")
		s.scan(before)
		copied := bytes.Clone(value)
		ok := s.scan(value)
		if !bytes.Equal(value, copied) {
			t.Fatal("the value was changed")
		}
		if s.code == TooDeep || s.code == TooLarge || s.code == Empty {
			return
		}
		if strict := jsontext.Value(value).IsValid(); ok != strict {
			t.Fatalf("%q: %v (%s at %d), jsontext %v", value, ok, s.code, s.at, strict)
		}
		for _, tok := range s.tokens {
			if ok && tok.kind == number {
				checkFloat(t, string(value[tok.start:tok.end]))
			}
			if ok && tok.kind == text {
				want, _ := jsontext.AppendUnquote(nil, value[tok.start:tok.end])
				if got := s.body(&tok); !bytes.Equal(got, want) {
					t.Fatalf("%q is %q, want %q", value[tok.start:tok.end], got, want)
				}
			}
		}
	})
}

package pickle

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
)

// TestLiterals has each literal of each protocol as its opcodes, and the value that Python gives for them.
func TestLiterals(t *testing.T) {
	huge, _ := new(big.Int).SetString("18446744073709551616", 10)
	for stream, want := range map[string]Value{
		"N.":                                 nil,
		"I01\n.":                             true,
		"I00\n.":                             false,
		"I1\n.":                              int64(1),
		"I-17\n.":                            int64(-17),
		"I18446744073709551616\n.":           huge,
		"L-5L\n.":                            int64(-5),
		"F-1.5e3\n.":                         -1500.0,
		"Finf\n.":                            math.Inf(1),
		"J\xff\xff\xff\xff.":                 int64(-1),
		"K\xff.":                             int64(255),
		"M\x00\x01.":                         int64(256),
		"G\x3f\xf8\x00\x00\x00\x00\x00\x00.": 1.5,
		"S'a\\'b\\n\\x41'\n.":                "a'b\nA",
		"S\"it's\"\n.":                       "it's",
		"Vcaf\xe9 \\u4e2d\\U0001f600\\n\n.":  "café 中😀\\n",
		"U\x02ab.":                           "ab",
		"T\x02\x00\x00\x00ab.":               "ab",
		"X\x02\x00\x00\x00\xc3\xa9.":         "é",
		"\x80\x02\x8a\x00.":                  int64(0),
		"\x80\x02\x8a\x02\x00\x80.":          int64(-32768),
		"\x80\x02\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\x01.": huge,
		"\x80\x02\x88.":          true,
		"\x80\x04\x8c\x01a\x94.": "a",
		"\x80\x03C\x02\x00\xff.": Bytes{0, 255},
		"\x80\x052K\x01.":        nil, // DUP of an empty stack
		"K\x01K\x020.":           int64(1),
		"K\x01(K\x02K\x031.":     int64(1),
		"K\x01p5\n0g5\n.":        int64(1),
	} {
		got, err := Decode([]byte(stream), Limits{})
		if stream == "\x80\x052K\x01." {
			if reasonOf(err) != ReasonCorrupt {
				t.Errorf("%q: %v", stream, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %#v, want %#v: %v", stream, got, want, err)
		}
	}
}

// TestStreamsRefused has one stream for each way to be wrong: cut off, without operands, with operands of
// another type, with a name in a place where it would act.
func TestStreamsRefused(t *testing.T) {
	for stream, want := range map[string]string{
		"":                     ReasonCorrupt,
		"N":                    ReasonTruncated,
		"N..":                  ReasonTrailingData,
		"I1_0\n.":              ReasonCorrupt,
		"F0x1p3\n.":            ReasonCorrupt,
		"S'a\n.":               ReasonCorrupt,
		"S'\\xff'\n.":          ReasonCorrupt,
		"V\\u12\n.":            ReasonCorrupt,
		"V\\ud800\n.":          ReasonCorrupt,
		"U\x01\xff.":           ReasonCorrupt,
		"h\x00.":               ReasonCorrupt,
		"K\x01q\x05h\x04.":     ReasonCorrupt,
		"Gabc":                 ReasonTruncated,
		"(K\x01K\x02t0":        ReasonTruncated,
		"]K\x01a(K\x02u.":      ReasonCorrupt,
		"K\x01(0K\x02a.":       ReasonCorrupt,
		"K\x01R.":              ReasonCorrupt,
		"K\x01K\x02R.":         ReasonCorrupt,
		"\x80\x02K\x01)\x81.":  ReasonCorrupt,
		"(i":                   ReasonCorrupt,
		"(K\x01o.":             ReasonCorrupt,
		"(cbuiltins\nlist\no.": ReasonForbiddenGlobal,
		"cnumpy\nlog1p\n)R.":   ReasonForbiddenGlobal,
		"cnumpy\nload\n.":      ReasonForbiddenGlobal,
		"\x80\x02\x82\x01.":    ReasonForbiddenOpcode,
		"\x80\x05\x97.":        ReasonForbiddenOpcode,
		"\x80\x02]}\x81.":      ReasonCorrupt,
		"cnumpy\ndtype\n(Vf8\ntRp0\n(I3\nV<\nNNNI-1\nI-1\nI0\ntbg0\n(I3\nV<\nNNNI-1\nI-1\nI0\ntb.": ReasonArrayDType, // two states
		"cnumpy\ndtype\n(Vf8\ntR.": ReasonCorrupt, // none
		"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntVb\ntR.": ReasonCorrupt,
		"cnumpy.core.multiarray\n_reconstruct\n(cbuiltins\nlist\n(I0\ntVb\ntR.": ReasonForbiddenGlobal,
	} {
		if _, err := Decode([]byte(stream), Limits{}); reasonOf(err) != want {
			t.Errorf("%q: %v, want %s", stream, err, want)
		}
	}
}

// TestOffset checks that an error points at the opcode that is at fault.
func TestOffset(t *testing.T) {
	for stream, want := range map[string]int64{
		"(K\x01cos\nsystem\n.": 3,
		"]K\x01a(K\x02u.":      7,
		"N..":                  2,
	} {
		_, err := Decode([]byte(stream), Limits{})
		if syntax, ok := errors.AsType[*SyntaxError](err); !ok || syntax.Offset != want {
			t.Errorf("%q: %v, want offset %d", stream, err, want)
		}
	}
}

// TestBudgets checks each budget on both sides of its edge.
func TestBudgets(t *testing.T) {
	many := strings.Repeat("N0", 100) + "N."
	if _, err := Decode([]byte(many), Limits{Objects: 200}); reasonOf(err) != ReasonBudget {
		t.Errorf("201 opcodes of 200: %v", err)
	}
	if _, err := Decode([]byte(many), Limits{Objects: 201}); err != nil {
		t.Errorf("201 opcodes of 201: %v", err)
	}
	memo := "N" + strings.Repeat("\x94", 50) + "."
	if _, err := Decode([]byte("\x80\x04"+memo), Limits{Memo: 49}); reasonOf(err) != ReasonBudget {
		t.Errorf("50 memo entries of 49: %v", err)
	}
	if _, err := Decode([]byte("N."), Limits{File: 1}); reasonOf(err) != ReasonBudget {
		t.Errorf("a file of 2 bytes where 1 is allowed: %v", err)
	}
}

// TestDepth stops what would exhaust the stack of whoever reads the graph by recursion.
func TestDepth(t *testing.T) {
	nested := func(n int) []byte { return []byte(strings.Repeat("]", n) + strings.Repeat("a", n-1) + ".") }
	if _, err := Decode(nested(10), Limits{Depth: 10}); err != nil {
		t.Errorf("10 lists where 10 are allowed: %v", err)
	}
	if _, err := Decode(nested(11), Limits{Depth: 10}); reasonOf(err) != ReasonDepth {
		t.Errorf("11 lists where 10 are allowed: %v", err)
	}
	// A list that was walked at a shallow place counts with its own depth where it is met again: 5 below 6 others.
	shared := "](" + "]]]]]aaaap0\n" + "g0\n" + strings.Repeat("]", 6)
	if _, err := Decode([]byte(shared+"g0\n"+strings.Repeat("a", 6)+"e."), Limits{Depth: 10}); reasonOf(err) != ReasonDepth {
		t.Errorf("a shared list below the limit: %v", err)
	}
}

// TestSharedReferences checks that sharing is counted as copies, and that harmless sharing passes.
func TestSharedReferences(t *testing.T) {
	harmless := "(K\x01K\x02K\x03tp0\n0](" + strings.Repeat("g0\n", 1000) + "e."
	if _, err := Decode([]byte(harmless), Limits{Expanded: 5010}); err != nil {
		t.Errorf("a tuple shared a thousand times: %v", err)
	}
	if _, err := Decode([]byte(harmless), Limits{Expanded: 3000}); reasonOf(err) != ReasonMemoBomb {
		t.Errorf("4001 values where 3000 are allowed: %v", err)
	}
	// The same text encoded again and again would cost a copy each time.
	text := "V" + strings.Repeat("a", 1000) + "\np0\nVlatin1\np1\nc_codecs\nencode\np2\n"
	again := text + "(" + strings.Repeat("g2\n(g0\ng1\ntR", 100) + "t."
	if _, err := Decode([]byte(again), Limits{}); reasonOf(err) != ReasonMemoBomb {
		t.Errorf("one text encoded a hundred times: %v", err)
	}
}

// TestWorkIsLinear checks that one long memoised value cannot be worked through again and again: each of these files
// would cost the square of its length.
func TestWorkIsLinear(t *testing.T) {
	long := strings.Repeat("a", 100_000)
	module := "\x80\x04Vsklearn." + long + "\np0\nVFoo\np1\n](" + strings.Repeat("h\x00h\x01\x93", 1000) + "e."
	key := "\x80\x04V" + long + "\np0\n}(" + strings.Repeat("h\x00N", 1000) + "u."
	fields := "\x80\x04(" + strings.Repeat("K\x01", 1000) + "tp0\n0}(" + numbered(1000) + "up1\n0cnumpy\ndtype\n(VV8\ntRp2\n0"
	for stream, want := range map[string]string{
		module: "no plain name",
		key:    "over and over",
		fields + "h\x02(I3\nV|\nNh\x00h\x01I-1\nI1\nI0\ntb.": "more than 128",
	} {
		if _, err := Decode([]byte(stream), Limits{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q…: %v, want: %s", stream, err, want)
		}
	}
}

// numbered writes n pairs of the keys 0 to n-1 and None.
func numbered(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, "I%d\nN", i)
	}
	return out.String()
}

// TestDict follows Python's rules for keys, also beyond the size at which the dict begins to keep an index.
func TestDict(t *testing.T) {
	d := &Dict{}
	for i := range 100 {
		d.set(int64(i%50), int64(i))
	}
	if d.Len() != 50 || d.Values[7] != int64(57) {
		t.Errorf("%d keys, value of 7 is %v", d.Len(), d.Values[7])
	}
	d.set("name", "x")
	if v, ok := d.Get("name"); !ok || v != "x" {
		t.Errorf("name: %v, %v", v, ok)
	}
	if _, ok := d.Get("other"); ok {
		t.Error("a key that was never set")
	}
	for _, key := range []Value{&List{}, &Dict{}, &Set{}, &Array{}} {
		if d.set(key, nil) {
			t.Errorf("a %T as a key", key)
		}
	}
	// Python: {1: 'a', True: 'b', 1.0: 'c'} has one key.
	one := &Dict{}
	one.set(int64(1), "a")
	one.set(true, "b")
	one.set(1.0, "c")
	if one.Len() != 1 || one.Values[0] != "c" {
		t.Errorf("%v", one)
	}
	var none *Dict
	if _, ok := none.Get("x"); ok || none.Len() != 0 {
		t.Error("a nil dict has entries")
	}
}

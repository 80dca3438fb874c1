package scoring

import (
	"encoding/base64"
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// readAs reads a JSON value as a field of the first feature of a probe, and says with which code. What the probe says
// of the number that was read is left out.
func readAs(s *Scorer, value string) (float64, Code) {
	r := scoreOne(s, with(`"single":0,"amount":`+value))
	if r.Err.Code == Unscorable || r.Err.Code == UnknownCategory {
		return r.X[0], ""
	}
	return r.X[0], r.Err.Code
}

func amountAs(tb testing.TB, f Field) *Scorer {
	return newProbeScorer(tb, Mapping{Fields: map[string]Field{"amount": f}})
}

func TestTextNumbers(t *testing.T) {
	for _, c := range []struct {
		kind  string
		scale int
		value string
		want  float64
		code  Code
	}{
		{"decimal", 0, `"19.99"`, 19.99, ""},
		{"decimal", 0, `"-0.10"`, -0.1, ""},
		{"decimal", 0, `"+5"`, 5, ""},
		{"decimal", 0, `"0005.50"`, 5.5, ""},
		{"decimal", 0, `"1E+3"`, 1000, ""},
		{"decimal", 3, `"1e3"`, 1, ""},
		{"decimal", -2, `"19.99"`, 1999, ""},
		{"decimal", 0, `"1\u0030"`, 10, ""},
		{"decimal", 0, `"1e999"`, math.Inf(1), NonFinite},
		{"decimal", -400, `"1"`, math.Inf(1), NonFinite},
		{"decimal", 400, `"1"`, 0, ""},
		{"decimal", 0, `19.99`, math.Inf(1), WrongType},
		{"decimal", 0, `true`, math.Inf(1), WrongType},
		{"integer_text", 2, `"000000001999"`, 19.99, ""},
		{"integer_text", 2, `"-7"`, -0.07, ""},
		{"integer_text", 0, `"0"`, 0, ""},
		{"integer_text", 0, `"000"`, 0, ""},
		{"integer_text", 0, `"12345678901234567890123"`, 12345678901234567890123, ""},
		{"integer_text", 0, `"1.0"`, math.Inf(1), WrongType},
		{"integer_text", 0, `"1e2"`, math.Inf(1), WrongType},
		{"debezium_decimal", 2, `"B88="`, 19.99, ""},
		{"debezium_decimal", 2, `"+DE="`, -19.99, ""},
		{"debezium_decimal", 0, `"AA=="`, 0, ""},
		{"debezium_decimal", 0, `"gAAAAAAAAAA="`, -9223372036854775808, ""},
		{"debezium_decimal", 0, `""`, math.Inf(1), WrongType},
		{"debezium_decimal", 0, `"B88"`, math.Inf(1), WrongType},
		{"debezium_decimal", 0, `"B89="`, math.Inf(1), WrongType},
		{"debezium_decimal", 0, `"B8\n8="`, math.Inf(1), WrongType},
		{"debezium_decimal", 0, `1999`, math.Inf(1), WrongType},
		{"debezium_decimal", 0, `"` + strings.Repeat("AAAA", 1000) + `"`, math.Inf(1), WrongType},
	} {
		got, code := readAs(amountAs(t, Field{Type: c.kind, Scale: c.scale}), c.value)
		if got != c.want || code != c.code {
			t.Errorf("%s, scale %d: %s is %v %q, want %v %q", c.kind, c.scale, c.value, got, code, c.want, c.code)
		}
	}
	for _, text := range []string{"", " 1", "1 ", "--1", "+-1", "1,5", "x", "0x1", "1_0", ".5", "5.", "NaN", "Infinity", "1e", "-", "1\\u0000"} {
		if got, code := readAs(amountAs(t, Field{Type: "decimal"}), `"`+text+`"`); code != WrongType || !math.IsInf(got, 1) {
			t.Errorf("the decimal %q is %v %q", text, got, code)
		}
	}
}

// Dividing by a power of ten must round once, as reading the shifted text does.
func TestScaleIsExact(t *testing.T) {
	scorers := map[int]*Scorer{}
	rapid.Check(t, func(rt *rapid.T) {
		scale := rapid.IntRange(-30, 30).Draw(rt, "scale")
		s := scorers[scale]
		if s == nil {
			s = amountAs(t, Field{Type: "decimal", Scale: scale})
			scorers[scale] = s
		}
		text := rapid.StringMatching(`-?[0-9]{1,40}(\.[0-9]{1,30})?`).Draw(rt, "text")
		want, err := strconv.ParseFloat(text+"e"+strconv.Itoa(-scale), 64)
		if got, code := readAs(s, `"`+text+`"`); err != nil || code != "" || math.Float64bits(got) != math.Float64bits(want) {
			rt.Fatalf("%s / 10^%d is %v %q, want %v", text, scale, got, code, want)
		}
	})
}

// The middle between two float64 is where 128 bits do not decide and the text itself is asked.
func TestScaleOfTies(t *testing.T) {
	s := amountAs(t, Field{Type: "decimal", Scale: 5})
	for _, text := range []string{
		"9007199254740993", "9007199254740993.0", "9007199254740993.00000000000000000000000001", "9007199254740992.99999999999999999999999999",
	} {
		whole, fraction, _ := strings.Cut(text, ".")
		want, _ := strconv.ParseFloat(whole+"."+fraction, 64)
		if got, code := readAs(s, `"`+whole+"00000."+fraction+`0"`); got == want || code != "" {
			continue
		} else if exact, _ := strconv.ParseFloat(whole+"00000."+fraction+"0e-5", 64); got != exact {
			t.Errorf("%s is %v %q, want %v", text, got, code, exact)
		}
	}
	if got, _ := readAs(s, `"900719925474099300000.00000000000000000000000000000000001"`); got != 9007199254740994 {
		t.Errorf("just above a tie is %v", got)
	}
	if got, _ := readAs(s, `"900719925474099300.00000000000000000000000000000000000001e3"`); got != 9007199254740994 {
		t.Errorf("just above a tie, with an exponent, is %v", got)
	}
	if got, _ := readAs(s, `"900719925474099300000.00000000000000000000000000000000000e0"`); got != 9007199254740992 {
		t.Errorf("a tie is %v", got)
	}
}

func TestDebeziumEqualsBigInt(t *testing.T) {
	s := amountAs(t, Field{Type: "debezium_decimal", Scale: 4})
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 1, 40).Draw(t, "bytes")
		n := new(big.Int).SetBytes(raw)
		if raw[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(raw))))
		}
		want, err := strconv.ParseFloat(n.String()+"e-4", 64)
		if got, code := readAs(s, `"`+base64.StdEncoding.EncodeToString(raw)+`"`); err != nil || code != "" || got != want {
			t.Fatalf("%x is %v %q, want %v", raw, got, code, want)
		}
	})
}

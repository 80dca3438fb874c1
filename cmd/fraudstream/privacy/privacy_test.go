package privacy

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "no number": "no number",
		"4111111111111111":                                   "411111******1111", // Visa's example number
		"card 4111 1111 1111 1111.":                          "card 4111 11** **** 1111.",
		"4111-1111-1111-1111":                                "4111-11**-****-1111",
		"4111.1111.1111.1111":                                "4111.11**.****.1111",
		"4111_1111 - 1111  1111":                             "4111_11** - ****  1111",
		"4111\u00a01111\u20111111 1111":                      "4111\u00a011**\u2011**** 1111",
		"3782 822463 10005":                                  "3782 82**** *0005",   // American Express, 15 digits
		"4222222222222":                                      "*********2222",       // 13 digits
		"30569309025904":                                     "**********5904",      // Diners, 14
		"6304000000000000000":                                "630400*********0000", // Maestro, 19
		"t4111111111111111x":                                 "t411111******1111x",
		`{"pan":5555555555554444}`:                           `{"pan":555555******4444}`,
		"row 12 4111111111111111":                            "row 12 411111******1111",
		"4111111111111111 12 rows":                           "411111******1111 12 rows",
		"004111111111111111":                                 "00411111******1111",
		"a 5105105105105100, b 4012888888881881":             "a 510510******5100, b 401288******1881",
		"4111111111111112":                                   "4111111111111112",     // the check fails
		"1041111111111111111":                                "1041111111111111111",  // 19 digits, of which the last 16 would pass
		"41111111111111111111":                               "41111111111111111111", // 20 digits
		"0000000000000000":                                   "0000000000000000",
		"2026-11-22 23:30:03.12345":                          "2026-11-22 23:30:03.12345",
		"partitions [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15]": "partitions [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15]",
		"score 0.411111111111111":                            "score 0.411111111111111",
	} {
		if got := New(Options{}).Text(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// TestNoNumberPasses draws card numbers of every length, in groups, within other text.
func TestNoNumberPasses(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.IntRange(minDigits, maxDigits).Draw(t, "length")
		number := make([]byte, length)
		number[0] = byte(rapid.IntRange('1', '9').Draw(t, "first"))
		for i := 1; i < length; i++ {
			number[i] = byte(rapid.IntRange('0', '9').Draw(t, "digit"))
		}
		digits := make([]digit, length)
		for i := range digits {
			digits[i].at = i
		}
		number[length-1] = '0'
		for !luhn(string(number), digits) {
			number[length-1]++
		}
		between := rapid.SampledFrom([]string{"", " ", "-", "_", " - "}).Draw(t, "separator")
		var written strings.Builder
		for i, c := range number {
			if i > 0 && i%4 == 0 {
				written.WriteString(between)
			}
			written.WriteByte(c)
		}
		words := rapid.SampledFrom([]string{"", "x", "id=", "; ", "\n"})
		text := words.Draw(t, "before") + written.String() + words.Draw(t, "after")
		got := maskCards(text)
		if len(got) != len(text) || strings.Count(got, "*") < length-10 {
			t.Fatalf("%q becomes %q", text, got)
		}
		if again := maskCards(got); again != got {
			t.Fatalf("%q is masked once more to %q", got, again)
		}
	})
}

func TestID(t *testing.T) {
	t.Parallel()
	plain, keyed := New(Options{}), New(Options{HashKey: []byte("key")})
	for id, want := range map[string]string{"": "", "t": "*", "t-77": "*7", "payment-000123": "*0123", "4111111111111111": "*1111"} {
		if got := plain.ID(id); got != want {
			t.Errorf("%q is shown as %q, want %q", id, got, want)
		}
	}
	// RFC 4231 has no key this short; the value is that of openssl dgst -sha256 -hmac key.
	const quick, want = "The quick brown fox jumps over the lazy dog", "f7bc83f430538424b132"
	if got := keyed.ID(quick); got != want {
		t.Errorf("the hash is %s, want %s", got, want)
	}
	if keyed.ID("a") == New(Options{HashKey: []byte("other")}).ID("a") || keyed.ID("") != "" {
		t.Error("the key does not count, or an empty id has a hash")
	}
	if (*Masker)(nil).ID("t-77") != "*7" {
		t.Error("without a masker, something is shown")
	}
}

type account struct{ Number string }

func (a account) LogValue() slog.Value { return slog.StringValue("account " + a.Number) }

const pan = "4111111111111111"

func TestHandler(t *testing.T) {
	t.Parallel()
	for name, make := range map[string]func(*bytes.Buffer) slog.Handler{
		"json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
	} {
		var out bytes.Buffer
		log := slog.New(New(Options{}).Handler(make(&out)))
		log.With("with", pan).WithGroup("g"+pan).Info("message "+pan,
			"text", pan, "int", int64(4111111111111111), "float", 4111111111111111.0, "error", fmt.Errorf("no %w", errors.New(pan)),
			"slice", []string{pan}, "struct", struct{ A string }{pan}, "map", map[string]int{pan: 1}, "value", account{pan},
			slog.Group("inner", "deep", pan), pan, true, "bytes", []byte(pan), "raw", jsonText(`"`+pan+`"`))
		log.Debug(pan)
		if strings.Contains(out.String(), pan) || strings.Contains(out.String(), "4.111111111111111e+15") {
			t.Errorf("%s: a number is seen: %s", name, out.String())
		}
		if n := strings.Count(out.String(), "411111******1111"); n < 13 {
			t.Errorf("%s: %d masked numbers: %s", name, n, out.String())
		}
	}
}

// jsonText is what only its JSON shows.
type jsonText string

func (j jsonText) MarshalJSON() ([]byte, error) { return []byte(j), nil }
func (j jsonText) Format(f fmt.State, _ rune)   { fmt.Fprint(f, "opaque") }

func TestHandlerKeepsWhatIsNoCard(t *testing.T) {
	t.Parallel()
	var plain, masked bytes.Buffer
	undated := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	for _, h := range []slog.Handler{slog.NewJSONHandler(&plain, undated), New(Options{}).Handler(slog.NewJSONHandler(&masked, undated))} {
		slog.New(h).With("a", 1).WithGroup("g").Warn("m", "offset", 12, "share", 0.25, "list", []int{1, 2}, "error", errors.New("no"), "ok", true)
	}
	if plain.String() != masked.String() {
		t.Errorf("%s is not %s", masked.String(), plain.String())
	}
}

func TestWriter(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	w := New(Options{}).Writer(&out)
	for _, text := range []string{"open " + pan + ".csv: no such file\n", "fine\n"} {
		if n, err := fmt.Fprint(w, text); err != nil || n != len(text) {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
	if out.String() != "open 411111******1111.csv: no such file\nfine\n" || w.Unwrap() != &out {
		t.Errorf("wrote %q", out.String())
	}
}

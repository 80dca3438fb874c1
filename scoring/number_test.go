package scoring

import (
	"math"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// read parses text as the scanner does and reports whether the whole of it is a number.
func read(text string) (float64, bool) {
	data := append([]byte(text), make([]byte, 16)...)
	d, end, ok := readNumber(data, 0)
	if !ok || end != len(text) {
		return 0, false
	}
	return parseFloat(d, data[:end]), true
}

func checkFloat(t interface{ Fatalf(string, ...any) }, text string) {
	got, ok := read(text)
	want, _ := strconv.ParseFloat(text, 64)
	if !ok || math.Float64bits(got) != math.Float64bits(want) {
		t.Fatalf("%s: read %v (%v), strconv reads %v", text, got, ok, want)
	}
}

func TestNumbersEqualStrconv(t *testing.T) {
	for _, text := range []string{
		"0", "-0", "0.0", "-0.0e5", "1", "-1", "1e22", "1e23", "9007199254740993", "9007199254740992", "9007199254740991",
		"9007199254740993.0000000000000000000000000001", "4.9e-324", "1e-340", "123456e-342", "2.4703282292062327e-324", "2.4703282292062328e-324",
		"2.2250738585072011e-308", "2.2250738585072014e-308", "2.2250738585072012e-308", "1.7976931348623157e308",
		"1.7976931348623158e308", "1.7976931348623159e308", "1e308", "1e309", "-1e309", "1e-400", "1e99999999999",
		"1e-99999999999", "0e99999999999", "12345678901234567890", "18446744073709551615", "18446744073709551616",
		"0.000000000000000000000000000000000000000012345678901234567890", "123456789012345678901234567890e-30",
		"6.02214076e23", "1.3598071336738", "-0.0727811733098497", "2.53634673796914", "8.41098464e-2", "3.1415926535897932384626433",
		"9223372036854775808", "9223372036854776833", "5e-324", "3e-324", "7.4109846876186981626485318930233205854758970392148714663837852375101326090531312779794975454245398856969484704316857659638998506553390969459816219401617281718945106978546710679176872575177347315553307795408549809608457500958111373034747658096871009590975442271004757307809711118935784838675653998783503015228055934046593739791790738723868299395818481660169122019456499931289798411362062484498678713572180352209017023903285791732520220528974020802906854021606612375549983402671300035812486479041385743401875520901590172592547146296175134159774938718574737870961645638908718119841271673056017045493004705269590165763776884908267986972573366521765567941072508764337560846003984904972149117463085539556354188641513168478436313080237596295773983001708984374999e-324",
		strings.Repeat("9", 400), "0." + strings.Repeat("0", 400) + "1", strings.Repeat("1", 300) + "e-299",
	} {
		checkFloat(t, text)
	}
}

// Powers of two and the middles between neighbours are where rounding goes wrong.
func TestTiesEqualStrconv(t *testing.T) {
	for exponent := -1074; exponent < 1024; exponent++ {
		f := math.Ldexp(1, exponent)
		middle := new(big.Float).SetPrec(2000).SetFloat64(f)
		middle.Add(middle, new(big.Float).SetFloat64(math.Nextafter(f, math.Inf(1)))).Quo(middle, big.NewFloat(2))
		for _, digits := range []int{15, 16, 17, 18, 19, 20, 30, 800} {
			checkFloat(t, strconv.FormatFloat(f, 'e', min(digits, 60), 64))
			checkFloat(t, middle.Text('e', digits))
		}
	}
}

func TestRandomNumbersEqualStrconv(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		if !math.IsNaN(f) && !math.IsInf(f, 0) {
			checkFloat(t, strconv.FormatFloat(f, 'g', -1, 64))
			checkFloat(t, strconv.FormatFloat(f, 'e', rapid.IntRange(14, 25).Draw(t, "digits"), 64))
		}
		checkFloat(t, rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "text"))
	})
}

func TestNumberGrammar(t *testing.T) {
	for _, text := range []string{
		"", "-", "+1", "01", "-01", "00", ".5", "1.", "-.5", "1.e5", "1e", "1e+", "1e-", "1.5e", "0x10", "NaN", "Infinity",
		"1_000", "1,5", "--1", "1e5.5", "1 ", "１",
	} {
		if f, ok := read(text); ok {
			t.Errorf("%q is read as %v", text, f)
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, text := range []string{"1.7976931348623157e308", "-0", "9007199254740993", "1e-324", "01", "12345678901234567890123"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, ok := read(text); ok {
			checkFloat(t, text)
		}
	})
}

func BenchmarkNumber(b *testing.B) {
	data := append([]byte("-1.3598071336738213"), make([]byte, 16)...)
	for b.Loop() {
		d, end, _ := readNumber(data, 0)
		parseFloat(d, data[:end])
	}
}

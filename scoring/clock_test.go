package scoring

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestRFC3339EqualsTime(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-9_200_000_000, 9_200_000_000).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		at = at.In(time.FixedZone("", 60*rapid.IntRange(-23*60-59, 23*60+59).Draw(t, "zone")))
		text := at.Format(time.RFC3339Nano)
		if got, ok := parseRFC3339([]byte(text)); !ok || got != at.UnixNano() {
			t.Fatalf("%s is %d (%v), want %d", text, got, ok, at.UnixNano())
		}
		if back := string(appendTime(nil, at.UnixNano())); back != at.UTC().Format(time.RFC3339Nano) {
			t.Fatalf("%s is written %s", text, back)
		}
		// One byte changed: both refuse, or both read the same.
		i := rapid.IntRange(0, len(text)-1).Draw(t, "i")
		bad := text[:i] + string(rapid.RuneFrom([]rune("0123456789-+:.TZ x")).Draw(t, "c")) + text[i+1:]
		if strings.HasSuffix(bad, ":60") || strings.Contains(bad, "+24:") || strings.Contains(bad, "-24:") {
			return // offsets that time lets through, and RFC 3339 does not
		}
		want, err := time.Parse(time.RFC3339, bad)
		got, ok := parseRFC3339([]byte(bad))
		if far := want.Year() < 1678 || want.Year() > 2261; !far && ok != (err == nil) || ok && got != want.UnixNano() {
			t.Fatalf("%s is %d (%v), want %v (%v)", bad, got, ok, want, err)
		}
	})
}

func TestTimes(t *testing.T) {
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		kind, layout, value string
		want                int64
		ok                  bool
	}{
		{"", "", `"2026-11-22T12:00:00Z"`, noon.UnixNano(), true},
		{"rfc3339", "", `"2026-11-22t12:00:00z"`, noon.UnixNano(), true},
		{"rfc3339", "", `"2026-11-22T12:00:00.1234567899Z"`, noon.UnixNano() + 123456789, true},
		{"rfc3339", "", `"2026-11-22T13:30:00+01:30"`, noon.UnixNano(), true},
		{"rfc3339", "", `"2026-11-22T12:00:00\u005a"`, noon.UnixNano(), true},
		{"rfc3339", "", `"2026-11-22T12:00:00"`, 0, false},
		{"rfc3339", "", `"2026-11-22 12:00:00Z"`, 0, false},
		{"rfc3339", "", `"2026-11-22T12:00:00.Z"`, 0, false},
		{"rfc3339", "", `"2026-11-22T12:00:60Z"`, 0, false},
		{"rfc3339", "", `"2026-02-29T12:00:00Z"`, 0, false},
		{"rfc3339", "", `"2024-02-29T00:00:00Z"`, time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC).UnixNano(), true},
		{"rfc3339", "", `"1500-01-01T00:00:00Z"`, 0, false},
		{"rfc3339", "", `"9999-01-01T00:00:00Z"`, 0, false},
		{"rfc3339", "", `""`, 0, false},
		{"rfc3339", "", `1700000000`, 0, false},
		{"epoch_s", "", `1700000000`, 1700000000e9, true},
		{"epoch_s", "", `1.7e9`, 1700000000e9, true},
		{"epoch_s", "", `1700000000.123456789`, 1700000000123456789, true},
		{"epoch_s", "", `1700000000.1234567899`, 1700000000123456789, true},
		{"epoch_s", "", `-0.5`, -5e8, true},
		{"epoch_s", "", `-0.00000000010`, -1, true},
		{"epoch_s", "", `0`, 0, true},
		{"epoch_s", "", `9223372037`, 0, false},
		{"epoch_s", "", `1e300`, 0, false},
		{"epoch_s", "", `"1700000000"`, 0, false},
		{"epoch_s", "", `true`, 0, false},
		{"epoch_ms", "", `1700000000123`, 1700000000123e6, true},
		{"epoch_us", "", `1700000000123456`, 1700000000123456e3, true},
		{"layout", "2006-01-02 15:04", `"2026-11-22 12:00"`, noon.UnixNano(), true},
		{"layout", "2006-01-02 15:04", `"22.11.2026"`, 0, false},
		{"layout", "2006-01-02 15:04", `""`, 0, false},
		{"layout", "2006-01-02 15:04", `20261122`, 0, false},
		{"layout", "2006-01-02 15:04", strconv.Quote(strings.Repeat("2", 1000)), 0, false},
	} {
		s := newProbeScorer(t, Mapping{Time: TimeField{Path: "at", Type: c.kind, Layout: c.layout}})
		r := scoreOne(s, with(`"at":`+c.value))
		if ok := r.Outcome == Decided; ok != c.ok || ok && r.Time != c.want {
			t.Errorf("%s %s: %d (%+v), want %d", c.kind, c.value, r.Time, r.Err, c.want)
		}
		if !c.ok && (r.Err.Code != WrongType || r.Err.Field != "at") {
			t.Errorf("%s %s: %+v", c.kind, c.value, r.Err)
		}
	}
}

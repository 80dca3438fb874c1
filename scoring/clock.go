package scoring

import (
	"math/bits"
	"time"
	"unsafe"
)

// A clock reads the event time. All of its times are Unix nanoseconds in an int64, which bounds the years: 1677
// to 2262.
type clock struct {
	path   string
	slot   int32
	digits int    // of a number of the unit, those of a nanosecond after it: 9 for seconds; 0: text
	layout string // empty: RFC 3339
}

// maxLayoutText bounds the text that is tried against a layout. The time package's cost grows with the text,
// and no layout writes a time of that length.
const maxLayoutText = 128

// read returns Unix nanoseconds, or false where the token is no time that int64 nanoseconds can hold (1677 to
// 2262). A number is read from its digits and not from its float64: 53 bits do not hold today's microseconds
// and a fraction of them.
func (c *clock) read(s *scanner, t *token) (int64, bool) {
	switch {
	case c.digits > 0 && t.kind == number:
		d, _, _ := readNumber(s.data, int(t.start))
		return nanoseconds(d, c.digits)
	case c.digits > 0 || t.kind != text:
		return 0, false
	case c.layout == "":
		return parseRFC3339(s.body(t))
	}
	body := s.body(t)
	if len(body) == 0 || len(body) > maxLayoutText {
		return 0, false
	}
	at, err := time.Parse(c.layout, unsafe.String(&body[0], len(body))) // the string does not outlive the call
	if err != nil {
		return 0, false
	}
	return unixNano(at.Unix(), int64(at.Nanosecond()))
}

// nanoseconds is d·10^digits, cut off after the point towards the past. Towards the past means that -0.5 ns is
// -1, so that times before 1970 keep their order. It is false where the result does not fit 63 bits.
func nanoseconds(d decimal, digits int) (int64, bool) {
	n, exponent := d.mantissa, d.exponent+digits
	cut := d.truncated
	for ; exponent < 0 && n > 0; exponent++ {
		cut = cut || n%10 != 0
		n /= 10
	}
	for ; exponent > 0 && n > 0; exponent-- {
		high, low := bits.Mul64(n, 10)
		if high != 0 {
			return 0, false
		}
		n = low
	}
	if d.negative && cut {
		n++
	}
	if n > 1<<63-1 {
		return 0, false
	}
	if d.negative {
		return -int64(n), true
	}
	return int64(n), true
}

// message says which times are read.
func (c *clock) message() string {
	switch {
	case c.digits > 0:
		return "the time is a number between the years 1677 and 2262"
	case c.layout == "":
		return "the time is RFC 3339, between the years 1677 and 2262"
	default:
		return "the time has the configured layout, between the years 1677 and 2262"
	}
}

// parseRFC3339 reads date, T, time of day with any number of fractional digits (those beyond the ninth are cut off)
// and Z or an offset. A leap second has no place in Unix time and is refused.
//
// The year has four digits, day and month exist in the Gregorian calendar, and the letters may be of either
// case, as RFC 3339 has it. It takes no layout of the time package, which is slower and more lenient.
func parseRFC3339(b []byte) (int64, bool) {
	if len(b) < len("2006-01-02T15:04:05Z") || b[4] != '-' || b[7] != '-' || b[10]|0x20 != 't' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	year, month, day := twoDigits(b, 0)*100+twoDigits(b, 2), twoDigits(b, 5), twoDigits(b, 8)
	hour, minute, second := twoDigits(b, 11), twoDigits(b, 14), twoDigits(b, 17)
	// A byte that is no digit makes its number negative.
	if twoDigits(b, 0) < 0 || twoDigits(b, 2) < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) ||
		hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59 {
		return 0, false
	}
	nanos, rest, ok := fraction(b[19:])
	if !ok {
		return 0, false
	}
	offset, ok := zoneOffset(rest)
	if !ok {
		return 0, false
	}
	seconds := int64(daysSinceEpoch(year, month, day))*86400 + int64(hour*3600+minute*60+second-offset)
	return unixNano(seconds, int64(nanos))
}

// twoDigits is the number at b[i:i+2], or far below zero. Subtracting '0' from a byte below it wraps around to
// a large one, so one comparison decides for either side.
func twoDigits(b []byte, i int) int {
	tens, ones := b[i]-'0', b[i+1]-'0'
	if tens > 9 || ones > 9 {
		return -1 << 20
	}
	return int(tens)*10 + int(ones)
}

// fraction reads an optional point and digits as nanoseconds. The caller has made sure of a byte at b[0]. A
// point without a digit behind it is an error.
func fraction(b []byte) (nanos int, rest []byte, ok bool) {
	if b[0] != '.' {
		return 0, b, true
	}
	unit, i := 100_000_000, 1
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		nanos += int(b[i]-'0') * unit
		unit /= 10
	}
	return nanos, b[i:], i > 1
}

// zoneOffset reads Z, +hh:mm or -hh:mm as seconds east. The offset -00:00, by which RFC 3339 says that the
// local zone is unknown, is UTC all the same.
func zoneOffset(b []byte) (seconds int, ok bool) {
	if len(b) == 1 && b[0]|0x20 == 'z' {
		return 0, true
	}
	if len(b) != 6 || b[3] != ':' || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	hour, minute := twoDigits(b, 1), twoDigits(b, 4)
	if hour < 0 || hour > 23 || minute < 0 || minute > 59 {
		return 0, false
	}
	seconds = hour*3600 + minute*60
	if b[0] == '-' {
		seconds = -seconds
	}
	return seconds, true
}

// daysIn is the length of a month of the Gregorian calendar.
func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	default:
		return 31
	}
}

// daysSinceEpoch counts the days from 1970-01-01 in the Gregorian calendar. The year begins in March, so that the
// leap day is its last and the months before a date have (153·m+2)/5 days.
func daysSinceEpoch(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	const epoch = 719468 // days from 0000-03-01 to 1970-01-01
	// Years begin at 0, and year -1 occurs for January and February of year 0: 400 years have 146,097 days.
	year += 400
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1 - epoch - 146_097
}

// unixNano joins seconds and nanoseconds, or reports that int64 cannot hold them. The bound leaves out the last
// second or two at either end, which spares a comparison of the nanoseconds.
func unixNano(seconds, nanos int64) (int64, bool) {
	const most = 1<<63/1_000_000_000 - 1
	if seconds > most || seconds < -most {
		return 0, false
	}
	return seconds*1_000_000_000 + nanos, true
}

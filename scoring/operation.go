package scoring

import (
	"math"
	"time"
)

// operation is how a derived feature is computed from its operands. The zero value is none of them, so that a
// name that is not known cannot be mistaken for the first.
type operation uint8

const (
	opHour operation = iota + 1
	opWeekday
	opDay
	opMonth
	opIsWeekend
	opEpoch
	opSecondsBetween
	opRatio
	opDifference
	opLog1p
)

// operations lists, by operation, what pandas does. A zoned one reads a time on the wall clock of a place. slack is
// the room, relative, that a golden event leaves: pandas has changed how it divides seconds, and numpy's log1p differs
// in the last digit from one processor to another. Everything else is exact.
var operations = [...]struct {
	name     string
	operands int
	times    bool // the operands are times
	zoned    bool
	slack    float64
}{
	opHour:           {"hour", 1, true, true, 0},                   // dt.hour
	opWeekday:        {"weekday", 1, true, true, 0},                // dt.weekday: Monday is 0
	opDay:            {"day", 1, true, true, 0},                    // dt.day: of the month, from 1
	opMonth:          {"month", 1, true, true, 0},                  // dt.month: from 1
	opIsWeekend:      {"is_weekend", 1, true, true, 0},             // dt.weekday >= 5
	opEpoch:          {"epoch_s", 1, true, false, 0x1p-50},         // seconds since 1970; whole ones in an integer column
	opSecondsBetween: {"seconds_between", 2, true, false, 0x1p-50}, // (second - first).dt.total_seconds()
	opRatio:          {"ratio", 2, false, false, 0},                // first / second; by zero it is missing
	opDifference:     {"difference", 2, false, false, 0},           // first - second
	opLog1p:          {"log1p", 1, false, false, 0x1p-50},          // numpy.log1p
}

// operationOf is the operation of a name; 0 where there is none.
func operationOf(name string) operation {
	for op := opHour; op <= opLog1p; op++ {
		if operations[op].name == name {
			return op
		}
	}
	return 0
}

// compute applies the operation to arguments that are all there; NaN is missing. A logarithm of less than -1 is
// NaN and one of -1 is minus infinity, as in numpy; what becomes of either is for readDerived to say.
func (d *derivation) compute(in *[2]argument) float64 {
	switch d.op {
	case opEpoch:
		if d.whole {
			return wholeSeconds(in[0].at)
		}
		return secondsBetween(0, in[0].at)
	case opSecondsBetween:
		return secondsBetween(in[0].at, in[1].at)
	case opRatio:
		if in[1].number == 0 {
			return math.NaN()
		}
		return in[0].number / in[1].number
	case opDifference:
		return in[0].number - in[1].number
	case opLog1p:
		return math.Log1p(in[0].number)
	}
	return d.onTheWall(time.Unix(0, in[0].at).In(d.zone))
}

// onTheWall reads a clock or a calendar. Time is proleptic Gregorian in Go and in pandas. The clock is that of
// the derivation's zone, with its summer time as the zone database has it for that day.
func (d *derivation) onTheWall(local time.Time) float64 {
	weekday := (int(local.Weekday()) + 6) % 7 // Go's week begins on Sunday, that of pandas on Monday
	switch d.op {
	case opHour:
		return float64(local.Hour())
	case opWeekday:
		return float64(weekday)
	case opDay:
		return float64(local.Day())
	case opMonth:
		return float64(local.Month())
	default:
		return float64(oneIf(weekday >= 5))
	}
}

// wholeSeconds is Unix nanoseconds // 10**9, towards the past. Go's division cuts towards zero, so a time
// before 1970 with a fraction is one second too late without the correction.
func wholeSeconds(at int64) float64 {
	seconds := at / 1_000_000_000
	if at%1_000_000_000 < 0 {
		seconds--
	}
	return float64(seconds)
}

// secondsBetween divides in microseconds, as pandas 3 keeps time, where there are no nanoseconds: an int64 beyond 2^53
// would be rounded before it is divided. NaN where int64 cannot hold the difference.
func secondsBetween(from, to int64) float64 {
	if from%1000 == 0 && to%1000 == 0 {
		return float64(to/1000-from/1000) / 1e6
	}
	between := to - from
	if between > 0 != (to > from) {
		return math.NaN()
	}
	return float64(between) / 1e9
}

package batch

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"fraudstream/scoring"
)

// leafWriter returns what writes the values of a column as JSON; path is the column's name from the root, and times
// are the places at which the mapping wants a time, by column. Nulls and lists are written above it: it is given
// values only.
//
// The file's types are taken at their word: a number stays a number, with all its digits, and text stays text. Time
// stamps, for which JSON has no type, become what the mapping says the time is, else RFC 3339. So does a date where a
// time is wanted, which is its first moment, in UTC; elsewhere it is written as 2026-11-23. A time of day is written as
// 09:30:00, and is no time that could be wanted: such a column is an error, and not every row of it. NaN, for which JSON has none either, is null,
// as it is to pandas; an infinity is a number that no float64 can hold, which the corridor refuses as one. Any other
// type is an error that names the column: a value that was guessed at would be scored like a real one.
//
// What it decides, it decides once for the column; the function that it returns is called for each value, by any
// worker, and keeps nothing.
func leafWriter(t parquet.Type, path string, times map[string]scoring.Place) (func([]byte, parquet.Value) []byte, error) {
	kind, logical := t.Kind(), logicalType(t)
	if logical == nil {
		logical = converted(t)
	}
	refused := fmt.Errorf("column %s: %s values cannot be read", path, t)
	if wrongLength(t, logical) {
		return nil, refused
	}
	switch l := logical.(type) {
	case *format.DecimalType:
		return decimalWriter(kind, int(l.Scale)), nil
	case *format.DateType:
		if at, wanted := times[path]; wanted {
			write := timeWriter(at)
			return func(dst []byte, v parquet.Value) []byte { return write(dst, 86400*int64(v.Int32()), time.Second) }, nil
		}
		return func(dst []byte, v parquet.Value) []byte {
			return append(time.Unix(86400*int64(v.Int32()), 0).UTC().AppendFormat(append(dst, '"'), time.DateOnly), '"')
		}, nil
	case *format.TimestampType:
		unit := l.Unit.Value.Duration()
		write := timeWriter(times[path])
		return func(dst []byte, v parquet.Value) []byte { return write(dst, v.Int64(), unit) }, nil
	case *format.TimeType:
		if _, wanted := times[path]; wanted {
			return nil, fmt.Errorf("column %s: a time of day is read as a time, and has no day; give a column of time stamps or of dates", path)
		}
		unit := l.Unit.Value.Duration()
		return func(dst []byte, v parquet.Value) []byte {
			at := v.Int64()
			if kind == parquet.Int32 {
				at = int64(v.Int32())
			}
			return append(time.Unix(0, at*int64(unit)).UTC().AppendFormat(append(dst, '"'), "15:04:05.999999999"), '"')
		}, nil
	case *format.JsonType:
		return func(dst []byte, v parquet.Value) []byte { return append(dst, v.ByteArray()...) }, nil
	case *format.UUIDType:
		return func(dst []byte, v parquet.Value) []byte {
			b := v.ByteArray()
			return fmt.Appendf(dst, `"%x-%x-%x-%x-%x"`, b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
		}, nil
	case nil, *format.StringType, *format.EnumType, *format.IntType:
		return plainWriter(kind, logical, times[path], refused)
	default:
		return nil, refused
	}
}

// maxScale bounds the scale of a decimal, as the mapping does. A scale is the number of zeros that a value may be
// written with, so one that a damaged file makes up would cost memory for each value.
const maxScale = 400

// wrongLength finds types that a damaged file states and no writer writes: a logical type over a physical one that
// cannot hold it, or without its length or unit. Values of such a column would be read past their end.
func wrongLength(t parquet.Type, logical format.LogicalTypeValue) bool {
	kind := t.Kind()
	switch l := logical.(type) {
	case *format.DecimalType:
		return l.Scale < -maxScale || l.Scale > maxScale || kind == parquet.Boolean || kind == parquet.Float || kind == parquet.Double || kind == parquet.Int96
	case *format.DateType:
		return kind != parquet.Int32
	case *format.TimestampType:
		return kind != parquet.Int64 || l.Unit.Value == nil
	case *format.TimeType:
		return kind != parquet.Int64 && kind != parquet.Int32 || l.Unit.Value == nil
	case *format.UUIDType:
		return kind != parquet.FixedLenByteArray || t.Length() != 16
	case *format.JsonType:
		return kind != parquet.ByteArray
	}
	return false
}

// converted is the logical type that a converted type of older writers stands for, where it changes what is read; nil
// where it does not, as for text and signed integers, which are written as their physical type is. Converted types
// were the only ones until version 2.4 of the format, and newer writers state both; so the logical one is asked
// first.
func converted(t parquet.Type) format.LogicalTypeValue {
	c := t.ConvertedType()
	if c == nil {
		return nil
	}
	switch *c {
	case deprecated.Date:
		return &format.DateType{}
	case deprecated.TimestampMillis:
		return &format.TimestampType{Unit: format.TimeUnit{Value: new(format.MilliSeconds)}}
	case deprecated.TimestampMicros:
		return &format.TimestampType{Unit: format.TimeUnit{Value: new(format.MicroSeconds)}}
	case deprecated.Json:
		return &format.JsonType{}
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		return &format.IntType{}
	default:
		return nil
	}
}

// plainWriter writes what has no other meaning than its physical type has, but for the sign of an integer. Text is
// written without being looked at: bytes that are no UTF-8 are found by the corridor, in the words that it has for
// them.
func plainWriter(kind parquet.Kind, logical format.LogicalTypeValue, at scoring.Place, refused error) (func([]byte, parquet.Value) []byte, error) {
	integer, _ := logical.(*format.IntType)
	unsigned := integer != nil && !integer.IsSigned
	switch kind {
	case parquet.Boolean:
		return func(dst []byte, v parquet.Value) []byte { return strconv.AppendBool(dst, v.Boolean()) }, nil
	case parquet.Int32:
		if unsigned {
			return func(dst []byte, v parquet.Value) []byte { return strconv.AppendUint(dst, uint64(v.Uint32()), 10) }, nil
		}
		return func(dst []byte, v parquet.Value) []byte { return strconv.AppendInt(dst, int64(v.Int32()), 10) }, nil
	case parquet.Int64:
		if unsigned {
			return func(dst []byte, v parquet.Value) []byte { return strconv.AppendUint(dst, v.Uint64(), 10) }, nil
		}
		return func(dst []byte, v parquet.Value) []byte { return strconv.AppendInt(dst, v.Int64(), 10) }, nil
	case parquet.Int96: // a time stamp of old writers
		write := timeWriter(at)
		return func(dst []byte, v parquet.Value) []byte {
			i := v.Int96()
			// The first two words are the nanoseconds of the day, the third is the Julian day.
			const julianOfUnixEpoch = 2_440_588
			nanos := int64(uint64(i[0]) | uint64(i[1])<<32)
			return write(dst, (int64(i[2])-julianOfUnixEpoch)*86400*1e9+nanos, time.Nanosecond)
		}, nil
	case parquet.Float:
		return func(dst []byte, v parquet.Value) []byte { return appendNumber(dst, float64(v.Float())) }, nil
	case parquet.Double:
		return func(dst []byte, v parquet.Value) []byte { return appendNumber(dst, v.Double()) }, nil
	case parquet.ByteArray:
		return func(dst []byte, v parquet.Value) []byte { return appendText(dst, string(v.ByteArray())) }, nil
	default:
		return nil, refused
	}
}

// appendNumber appends the shortest digits that read back as v. A float32 is widened first, and keeps the value that
// it has in the file: 0.1 of such a column is 0.10000000149011612. 1e999 is how an infinity is passed on: strict
// JSON, and beyond every float64.
func appendNumber(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, "null"...)
	case math.IsInf(v, 1):
		return append(dst, "1e999"...)
	case math.IsInf(v, -1):
		return append(dst, "-1e999"...)
	}
	return strconv.AppendFloat(dst, v, 'g', -1, 64)
}

// timeWriter writes a time as the mapping has it: in units of epoch time, in a layout of its own, else as RFC 3339. A
// time stamp without a zone is taken for UTC, as a text without one is. The unit is that of the column, milliseconds,
// microseconds or nanoseconds; at counts them since 1970 and may be negative.
func timeWriter(in scoring.Place) func(dst []byte, at int64, unit time.Duration) []byte {
	epoch := map[string]time.Duration{"epoch_s": time.Second, "epoch_ms": time.Millisecond, "epoch_us": time.Microsecond}
	if per := epoch[in.Time]; per > 0 {
		return func(dst []byte, at int64, unit time.Duration) []byte { return appendQuotient(dst, at, per, unit) }
	}
	layout := cmp.Or(in.Layout, time.RFC3339Nano)
	return func(dst []byte, at int64, unit time.Duration) []byte {
		perSecond := int64(time.Second / unit)
		seconds, rest := at/perSecond, at%perSecond
		when := time.Unix(seconds, rest*int64(unit)).UTC()
		text := when.Format(layout)
		return appendText(dst, text)
	}
}

// appendQuotient appends at units in units of per, exactly: 1,500 milliseconds are 1.5 seconds. Both are powers of
// ten, so a larger unit multiplies and a smaller one moves the decimal point. big.Int holds what an int64 would
// overflow with.
func appendQuotient(dst []byte, at int64, per, unit time.Duration) []byte {
	if unit >= per {
		digits := new(big.Int).Mul(big.NewInt(at), big.NewInt(int64(unit/per)))
		return digits.Append(dst, 10)
	}
	return appendScaled(dst, big.NewInt(at), len(strconv.FormatInt(int64(per/unit), 10))-1)
}

// decimalWriter writes decimals with all their digits. A decimal is an integer and a scale that all values of its
// column have: its value is the integer divided by 10 to the power of scale. So 12.30 stays 12.30, and it is the
// corridor that makes a float64 of it, as of the same digits in an event.
func decimalWriter(kind parquet.Kind, scale int) func([]byte, parquet.Value) []byte {
	return func(dst []byte, v parquet.Value) []byte {
		var unscaled *big.Int
		switch kind {
		case parquet.Int32:
			unscaled = big.NewInt(int64(v.Int32()))
		case parquet.Int64:
			unscaled = big.NewInt(v.Int64())
		default:
			unscaled = twosComplement(v.ByteArray())
		}
		return appendScaled(dst, unscaled, scale)
	}
}

// twosComplement is a big-endian integer with a sign, of any length: as decimals stand in columns of bytes. No bytes
// are 0.
func twosComplement(b []byte) *big.Int {
	i := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0] >= 0x80 {
		i.Sub(i, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return i
}

// appendScaled appends i divided by 10 to the power of scale, by moving the point and not by dividing: -12 with the
// scale 3 is -0.012, and not one digit of a long amount is lost to a float64.
func appendScaled(dst []byte, i *big.Int, scale int) []byte {
	digits := i.String()
	if scale <= 0 {
		if i.Sign() == 0 {
			scale = 0 // 000 is no number of JSON
		}
		return append(append(dst, digits...), strings.Repeat("0", -scale)...)
	}
	if i.Sign() < 0 {
		dst, digits = append(dst, '-'), digits[1:]
	}
	if short := scale + 1 - len(digits); short > 0 {
		digits = strings.Repeat("0", short) + digits
	}
	point := len(digits) - scale
	return append(append(append(dst, digits[:point]...), '.'), digits[point:]...)
}

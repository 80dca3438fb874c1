package scoring

import (
	"bytes"
	"encoding/base64"
	"math"
	"strconv"

	"fraudstream/scoring/program"
)

// reading is how the value at a path is understood. All but the first are of texts; the first takes a JSON
// value as it is.
type reading uint8

const (
	asJSON reading = iota
	asDecimal
	asIntegerText
	asBoolText
	asDebeziumDecimal
)

// A feature is a column and where its value stands in an event. It is compiled once and shared by all loops.
// plain marks the commonest kind, a number that is passed on as it is, which the schema reads without a call.
type feature struct {
	column
	slot           int32
	from           *derivation // nil: it is read
	reading        reading
	plain          bool // a JSON number is what the pipeline holds
	scale          int
	words          keyTable // of bool_text: 1 is false, 2 true
	absentRejected bool
	hasDefault     bool
	standIn        float64 // the default, as the pipeline holds it
}

// describe says what the field must hold. It stands in the message of a refusal, where the value itself must
// not.
func (f *feature) describe() string {
	switch f.reading {
	case asDecimal:
		return "the field must hold a decimal number as text"
	case asIntegerText:
		return "the field must hold decimal digits as text"
	case asDebeziumDecimal:
		return "the field must hold a two's complement number as base64 text"
	case asBoolText:
		return "the field must hold one of the texts of its map"
	default:
		return f.column.needs
	}
}

// read returns what the pipeline is given for the token of the feature, and what is wrong with it. A field that
// cannot be read is +Inf, a missing one is missing even where that is an error. null is a missing value like an
// absent field; only absent: reject makes a difference between them.
func (f *feature) read(s *scanner, t *token) (float64, Code) {
	switch t.kind {
	case absent, null:
		switch {
		case t.kind == absent && f.absentRejected:
			return program.Missing, MissingField
		case f.hasDefault:
			return f.standIn, ""
		case f.missingRejected:
			return program.Missing, MissingField
		}
		return program.Missing, ""
	case number:
		if math.IsInf(t.number, 0) {
			return math.Inf(1), NonFinite
		}
		if f.reading == asJSON {
			return f.column.number(t.number)
		}
	case truth, falsity:
		if f.reading == asJSON {
			return f.boolean(t.kind == truth)
		}
	case text:
		return f.readText(s, t)
	}
	return math.Inf(1), WrongType
}

// readText reads text as the type of the field says. Each reading takes the whole text: a space before or
// behind it is no part of any number and makes it wrong_type.
func (f *feature) readText(s *scanner, t *token) (float64, Code) {
	switch f.reading {
	case asBoolText:
		body := s.body(t)
		if word := f.words.lookup(body, hashKey(body)); word > 0 {
			return f.boolean(word == 2)
		}
		return math.Inf(1), WrongType
	case asDecimal, asIntegerText:
		return f.scaled(s, s.padded(t), f.reading == asIntegerText)
	case asDebeziumDecimal:
		digits := s.debezium(t)
		if digits == nil {
			return math.Inf(1), WrongType
		}
		return f.scaled(s, digits, true)
	default:
		return f.column.text(s.body(t))
	}
}

// scaled reads a number from text (a sign, digits with leading zeros, and unless whole a fraction and an exponent)
// and divides it by 10^scale, correctly rounded: the division only moves the exponent. Sixteen zeros stand behind
// text. Money in cents is the case in point: "1999" with scale 2 is the float64 nearest to 19.99, which
// dividing 1999.0 by 100.0 would give only because both are exact; for amounts of more digits it would not.
func (f *feature) scaled(s *scanner, text []byte, whole bool) (float64, Code) {
	data := text[:len(text)+16]
	p := 0
	if data[0] == '-' || data[0] == '+' {
		p++
	}
	for data[p] == '0' && data[p+1]-'0' <= 9 {
		p++
	}
	d, end, ok := readNumber(data, p)
	if !ok || end != len(text) || data[p] == '-' || whole && bytes.ContainsAny(text, ".eE") {
		return math.Inf(1), WrongType
	}
	d.negative = data[0] == '-'
	d.exponent -= f.scale
	value, sure := d.float()
	if !sure {
		value = parseFloat(d, s.rewrite(text, f.scale))
	}
	if math.IsInf(value, 0) {
		return math.Inf(1), NonFinite
	}
	return f.column.number(value)
}

// rewrite spells text·10^-scale out, for the parser of the last resort. It is asked for so seldom, by numbers
// so near to a tie that 128 bits do not decide, that its cost does not count.
func (s *scanner) rewrite(text []byte, scale int) []byte {
	mantissa, power := text, 0
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		mantissa = text[:e]
		power, _, _ = readExponent(text[:len(text)+16], e+1)
	}
	from := len(s.arena)
	s.arena = append(append(s.arena, mantissa...), 'e')
	s.arena = strconv.AppendInt(s.arena, int64(power-scale), 10)
	return s.arena[from:]
}

// body is the text of a token without quotes and escapes, valid until the next scan.
func (s *scanner) body(t *token) []byte {
	body := s.data[t.start+1 : t.end-1]
	if !t.escaped {
		return body
	}
	from := len(s.arena)
	s.arena = appendUnescaped(s.arena, body)
	return s.arena[from:]
}

// padded is body in front of sixteen zeros. readNumber looks ahead and needs no length where it meets what is
// no digit.
func (s *scanner) padded(t *token) []byte {
	from := len(s.arena)
	s.arena = appendUnescaped(s.arena, s.data[t.start+1:t.end-1])
	return s.pad(from)
}

// pad puts sixteen zeros behind what the arena holds from there on, and returns it without them. A later append
// may move the arena; the slice returned stays valid, since it keeps the old one alive.
func (s *scanner) pad(from int) []byte {
	to := len(s.arena)
	var zeros [16]byte
	s.arena = append(s.arena, zeros[:]...)
	return s.arena[from:to]
}

// The longest unscaled value of a debezium_decimal, in bytes and in base64: over 300 decimal digits.
const (
	maxUnscaled       = 128
	maxUnscaledBase64 = (maxUnscaled + 2) / 3 * 4
)

// strictBase64 takes no text but the one that encoding the bytes would give.
var strictBase64 = base64.StdEncoding.Strict()

// debezium returns the decimal digits of a base64 text of a big-endian number in two's complement, in front of
// sixteen zeros; nil where it is none. Numbers of 128 bytes reach to 2^1023, about as far as float64 does, and
// the conversion below, whose cost grows with the square of the length, stays small.
func (s *scanner) debezium(t *token) []byte {
	body := s.body(t)
	var unscaled [maxUnscaled + 2]byte
	if len(body) == 0 || len(body) > maxUnscaledBase64 || bytes.ContainsAny(body, "\r\n") {
		return nil
	}
	n, err := strictBase64.Decode(unscaled[:], body)
	if err != nil || n == 0 {
		return nil
	}
	from := len(s.arena)
	s.arena = appendTwosComplement(s.arena, unscaled[:n])
	return s.pad(from)
}

// appendTwosComplement appends the decimal text of a big-endian number, which it uses up. It divides by ten
// over and over, from the highest byte down, and turns the remainders round at the end.
func appendTwosComplement(dst, number []byte) []byte {
	if number[0] >= 0x80 {
		dst = append(dst, '-')
		carry := 1
		for i := len(number) - 1; i >= 0; i-- {
			sum := int(^number[i]) + carry
			number[i], carry = byte(sum), sum>>8
		}
	}
	first := len(dst)
	for {
		remainder, rest := 0, byte(0)
		for i, b := range number {
			remainder = remainder<<8 | int(b)
			number[i], remainder = byte(remainder/10), remainder%10
			rest |= number[i]
		}
		dst = append(dst, byte('0'+remainder))
		if rest == 0 {
			break
		}
	}
	for i, j := first, len(dst)-1; i < j; i, j = i+1, j-1 {
		dst[i], dst[j] = dst[j], dst[i]
	}
	return dst
}

package scoring

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unsafe"
)

// A decimal is a number as it is written: mantissa·10^exponent, with the first 19 significant digits in
// mantissa. Nineteen digits fit 64 bits whatever they are, twenty do not; what 19 digits leave open decides a
// float64 only next to a tie.
type decimal struct {
	mantissa  uint64
	exponent  int
	negative  bool
	truncated bool // digits beyond the 19th were left out, and one of them may be no zero
}

// Exponents beyond this are infinite or zero whatever the digits of a value of 1 MiB are. A number cannot have
// more digits than its value has bytes, 2^20, so an exponent of 2^24 cannot be brought back by any number of
// digits before or behind the point.
const exponentLimit = 1 << 24

// exactPowers are the powers of ten that a float64 holds exactly.
var exactPowers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// float returns the nearest float64, ties to even, or false where the digits left out, or a tie too close for 128
// bits, decide. With digits left out, the number lies between mantissa and mantissa+1; where both round to one
// float64, so does it.
func (d decimal) float() (float64, bool) {
	var f float64
	switch {
	case d.mantissa <= 1<<53 && d.exponent >= -22 && d.exponent <= 22 && !d.truncated:
		// Both operands are exact, so one operation rounds correctly (W. Clinger, PLDI 1990).
		if d.exponent < 0 {
			f = float64(d.mantissa) / exactPowers[-d.exponent]
		} else {
			f = float64(d.mantissa) * exactPowers[d.exponent]
		}
	default:
		var sure bool
		if f, sure = eiselLemire(d.mantissa, d.exponent); !sure {
			return 0, false
		}
		if d.truncated {
			above, sure := eiselLemire(d.mantissa+1, d.exponent)
			if !sure || above != f {
				return 0, false
			}
		}
	}
	sign := uint64(0)
	if d.negative {
		sign = 1 << 63
	}
	return math.Float64frombits(math.Float64bits(f) | sign), true
}

// readNumber reads the JSON number at p. data ends in at least 8 bytes that are no digits. end is the first byte
// after the number; ok is false where the grammar is broken, and end is then the byte at fault.
//
// The grammar is that of RFC 8259: no plus sign, no zero before other digits, a digit on either side of the
// point. The digits before the point are read one by one, since there are few; those behind it eight at a time.
func readNumber(data []byte, p int) (d decimal, end int, ok bool) {
	// Half of all numbers may be negative, so no branch on it: it would be mispredicted half of the time.
	sign := 0
	if data[p] == '-' {
		sign = 1
	}
	p += sign
	first := p
	var w uint64
	for c := data[p] - '0'; c <= 9; c = data[p] - '0' {
		w = w*10 + uint64(c)
		p++
	}
	digits, exponent, truncated := p-first, 0, false
	if digits == 0 {
		return decimal{}, p, false
	}
	if digits > 1 && data[first] == '0' {
		return decimal{}, first + 1, false
	}
	if data[p] == '.' {
		p++
		point := p
		for {
			eight := binary.LittleEndian.Uint64(data[p:]) ^ zeros
			others := notDigits(eight)
			if others != 0 {
				n := bits.TrailingZeros64(others) >> 3
				w = w*tenToThe[n&15] + digitsOf(eight<<(64-8*n))
				p += n
				break
			}
			// A step of a known length: the next bytes are read before these have been counted.
			w = w*1e8 + digitsOf(eight)
			p += 8
		}
		if p == point {
			return decimal{}, p, false
		}
		exponent = point - p
		digits += p - point
	}
	if digits > 19 {
		w, exponent, truncated = firstNineteen(data[first:p])
	}
	if data[p]|0x20 == 'e' {
		var power int
		if power, p, ok = readExponent(data, p+1); !ok {
			return decimal{}, p, false
		}
		exponent += power
	}
	return decimal{w, exponent, sign != 0, truncated}, p, true
}

// firstNineteen reads digits (with or without a point) again, when they are too many for 64 bits. Zeros at the
// beginning are no significant digits and are not counted among them.
func firstNineteen(text []byte) (mantissa uint64, exponent int, truncated bool) {
	kept, fraction, point := 0, 0, false
	for _, c := range text {
		switch {
		case c == '.':
			point = true
			continue
		case kept < 19:
			mantissa = mantissa*10 + uint64(c-'0')
			if mantissa > 0 {
				kept++
			}
		default:
			exponent++
			truncated = truncated || c != '0'
		}
		if point {
			fraction++
		}
	}
	return mantissa, exponent - fraction, truncated
}

// readExponent reads what follows the e of a number. Its value is bounded, so that it cannot overflow. A sign
// may stand before it and at least one digit must follow; zeros before others are allowed here, as RFC 8259 has
// it.
func readExponent(data []byte, p int) (power, end int, ok bool) {
	negative := data[p] == '-'
	if negative || data[p] == '+' {
		p++
	}
	first := p
	for c := data[p] - '0'; c <= 9; c = data[p] - '0' {
		power = min(power*10+int(c), exponentLimit)
		p++
	}
	if negative {
		power = -power
	}
	return power, p, p > first
}

// tenToThe are the factors for 0 to 8 more digits; its size spares the check of the index.
var tenToThe = [16]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}

// zeros turns eight digits into their values.
const zeros = 0x3030303030303030

// notDigits has the highest bit set of the first byte over 9, if there is one; of later bytes it says nothing.
// The values of digits are 0 to 9; adding 0x76 carries 10 and more into the highest bit, and OR-ing the byte
// itself catches those that have it already.
func notDigits(eight uint64) uint64 {
	return (eight | (eight + 0x7676767676767676)) & 0x8080808080808080
}

// digitsOf is the number that eight digits spell, given as their values in little-endian order: joined in pairs, fours
// and eights. Fewer digits have zeros before them.
//
// The first step makes of each byte ten times itself plus the next one, so every second byte holds a number
// below 100. The multiplication then adds these four with the weights 10^6, 10^4, 10^2 and 1, and the sum
// stands in the upper half of the product.
func digitsOf(eight uint64) uint64 {
	const pairs = 0x000000ff000000ff
	eight = eight*10 + eight>>8
	return ((eight&pairs)*(1000000<<32+100) + (eight>>16&pairs)*(10000<<32+1)) >> 32
}

// parseFloat returns the float64 nearest to the number that d was read from; text is that number as JSON writes it.
func parseFloat(d decimal, text []byte) float64 {
	if f, ok := d.float(); ok {
		return f
	}
	// The few numbers that lie within 2^-128 of a tie. The string does not outlive the call, and its error can only be
	// overflow, which f says as well.
	f, _ := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64)
	return f
}

// isInfinite tells whether no finite float64 is near the number. Most need only a look at their size. The
// largest float64 is about 1.8·10^308 and the mantissa has at most 20 digits, so an exponent below 288 is never
// too large.
func isInfinite(d decimal, text []byte) bool {
	if d.exponent < mostPower-20 {
		return false
	}
	return math.IsInf(parseFloat(d, text), 0)
}

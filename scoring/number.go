package scoring

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unsafe"
)

// A decimal is a number as it is written: mantissa·10^exponent, with the first 19 significant digits in mantissa.
type decimal struct {
	mantissa  uint64
	exponent  int
	negative  bool
	truncated bool // digits beyond the 19th were left out, and one of them may be no zero
}

// Exponents beyond this are infinite or zero whatever the digits of a value of 1 MiB are.
const exponentLimit = 1 << 24

// exactPowers are the powers of ten that a float64 holds exactly.
var exactPowers = [...]float64{
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// float returns the nearest float64, ties to even, or false where the digits left out, or a tie too close for 128
// bits, decide.
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
func readNumber(data []byte, p int) (d decimal, end int, ok bool) {
	// Half of all numbers may be negative, so no branch on it: it would be mispredicted half of the time.
	sign := 0
	if data[p] == '-' {
		sign = 1
	}
	d.negative = sign != 0
	p += sign
	first := p
	var w uint64
	for c := data[p] - '0'; c <= 9; c = data[p] - '0' {
		w = w*10 + uint64(c)
		p++
	}
	digits := p - first
	if digits == 0 {
		return d, p, false
	}
	if digits > 1 && data[first] == '0' {
		return d, first + 1, false
	}
	if data[p] == '.' {
		p++
		point := p
		for n := 8; n == 8; p += n {
			var eight uint64
			eight, n = leadingDigits(binary.LittleEndian.Uint64(data[p:]))
			w = w*tenToThe[n&15] + eight
		}
		if p == point {
			return d, p, false
		}
		d.exponent = point - p
		digits += p - point
	}
	d.mantissa = w
	if digits > 19 {
		d.keepNineteen(data[first:p])
	}
	if data[p]|0x20 == 'e' {
		var power int
		if power, p, ok = readExponent(data, p+1); !ok {
			return d, p, false
		}
		d.exponent += power
	}
	return d, p, true
}

// keepNineteen reads digits (with or without a point) again, when they are too many for 64 bits.
func (d *decimal) keepNineteen(text []byte) {
	var w uint64
	kept, dropped, fraction, point := 0, 0, 0, false
	for _, c := range text {
		switch {
		case c == '.':
			point = true
			continue
		case kept < 19:
			w = w*10 + uint64(c-'0')
			if w > 0 {
				kept++
			}
		default:
			dropped++
			d.truncated = d.truncated || c != '0'
		}
		if point {
			fraction++
		}
	}
	d.mantissa, d.exponent = w, dropped-fraction
}

// readExponent reads what follows the e of a number. Its value is bounded, so that it cannot overflow.
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

// leadingDigits counts the digits at the beginning of eight bytes in little-endian order and returns the number that
// they spell. The digits are moved to the end, as if zeros stood before them, and joined in pairs, fours and eights:
// no loop, so no branch on their number.
func leadingDigits(eight uint64) (value uint64, n int) {
	const (
		zeros = 0x3030303030303030
		highs = 0x8080808080808080
		pairs = 0x000000ff000000ff
	)
	eight ^= zeros
	others := (eight | (eight + 0x7676767676767676)) & highs // of the first byte over 9; later ones may be wrong
	n = bits.TrailingZeros64(others) >> 3
	eight <<= 64 - 8*n // nothing is left where n is 0
	eight = eight*10 + eight>>8
	return ((eight&pairs)*(1000000<<32+100) + (eight>>16&pairs)*(10000<<32+1)) >> 32, n
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

// isInfinite tells whether no finite float64 is near the number. Most need only a look at their size.
func isInfinite(d decimal, text []byte) bool {
	if d.exponent < mostPower-20 {
		return false
	}
	return math.IsInf(parseFloat(d, text), 0)
}

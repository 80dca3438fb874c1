package scoring

import (
	"math"
	"math/big"
	"math/bits"
)

// The powers of five whose product with a 64-bit integer can be a finite float64 that is not zero.
// Beyond them, the result is zero or an infinity for every mantissa: 2^64·10^-343 rounds to zero, and 10^309 is
// too large.
const (
	leastPower = -342
	mostPower  = 308
)

// powersOfFive holds, for every q in [leastPower, mostPower], the first 128 bits of 5^q, its highest bit set.
// Powers of ten are 5^q·2^q, and the power of two is only an addition to the exponent, so a table of fives is
// enough.
var powersOfFive = computePowersOfFive()

// A uint128 is high·2^64 + low. It is a bit pattern here, the leading 128 bits of a number whose place is known
// from elsewhere.
type uint128 struct{ high, low uint64 }

// computePowersOfFive takes about a millisecond, once; a table in the source would be 20 kB that nobody can check.
func computePowersOfFive() (table [mostPower - leastPower + 1]uint128) {
	five, power := big.NewInt(5), big.NewInt(1)
	for n := 0; n <= -leastPower; n++ {
		if n <= mostPower {
			table[n-leastPower] = normalize(power)
		}
		if n > 0 {
			table[-n-leastPower] = reciprocal(power, n <= 27)
		}
		power.Mul(power, five)
	}
	return table
}

// normalize returns the first 128 bits of a number, filled up with zeros.
func normalize(n *big.Int) uint128 {
	shift := 128 - n.BitLen()
	first := new(big.Int)
	if shift >= 0 {
		first.Lsh(n, uint(shift))
	} else {
		first.Rsh(n, uint(-shift))
	}
	low := new(big.Int).And(first, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	return uint128{high: first.Rsh(first, 64).Uint64(), low: low}
}

// reciprocal returns the first 128 bits of 1/n. Those down to 5^-27 are rounded up and the rest down, which is what
// the proof of the algorithm needs.
func reciprocal(n *big.Int, up bool) uint128 {
	first := new(big.Int).Lsh(big.NewInt(1), uint(n.BitLen()+127))
	first.Quo(first, n)
	if up {
		first.Add(first, big.NewInt(1))
	}
	return normalize(first)
}

// eiselLemire returns the float64 nearest to w·10^q, ties to even, or false in the rare case that 128 bits of the
// power of five do not decide. Overflow is infinity.
// (D. Lemire, "Number parsing at a gigabyte per second", Software: Practice and Experience 51 (8), 2021, algorithm 1.)
//
// The mantissa is shifted until its highest bit is set and multiplied with the first 64 bits of the power. What
// that leaves out is less than one unit of the upper 64 bits of the product. Only where the nine lowest of
// these are all ones could it carry into the bits that rounding needs, and only then are the other 64 bits of
// the power multiplied as well.
func eiselLemire(w uint64, q int) (float64, bool) {
	if w == 0 || q < leastPower {
		return 0, true
	}
	if q > mostPower {
		return math.Inf(1), true
	}
	zeros := bits.LeadingZeros64(w)
	w <<= zeros
	five := &powersOfFive[q-leastPower]
	high, low := bits.Mul64(w, five.high)
	if high&0x1ff == 0x1ff { // the bits that rounding needs may yet change
		more, _ := bits.Mul64(w, five.low)
		var carry uint64
		low, carry = bits.Add64(low, more, 0)
		high += carry
		if low == math.MaxUint64 && (q < -27 || q > 55) {
			return 0, false
		}
	}
	top := int(high >> 63)
	mantissa := high >> (top + 9)
	// 217706/2^16 is log2(5)+1 closely enough for the floor to hold for every q of the table.
	exponent := (217706*q)>>16 + 63 + top - zeros
	if exponent <= -1023 {
		return subnormal(mantissa, exponent), true
	}
	if low <= 1 && q >= -4 && q <= 23 && mantissa&3 == 1 && mantissa<<(top+9) == high {
		mantissa &^= 1 // exactly half way: to even
	}
	mantissa = (mantissa + mantissa&1) >> 1
	if mantissa == 1<<53 {
		mantissa = 1 << 52
		exponent++
	}
	if exponent > 1023 {
		return math.Inf(1), true
	}
	return math.Float64frombits(mantissa&(1<<52-1) | uint64(exponent+1023)<<52), true
}

// subnormal rounds a 54-bit mantissa whose value lies under 2^-1022. No decimal number of 64 bits lies exactly half
// way between two of these. A mantissa that rounds up to 2^52 is the least normal number, in the same bits. Its
// exponent is fixed at -1022, so the mantissa is shifted right until it fits, and has fewer bits the smaller
// the number is.
func subnormal(mantissa uint64, exponent int) float64 {
	shift := -1022 - exponent
	if shift >= 64 {
		return 0
	}
	mantissa >>= shift
	return math.Float64frombits((mantissa + mantissa&1) >> 1)
}

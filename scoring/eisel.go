package scoring

import (
	"math"
	"math/big"
	"math/bits"
)

// The powers of five whose product with a 64-bit integer can be a finite float64 that is not zero.
const (
	leastPower = -342
	mostPower  = 308
)

// powersOfFive holds, for every q in [leastPower, mostPower], the first 128 bits of 5^q, its highest bit set.
var powersOfFive = computePowersOfFive()

type uint128 struct{ high, low uint64 }

func computePowersOfFive() (table [mostPower - leastPower + 1]uint128) {
	five := big.NewInt(5)
	for q := leastPower; q <= mostPower; q++ {
		power := new(big.Int).Exp(five, big.NewInt(int64(max(q, -q))), nil)
		table[q-leastPower] = significand(power, q)
	}
	return table
}

// significand normalises 5^|q| or its reciprocal to 128 bits. The reciprocals down to 5^-27 are rounded up and the
// rest down, which is what the proof of the algorithm needs.
func significand(power *big.Int, q int) uint128 {
	width := uint(power.BitLen())
	switch {
	case q < 0:
		ones := new(big.Int).Lsh(big.NewInt(1), width+127)
		power = ones.Quo(ones, power)
		if q >= -27 {
			power.Add(power, big.NewInt(1))
		}
	case width <= 128:
		power.Lsh(power, 128-width)
	default:
		power.Rsh(power, width-128)
	}
	low := new(big.Int).And(power, new(big.Int).SetUint64(math.MaxUint64)).Uint64()
	return uint128{high: power.Rsh(power, 64).Uint64(), low: low}
}

// eiselLemire returns the float64 nearest to w·10^q, ties to even, or false in the rare case that 128 bits of the
// power of five do not decide. Overflow is infinity.
// (D. Lemire, "Number parsing at a gigabyte per second", Software: Practice and Experience 51 (8), 2021, algorithm 1.)
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
// way between two of these. A mantissa that rounds up to 2^52 is the least normal number, in the same bits.
func subnormal(mantissa uint64, exponent int) float64 {
	shift := -1022 - exponent
	if shift >= 64 {
		return 0
	}
	mantissa >>= shift
	return math.Float64frombits((mantissa + mantissa&1) >> 1)
}

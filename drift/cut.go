package drift

import "math"

// PSICut returns the value that PSI exceeds with probability alpha although nothing has drifted: PSI over cells
// cells of live against baseline rows, both samples of one law, is about χ² with cells-1 degrees of freedom times
// 1/live + 1/baseline. With a tolerance, a PSI of the laws themselves that is no drift yet, the χ² is noncentral by
// tolerance·live·baseline/(live+baseline).
func PSICut(cells int, live, baseline, alpha, tolerance float64) float64 {
	k := float64(cells - 1)
	scale := 1/live + 1/baseline
	if tolerance == 0 {
		return chiSquaredQuantile(1-alpha, k) * scale
	}
	return noncentralQuantile(1-alpha, k, tolerance/scale) * scale
}

// noncentralQuantile inverts noncentralCDF by bisection, to the last bit.
func noncentralQuantile(p, k, lambda float64) float64 {
	low, high := 0.0, k+lambda
	for noncentralCDF(high, k, lambda) < p {
		low, high = high, 2*high
	}
	for {
		middle := low + (high-low)/2
		if middle <= low || middle >= high {
			return middle
		}
		if noncentralCDF(middle, k, lambda) < p {
			low = middle
		} else {
			high = middle
		}
	}
}

// noncentralCDF is that of a noncentral χ²: a χ² whose degrees of freedom are k + 2j with j from a Poisson law of mean
// λ/2. The terms are summed from the law's middle outwards, until they cannot change the sum.
func noncentralCDF(x, k, lambda float64) float64 {
	middle := math.Floor(lambda / 2)
	var sum float64
	for _, step := range []float64{-1, 1} {
		j := middle
		if step > 0 {
			j++
		}
		for ; j >= 0; j += step {
			weight := poisson(j, lambda/2)
			sum += weight * chiSquaredCDF(x, k+2*j)
			if weight < 1e-18 {
				break
			}
		}
	}
	return sum
}

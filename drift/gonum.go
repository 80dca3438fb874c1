package drift

import (
	"math"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// What gonum computes stands in this file alone, because its functions have sharp edges: WassersteinDistance rescales
// the weights of its caller and panics at one of zero, KolmogorovSmirnov panics at unsorted positions, JensenShannon
// is the square of the distance and may fall below zero by rounding. Its Hellinger is not used: 1-Σ√pq leaves
// 1e-8 between equal histograms, where the sum of squared differences leaves nothing.

// jensenShannon is the Jensen-Shannon distance of two laws on the same cells, to the base e.
func jensenShannon(p, q []float64) float64 {
	return math.Sqrt(max(0, stat.JensenShannon(p, q)))
}

// kolmogorovSmirnov is the largest distance between the cumulated shares of ordered cells.
func kolmogorovSmirnov(p, q []float64) float64 {
	position := make([]float64, len(p))
	for i := range position {
		position[i] = float64(i)
	}
	return stat.KolmogorovSmirnov(position, p, position, q)
}

// wasserstein is the earth mover's distance W₁ between the bin means of two histograms.
func wasserstein(p, q Histogram) float64 {
	at, weights := binMeans(p)
	bt, others := binMeans(q)
	return stat.WassersteinDistance(at, bt, weights, others)
}

// binMeans returns the mean and the count of every bin that is not empty, in slices that the callee may spoil.
func binMeans(h Histogram) (means, counts []float64) {
	for i, n := range h.Counts {
		if n > 0 {
			means = append(means, h.Sums[i]/n)
			counts = append(counts, n)
		}
	}
	return means, counts
}

// chiSquaredCDF is the probability that a χ² of k degrees of freedom is at most x.
func chiSquaredCDF(x, k float64) float64 { return distuv.ChiSquared{K: k}.CDF(x) }

// chiSquaredQuantile is the inverse of chiSquaredCDF.
func chiSquaredQuantile(p, k float64) float64 { return distuv.ChiSquared{K: k}.Quantile(p) }

// poisson is the probability of j events where mean are expected.
func poisson(j, mean float64) float64 { return distuv.Poisson{Lambda: mean}.Prob(j) }

package drift

import (
	"math"
	"strconv"
)

// Histogram holds counts per value cell, and for ordered cells the sums of the values in each (or nil). Counts need
// not be whole: recent ones are decayed.
type Histogram struct {
	Counts []float64
	Sums   []float64
}

// add adds the counts of another histogram of the same cells.
func (h Histogram) add(other Histogram) {
	for i, n := range other.Counts {
		h.Counts[i] += n
	}
	for i, n := range other.Sums {
		h.Sums[i] += n
	}
}

// total is the number of values.
func (h Histogram) total() (n float64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// shares returns (count+pseudo)/total: pseudo is 0, or ½ for smoothed shares.
func (h Histogram) shares(pseudo float64) []float64 {
	total := h.total() + pseudo*float64(len(h.Counts))
	p := make([]float64, len(h.Counts))
	for i, n := range h.Counts {
		p[i] = (n + pseudo) / total
	}
	return p
}

// Figure is a statistic that may be absent (NaN) or infinite: null in JSON.
type Figure float64

// MarshalJSON writes the number, or null where JSON has none.
func (f Figure) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(f), 'g', -1, 64), nil
}

// Distances between a live and a baseline histogram of the same cells. All are 0 for equal shares, and NaN where one
// histogram is empty. W1OverStd is in standard deviations of the baseline, the others have no unit.
//
// p are the baseline's shares, q the live ones; smoothed shares have half a count added to every cell.
type Distances struct {
	PSI           Figure `json:"psi"`            // Σ(q-p)·ln(q/p), smoothed
	PSIUnsmoothed Figure `json:"psi_unsmoothed"` // the same unsmoothed; infinite where a cell is empty on one side
	JS            Figure `json:"js"`             // Jensen-Shannon distance, base e: at most √ln 2
	JSSmoothed    Figure `json:"-"`              // the same, smoothed
	Hellinger     Figure `json:"hellinger"`      // √(½Σ(√p-√q)²), at most 1
	TV            Figure `json:"tv"`             // total variation ½Σ|p-q|: the share that has changed cell
	Linf          Figure `json:"-"`              // max|p-q|
	KS            Figure `json:"ks"`             // ordered cells: max|ΣP-ΣQ|, cumulated; else NaN
	W1OverStd     Figure `json:"w1_over_std"`    // earth mover's distance of the bin means, over std; else NaN
}

// JSBase2 is the Jensen-Shannon distance to the base 2, between 0 and 1.
func (d Distances) JSBase2() float64 { return float64(d.JS) / math.Sqrt(math.Ln2) }

// noDistances is what an empty histogram has.
func noDistances() Distances {
	none := Figure(math.NaN())
	return Distances{none, none, none, none, none, none, none, none, none}
}

// Compare measures how far live lies from base. Both have the same cells. Ordered tells that the cells are bins of
// numbers; std is the baseline's standard deviation, or NaN.
func Compare(base, live Histogram, ordered bool, std float64) Distances {
	d := noDistances()
	if base.total() <= 0 || live.total() <= 0 {
		return d
	}
	p, q := base.shares(0), live.shares(0)
	ps, qs := base.shares(0.5), live.shares(0.5)
	d.PSI, d.PSIUnsmoothed = Figure(psi(ps, qs)), Figure(psi(p, q))
	d.JS, d.JSSmoothed = Figure(jensenShannon(p, q)), Figure(jensenShannon(ps, qs))
	d.Hellinger = Figure(hellinger(p, q))
	d.TV, d.Linf = variation(p, q)
	if !ordered {
		return d
	}
	d.KS = Figure(kolmogorovSmirnov(p, q))
	if base.Sums != nil && live.Sums != nil && std > 0 {
		d.W1OverStd = Figure(wasserstein(base, live) / std)
	}
	return d
}

// psi is the population stability index, the symmetric Kullback-Leibler divergence.
func psi(p, q []float64) (sum float64) {
	for i := range p {
		if p[i] != q[i] {
			sum += (q[i] - p[i]) * math.Log(q[i]/p[i])
		}
	}
	return sum
}

func hellinger(p, q []float64) float64 {
	var sum float64
	for i := range p {
		d := math.Sqrt(p[i]) - math.Sqrt(q[i])
		sum += d * d
	}
	return math.Sqrt(sum / 2)
}

// variation returns the total variation and the largest difference of a cell.
func variation(p, q []float64) (tv, linf Figure) {
	var sum, largest float64
	for i := range p {
		d := math.Abs(p[i] - q[i])
		sum += d
		largest = max(largest, d)
	}
	return Figure(sum / 2), Figure(largest)
}

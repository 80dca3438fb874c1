package drift

import "slices"

// clipper cuts the odds of a bet so that no law of the tolerance ball can win by it. Its fields are scratch.
type clipper struct {
	ratios []float64 // of the bet to the baseline, by cell
	order  []int     // cells by ratio, falling
}

// bounds returns the c1 < 1 < c2 for which cutting the odds r/p to [c1, c2] takes exactly epsilon off r above c2·p and
// gives exactly epsilon to it below c1·p:
//
//	Σ (r_b/c2 - p_b)⁺ = ε = Σ (p_b - r_b/c1)⁺
//
// Then p* = r/e is a law at distance ε from p, the one of the ball that is nearest to r, and no law of the ball has
// Σ p_b·e_b above 1. r must be farther than epsilon from p, and every p_b positive. The equations are linear between
// two ratios, so that sorting solves them exactly: over the k cells of the highest ratios c2 = Σr/(Σp+ε), and the
// right k is the first whose next ratio is not above it; likewise for c1 from the other end.
func (c *clipper) bounds(r, p []float64, epsilon float64) (c1, c2 float64) {
	c.sort(r, p)
	last := len(c.order) - 1
	var sumR, sumP float64
	for k, b := range c.order {
		sumR, sumP = sumR+r[b], sumP+p[b]
		c2 = sumR / (sumP + epsilon)
		if k == last || c.ratios[c.order[k+1]] <= c2 {
			break
		}
	}
	sumR, sumP = 0, 0
	for k := last; k >= 0; k-- {
		b := c.order[k]
		sumR, sumP = sumR+r[b], sumP+p[b]
		if sumP <= epsilon {
			continue // all of these cells may empty
		}
		c1 = sumR / (sumP - epsilon)
		if k == 0 || c.ratios[c.order[k-1]] >= c1 {
			break
		}
	}
	return c1, c2
}

// sort fills ratios and order.
func (c *clipper) sort(r, p []float64) {
	c.ratios, c.order = c.ratios[:0], c.order[:0]
	for b := range p {
		c.ratios = append(c.ratios, r[b]/p[b])
		c.order = append(c.order, b)
	}
	slices.SortFunc(c.order, func(a, b int) int {
		switch {
		case c.ratios[a] > c.ratios[b]:
			return -1
		case c.ratios[a] < c.ratios[b]:
			return 1
		default:
			return a - b
		}
	})
}

// odds is the multiplier of cell b after the last bounds.
func (c *clipper) odds(b int, c1, c2 float64) float64 { return min(max(c.ratios[b], c1), c2) }

package sklearn

import (
	"fmt"
	"math"
	"slices"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// isotonic reads the line of a fitted IsotonicRegression: the steps of the pool-adjacent-violators fit, thinned
// to the points where the slope changes. A falling fit (increasing_ False) has falling y and needs nothing else.
// Outside its ends it is flat ("clip"), as calibration asks for it; the thresholds must ascend, or bisection
// would lose its way.
//
// X_thresholds_ and y_thresholds_ are vectors of equal length, X_min_ and X_max_ the ends of the first. y_min and
// y_max bound the fit and have left their mark in y. IsotonicRegression casts what it is asked to the type of its
// thresholds, so that those of float32 give a value rounded to that first.
func (a *attributes) isotonic() *polyline {
	if bounds := a.text("out_of_bounds", "nan"); a.err == nil && bounds != "clip" {
		a.unknown("out_of_bounds", bounds)
	}
	array := a.array("X_thresholds_")
	if a.err != nil {
		return nil
	}
	p := &polyline{x: a.vector("X_thresholds_", array.Len()), y: a.vector("y_thresholds_", array.Len())}
	p.single = array.Type.Kind == 'f' && array.Type.Size == 4
	low, high := a.number("X_min_"), a.number("X_max_")
	if a.err != nil {
		return nil
	}
	if len(p.x) == 0 || !slices.IsSorted(p.x) || low != p.x[0] || high != p.x[len(p.x)-1] {
		a.mismatch("X_thresholds_", fmt.Sprintf("%d values", len(p.x)), "they must ascend from X_min_ to X_max_")
	}
	return p
}

// polyline is a function through points, straight between them and flat beyond. It is what scipy's interp1d does for
// IsotonicRegression, which rebuilds it from the points whenever it is unpickled.
type polyline struct {
	x, y   []float64
	single bool // the points are float32, and so is what is asked of them
}

// at interpolates like numpy.interp: y_j + slope·(x - x_j), and y_j itself at a point. NaN goes through, since
// the classifier behind may have let it pass.
func (p *polyline) at(x float64) float64 {
	if p.single {
		x = float64(float32(x))
	}
	last := len(p.x) - 1
	switch {
	case math.IsNaN(x):
		return x
	case x <= p.x[0]:
		return p.y[0]
	case x >= p.x[last]:
		return p.y[last]
	}
	// Equal x may stand twice, where the fit jumps: numpy.interp then takes the last of them.
	j, found := slices.BinarySearch(p.x, x)
	if found {
		for j < last && p.x[j+1] == x {
			j++
		}
		return p.y[j]
	}
	j--
	slope := (p.y[j+1] - p.y[j]) / (p.x[j+1] - p.x[j])
	return float64(slope*(x-p.x[j])) + p.y[j]
}

// temperature adds the softmax of the response divided by a temperature (beta_ is its inverse). A single decision
// value x stands for the logits -x and x, probabilities for their logarithms.
//
// scikit-learn takes any response whose rows are within [0, 1] and add up to 1 for probabilities, those of a decision
// function included. It asks that of all rows that are scored together, which a row scored alone cannot know; it is
// settled here by where the response comes from.
func (c *compiler) temperature(a *attributes, v pickle.Value, s *temperature) {
	o, ok := v.(*pickle.Object)
	if !ok || o.Class.String() != "sklearn.calibration._TemperatureScaling" {
		a.unknown("calibrators", v)
		return
	}
	inner := attributesOf(o)
	s.beta = inner.number("beta_")
	if a.err = inner.err; a.err == nil {
		c.b.Add(c.stepName(a), s)
		c.b.Add(c.stepName(a), &softmax{s.out, s.out})
	}
}

// temperature computes the scaled logits, for which the softmax follows as a step of its own. in has one register
// for two classes, else one per class; out has one per class.
type temperature struct {
	in, out matrix
	beta    float64
	logs    bool // the response is probabilities
}

// Run scales row by row. The 1e-12 keeps the logarithm of a certain class finite; it is scikit-learn's constant.
func (s *temperature) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		switch {
		case len(s.in) == 1 && s.logs:
			p := row[s.in[0]]
			row[s.out[0]], row[s.out[1]] = s.beta*math.Log(1-p+1e-12), s.beta*math.Log(p+1e-12)
		case len(s.in) == 1:
			x := row[s.in[0]]
			row[s.out[0]], row[s.out[1]] = s.beta*-x, s.beta*x
		case s.logs:
			for k, r := range s.in {
				row[s.out[k]] = s.beta * math.Log(row[r]+1e-12)
			}
		default:
			for k, r := range s.in {
				row[s.out[k]] = s.beta * row[r]
			}
		}
	}
}

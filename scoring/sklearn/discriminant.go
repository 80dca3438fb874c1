package sklearn

import (
	"fmt"
	"math"

	"fraudstream/scoring/program"
)

// quadraticDiscriminant compiles the log posterior of normal classes with covariances of their own,
//
//	-½ (Σ ((x - mean_k)·R_k·S_k^-½)² + Σ log S_k) + log prior_k,
//
// where R_k are the axes of class k and S_k the variances along them. Two classes have one decision value, the
// difference of theirs (Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, equation 4.12).
// reg_param and shrinkage are part of the variances already.
//
// means_ has a row per class and priors_ a number. rotations_ and scalings_ are lists of an array per class:
// features by axes, and a variance per axis. There may be fewer axes than features, where a class had fewer rows
// than that. covariance_ is kept on request (store_covariance) and never used to predict. A variance of zero,
// which divides by zero for every row, refuses the model; NaN in a row makes that row unscorable.
func (c *compiler) quadraticDiscriminant(a *attributes, in matrix) (model classifier) {
	a.reads(in)
	model.classes = a.classes()
	n := len(model.classes)
	means, priors := a.matrix("means_", n, len(in)), a.vector("priors_", n)
	a.positive("priors_", priors)
	rotations, scalings := a.list("rotations_"), a.list("scalings_")
	if a.err == nil && (len(rotations) != n || len(scalings) != n) {
		a.mismatch("rotations_", fmt.Sprint(len(rotations)), fmt.Sprintf("one for each of %d classes is expected", n))
	}
	s := &quadratic{in: in}
	for k := range n {
		if a.err != nil {
			return
		}
		rotation, scaling := arrayOf(rotations[k]), arrayOf(scalings[k])
		if rotation == nil || scaling == nil || len(rotation.Shape) != 2 || rotation.Shape[0] != len(in) || rotation.Shape[1] != scaling.Len() {
			a.mismatch(fmt.Sprintf("rotations_[%d]", k), show(rotations[k]), fmt.Sprintf("a matrix with %d rows and a scaling for each of its columns are expected", len(in)))
			return
		}
		r, ok1 := floats(rotation)
		v, ok2 := floats(scaling)
		if !ok1 || !ok2 {
			a.mismatch(fmt.Sprintf("rotations_[%d]", k), describe(rotation), "numbers are expected")
			return
		}
		a.finite("rotations_", r)
		a.positive("scalings_", v)
		a.finite("scalings_", v)
		s.classes = append(s.classes, newEllipse(means[k*len(in):(k+1)*len(in)], r, v, priors[k]))
	}
	if a.err != nil {
		return
	}
	name := c.stepName(a)
	c.b.CheckFinite(name, in, false)
	s.out = c.b.Block(n)
	c.b.Add(name, s)
	model.decision = s.out
	if n == 2 {
		d := &difference{first: s.out[0], second: s.out[1], out: c.b.New(-1)}
		c.b.Add(name, d)
		model.decision = matrix{d.out}
	}
	model.probability, model.predicted = c.b.Block(n), c.b.New(-1)
	c.b.Add(name, &softmax{s.out, model.probability})
	c.b.Add(name, &argmax{s.out, model.predicted})
	return model
}

// ellipse is one class: its centre, and for each of its axes the direction divided by the deviation along it.
// determinant is Σ log S_k: the logarithm of the covariance's determinant, since the axes are orthogonal.
type ellipse struct {
	mean, axes  []float64 // axes in row order, one row per axis
	determinant float64
	prior       float64
}

// newEllipse turns the rotation, which has a column per axis, and scales it. The file has R with features as
// rows; here each axis is a run of neighbouring values, which is how Run reads them. Scaling the axes rather than
// the projections is scikit-learn's order too.
func newEllipse(mean, rotation, variances []float64, prior float64) ellipse {
	e := ellipse{mean: mean, prior: math.Log(prior)}
	for k, v := range variances {
		scale := math.Pow(v, -0.5)
		for j := range mean {
			e.axes = append(e.axes, rotation[j*len(variances)+k]*scale)
		}
		e.determinant += math.Log(v)
	}
	return e
}

// quadratic computes the log posteriors.
type quadratic struct {
	in, out matrix
	classes []ellipse
}

// Run projects the row on every axis of every class. The difference from the mean is taken before the product, as
// there: expanded into two dot products it would cancel for a row that is far from the origin and near to the
// class.
func (s *quadratic) Run(f *program.Frame) {
	n := len(s.in)
	for i := range f.Rows {
		row := f.Registers(i)
		for k, r := range s.out {
			e := &s.classes[k]
			norm := 0.0
			for axis := 0; axis < len(e.axes); axis += n {
				d := 0.0
				for j, in := range s.in {
					d += float64((row[in] - e.mean[j]) * e.axes[axis+j])
				}
				norm += float64(d * d)
			}
			row[r] = float64(-0.5*(norm+e.determinant)) + e.prior
		}
	}
}

package sklearn

import (
	"fmt"
	"math"
)

// pca compiles (X - mean_)·components_ᵀ, divided by √explained_variance_ where whiten is set.
//
// Since 1.5 the mean is projected as well and taken off afterwards, and a deviation below the machine epsilon counts
// as that.
//
// components_ is a matrix of a row per component and a column per feature, mean_ a vector, explained_variance_ a
// number per component. svd_solver, iterated_power and tol found them and are not read. Each component is
// computed from all columns, which is why a model behind a PCA has no reasons.
func (c *compiler) pca(a *attributes, in matrix) matrix {
	a.reads(in)
	k := a.height("components_")
	s := &affine{in: in, coef: a.matrix("components_", k, len(in)), intercept: make([]float64, k)}
	mean := make([]float64, len(in))
	if a.optional("mean_") != nil {
		mean = a.vector("mean_", len(in))
	}
	scale := a.whitening(k)
	if a.err != nil {
		return nil
	}
	name := c.stepName(a)
	c.b.CheckFinite(name, in, false)
	// The two orders differ where the mean is large beside the deviations: digits cancel at another place.
	if a.version() >= parseVersion("1.5") {
		for i := range s.intercept {
			for j, m := range mean {
				s.intercept[i] -= float64(m * s.coef[i*len(in)+j])
			}
		}
	} else {
		centre := &standardize{in: in, out: c.computed(in), mean: mean, scale: ones(len(in))}
		c.b.Add(name, centre)
		s.in = centre.out
	}
	s.out = c.b.Block(k)
	c.b.Add(name, s)
	if scale == nil {
		return s.out
	}
	w := &standardize{in: s.out, out: c.computed(s.out), mean: make([]float64, k), scale: scale}
	c.b.Add(name, w)
	return w.out
}

// whitening reads the standard deviations of k components, √explained_variance_; nil where whiten is off. One
// that is zero, which files before 1.5 may have, would divide every row by zero and is refused. An absent whiten
// is off, which is its default.
func (a *attributes) whitening(k int) []float64 {
	if !a.flag("whiten", false) || a.err != nil {
		return nil
	}
	variance := a.vector("explained_variance_", k)
	least := 0.0
	if a.version() >= parseVersion("1.5") {
		least = epsilon
	}
	scale := make([]float64, len(variance))
	for i, v := range variance {
		if v < 0 {
			a.mismatch("explained_variance_", fmt.Sprint(v), "a variance cannot be negative")
		}
		scale[i] = max(math.Sqrt(v), least)
	}
	a.nonZero("explained_variance_", scale)
	return scale
}

// truncatedSVD compiles X·components_ᵀ: a projection without a mean, so that zeros stay cheap for sparse
// matrices. How the components were found (algorithm, n_iter) does not matter any more. components_ is as in PCA;
// singular_values_ and the explained variances describe the fit.
func (c *compiler) truncatedSVD(a *attributes, in matrix) matrix {
	a.reads(in)
	k := a.height("components_")
	s := &affine{in: in, coef: a.matrix("components_", k, len(in)), intercept: make([]float64, k)}
	if a.err != nil {
		return nil
	}
	s.out = c.b.Block(k)
	c.b.CheckFinite(c.stepName(a), in, false)
	c.b.Add(c.stepName(a), s)
	return s.out
}

// height is the number of rows of a two-dimensional array attribute. It tells how many outputs a projection has,
// before the rest is checked against it.
func (a *attributes) height(name string) int {
	array := a.array(name)
	if a.err == nil && len(array.Shape) != 2 {
		a.mismatch(name, describe(array), "a matrix is expected")
	}
	if a.err != nil {
		return 0
	}
	return array.Shape[0]
}

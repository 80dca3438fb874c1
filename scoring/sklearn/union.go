package sklearn

import (
	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// featureUnion gives every transformer all columns and puts the results side by side.
//
// transformer_list holds (name, transformer) pairs, of which "drop" gives nothing and "passthrough" the columns
// as they are. A transformer sees the same registers as its neighbours and writes new ones, so that none disturbs
// another. n_jobs does not matter.
func (c *compiler) featureUnion(a *attributes, in matrix) matrix {
	parts := a.parts("transformer_list", 2)
	weights := a.weights("transformer_weights")
	var out matrix
	for _, p := range parts {
		if a.err != nil {
			return nil
		}
		if p.estimator == "drop" {
			continue
		}
		result := in
		if !isPassthrough(p.estimator) {
			c.within(p.name, func() { result, a.err = c.transform(p.estimator, in) })
		}
		out = c.join(a, out, c.weighted(a, p.name, weights, result))
	}
	return out
}

// join puts two matrices side by side. append may write behind left, so that a caller who still needs left clones
// it.
func (c *compiler) join(a *attributes, left, right matrix) matrix {
	if len(left)+len(right) > program.MaxRegisters && a.err == nil {
		a.err = program.ErrFull
	}
	return append(left, right...)
}

// weights reads a dict from the names of transformers to factors. A transformer that is not in it keeps the
// factor 1 and gets no step.
func (a *attributes) weights(name string) map[string]float64 {
	v := a.optional(name)
	if v == nil {
		return nil
	}
	d, ok := v.(*pickle.Dict)
	if !ok {
		a.unknown(name, v)
		return nil
	}
	weights := make(map[string]float64, len(d.Keys))
	for i, k := range d.Keys {
		key, isText := k.(string)
		w, isNumber := float(d.Values[i])
		if !isText || !isNumber || w-w != 0 {
			a.unknown(name, d.Values[i])
			return nil
		}
		weights[key] = w
	}
	return weights
}

// weighted multiplies the result of one transformer by its factor, if it has one. The product is by a scalar, as
// in scikit-learn; the sum with 0 that rescale adds changes at most the sign of a zero.
func (c *compiler) weighted(a *attributes, name string, weights map[string]float64, in matrix) matrix {
	w, ok := weights[name]
	if !ok || a.err != nil {
		return in
	}
	s := &rescale{in: in, scale: ones(len(in)), offset: make([]float64, len(in))}
	for i := range s.scale {
		s.scale[i] = w
	}
	s.out = c.computed(in)
	c.b.Compute(in)
	c.within(name, func() { c.b.Add(c.stepName(a), s) })
	return s.out
}

package sklearn

import (
	"strings"

	"fraudstream/scoring/pickle"
)

// part is a named estimator of a pipeline, a union or a column transformer.
type part struct {
	name      string
	estimator pickle.Value
	columns   pickle.Value // of a column transformer
}

// parts reads a list of (name, estimator) or (name, estimator, columns) tuples. Names are only shown, except
// where weights or columns refer to them.
func (a *attributes) parts(attribute string, size int) []part {
	items := a.list(attribute)
	parts := make([]part, 0, len(items))
	for _, item := range items {
		t, ok := item.(*pickle.Tuple)
		if !ok || len(t.Items) != size {
			a.mismatch(attribute, show(item), "a list of named estimators is expected")
			return nil
		}
		name, ok := t.Items[0].(string)
		if !ok {
			a.mismatch(attribute, show(t.Items[0]), "the name of an estimator is a string")
			return nil
		}
		p := part{name: name, estimator: t.Items[1]}
		if size > 2 {
			p.columns = t.Items[2]
		}
		parts = append(parts, p)
	}
	if len(parts) == 0 {
		a.mismatch(attribute, "", "there is no estimator in it")
	}
	return parts
}

// pipelineTransform takes the matrix through every step.
//
// memory, verbose and transform_input do not matter once fit is over.
func (c *compiler) pipelineTransform(a *attributes, in matrix) matrix {
	return c.through(a, a.parts("steps", 2), in)
}

// pipelineClassify takes the matrix through every step but the last, which classifies.
//
// Everything that the last step offers is offered: its classes, its outputs, its reasons. A last step that is no
// classifier is refused by classify, which names it.
func (c *compiler) pipelineClassify(a *attributes, in matrix) (model classifier) {
	steps := a.parts("steps", 2)
	if a.err != nil {
		return
	}
	last := steps[len(steps)-1]
	in = c.through(a, steps[:len(steps)-1], in)
	if a.err != nil {
		return
	}
	c.within(last.name, func() {
		model, a.err = c.classify(last.estimator, in)
	})
	return model
}

// through compiles the transformers of a pipeline. A sampler of imbalanced-learn acts in fit only. A matrix is a
// list of registers, so that a pipeline emits nothing itself: each step reads what the one before has left.
func (c *compiler) through(a *attributes, steps []part, in matrix) matrix {
	for _, s := range steps {
		if a.err != nil {
			return nil
		}
		if isPassthrough(s.estimator) || isSampler(s.estimator) {
			continue
		}
		c.within(s.name, func() {
			in, a.err = c.transform(s.estimator, in)
		})
	}
	return in
}

// isSampler tells the resamplers of imbalanced-learn, which a pipeline skips once it is fitted. They change which
// rows are fitted on; at predict time the pipeline of imbalanced-learn passes them by.
func isSampler(v pickle.Value) bool {
	o, ok := v.(*pickle.Object)
	return ok && (strings.HasPrefix(o.Class.Module, "imblearn.over_sampling.") ||
		strings.HasPrefix(o.Class.Module, "imblearn.under_sampling.") ||
		strings.HasPrefix(o.Class.Module, "imblearn.combine.") || o.Class.String() == "imblearn.base.FunctionSampler")
}

package sklearn

import "fraudstream/scoring/program"

// additive is the sum inside of a classifier that reasons are told about: where its outputs are, and how to explain one
// of them. Linear models and ensembles of trees have one; what wraps a single model hands its sum on; a mean of several
// models has none, even where each of them does.
type additive struct {
	out     matrix // one register per class, or one for two classes that grows towards the second
	explain func(k int) *program.Explanation
	falls   bool   // a calibrator that falls stands between the sum and the outputs of the classifier
	opaque  string // the class of a model without a sum
}

// name notes the class of a model that is no sum. The name of the innermost stands.
func (s *additive) name(a *attributes) {
	if s.explain == nil && s.opaque == "" {
		s.opaque = a.object.Class.Name
	}
}

// explanation tells what moves the given output for the positive class.
//
// The sum of two classes grows towards the second, so that the score falls with it where the first is positive and its
// probability is the score. The decision value is the sum itself. Of several classes the margin of the positive one is
// told about, which is what a softmax compares with the others.
func (m *classifier) explanation(output string, positive int) *program.Explanation {
	s := &m.additive
	k, falls := positive, false
	switch {
	case s.explain == nil:
		return program.Unexplained(s.opaque + " is no sum over its features")
	case output == "score_samples":
		return program.Unexplained("score_samples is no sum over the features")
	case output == "predict" && len(m.classes) > 2:
		return program.Unexplained("the predicted label of several classes is no sum over the features")
	case output == "predict":
		k, falls = 1, m.classes[1].Num < m.classes[0].Num
	case output == "predict_proba":
		falls = len(s.out) == 1 && positive == 0
	}
	if len(s.out) == 1 {
		k = 0
	}
	e := s.explain(k)
	e.Falls = falls != s.falls
	return e
}

// additive is the sum of a linear model.
func (s *affine) additive(b *program.Builder) additive {
	n := len(s.in)
	return additive{out: s.out, explain: func(k int) *program.Explanation {
		sum := program.Sum{In: s.in, Weights: s.coef[k*n : (k+1)*n], Intercept: s.intercept[k], Absent: program.Missing}
		return b.ExplainLinear(s.out[k], sum)
	}}
}

package sklearn

import (
	"cmp"

	"fraudstream/scoring/forest"
	"fraudstream/scoring/program"
)

// additive is the sum inside of a classifier that reasons are told about: where its outputs are, and how to explain one
// of them. Linear models and ensembles of trees have one; what wraps a single model hands its sum on; models that vote
// have none, even where each of them does.
type additive struct {
	out     matrix // one register per class, or one for two classes that grows towards the second
	explain func(k int) *program.Explanation
	falls   bool   // a calibrator that falls stands between the sum and the outputs of the classifier
	why     string // there is no sum
}

// averaged is the sum of a calibrated model: that of the classifier inside, or, where each fold has one of its
// own, their mean. The folds are the same model on overlapping rows, so that the mean of their log-odds is what a
// person would call the log-odds before calibration, though the score itself is the mean of what the calibrators
// make of each.
func averaged(folds []additive) additive {
	s := folds[0]
	for _, f := range folds {
		if f.explain == nil || f.falls != s.falls || len(f.out) != len(s.out) {
			return additive{why: cmp.Or(f.why, "the calibrators of some folds fall where those of others rise")}
		}
	}
	if len(folds) > 1 {
		s.explain = func(k int) *program.Explanation {
			parts := make([]*program.Explanation, len(folds))
			for i := range folds {
				parts[i] = folds[i].explain(k)
			}
			return program.Mean(parts)
		}
	}
	return s
}

// blame notes the class of a model that is no sum. That of the innermost stands.
func (s *additive) blame(a *attributes) {
	if s.explain == nil && s.why == "" {
		s.why = a.object.Class.Name + " is no sum over its features"
	}
}

// explanation tells what moves the given output for the positive class.
//
// The sum of two classes grows towards the second, so that the score falls with it where the first is positive and its
// probability is the score. The decision value is the sum itself. Of several classes the margin of the positive one is
// told about, which is what a softmax compares with the others.
//
// The score may be any of the outputs; what the reasons are told about is always the sum. Falls of the result
// says whether a rising sum lowers the score: once for the class that is asked about, once more for a calibrator
// in between that falls, and two of them cancel.
func (m *classifier) explanation(output string, positive int) *program.Explanation {
	s := &m.additive
	k, falls := positive, false
	switch {
	case s.explain == nil:
		return program.Unexplained(s.why)
	case output == "score_samples":
		return program.Unexplained("score_samples is no sum over the features")
	case output == "predict" && len(m.classes) > 2:
		return program.Unexplained("the predicted label of several classes is no sum over the features")
	case output == "predict":
		// The score is the label itself, a number: it falls with the sum where the second class has the smaller
		// label.
		k, falls = 1, m.classes[1].Num < m.classes[0].Num
	case output == "predict_proba":
		falls = len(s.out) == 1 && positive == 0
	}
	if len(s.out) == 1 {
		k = 0
	}
	e := s.explain(k) // which is its own: nobody else turns it
	e.Falls = falls != s.falls
	return e
}

// additive is the sum of a linear model. Output k has row k of the coefficients. NaN counts as absent; a sound
// row never brings one, since such models refuse it.
func (s *affine) additive(b *program.Builder) additive {
	n := len(s.in)
	return additive{out: s.out, explain: func(k int) *program.Explanation {
		sum := program.Sum{In: s.in, Weights: s.coef[k*n : (k+1)*n], Intercept: s.intercept[k], Absent: program.Missing}
		return b.ExplainLinear(s.out[k], sum)
	}}
}

// explanation tells what moved output k of a histogram boosting. The answer to a question about a category is a step of
// the feature that was asked.
func (s *histStep) explanation(b *program.Builder, splits []categorySplit, k int) *program.Explanation {
	a := forest.Account{Method: program.PathLogOdds, Output: s.out[k], In: s.in, Start: s.start[k], Divisor: 1}
	for i := range splits {
		a.Extra = append(a.Extra, splits[i].feature)
	}
	return s.forest.Explain(k).Explanation(b, a, func(row, x []float64) { s.put(x, 1, row) })
}

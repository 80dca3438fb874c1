package sklearn

import (
	"strings"

	"fraudstream/scoring/pickle"
)

// frozenClassify compiles the estimator that a FrozenEstimator (since 1.6) keeps from being fitted again. It stands
// where cv="prefit" stood before, and has no meaning for predictions.
//
// estimator is the fitted model itself, not a pattern of one: fit of the wrapper does nothing.
func (c *compiler) frozenClassify(a *attributes, in matrix) (model classifier) {
	inner := a.required("estimator")
	if a.err == nil {
		model, a.err = c.classify(inner, in)
	}
	return model
}

// frozenTransform is the same for a transformer.
func (c *compiler) frozenTransform(a *attributes, in matrix) (out matrix) {
	inner := a.required("estimator")
	if a.err == nil {
		out, a.err = c.transform(inner, in)
	}
	return out
}

// fixedThreshold compiles a classifier of two classes whose prediction has a threshold of its own. "auto" is ½
// for probabilities and 0 for decision values. Scores are those of the classifier inside, so that the thresholds
// of a bundle, not this one, decide about transactions; what predict says is held against the golden rows all the
// same. pos_label None means the second class.
func (c *compiler) fixedThreshold(a *attributes, in matrix) (model classifier) {
	threshold, auto := 0.0, a.optional("threshold") == "auto"
	if !auto {
		threshold = a.number("threshold")
	}
	return c.thresholded(a, in, threshold, auto, a.optional("pos_label"))
}

// tunedThreshold compiles the same with the threshold that a cross-validation has found. The positive class is that of
// the metric: its argument, else 1 for the metrics that have one, else the second class.
//
// best_threshold_ is a float64 in the unit of the response, probability or decision value. The metric lies in
// _curve_scorer as a function by name (_score_func) with its arguments (_kwargs); it is never called. Metrics
// without a pos_label argument leave the choice to the second class, and a metric of one's own is refused, since
// its default cannot be known.
func (c *compiler) tunedThreshold(a *attributes, in matrix) (model classifier) {
	threshold := a.number("best_threshold_")
	o, ok := a.required("_curve_scorer").(*pickle.Object)
	if a.err == nil && !ok {
		a.unknown("_curve_scorer", a.optional("_curve_scorer"))
	}
	if a.err != nil {
		return
	}
	inner := attributesOf(o)
	var positive pickle.Value
	if options, ok := inner.optional("_kwargs").(*pickle.Dict); ok {
		if v, stated := options.Get("pos_label"); stated {
			return c.thresholded(a, in, threshold, false, v)
		}
	}
	metric, _ := inner.required("_score_func").(pickle.Global)
	if !strings.HasPrefix(metric.Module, "sklearn.metrics.") {
		a.unknown("_curve_scorer", inner.optional("_score_func"))
		return
	}
	switch metric.Name {
	case "f1_score", "fbeta_score", "precision_score", "recall_score", "jaccard_score":
		positive = int64(1)
	case "balanced_accuracy_score", "accuracy_score", "matthews_corrcoef", "cohen_kappa_score", "hamming_loss", "zero_one_loss":
	default:
		a.unknown("_curve_scorer", metric)
	}
	return c.thresholded(a, in, threshold, false, positive)
}

// thresholded compiles the classifier inside and compares the response for the positive class: its probability,
// or its decision value, negated where the positive class is the first. What reaches the threshold is positive. A
// model that was not fitted again keeps the estimator under its parameter's name. Probabilities and decision
// values stay those of the inner classifier; the predicted class is all that changes.
func (c *compiler) thresholded(a *attributes, in matrix, threshold float64, auto bool, positive pickle.Value) (model classifier) {
	inner := a.optional("estimator_")
	if inner == nil {
		inner = a.required("estimator")
	}
	method := a.text("response_method", "auto")
	if a.err != nil {
		return
	}
	if model, a.err = c.classify(inner, in); a.err != nil {
		return
	}
	if len(model.classes) != 2 {
		a.mismatch("classes_", show(int64(len(model.classes))), "a threshold needs two classes")
		return
	}
	s := &atLeast{out: c.b.New(-1), threshold: threshold, no: 0, yes: 1}
	if positive != nil {
		wish, _ := constant(positive)
		if a.positiveClass(model.classes, &wish) == 0 {
			s.yes, s.no = 0, 1
		}
	}
	switch {
	case (method == "auto" || method == "predict_proba") && model.probability != nil:
		s.in = model.probability[int(s.yes)]
		if auto {
			s.threshold = 0.5
		}
	case (method == "auto" || method == "decision_function") && len(model.decision) == 1:
		s.in, s.negate = model.decision[0], s.yes == 0
	default:
		a.unknown("response_method", method)
		return
	}
	if a.err == nil {
		c.b.Add(c.stepName(a), s)
	}
	model.predicted = s.out
	return model
}

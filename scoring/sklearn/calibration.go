package sklearn

import (
	"fmt"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// calibratedClassifier compiles the mean of calibrated copies of a classifier: one per fold of the cross-validation, a
// single one with ensemble=False, with cv="prefit" (until 1.7) or over a FrozenEstimator.
//
// It has no decision_function, and predict takes the largest probability, so that a calibrated model may predict
// otherwise than the classifier inside. Checks of the row are left to that classifier, as in scikit-learn since 1.0.
//
// calibrated_classifiers_ is a list of private objects, each with a fitted classifier, its calibrators and the
// method. The parameters method, cv and n_jobs of the outer object are not read: what they led to stands in the
// inner ones.
func (c *compiler) calibratedClassifier(a *attributes, in matrix) (model classifier) {
	model.classes = a.classes()
	parts := a.list("calibrated_classifiers_")
	if a.err == nil && len(parts) == 0 {
		a.mismatch("calibrated_classifiers_", "[]", "at least one calibrated classifier is expected")
	}
	m, sums := &mean{each: make([]matrix, len(parts)), divisor: float64(len(parts))}, make([]additive, len(parts))
	for i, part := range parts {
		if a.err != nil {
			return
		}
		c.within(fmt.Sprintf("calibrated_classifiers_[%d]", i), func() {
			m.each[i], sums[i], a.err = c.calibrated(part, model.classes, in)
		})
	}
	if a.err != nil {
		return
	}
	model.additive = averaged(sums)
	m.out = c.b.Block(len(model.classes))
	model.probability, model.predicted = m.out, c.b.New(-1)
	c.b.Add(c.stepName(a), m)
	c.b.Add(c.stepName(a), &argmax{m.out, model.predicted})
	return model
}

// mean averages matrices element by element, in their order: soft voting, bagging's decision values and
// calibration. The divisor is given apart, because it is the number of matrices without weights and their sum
// with them.
type mean struct {
	each    []matrix
	out     matrix
	weights []float64 // nil: all alike
	divisor float64
}

// Run adds first and divides last. A sum of members that are scaled by 1/n first would be another number in its
// last digit.
func (s *mean) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for k, r := range s.out {
			sum := 0.0
			for e, m := range s.each {
				v := row[m[k]]
				if s.weights != nil {
					v *= s.weights[e]
				}
				sum += v
			}
			row[r] = sum / s.divisor
		}
	}
}

// calibrated compiles one classifier and its calibrators, and returns its probabilities and the sum inside, which
// reasons are told about before any calibrator. The attribute that holds the classifier was called base_estimator
// before 1.2. The calibrators map what decision_function gives, or predict_proba where there is none. Two classes have
// one calibrator, that of the second class; more have one each and are normalised.
func (c *compiler) calibrated(v pickle.Value, classes []program.Constant, in matrix) (matrix, additive, error) {
	o, ok := v.(*pickle.Object)
	if !ok || o.Class.String() != "sklearn.calibration._CalibratedClassifier" {
		return nil, additive{}, &UnsupportedError{Reason: "unsupported-value", Class: "sklearn.calibration.CalibratedClassifierCV", Attribute: "calibrated_classifiers_", Value: show(v), Advice: "a calibrated classifier is expected"}
	}
	a, err := c.enter(v)
	if err != nil {
		return nil, additive{}, err
	}
	defer c.leave()
	attribute := "estimator"
	if !a.has(attribute) {
		attribute = "base_estimator"
	}
	inner, err := c.classify(a.required(attribute), in)
	if a.err != nil || err != nil {
		return nil, additive{}, firstError(a.err, err)
	}
	a.aligned(attribute, classes, inner.classes)
	// A decision value is asked for first, as in scikit-learn, even where the classifier has probabilities as
	// well.
	response := inner.decision
	if response == nil {
		response = inner.probability
		if len(classes) == 2 && response != nil {
			response = response[1:]
		}
	}
	if response == nil && a.err == nil {
		a.refuse("unsupported-value", attribute, show(a.optional(attribute)), "it has neither decision_function nor predict_proba")
	}
	if a.err != nil {
		return nil, additive{}, a.err
	}
	out, falls := c.calibrate(a, len(classes), response, inner.decision == nil)
	// Two calibrators that fall, one within the other, rise again.
	if inner.additive.falls = inner.additive.falls != falls; falls && len(classes) > 2 {
		inner.additive = additive{} // which of the classes falls with which sum is nothing to tell a person
	}
	return out, inner.additive, a.err
}

// firstError returns the first that is an error.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// calibrate adds the calibrators and the normalisation. shares says that the response is probabilities. It tells too
// whether the calibrators fall, which they do where the classifier is worse than chance on the rows of calibration.
//
// Sigmoid and isotonic go the same way, since each calibrator tells its own kind by its class; temperature, since
// 1.8, has a single calibrator for all classes.
func (c *compiler) calibrate(a *attributes, classes int, response matrix, shares bool) (out matrix, falls bool) {
	calibrators := a.list("calibrators")
	if a.err != nil {
		return nil, false
	}
	name := c.stepName(a)
	out = c.b.Block(classes)
	if method := a.text("method", "sigmoid"); method == "temperature" {
		if len(calibrators) != 1 {
			a.mismatch("calibrators", fmt.Sprint(len(calibrators)), "one is expected")
			return nil, false
		}
		t := &temperature{in: response, out: out, logs: shares}
		c.temperature(a, calibrators[0], t)
		return out, t.beta < 0
	}
	if len(calibrators) != len(response) {
		a.mismatch("calibrators", fmt.Sprint(len(calibrators)), fmt.Sprintf("%d are expected", len(response)))
		return nil, false
	}
	// Of two classes the calibrator gives the second; shareOut fills in the first.
	to := out
	if classes == 2 {
		to = out[1:]
	}
	for k, v := range calibrators {
		s := a.calibrator(v)
		if a.err != nil {
			return nil, false
		}
		s.in, s.out = response[k], to[k]
		falls = falls || s.falls()
		c.b.Add(name, s)
	}
	c.b.Add(name, &shareOut{out})
	return out, falls
}

// calibrator reads a calibrator of one decision value: Platt's sigmoid with its slope a_ and offset b_, or
// isotonic regression. Other regressors cannot get there but by hand. A calibrator reads one float64 and gives
// one; its registers are filled in by who asked.
func (a *attributes) calibrator(v pickle.Value) *calibration {
	o, ok := v.(*pickle.Object)
	if !ok {
		a.unknown("calibrators", v)
		return nil
	}
	inner, s := attributesOf(o), new(calibration)
	switch inner.class {
	case "sklearn.calibration._SigmoidCalibration":
		s.slope, s.offset = inner.number("a_"), inner.number("b_")
	case "sklearn.isotonic.IsotonicRegression":
		s.line = inner.isotonic()
	default:
		a.unknown("calibrators", v)
		return nil
	}
	a.err = inner.err
	return s
}

// calibration maps a decision value to a probability: 1/(1+exp(a·x+b)) after Platt, or a rising line. The sign in
// Platt's formula is his own, so that a sound classifier has a negative a.
type calibration struct {
	in, out       program.Reg
	slope, offset float64
	line          *polyline // nil: Platt's sigmoid
}

// falls tells whether a larger value gives a smaller probability.
func (s *calibration) falls() bool {
	if s.line != nil {
		return s.line.y[0] > s.line.y[len(s.line.y)-1]
	}
	return s.slope > 0
}

// Run maps the value of every row.
func (s *calibration) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		if s.line != nil {
			row[s.out] = s.line.at(row[s.in])
			continue
		}
		// The sum is negated as a whole, as in scikit-learn's expit(-(a·x + b)).
		row[s.out] = expit(-(float64(s.slope*row[s.in]) + s.offset))
	}
}

// shareOut makes calibrated values probabilities: the first of two classes gets what the second leaves, more
// classes are divided by their sum, and share alike if that is zero. A hair above 1 becomes 1. The tolerance of
// 1e-5 is scikit-learn's own, against calibrators whose outputs exceed 1 by rounding.
type shareOut struct{ out matrix }

// Run works in place.
func (s *shareOut) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		if len(s.out) == 2 {
			row[s.out[0]] = 1 - row[s.out[1]]
		} else {
			s.normalize(row)
		}
		for _, r := range s.out {
			if p := row[r]; p > 1 && p <= 1+1e-5 {
				row[r] = 1
			}
		}
	}
}

// normalize divides by the sum of all classes. The outputs are not negative: an isotonic fit stays between the
// labels 0 and 1 that it was given, a sigmoid lies within them anyway.
func (s *shareOut) normalize(row []float64) {
	sum := 0.0
	for _, r := range s.out {
		sum += row[r]
	}
	for _, r := range s.out {
		if sum == 0 {
			row[r] = 1 / float64(len(s.out))
		} else {
			row[r] /= sum
		}
	}
}

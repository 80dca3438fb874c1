package sklearn

import "fraudstream/scoring/program"

// dummyClassifier compiles the strategies that know their answer: "prior" gives the class shares of training,
// "most_frequent" and "constant" are certain of one class. The others draw lots and are refused.
//
// class_prior_ is a float64 per class, weighted by sample_weight in fit. The row is never looked at, not even at
// its number of columns or for NaN: scikit-learn checks neither. Models of several outputs hold lists where an
// array is expected, and are refused.
func (c *compiler) dummyClassifier(a *attributes, in matrix) (model classifier) {
	model.classes = a.classes()
	shares := a.vector("class_prior_", len(model.classes))
	if a.err != nil {
		return
	}
	certain := -1
	switch strategy := a.text("strategy", ""); strategy {
	case "prior":
	case "most_frequent":
		certain = largest(shares)
	case "constant":
		v := a.required("constant")
		if items, ok := listItems(v); ok && len(items) == 1 {
			v = items[0]
		}
		wish, _ := constant(v)
		certain = a.positiveClass(model.classes, &wish)
	default:
		a.unknown("strategy", strategy)
	}
	if a.err != nil {
		return
	}
	if certain >= 0 {
		shares = make([]float64, len(shares))
		shares[certain] = 1
	}
	s := &fill{out: c.b.Block(len(shares)), values: shares}
	model.probability, model.predicted = s.out, c.b.New(-1)
	c.b.Add(c.stepName(a), s)
	c.b.Add(c.stepName(a), &argmax{s.out, model.predicted})
	return model
}

// largest is the place of the largest value, the first of equals. It is numpy's argmax for a vector without NaN.
func largest(values []float64) int {
	best := 0
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return best
}

// prior reads the class probabilities of a DummyClassifier. Boosting starts from these; other strategies are
// never its default, and would have to be set by hand.
func (a *attributes) prior(classes int) []float64 {
	if strategy := a.text("strategy", ""); strategy != "prior" && a.err == nil {
		a.unknown("strategy", strategy)
	}
	return a.vector("class_prior_", classes)
}

// fill writes the same values into every row.
type fill struct {
	out    matrix
	values []float64
}

// Run needs no input.
func (s *fill) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for k, r := range s.out {
			row[r] = s.values[k]
		}
	}
}

package sklearn

import "fraudstream/scoring/program"

// dummyClassifier compiles the strategy "prior": the same probabilities for every row.
func (c *compiler) dummyClassifier(a *attributes, in matrix) (model classifier) {
	model.classes = a.classes()
	prior := a.prior(len(model.classes))
	if a.err != nil {
		return
	}
	s := &fill{out: c.b.Block(len(prior)), values: prior}
	model.probability, model.predicted = s.out, c.b.New(-1)
	c.b.Add(c.stepName(a), s)
	c.b.Add(c.stepName(a), &argmax{s.out, model.predicted})
	return model
}

// prior reads the class probabilities of a DummyClassifier.
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

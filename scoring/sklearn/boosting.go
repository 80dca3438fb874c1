package sklearn

import (
	"fmt"
	"math"

	"fraudstream/scoring/forest"
	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// gradientBoosting compiles init + learning_rate · Σ trees, and the link of its loss.
//
// Two classes have one sum, more have one each. Up to 1.3 predict compared probabilities, where a tie goes to class
// 0; since 1.4 it looks at the sums, where a tie goes to class 1, as it always did for the exponential loss.
//
// estimators_ is an object array of DecisionTreeRegressors, a row per stage and a column per sum; init_ is the
// model that the sums start from, or the word "zero". Rows are cast to float32 before the trees see them, as in
// every tree of scikit-learn but those of histogram boosting, and NaN or infinities make a row unscorable.
// subsample, max_features and the options of a stage's tree have left no trace beyond the trees; after an early
// stop estimators_ is as short as training was.
func (c *compiler) gradientBoosting(a *attributes, in matrix) (model classifier) {
	a.reads(in)
	model.classes = a.classes()
	outputs := len(model.classes)
	if outputs == 2 {
		outputs = 1
	}
	exponential := a.exponentialLoss(outputs)
	f := a.boosted(len(in), outputs)
	if a.err != nil {
		return
	}
	start, from := c.initial(a, in, outputs, exponential)
	if a.err != nil {
		return
	}
	name := c.stepName(a)
	s := forest.NewStep(c.b, f, in, start, 1)
	s.StartFrom(from)
	c.b.Add(name, s)
	model.decision = s.Out()
	model.additive = additive{out: s.Out(), explain: func(k int) *program.Explanation { return s.Explain(c.b, program.PathLogOdds, k) }}
	model.probability = c.b.Block(len(model.classes))
	model.predicted = c.b.New(-1)
	raw := a.version() >= parseVersion("1.4") // before that, predict compared the probabilities
	switch {
	case outputs > 1:
		c.b.Add(name, &softmax{s.Out(), model.probability})
	case exponential:
		raw = true
		c.b.Add(name, &sigmoid{s.Out()[0], model.probability, 2})
	default:
		c.b.Add(name, &sigmoid{s.Out()[0], model.probability, 1})
	}
	switch {
	case !raw:
		c.b.Add(name, &argmax{model.probability, model.predicted})
	case outputs == 1:
		c.b.Add(name, &sign{raw: s.Out()[0], out: model.predicted, zeroIsOne: true})
	default:
		c.b.Add(name, &argmax{s.Out(), model.predicted})
	}
	return model
}

// exponentialLoss reads which of the two losses it is. The log loss was called deviance until 1.2. The
// exponential loss makes boosting AdaBoost and knows two classes only; its sums are half the log odds, which is
// why its sigmoid is taken of twice the sum.
func (a *attributes) exponentialLoss(outputs int) bool {
	switch loss := a.text("loss", "log_loss"); {
	case loss == "log_loss" || loss == "deviance":
		return false
	case loss == "exponential" && outputs == 1:
		return true
	default:
		a.unknown("loss", loss)
		return false
	}
}

// boosted reads the trees, stage by stage and class by class, each leaf multiplied by the learning rate.
//
// scikit-learn multiplies each leaf by the rate when it adds it, row for row; multiplied beforehand, the product
// is the same and rounded at the same place. Trees of different stages must be different objects of the file.
func (a *attributes) boosted(features, outputs int) *forest.Forest[float32] {
	rate := a.number("learning_rate")
	array := a.array("estimators_")
	if a.err != nil {
		return nil
	}
	if array.Type.Kind != 'O' || len(array.Shape) != 2 || array.Shape[0] < 1 || array.Shape[1] != outputs || len(array.Objects) != array.Len() {
		a.mismatch("estimators_", describe(array), fmt.Sprintf("a matrix of trees with %d in a row is expected", outputs))
		return nil
	}
	f := forest.New[float32](forest.Shape{Features: features, Width: 1, Outputs: outputs})
	own := make(ownTrees)
	for i, v := range array.Objects {
		o, ok := v.(*pickle.Object)
		if !ok || o.Class.String() != "sklearn.tree._classes.DecisionTreeRegressor" || !own.claim(o) {
			a.unknown("estimators_", v)
			return nil
		}
		inner := attributesOf(o)
		t := inner.tree(features, 1)
		t.Weights = newtonWeights(t.Weights, t.Values, 1)
		for k := range t.Values {
			t.Values[k] *= rate
		}
		t.Output = i % outputs
		addTree(inner, f, t)
		if inner.err != nil {
			a.err = within(inner.err, fmt.Sprintf("estimators_[%d,%d]", i/outputs, i%outputs), true)
			return nil
		}
	}
	return f
}

// initial returns what the sums start from: constants, or registers that an initial tree model has computed.
//
// The default start is a DummyClassifier that predicts the class shares of training: constants, worked out here.
// Other classifiers are given float32 data by scikit-learn and may compute in float32 themselves; trees compare in
// float32 anyway, so they alone are taken.
func (c *compiler) initial(a *attributes, in matrix, outputs int, exponential bool) ([]float64, matrix) {
	v := a.required("init_")
	if v == "zero" || a.err != nil {
		return nil, nil
	}
	s := &logOdds{outputs: outputs, half: exponential, centred: a.version() >= parseVersion("1.4"), epsilon: 1.0 / (1 << 23)}
	if a.version() >= parseVersion("1.8") {
		s.epsilon = 1.0 / (1 << 52)
	}
	o, ok := v.(*pickle.Object)
	if ok && o.Class.Name == "DummyClassifier" {
		inner := attributesOf(o)
		prior := inner.prior(max(2, outputs))
		if a.err = inner.err; a.err != nil {
			return nil, nil
		}
		start := make([]float64, outputs)
		s.link(prior, start)
		return start, nil
	}
	if !ok || !isTreeFamily(o) {
		a.refuse("unsupported-value", "init_", show(v), "a prior, zero and tree models are known as the start of boosting; others see float32 data here")
		return nil, nil
	}
	c.within("init_", func() {
		var inner classifier
		if inner, a.err = c.classify(o, in); a.err != nil {
			return
		}
		if len(inner.probability) != max(2, outputs) {
			a.mismatch("init_", fmt.Sprintf("%d classes", len(inner.probability)), "the classes of the model are expected")
			return
		}
		s.in, s.out = inner.probability, c.b.Block(outputs)
		c.b.Lane64(2 * len(s.in))
		c.b.Add(c.stepName(a), s)
	})
	return nil, s.out
}

// isTreeFamily tells the classifiers that cast to float32 themselves, so that it does not matter that boosting
// hands them float32 data. GradientBoostingClassifier may start from another one, as deep as the walk over
// estimators goes.
func isTreeFamily(o *pickle.Object) bool {
	switch o.Class.Name {
	case "DecisionTreeClassifier", "ExtraTreeClassifier", "RandomForestClassifier", "ExtraTreesClassifier", "GradientBoostingClassifier":
		return true
	}
	return false
}

// logOdds turns probabilities into the raw values that boosting starts from.
type logOdds struct {
	in, out matrix
	outputs int
	half    bool    // exponential loss: half the log odds
	centred bool    // several classes: logarithms of 1.4 and later are relative to their mean
	epsilon float64 // how far from 0 and 1 probabilities are kept: that of float32, since 1.8 of float64
}

// Run turns the probabilities of the initial model into raw values, row by row. Both halves of the scratch are
// needed at once: probabilities in front, raw values behind.
func (s *logOdds) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		p, raw := f.Lane64[:len(s.in)], f.Lane64[len(s.in):len(s.in)+s.outputs]
		for k, r := range s.in {
			p[k] = row[r]
		}
		s.link(p, raw)
		for k, r := range s.out {
			row[r] = raw[k]
		}
	}
}

// link computes log(p/(1-p)) for two classes and log p for more. The clip keeps a certain class finite: with
// epsilon of float32 a probability of 1 starts from log odds of 15.9, with that of float64 from 36.
func (s *logOdds) link(p, raw []float64) {
	if s.outputs == 1 {
		q := clip(p[1], s.epsilon, 1-s.epsilon)
		raw[0] = math.Log(q / (1 - q))
		if s.half {
			raw[0] *= 0.5
		}
		return
	}
	mean := 0.0
	for k := range raw {
		raw[k] = math.Log(clip(p[k], s.epsilon, 1-s.epsilon))
		mean += raw[k]
	}
	if !s.centred {
		return
	}
	mean /= float64(len(raw))
	for k := range raw {
		raw[k] -= mean
	}
}

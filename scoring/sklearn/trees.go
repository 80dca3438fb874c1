package sklearn

import (
	"errors"
	"fmt"

	"fraudstream/scoring/forest"
	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// decisionTree compiles a single tree: a forest of one.
//
// The leaf that a row ends in gives one share per class, and the largest is predicted. criterion, splitter and
// max_depth grew the tree; they matter only for whether NaN is taken. Rows are rounded to float32 before they are
// compared.
func (c *compiler) decisionTree(a *attributes, in matrix) classifier {
	return c.voting(a, in, []*attributes{a}, a.takesMissing(false))
}

// randomForest compiles the mean of the class shares of its trees.
//
// estimators_ is a list of trees, which all have the classes of the forest by their places. n_jobs lets
// scikit-learn add trees in another order from call to call; bootstrap, oob_score and class_weight have no part
// in predict. An ExtraTreesClassifier differs in how its trees were grown.
func (c *compiler) randomForest(a *attributes, in matrix) (model classifier) {
	estimators := a.list("estimators_")
	if a.err == nil && len(estimators) == 0 {
		a.mismatch("estimators_", "[]", "a forest has at least one tree")
	}
	if a.err != nil {
		return
	}
	trees := make([]*attributes, len(estimators))
	own := make(ownTrees)
	for i, e := range estimators {
		o, ok := e.(*pickle.Object)
		if !ok || !isTreeClassifier(o) || !own.claim(o) {
			a.unknown("estimators_", e)
			return
		}
		trees[i] = attributesOf(o)
	}
	return c.voting(a, in, trees, trees[0].takesMissing(true))
}

// isTreeClassifier tells the two classes that forests are made of. A regressor in their place would have values
// of another width.
func isTreeClassifier(o *pickle.Object) bool {
	switch o.Class.String() {
	case "sklearn.tree._classes.DecisionTreeClassifier", "sklearn.tree._classes.ExtraTreeClassifier":
		return true
	}
	return false
}

// voting compiles trees whose leaves hold one share per class. Each tree adds to every class, in the order of the
// file, and the sums are divided at the end: scikit-learn's own order with one job. With shares rather than
// counts at the leaves every tree has the same say, whatever its leaf held.
func (c *compiler) voting(a *attributes, in matrix, trees []*attributes, missing bool) (model classifier) {
	a.reads(in)
	if v := a.optional("n_outputs_"); v != nil && a.err == nil {
		if n, ok := integer(v); !ok || n != 1 {
			a.refuse("unsupported-value", "n_outputs_", show(v), "a model of several outputs is not supported; fit one model per output")
		}
	}
	model.classes = a.classes()
	n := len(model.classes)
	f := forest.New[float32](forest.Shape{Features: len(in), Width: n, Outputs: n, Missing: missing})
	for i, t := range trees {
		if a.err != nil {
			return
		}
		addTree(t, f, t.shares(len(in), n))
		if t.err != nil {
			a.err = within(t.err, fmt.Sprintf("estimators_[%d]", i), t != a)
		}
	}
	if a.err != nil {
		return
	}
	s := forest.NewStep(c.b, f, in, nil, float64(len(trees)))
	model.probability, model.predicted = s.Out(), c.b.New(-1)
	model.additive = additive{out: s.Out(), explain: func(k int) *program.Explanation { return s.Explain(c.b, program.PathProbability, k) }}
	c.b.Add(c.stepName(a), s)
	c.b.Add(c.stepName(a), &argmax{s.Out(), model.predicted})
	return model
}

// within adds to a refusal which of many estimators it is about.
func within(err error, place string, many bool) error {
	var u *UnsupportedError
	if many && errors.As(err, &u) {
		u.Attribute = place + "." + u.Attribute
	}
	return err
}

// takesMissing tells whether scikit-learn accepts NaN at the door of a tree, alone or as the first of a forest.
// Single trees do since 1.3 and forests since 1.4; extra trees do since 1.6. 1.9 dropped the conditions on the
// criterion and on monotonic constraints. Where it is false, NaN makes a row unscorable; where it is true, each
// node says where NaN goes.
func (a *attributes) takesMissing(inForest bool) bool {
	v := a.version()
	if v < parseVersion("1.3") || inForest && v < parseVersion("1.4") {
		return false
	}
	splitter := a.text("splitter", "")
	extra := a.object.Class.Name == "ExtraTreeClassifier"
	if v >= parseVersion("1.9") {
		return !extra || splitter == "random"
	}
	switch a.text("criterion", "") {
	case "gini", "log_loss", "entropy":
	default:
		return false
	}
	if a.optional("monotonic_cst") != nil {
		return false
	}
	switch {
	case v < parseVersion("1.6"):
		return splitter == "best"
	case extra:
		return splitter == "random"
	default:
		return splitter == "best" || splitter == "random"
	}
}

package sklearn

import (
	"errors"
	"fmt"
	"math"

	"fraudstream/scoring/forest"
	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// isolationForest compiles the anomaly score of Liu, Ting and Zhou (2008). A tree says after how many splits a row
// stands alone; the score is -2^(-mean depth / c(n)), where c is the depth that n rows would need on average. What is
// below offset_ is an outlier, class -1; low scores mean fraud.
//
// score_samples is the score, decision_function is it minus offset_, and predict asks for the sign of that. There are
// no probabilities. offset_ is -½ with contamination="auto", else a quantile of the training scores.
//
// _max_samples (max_samples_ in older files) is the number of rows that each tree was grown on, n in the formula.
// contamination has done its work in offset_; max_features and bootstrap have left estimators_features_ and the
// trees. Since 1.6 NaN is scored; before that it makes a row unscorable.
func (c *compiler) isolationForest(a *attributes, in matrix) (model classifier) {
	a.reads(in)
	model.classes = []program.Constant{program.NumberConstant(-1), program.NumberConstant(1)}
	model.outlier = true
	offset := a.number("offset_")
	attribute := "_max_samples"
	if !a.has(attribute) {
		attribute = "max_samples_"
	}
	samples := a.number(attribute)
	f := a.isolationTrees(len(in))
	if a.err != nil {
		return
	}
	name := c.stepName(a)
	s := forest.NewStep(c.b, f, in, nil, 1)
	if a.version() >= parseVersion("1.6") {
		s.TakeInfinite() // since then the rows are not checked
	}
	c.b.Add(name, s)
	p := &pathScore{depth: s.Out()[0], score: c.b.New(-1), decision: c.b.New(-1), offset: offset}
	p.divisor = float64(f.Trees()) * averagePath(samples)
	model.samples, model.decision, model.predicted = matrix{p.score}, matrix{p.decision}, c.b.New(-1)
	c.b.Add(name, p)
	c.b.Add(name, &atLeast{in: p.decision, out: model.predicted, threshold: 0, yes: 1})
	return model
}

// isolationTrees reads the trees with the depth of each leaf as its value: the splits above it and what the rows
// that share it would still need, added and rounded in the order in which scikit-learn does it. Missing values
// are taken since 1.6, when these trees learned to. A forest adds leaf values, so that the sum of depths comes
// out of the same kernels that score any other forest.
func (a *attributes) isolationTrees(features int) *forest.Forest[float32] {
	trees, subsets := a.list("estimators_"), a.list("estimators_features_")
	if a.err == nil && (len(trees) == 0 || len(trees) != len(subsets)) {
		a.mismatch("estimators_", fmt.Sprint(len(trees)), fmt.Sprintf("estimators_features_ has %d entries, and a forest has at least one tree", len(subsets)))
	}
	f := forest.New[float32](forest.Shape{Features: features, Width: 1, Outputs: 1, Missing: a.version() >= parseVersion("1.6")})
	own := make(ownTrees)
	for i, v := range trees {
		if a.err != nil {
			return nil
		}
		o, ok := v.(*pickle.Object)
		if !ok || o.Class.String() != "sklearn.tree._classes.ExtraTreeRegressor" || !own.claim(o) {
			a.unknown(fmt.Sprintf("estimators_[%d]", i), v)
			return nil
		}
		inner := attributesOf(o)
		columns := integers(subsets[i])
		t := inner.tree(len(columns), 1)
		inner.depths(&t)
		if a.err = within(inner.err, fmt.Sprintf("estimators_[%d]", i), true); a.err == nil {
			a.err = addOver(f, t, columns)
		}
		if u := (*UnsupportedError)(nil); errors.As(a.err, &u) && u.Class == "" {
			u.Class, u.Attribute = a.class, fmt.Sprintf("estimators_[%d].tree_.%s", i, u.Attribute)
		}
	}
	return f
}

// addOver appends a tree that was grown on a subset of the columns: its features count within the subset, and are
// renumbered to columns of the model. With max_features=1.0 the subset is all columns in order and the numbers
// stay.
func addOver(f *forest.Forest[float32], t forest.Tree, columns []int) error {
	for i := range t.Nodes {
		if n := &t.Nodes[i]; n.Left != forest.Leaf {
			if n.Feature < 0 || n.Feature >= len(columns) {
				return &UnsupportedError{Reason: "feature-index", Attribute: fmt.Sprintf("feature[%d]", i), Value: fmt.Sprint(n.Feature), Advice: fmt.Sprintf("the tree reads %d columns", len(columns))}
			}
			n.Feature = columns[n.Feature]
		}
	}
	return f.Add(t)
}

// depths replaces the values of a tree by path lengths. The children of a node stand behind it in the file; where
// they do not, the forest refuses the tree or the value is never used. The length of a path is the number of
// nodes on it plus c of the rows at its end, less one.
func (a *attributes) depths(t *forest.Tree) {
	if a.err != nil {
		return
	}
	o, ok := a.optional("tree_").(*pickle.Object)
	if !ok {
		return
	}
	inner := &attributes{object: o, class: o.Class.String()}
	nodes, ok := inner.optional("nodes").(*pickle.Array)
	if !ok {
		return
	}
	samples := inner.nodeField(nodes, "n_node_samples")
	if a.err = inner.err; a.err != nil {
		return
	}
	depth := make([]float64, len(t.Nodes))
	for i, n := range t.Nodes {
		t.Values[i] = float64(depth[i]+1+averagePath(samples[i])) - 1
		for _, child := range [2]int{n.Left, n.Right} {
			if child >= 0 && child < len(depth) {
				if child <= i {
					a.structure("tree_.children", fmt.Sprint(child), "a child stands before its parent")
					return
				}
				depth[child] = depth[i] + 1
			}
		}
	}
}

// averagePath is c(n) of the paper: how deep an unsuccessful search in a binary tree of n values ends on average:
// 2·H(n-1) - 2(n-1)/n, with the harmonic number as log + γ. Below three rows it is 0 or 1 by definition.
func averagePath(n float64) float64 {
	const gamma = 0.57721566490153286060651209008240243
	switch {
	case n <= 1:
		return 0
	case n == 2:
		return 1
	}
	return float64(2*(math.Log(n-1)+gamma)) - 2*(n-1)/n
}

// pathScore turns the sum of depths into score_samples and decision_function. divisor is the number of trees
// times c(n), offset is offset_.
type pathScore struct {
	depth, score, decision program.Reg
	divisor, offset        float64
}

// Run takes a forest that saw a single row, whose divisor is 0, for certain: its score is -½. The predicted class
// follows from decision: at or above zero is an inlier.
func (s *pathScore) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		x := 1.0
		if s.divisor != 0 {
			x = row[s.depth] / s.divisor
		}
		score := -math.Exp2(-x)
		row[s.score], row[s.decision] = score, score-s.offset
	}
}

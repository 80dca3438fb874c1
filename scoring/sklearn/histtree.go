package sklearn

import (
	"fmt"
	"math"

	"fraudstream/scoring/forest"
	"fraudstream/scoring/pickle"
)

// predictorClass is the class of one tree.
const predictorClass = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"

// maxSplits bounds the distinct splits on categories of a model, each of which costs a value per row.
const maxSplits = 1 << 15

// histReader reads trees and gathers their splits on categories: equal ones of different trees are one. place
// finds a split that was met before, seen a tree that stands in the file twice.
type histReader struct {
	features int
	known    []*bitset
	wraps    bool // negative numbers are cast like any other
	splits   []categorySplit
	place    map[categorySplit]int
	own      ownTrees
}

// tree reads one TreePredictor: an array of nodes, the root first. Whether they form a tree is for the forest to
// check, which refuses shared children, cycles and what lies outside. Values are those of all nodes, though only
// leaves use theirs; count is how many training rows each node held, which reasons need and prediction does not.
func (r *histReader) tree(v pickle.Value) (forest.Tree, error) {
	o, ok := v.(*pickle.Object)
	if !ok || o.Class.String() != predictorClass {
		return forest.Tree{}, &UnsupportedError{Reason: "unsupported-value", Class: predictorClass, Value: show(v), Advice: "a tree of its own is expected"}
	}
	if r.own == nil {
		r.own, r.place = make(ownTrees), make(map[categorySplit]int)
	}
	if !r.own.claim(o) {
		return forest.Tree{}, &UnsupportedError{Reason: "unsupported-value", Class: predictorClass, Value: show(v), Advice: "a tree of its own is expected"}
	}
	a := attributesOf(o)
	nodes, ok := a.required("nodes").(*pickle.Array)
	if a.err == nil && (!ok || len(nodes.Shape) != 1) {
		a.structure("nodes", show(a.optional("nodes")), "an array of nodes is expected")
	}
	if a.err != nil {
		return forest.Tree{}, a.err
	}
	f := a.histFields(nodes)
	f.sets = a.leftSets()
	if a.err != nil {
		return forest.Tree{}, a.err
	}
	t := forest.Tree{Nodes: make([]forest.Node, nodes.Shape[0]), Values: f.value, Weights: a.nodeWeights(nodes, "count")}
	for i := range t.Nodes {
		t.Nodes[i] = r.node(a, f, i)
	}
	return t, a.err
}

// histFields are the columns of the node array that prediction needs. The width of a node changed between
// versions; the names did not. All are read as float64, which holds every uint32 and every index exactly.
type histFields struct {
	value, feature, threshold, missing, left, right, leaf, categorical, bits []float64

	sets []float64 // the categories that go left: eight words of 32 bits in a row, one row per split on a category
}

// histFields reads them by name. A tree of 0.24 without any category has all of them as well.
func (a *attributes) histFields(nodes *pickle.Array) *histFields {
	return &histFields{
		value: a.nodeField(nodes, "value"), feature: a.nodeField(nodes, "feature_idx"),
		threshold: a.nodeField(nodes, "num_threshold"), missing: a.nodeField(nodes, "missing_go_to_left"),
		left: a.nodeField(nodes, "left"), right: a.nodeField(nodes, "right"), leaf: a.nodeField(nodes, "is_leaf"),
		categorical: a.nodeField(nodes, "is_categorical"), bits: a.nodeField(nodes, "bitset_idx"),
	}
}

// node reads node i. A leaf's children are 0 in the file, so that is_leaf alone tells it.
//
// A split on a category becomes one on the feature that answers it: 0 goes left, 1 right. Where a missing
// category goes is part of the answer, which is why such a feature is never missing itself. A number goes left
// where it is at most num_threshold. feature_idx counts the columns behind the preprocessor.
func (r *histReader) node(a *attributes, f *histFields, i int) forest.Node {
	if f.leaf[i] != 0 {
		return forest.Node{Left: forest.Leaf, Right: forest.Leaf}
	}
	n := forest.Node{
		Feature: int(f.feature[i]), Threshold: f.threshold[i],
		Left: int(f.left[i]), Right: int(f.right[i]), MissingLeft: f.missing[i] != 0,
	}
	if f.categorical[i] == 0 {
		// A model fitted on infinite values may hold this threshold, at or below which only -Inf itself lies. The
		// forest writes -Inf as the least finite number.
		if math.IsInf(n.Threshold, -1) {
			n.Threshold = -math.MaxFloat64
		}
		return n
	}
	if n.Feature < 0 || n.Feature >= r.features {
		a.refuse("feature-index", fmt.Sprintf("nodes[%d].feature_idx", i), fmt.Sprint(n.Feature), fmt.Sprintf("the model has %d features", r.features))
		return n
	}
	known := r.known[n.Feature]
	if known == nil {
		a.structure(fmt.Sprintf("nodes[%d].is_categorical", i), "1", "the feature is no category in _bin_mapper")
		return n
	}
	// Ensembles split on the same few sets of categories again and again: in most models the answers are far fewer
	// than the nodes.
	s := categorySplit{feature: n.Feature, known: *known, left: a.leftSet(f.sets, f.bits[i]), missingLeft: n.MissingLeft, wraps: r.wraps}
	at, met := r.place[s]
	if !met {
		at = len(r.splits)
		if at >= maxSplits {
			a.refuse("budget", "nodes", fmt.Sprint(at), fmt.Sprintf("a model may have at most %d different splits on categories", maxSplits))
			return n
		}
		r.splits, r.place[s] = append(r.splits, s), at
	}
	return forest.Node{Feature: r.features + at, Threshold: 0.5, Left: n.Left, Right: n.Right}
}

// leftSets reads the matrix of the categories that go left, a row of eight words for each split on a category.
func (a *attributes) leftSets() []float64 {
	array := a.array("raw_left_cat_bitsets")
	if a.err != nil {
		return nil
	}
	words, ok := floats(array)
	if !ok || len(array.Shape) != 2 || array.Shape[1] != 8 {
		a.structure("raw_left_cat_bitsets", describe(array), "rows of eight words are expected")
	}
	return words
}

// leftSet is row i of that matrix. i comes as a float64 from the node array, so that NaN and fractions have to be
// kept out as well as what lies outside.
func (a *attributes) leftSet(words []float64, i float64) (s bitset) {
	if !(i >= 0 && i < float64(len(words)/8)) {
		a.structure("raw_left_cat_bitsets", fmt.Sprintf("%d rows", len(words)/8), fmt.Sprintf("a node names row %v of it", i))
		return
	}
	for k, w := range words[8*int(i) : 8*int(i)+8] {
		s[k/2] |= uint64(uint32(w)) << (32 * (k % 2))
	}
	return s
}

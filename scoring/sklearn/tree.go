package sklearn

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"fraudstream/scoring/forest"
	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// tree reads the attribute tree_ of a fitted decision tree with the given number of features and of values per
// node. The node array grew from seven fields to eight in 1.3; fields are found by name.
//
// A Tree pickles as a call with three arguments and a state of four: max_depth, node_count, nodes and values. The
// thresholds are float64 and the rows that are compared with them float32, so that x <= threshold is decided as
// scikit-learn decides it only if the row is rounded first: forest.Step does that.
func (a *attributes) tree(features, width int) (t forest.Tree) {
	o, ok := a.required("tree_").(*pickle.Object)
	if a.err != nil {
		return
	}
	if !ok || o.Class.String() != "sklearn.tree._tree.Tree" || len(o.Args) != 3 {
		a.structure("tree_", show(a.optional("tree_")), "a fitted Tree is expected")
		return
	}
	inner := &attributes{object: o, class: o.Class.String()}
	inner.treeShape(features, width)
	t.Nodes = inner.treeNodes()
	t.Values = inner.treeValues(len(t.Nodes), width)
	t.Weights = inner.nodeWeights(inner.optional("nodes"), "weighted_n_node_samples")
	a.err = inner.err
	return t
}

// structure refuses a tree that is no tree. Such a tree would send the kernels out of bounds or around in
// circles.
func (a *attributes) structure(attribute, value, advice string) {
	a.refuse("tree-structure", attribute, value, advice)
}

// treeShape checks that the Tree belongs to its estimator. A file is free to say otherwise, and the kernels index
// by these numbers. A Tree is made with three arguments: features, classes per output, outputs.
func (a *attributes) treeShape(features, width int) {
	args := a.object.Args
	if n, ok := integer(args[0]); !ok || n != int64(features) {
		a.refuse("feature-index", "n_features", show(args[0]), fmt.Sprintf("the model has %d features", features))
	}
	classes, ok := listItems(args[1])
	if n := int64(0); !ok || len(classes) != 1 {
		a.structure("n_classes", show(args[1]), "one output is expected")
	} else if n, ok = integer(classes[0]); !ok || n != int64(width) {
		a.structure("n_classes", show(classes[0]), fmt.Sprintf("%d are expected", width))
	}
	if n, ok := integer(args[2]); !ok || n != 1 {
		a.structure("n_outputs", show(args[2]), "one output is expected")
	}
}

// treeNodes reads the array of nodes. A leaf has -1 for both children; its feature and threshold (-2) mean
// nothing. missing_go_to_left is there since 1.3. Whether children and features are in range is for the forest to
// check, which does it for every kind of tree.
func (a *attributes) treeNodes() []forest.Node {
	array, ok := a.optional("nodes").(*pickle.Array)
	if a.err == nil && (!ok || len(array.Shape) != 1) {
		a.structure("nodes", show(a.optional("nodes")), "an array of nodes is expected")
	}
	if a.err != nil {
		return nil
	}
	n := array.Shape[0]
	if count, ok := integer(a.optional("node_count")); !ok || count != int64(n) || n == 0 {
		a.structure("node_count", show(a.optional("node_count")), fmt.Sprintf("the array has %d nodes", n))
		return nil
	}
	left, right := a.nodeField(array, "left_child"), a.nodeField(array, "right_child")
	feature, threshold := a.nodeField(array, "feature"), a.nodeField(array, "threshold")
	// Before 1.3 a tree took no NaN, so that the side to which it would go does not matter.
	missing := make([]float64, n)
	if _, err := array.Field("missing_go_to_left"); err == nil {
		missing = a.nodeField(array, "missing_go_to_left")
	}
	if a.err != nil {
		return nil
	}
	nodes := make([]forest.Node, n)
	for i := range nodes {
		nodes[i] = forest.Node{
			Feature: int(feature[i]), Threshold: threshold[i],
			Left: int(left[i]), Right: int(right[i]), MissingLeft: missing[i] != 0,
		}
	}
	return nodes
}

// nodeField reads one field of all nodes. A structured array keeps its fields interleaved, record by record; this
// takes one out as float64, which holds indices and thresholds alike without loss.
func (a *attributes) nodeField(nodes *pickle.Array, name string) []float64 {
	field, err := nodes.Field(name)
	if err == nil {
		if values, ok := floats(field); ok && len(values) == nodes.Shape[0] {
			return values
		}
	}
	a.structure("nodes", name, "the field is absent or no number")
	return nil
}

// nodeWeights reads how much of training went through each node: the sum of the sample weights, or the number of
// rows. Predictions do without it, so that nothing is refused where it is absent; reasons do not. An absent field
// gives nil.
func (a *attributes) nodeWeights(v pickle.Value, name string) []float64 {
	if nodes, ok := v.(*pickle.Array); ok && a.err == nil {
		if field, err := nodes.Field(name); err == nil {
			weights, _ := floats(field)
			return weights
		}
	}
	return nil
}

// newtonWeights turns the rows of each leaf of a boosted tree into a bound on their second derivatives, by which
// the leaves are averaged for reasons. values are the leaves, in which a learning rate may be contained.
//
// Such a leaf is Newton's step v = Σ residual / Σ h over its rows, where residuals are at most 1 and h at most ¼,
// so that Σ h is at most n·min(¼, 1/|v|). With rows alone as weights one leaf of two certain frauds, whose step
// is 10^10, would move the mean of the whole tree, and every reason with it. rate is what values have been
// multiplied by already; 1 where they are as they were fitted.
func newtonWeights(rows, values []float64, rate float64) []float64 {
	if len(rows) != len(values) {
		return nil
	}
	weights := slices.Clone(rows)
	for i := range weights {
		if v := math.Abs(values[i] / rate); v > 4 {
			weights[i] *= 4 / v
		}
	}
	return weights
}

// treeValues reads the values of the nodes: class counts or shares of a classifier, the leaf value of a
// regressor. The shape is nodes by outputs by width, and one output is all that is supported.
func (a *attributes) treeValues(nodes, width int) []float64 {
	array, ok := a.optional("values").(*pickle.Array)
	if a.err != nil {
		return nil
	}
	if !ok || len(array.Shape) != 3 || array.Shape[0] != nodes || array.Shape[1] != 1 || array.Shape[2] != width {
		a.structure("values", show(a.optional("values")), fmt.Sprintf("%d by 1 by %d is expected", nodes, width))
		return nil
	}
	values, ok := floats(array)
	if !ok {
		a.structure("values", describe(array), "numbers are expected")
		return nil
	}
	a.finite("values", values)
	return values
}

// shares reads the tree of a classifier and makes shares of its class counts. Files since 1.4 hold shares, which
// scikit-learn takes as they are; it divided by the sum before. The values of inner nodes are shares too and
// serve reasons: a path tells how the share changed at each step.
func (a *attributes) shares(features, classes int) forest.Tree {
	t := a.tree(features, classes)
	if a.err != nil {
		return t
	}
	ready := a.version() >= parseVersion("1.4")
	for i := range t.Nodes {
		row := t.Values[i*classes : (i+1)*classes]
		sum := 0.0
		for _, v := range row {
			if v < 0 {
				a.structure("tree_.values", fmt.Sprint(v), "a class share cannot be negative")
				return t
			}
			sum += v
		}
		switch {
		case ready && (sum < 1-1e-6 || sum > 1+1e-6):
			a.structure("tree_.values", fmt.Sprint(sum), "the class shares of a node must add up to 1 in a file of this version; save the model again with the version that fitted it")
			return t
		case !ready && sum != 0:
			for k := range row {
				row[k] /= sum
			}
		}
	}
	return t
}

// addTree appends a tree; the forest's error gets the class it lacks.
func addTree(a *attributes, f *forest.Forest[float32], t forest.Tree) {
	if a.err != nil {
		return
	}
	a.err = f.Add(t)
	if u := (*program.UnsupportedError)(nil); errors.As(a.err, &u) {
		u.Class, u.Attribute = a.class, "tree_."+u.Attribute
	}
}

// ownTrees remembers the trees of one ensemble. A file may refer to one tree, or to the nodes of one, from many places,
// which costs it a few bytes each; unpacked, every place would hold all the nodes. Libraries write each tree once.
type ownTrees map[pickle.Value]bool

// claim tells whether a tree is the ensemble's first sight of itself, of its Tree and of its nodes.
func (t ownTrees) claim(o *pickle.Object) bool {
	for _, name := range []string{"", "tree_", "nodes"} {
		v := pickle.Value(o)
		if name != "" {
			v = attributesOf(o).optional(name)
		}
		switch v := v.(type) {
		case *pickle.Array:
			if t[v] {
				return false
			}
			t[v] = true
		case *pickle.Object:
			if t[v] {
				return false
			}
			t[v] = true
			o = v
		}
	}
	return true
}

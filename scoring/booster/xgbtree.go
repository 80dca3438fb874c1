package booster

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"fraudstream/scoring/forest"
)

// gbtree reads the trees. With weights (dart) every leaf counts as often as its tree does. tree_info has the
// class of every tree, 0 throughout for two classes.
func (m *Model) gbtree(r *reader, model object, weights []float64) {
	m.frameCategories(r, model)
	params := r.object(model, "gbtree_model_param")
	trees, outputs := r.list(model, "trees"), r.numbers(model, "tree_info")
	if r.err != nil {
		return
	}
	if n := r.count(params, "num_trees", len(trees)); n != len(trees) || n != len(outputs) || weights != nil && len(weights) != n {
		r.structure("num_trees", strconv.Itoa(n), fmt.Sprintf("the file has %d trees, %d of them with an output", len(trees), len(outputs)))
		return
	}
	m.iterations(r, model, len(trees), r.count(params, "num_parallel_tree", 1))
	sets := setTable{model: m, places: map[string]int{}}
	for i, v := range trees {
		o, _ := v.(object)
		t := xgboostTree(r, o, m.Features, &sets)
		t.Output = index(outputs[i])
		if weights != nil {
			t.weigh(r, weights[i])
		}
		if r.err != nil {
			within(r.err, "trees", i)
			return
		}
		m.trees = append(m.trees, t.Tree)
	}
}

// iterations reads how many trees each iteration has: since 2.0 the file says so. Before that an iteration has
// num_parallel_tree trees for each output.
func (m *Model) iterations(r *reader, model object, trees, parallel int) {
	if _, ok := model["iteration_indptr"]; ok {
		for _, x := range r.numbers(model, "iteration_indptr") {
			m.stages = append(m.stages, index(x))
		}
		if len(m.stages) == 0 || m.stages[0] != 0 || m.stages[len(m.stages)-1] != trees || !slices.IsSorted(m.stages) {
			r.structure("iteration_indptr", fmt.Sprintf("%d counts", len(m.stages)), fmt.Sprintf("they must rise from 0 to %d", trees))
		}
		return
	}
	step := max(1, parallel) * m.outputs
	if trees%step != 0 {
		r.structure("num_trees", strconv.Itoa(trees), fmt.Sprintf("an iteration has %d trees", step))
		return
	}
	m.stages = everyStage(trees, step)
}

// everyStage counts trees after 0, 1, … iterations of equal size. step is the number of trees in an iteration;
// trees is a multiple of it.
func everyStage(trees, step int) []int {
	stages := make([]int, 0, trees/step+1)
	for n := 0; n <= trees; n += step {
		stages = append(stages, n)
	}
	return stages
}

// xgbTree is a tree whose leaves can be weighed.
type xgbTree struct{ forest.Tree }

// weigh multiplies every leaf, rounded to float32 as dart does it.
func (t *xgbTree) weigh(r *reader, w float64) {
	if w-w != 0 {
		r.refuse("non-finite", "weight_drop", fmt.Sprint(w), "a weight must be finite")
	}
	for i := range t.Values {
		t.Values[i] = float64(float32(t.Values[i]) * float32(w))
	}
}

// xgboostTree reads one tree. The condition of a leaf is its value. x < condition goes left, a missing value where
// default_left says. Nodes that pruning has deleted stay in the lists as leaves that no node leads to.
//
// left_children, right_children, split_indices, split_conditions and default_left have an entry per node, the
// root first. base_weights, loss_changes and parents are not needed; sum_hessian, the sum of second derivatives
// over the rows of a node, is what reasons weigh leaves by.
func xgboostTree(r *reader, o object, features int, sets *setTable) (t xgbTree) {
	params := r.object(o, "tree_param")
	n := r.count(params, "num_nodes", 0)
	left := r.numbers(o, "left_children")
	if r.err == nil && len(left) != n {
		r.structure("num_nodes", strconv.Itoa(n), fmt.Sprintf("the tree lists %d nodes", len(left)))
	}
	// A tree of one output has 0 there in older files and 1 in newer ones.
	if width := r.count(params, "size_leaf_vector", 0); width > 1 {
		r.refuse("unsupported-value", "size_leaf_vector", strconv.Itoa(width), "trees with several outputs are not supported; use multi_strategy one_output_per_tree")
	}
	if r.err != nil {
		return t
	}
	right, feature := r.perNode(o, "right_children", n), r.perNode(o, "split_indices", n)
	condition := r.perNode(o, "split_conditions", n)
	missing, _ := r.flags(o, "default_left", n)
	categorical, _ := r.flags(o, "split_type", n)
	t.Nodes, t.Values = make([]forest.Node, n), make([]float64, n)
	if _, there := o["sum_hessian"]; there {
		t.Weights = r.perNode(o, "sum_hessian", n)
	}
	for i := range t.Nodes {
		if left[i] == -1 && right[i] == -1 {
			t.Nodes[i] = forest.Node{Left: forest.Leaf, Right: forest.Leaf}
			// JSON holds a short decimal of each float32, which read as a float64 is a neighbour of it until it
			// is rounded.
			t.Values[i] = float64(float32(condition[i]))
			continue
		}
		t.Nodes[i] = forest.Node{
			Feature: index(feature[i]), Threshold: float64(float32(condition[i])),
			Left: childNode(left[i]), Right: childNode(right[i]), MissingLeft: missing[i],
		}
		if f := t.Nodes[i].Feature; f < 0 || f >= features {
			r.refuse("feature-index", fmt.Sprintf("split_indices[%d]", i), fmt.Sprint(feature[i]), fmt.Sprintf("the model has %d features", features))
		}
	}
	if r.err == nil && slices.Contains(categorical, true) {
		t.categories(r, o, categorical, sets)
	}
	return t
}

// flags reads one truth value per node, which is written as a number or, in old files, as a boolean. The second
// result says whether the list is there at all; without it all are false.
func (r *reader) flags(o object, key string, nodes int) ([]bool, bool) {
	out := make([]bool, nodes)
	v, there := o[key]
	if items, ok := v.([]any); ok && len(items) == nodes {
		for i, item := range items {
			out[i] = item == true
		}
		return out, true
	}
	if there {
		for i, x := range r.perNode(o, key, nodes) {
			out[i] = x != 0
		}
	}
	return out, there
}

// categories gives the nodes that ask for a category their column. A category of the set goes right, all others
// left, and so does what is no category; a missing value goes where the node says. categories_nodes lists the
// nodes that ask so, and for each the other two lists say where its run in categories begins and how long it is.
// A node that split_type marks and no run belongs to is refused.
func (t *xgbTree) categories(r *reader, o object, categorical []bool, sets *setTable) {
	nodes, begin, size := r.numbers(o, "categories_nodes"), r.numbers(o, "categories_segments"), r.numbers(o, "categories_sizes")
	all := r.numbers(o, "categories")
	if r.err == nil && (len(begin) != len(nodes) || len(size) != len(nodes)) {
		r.structure("categories_nodes", fmt.Sprintf("%d nodes", len(nodes)), fmt.Sprintf("%d segments, %d sizes", len(begin), len(size)))
	}
	if r.err != nil {
		return
	}
	for k := range nodes {
		i, from, count := index(nodes[k]), index(begin[k]), index(size[k])
		if i < 0 || i >= len(t.Nodes) || !categorical[i] || t.Nodes[i].Left == forest.Leaf || from < 0 || count < 0 || from+count > len(all) {
			r.structure("categories_nodes", fmt.Sprint(nodes[k]), "the node has no such categories")
			return
		}
		categorical[i] = false
		n := &t.Nodes[i]
		set := sets.make(r, "categories", all[from:from+count])
		if r.err != nil {
			return
		}
		// What is no category has always gone left; -0 counts as 0.
		n.Feature = sets.place(r, column{feature: n.Feature, set: set, above: math.Nextafter(0, -1), inside: 1, outside: 0, missing: math.NaN()})
		n.Threshold = 0.5
	}
	for i, still := range categorical {
		if still && t.Nodes[i].Left != forest.Leaf {
			r.structure("split_type", fmt.Sprintf("node %d", i), "the categories of the node are absent")
			return
		}
	}
}

package booster

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"

	"fraudstream/scoring/forest"
)

// catboostClass names the library in messages; nothing is looked up by it.
const catboostClass = "catboost.CatBoost"

// maxLeaves bounds a tree whose levels ask one question each: CatBoost's own limit is depth 16.
const maxLeaves = 1 << 16

// CatBoost reads the JSON that save_model writes with format="json".
//
// The raw score of a row is scale·Σ leaf + bias, one per output. A tree is either oblivious (one question per level,
// the answers make the number of the leaf) or an object in an object. Numbers are compared as float32 with x > border.
//
// features_info lists the columns, scale_and_bias the factor and the starts, model_info the parameters of
// training and the names of the classes, and oblivious_trees or trees the trees. The factor is multiplied into
// the leaves while they are read. Rows are rounded to float32, compared, and leaves are added in float64, as
// CatBoost's own evaluator does.
func CatBoost(data []byte) (*Model, error) {
	r := &reader{class: catboostClass}
	v, err := parseJSON(catboostClass, data)
	if err != nil {
		return nil, err
	}
	root, _ := v.(object)
	m := &Model{class: catboostClass, single: true}
	c := catboost{reader: r, model: m}
	c.features(r.object(root, "features_info"))
	if r.err == nil {
		c.scale(root)
	}
	if r.err == nil {
		c.objective(r.object(root, "model_info"))
	}
	if r.err == nil {
		c.trees(root)
	}
	return m, r.err
}

// catboost is a model of CatBoost while it is read. The reader that it embeds holds the first error, so that its
// parts may be read one after the other.
type catboost struct {
	*reader
	model     *Model
	flat      []int  // of each float feature, its column
	nanRight  []bool // a missing value counts as above every border
	leafScale float64
}

// features reads the columns. What a missing value is compared as is said per column: AsTrue is above every border,
// AsFalse and AsIs are below, since NaN > border is false.
//
// Categorical ones are refused: the file keeps hashes of texts, and statistics of the training data under names
// of its own. Names that are the numbers of their columns were made up for an array and count as none.
func (c *catboost) features(info object) {
	for _, kind := range []string{"categorical_features", "ctrs", "text_features", "embedding_features"} {
		if n := len(c.optional(info, kind)); n > 0 {
			c.refuse("unsupported-value", kind, fmt.Sprintf("%d features", n),
				"only numbers are read from CatBoost's JSON; encode the categories in a pipeline before fit")
			return
		}
	}
	names := []string{}
	for i, v := range c.list(info, "float_features") {
		f, _ := v.(object)
		if at := c.count(f, "flat_feature_index", -1); at != i {
			c.refuse("unsupported-value", "flat_feature_index", strconv.Itoa(at), "the float features are expected in order")
		}
		c.flat = append(c.flat, i)
		c.nanRight = append(c.nanRight, c.text(f, "nan_value_treatment") == "AsTrue")
		// One column without a name of its own makes the list shorter than the columns, and then none counts.
		if name := c.text(f, "feature_id"); name != "" && name != strconv.Itoa(i) {
			names = append(names, name)
		}
	}
	c.model.Features = len(c.flat)
	if len(names) == len(c.flat) && len(names) > 0 {
		c.model.Names = names
	}
}

// scale reads scale_and_bias: the factor of the sums and where each begins. With one output the bias may be a
// plain number. The bias has a value per output, from which the number of outputs follows.
func (c *catboost) scale(root object) {
	pair := c.list(root, "scale_and_bias")
	if len(pair) != 2 {
		c.refuse("model-mismatch", "scale_and_bias", fmt.Sprintf("%d values", len(pair)), "two are expected")
		return
	}
	scale, ok := pair[0].(float64)
	bias, several := pair[1].([]float64)
	if one, single := pair[1].(float64); single {
		bias, several = []float64{one}, true
	}
	if !ok || !several || len(bias) == 0 {
		c.refuse("model-mismatch", "scale_and_bias", describe(pair[1]), "a number and a list are expected")
		return
	}
	c.leafScale, c.model.start, c.model.outputs = scale, bias, len(bias)
}

// objective reads the loss function, which settles the link, and the class labels, which may be texts.
// CrossEntropy is Logloss with shares for labels; both have the sigmoid. MultiClass is the softmax of the
// outputs, MultiClassOneVsAll the sigmoid of each, whose sum need not be 1. Losses with other links are refused,
// since their output would not be a probability.
func (c *catboost) objective(info object) {
	m := c.model
	params, _ := info["params"].(object)
	loss, _ := params["loss_function"].(object)
	name := c.text(loss, "type")
	switch {
	case (name == "Logloss" || name == "CrossEntropy") && m.outputs == 1:
		m.objects, m.Classes = &objective{kind: logistic, factor: 1}, numbered(2)
	case name == "MultiClass" && m.outputs > 1:
		m.objects, m.Classes = &objective{kind: softmax}, numbered(m.outputs)
	case name == "MultiClassOneVsAll" && m.outputs > 1:
		m.objects, m.Classes = &objective{kind: each, factor: 1}, numbered(m.outputs)
	default:
		c.refuse("unsupported-value", "loss_function", fmt.Sprintf("%s with %d outputs", describe(name), m.outputs),
			"Logloss, CrossEntropy, MultiClass and MultiClassOneVsAll give probabilities")
		return
	}
	labels, _ := info["class_params"].(object)
	if stated := labels["class_names"]; stated != nil {
		if m.Classes = constantsOf(c.reader, stated); len(m.Classes) != max(2, m.outputs) {
			c.refuse("model-mismatch", "class_names", fmt.Sprintf("%d names", len(m.Classes)), fmt.Sprintf("the model has %d outputs", m.outputs))
		}
	}
}

// trees reads the trees of either shape. Leaves of a model of several classes hold one value per class; a forest
// of width 1 takes such a tree once for each. An iteration counts as many trees as there are outputs.
func (c *catboost) trees(root object) {
	oblivious, nested := c.optional(root, "oblivious_trees"), c.optional(root, "trees")
	for i, v := range slices.Concat(oblivious, nested) {
		o, _ := v.(object)
		b := treeBuilder{catboost: c}
		if i < len(oblivious) {
			b.oblivious(o)
		} else {
			b.nested(o)
		}
		if c.err != nil {
			within(c.err, "trees", i)
			return
		}
		for k, values := range b.values { // one tree per output: the same questions, its own leaves
			c.model.trees = append(c.model.trees, forest.Tree{Nodes: b.nodes, Values: values, Output: k, Weights: b.weights})
		}
	}
	c.model.stages = everyStage(len(c.model.trees), c.model.outputs)
}

// A treeBuilder lists the nodes of one tree, for each output their values, and the weights of the leaves.
// values[k][i] is what node i gives to output k, 0 for all but leaves.
type treeBuilder struct {
	*catboost
	nodes   []forest.Node
	values  [][]float64
	weights []float64
}

// add appends a node with its values, multiplied by the scale. It returns the number of the node. Inner nodes
// have no values, which is nil.
func (b *treeBuilder) add(n forest.Node, values []float64) int {
	if b.values == nil {
		b.values = make([][]float64, b.model.outputs)
	}
	for k := range b.values {
		v := 0.0
		if values != nil {
			v = values[k] * b.leafScale
		}
		b.values[k] = append(b.values[k], v)
	}
	b.nodes, b.weights = append(b.nodes, n), append(b.weights, 0)
	return len(b.nodes) - 1
}

// weigh gives a node the i-th of some weights. Where the file does not have it the weight is no number, by which the
// forest knows that the tree cannot be told apart.
func (b *treeBuilder) weigh(node int, weights []float64, i int) {
	b.weights[node] = math.NaN()
	if i < len(weights) {
		b.weights[node] = weights[i]
	}
}

// leaf is a node without children.
var leaf = forest.Node{Left: forest.Leaf, Right: forest.Leaf}

// question reads a split: a number above the border goes right. CatBoost sends x > border right, so that its left
// is the forest's x <= threshold. An index counts the float features alone, of which each knows its column.
func (b *treeBuilder) question(split object) forest.Node {
	if kind := b.text(split, "split_type"); kind != "FloatFeature" {
		b.refuse("unsupported-value", "split_type", describe(kind), "only numbers are read from CatBoost's JSON")
	}
	f := b.count(split, "float_feature_index", -1)
	border, ok := split["border"].(float64)
	if f < 0 || f >= len(b.flat) {
		b.refuse("feature-index", "float_feature_index", strconv.Itoa(f), fmt.Sprintf("the model has %d features", len(b.flat)))
		return leaf
	}
	if !ok {
		b.structure("border", describe(split["border"]), "a number is expected")
	}
	if border >= math.MaxFloat32 {
		// Only an infinity is above this border, and missing values. A forest takes infinities for the largest
		// number, so the border moves below that.
		border = float64(math.Nextafter32(math.MaxFloat32, 0))
	}
	return forest.Node{Feature: b.flat[f], Threshold: border, MissingLeft: !b.nanRight[f]}
}

// oblivious reads a tree whose levels ask one question each; the answers are the bits of the leaf's index, the
// first question the lowest. It is laid out as a heap: node i has the children 2i+1 and 2i+2. A tree of depth d
// has d questions and 2^d leaves, whose values lie leaf by leaf, those of all outputs of a leaf together. The
// forest wants nodes, so that the question of a level is repeated for each node of it.
func (b *treeBuilder) oblivious(o object) {
	splits, leaves := b.optional(o, "splits"), b.numbers(o, "leaf_values")
	depth, outputs := len(splits), b.model.outputs
	if b.err == nil && (depth > bits.Len(maxLeaves)-1 || len(leaves) != outputs<<depth) {
		b.structure("leaf_values", fmt.Sprintf("%d values", len(leaves)), fmt.Sprintf("%d questions and %d outputs do not have as many", depth, outputs))
	}
	for level := 0; level < depth && b.err == nil; level++ {
		split, _ := splits[level].(object)
		n := b.question(split)
		for range 1 << level {
			i := len(b.nodes)
			n.Left, n.Right = 2*i+1, 2*i+2
			b.add(n, nil)
		}
	}
	if b.err != nil {
		return
	}
	weights, _ := o["leaf_weights"].([]float64)
	for place := range 1 << depth {
		at := 0 // the place reads the answers from the top bit down, the leaf's index from the lowest up
		if depth > 0 {
			at = int(bits.Reverse32(uint32(place)) >> (32 - depth))
		}
		b.weigh(b.add(leaf, leaves[at*outputs:(at+1)*outputs]), weights, at)
	}
}

// nested reads a tree of objects in objects, whose depth the grammar has bounded. It returns the number of the
// node that it has added, whose children follow behind it.
func (b *treeBuilder) nested(o object) int {
	split, inner := o["split"].(object)
	if !inner {
		values, ok := o["value"].([]float64)
		if one, single := o["value"].(float64); single {
			values, ok = []float64{one}, true
		}
		if !ok || len(values) != b.model.outputs {
			b.structure("value", describe(o["value"]), fmt.Sprintf("%d numbers are expected", b.model.outputs))
			values = nil
		}
		at, weight := b.add(leaf, values), []float64(nil)
		if w, stated := o["weight"].(float64); stated {
			weight = []float64{w}
		}
		b.weigh(at, weight, 0)
		return at
	}
	n := b.question(split)
	at := b.add(n, nil)
	left, right := b.object(o, "left"), b.object(o, "right")
	if b.err != nil {
		return at
	}
	// The node was added before its children, to have a number below theirs, and is written again with them.
	n.Left = b.nested(left)
	n.Right = b.nested(right)
	b.nodes[at] = n
	return at
}

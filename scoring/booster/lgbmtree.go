package booster

import (
	"fmt"
	"strconv"
	"strings"

	"fraudstream/scoring/forest"
)

// The bits of decision_type: a category or a number, the side of missing values, and what counts as missing. A
// category may carry the other bits as well, which have no effect on it: what is missing goes right.
const (
	categoryBit = 1 << 0
	leftBit     = 1 << 1
	zeroBit     = 1 << 2 // zeros and NaN are missing
	nanBit      = 1 << 3 // NaN is missing; without either bit NaN is zero
)

// lightgbmTrees reads all trees. Those of several classes take turns: tree i adds to class i modulo their number.
// tree_sizes has the length in bytes of each tree's section; only how many there are is looked at.
func (m *Model) lightgbmTrees(r *reader, doc *text) {
	if r.err != nil {
		return
	}
	// A file from which a tree was taken out would otherwise pass for a smaller model.
	if n := len(strings.Fields(doc.head["tree_sizes"])); n != len(doc.trees) || n%m.outputs != 0 {
		r.structure("tree_sizes", fmt.Sprintf("%d sizes", n), fmt.Sprintf("the file has %d trees, %d in an iteration", len(doc.trees), m.outputs))
		return
	}
	m.stages = everyStage(len(doc.trees), m.outputs)
	sets := &setTable{model: m, places: map[string]int{}}
	for i, s := range doc.trees {
		t := m.lightgbmTree(r, s, sets)
		t.Output = i % m.outputs
		if r.err != nil {
			within(r.err, "Tree", i)
			return
		}
		m.trees = append(m.trees, t)
	}
}

// lightgbmTree reads one tree. Its inner nodes are numbered apart from its leaves: child -1 is leaf 0.
//
// A section lists its inner nodes field by field: left_child, right_child, split_feature, threshold and
// decision_type have a number for each, leaf_value and leaf_weight one for each leaf. Here the inner nodes come
// first and the leaves behind them, so that a child of either kind has one number. A number goes left where it is
// at most the threshold. A tree that found nothing to split is a lone leaf.
func (m *Model) lightgbmTree(r *reader, s section, sets *setTable) (t forest.Tree) {
	leaves := s.count(r, "num_leaves")
	// A linear tree has a regression in each leaf; its leaf_value alone would be a wrong answer that looks like
	// one.
	if v := s["is_linear"]; v != "" && v != "0" {
		r.refuse("unsupported-value", "is_linear", describe(v), "trees with linear leaves are not supported; fit with linear_tree=false")
	}
	values := s.numbers(r, "leaf_value", leaves)
	if r.err != nil || leaves == 0 {
		r.structure("num_leaves", strconv.Itoa(leaves), "a tree has at least one leaf")
		return t
	}
	inner := leaves - 1
	t.Nodes, t.Values = make([]forest.Node, inner+leaves), make([]float64, inner+leaves)
	for i := range leaves {
		t.Nodes[inner+i] = forest.Node{Left: forest.Leaf, Right: forest.Leaf}
	}
	// Inner nodes keep the value 0, since no row ends in them.
	copy(t.Values[inner:], values)
	for _, key := range []string{"leaf_weight", "leaf_count"} { // second derivatives, else (in old files) rows
		if s[key] != "" && t.Weights == nil {
			t.Weights = append(make([]float64, inner), s.numbers(r, key, leaves)...)
		}
	}
	if inner == 0 {
		return t
	}
	left, right := s.numbers(r, "left_child", inner), s.numbers(r, "right_child", inner)
	feature, threshold := s.numbers(r, "split_feature", inner), s.numbers(r, "threshold", inner)
	decision := s.numbers(r, "decision_type", inner)
	if r.err != nil {
		return t
	}
	categories := lightgbmSets(r, s, sets)
	for i := range inner {
		n := forest.Node{Feature: index(feature[i]), Threshold: threshold[i], Left: child(left[i], inner), Right: child(right[i], inner)}
		if n.Feature < 0 || n.Feature >= m.Features {
			r.refuse("feature-index", fmt.Sprintf("split_feature[%d]", i), fmt.Sprint(feature[i]), fmt.Sprintf("the model has %d features", m.Features))
		}
		if t.Nodes[i] = decide(r, n, index(decision[i]), categories, sets); r.err != nil {
			return t
		}
	}
	return t
}

// child is the node that a child index stands for: below 0 a leaf, whose number is its complement. A number that
// is no index leads nowhere.
func child(x float64, inner int) int {
	if x < 0 {
		if leaf, ok := whole(-x - 1); ok {
			return inner + leaf
		}
	} else if i, ok := whole(x); ok && i < inner {
		return i
	}
	return nowhere
}

// decide gives a node its question. A category of the set goes left and everything else right, what is missing
// included. A number whose missing value is zero asks a column without zeros. decision holds the bits above. For
// a category the threshold is not compared but names one of the sets of the tree.
func decide(r *reader, n forest.Node, decision int, categories []*set, sets *setTable) forest.Node {
	n.MissingLeft = decision&leftBit != 0
	switch {
	case decision < 0 || decision > categoryBit|leftBit|zeroBit|nanBit || decision&zeroBit != 0 && decision&nanBit != 0:
		r.refuse("unsupported-value", "decision_type", strconv.Itoa(decision), "this value has no known meaning")
	case decision&categoryBit != 0:
		k := index(n.Threshold)
		if k < 0 || k >= len(categories) {
			r.structure("threshold", fmt.Sprint(n.Threshold), fmt.Sprintf("the tree has %d sets of categories", len(categories)))
			return n
		}
		// Cut to a whole number, -0.5 is category 0.
		n.Feature = sets.place(r, column{feature: n.Feature, set: categories[k], above: -1, inside: 0, outside: 1, missing: 1})
		// The column is 0 for the set and 1 for all else, and so it is never missing itself.
		n.Threshold, n.MissingLeft = 0.5, false
	case decision&zeroBit != 0:
		n.Feature = sets.place(r, column{feature: n.Feature})
	// NaN counts as zero here, and zero goes left unless the threshold is below it.
	case decision&nanBit == 0:
		n.MissingLeft = n.Threshold >= 0
	}
	return n
}

// lightgbmSets reads the sets of categories of a tree: bits in words of 32, one run of words per set. Bit b of
// word i stands for category 32·i + b. cat_boundaries has the word at which each set begins, and a last one for
// the end.
func lightgbmSets(r *reader, s section, table *setTable) []*set {
	count := s.count(r, "num_cat")
	if count == 0 || r.err != nil {
		return nil
	}
	begin := s.numbers(r, "cat_boundaries", count+1)
	words := strings.Fields(s["cat_threshold"])
	sets := make([]*set, 0, len(begin))
	for k := range max(0, len(begin)-1) {
		from, to := index(begin[k]), index(begin[k+1])
		if from < 0 || to < from || to > len(words) || to-from > maxCategory/32 {
			r.structure("cat_boundaries", fmt.Sprint(begin[k]), fmt.Sprintf("there are %d words of bits", len(words)))
			return nil
		}
		var members []float64
		for i, word := range words[from:to] {
			bits, err := strconv.ParseUint(word, 10, 32)
			if err != nil {
				r.structure("cat_threshold", describe(word), "32 bits are expected")
				return nil
			}
			for bit := range 32 {
				if bits>>bit&1 != 0 {
					members = append(members, float64(32*i+bit))
				}
			}
		}
		sets = append(sets, table.make(r, "cat_threshold", members))
	}
	return sets
}

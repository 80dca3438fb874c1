package forest

import (
	"math"
	"slices"
)

// Paths tells apart what each feature adds to one output of a forest, by the way that a row takes.
//
// Every node has a value: a leaf its own, an inner node the mean of the leaves below it, weighted by how much of
// training ended in each. Who goes one step down moves from the value of the node to that of its child, and the
// feature that the node asks has moved it. The steps of a tree lead from the mean of the tree at its root to the leaf,
// so that
//
//	sum of the forest = Bias + Σ over features of their steps
//
// up to rounding, where Bias is the sum of the roots. These are the path contributions of Saabas (2014), which XGBoost
// calls approx_contribs. They cost about as much as a prediction. Shapley values would share a step among features
// that act together, at some thousand times the cost.
//
// # Why the means are worked out here
//
// Files do have values for inner nodes, but they mean something else in every library: scikit-learn's gradient
// boosting keeps the mean residual there, which is no log-odds, its histogram boosting forgets the learning rate.
// The mean of the leaves is what the output is on average for the training rows of a node, in the unit of the leaves.
type Paths[T Lane] struct {
	// Bias is the output of a row of which nothing is known: the mean over training, as the trees have it.
	Bias float64

	forest *Forest[T]
	values []float64 // of every node, for this output
	trees  []tree    // those that add to this output
}

// Explain prepares the contributions to one output; nil where a tree came without weights.
func (f *Forest[T]) Explain(output int) *Paths[T] {
	if f.silent {
		return nil
	}
	p := &Paths[T]{forest: f, values: f.values, trees: f.trees}
	if w := f.shape.Width; w > 1 {
		p.values = make([]float64, len(f.nodes))
		for i := range p.values {
			p.values[i] = f.values[i*w+output]
		}
	} else if f.shape.Outputs > 1 {
		p.trees = nil
		for _, t := range f.trees {
			if int(t.output) == output {
				p.trees = append(p.trees, t)
			}
		}
	}
	for _, t := range p.trees {
		p.Bias += p.values[t.root]
	}
	return p
}

// Slots is how many numbers Add needs in which to gather the steps: one per value that Put writes.
func (p *Paths[T]) Slots() int { return p.forest.Stride() }

// Feature is the feature of the trees whose steps lie in a slot.
func (p *Paths[T]) Feature(slot int) int { return slot % max(1, p.forest.shape.Features) }

// Add walks one row, laid out by Put as the only one (step 1), and adds each of its steps to the slot of the feature
// that was asked.
func (p *Paths[T]) Add(x []T, slots []float64) {
	trees := p.trees
	for ; len(trees) >= lanes; trees = trees[lanes:] {
		p.walk((*[lanes]tree)(trees), x, slots)
	}
	for k := range trees {
		// The other three walks stand still on a leaf: its step is zero.
		rest := [lanes]tree{trees[k]}
		still := p.leaf(trees[k].root)
		for i := 1; i < lanes; i++ {
			rest[i].root = still
		}
		p.walk(&rest, x, slots)
	}
}

// leaf is some leaf below a node.
func (p *Paths[T]) leaf(i uint32) uint32 {
	for p.forest.nodes[i].left != i {
		i = p.forest.nodes[i].left
	}
	return i
}

// walk takes a row down four trees at once, as walkTrees does, and leaves the steps behind. On a leaf the value does
// not change any more, so that nothing is added while other trees go on.
func (p *Paths[T]) walk(t *[lanes]tree, x []T, slots []float64) {
	nodes, values := p.forest.nodes, p.values
	i0, i1, i2, i3 := t[0].root, t[1].root, t[2].root, t[3].root
	v0, v1, v2, v3 := values[i0], values[i1], values[i2], values[i3]
	for depth := max(t[0].depth, t[1].depth, t[2].depth, t[3].depth); depth > 0; depth-- {
		n0, n1, n2, n3 := &nodes[i0], &nodes[i1], &nodes[i2], &nodes[i3]
		i0 = n0.left + above(x[n0.feature], n0.threshold)
		i1 = n1.left + above(x[n1.feature], n1.threshold)
		i2 = n2.left + above(x[n2.feature], n2.threshold)
		i3 = n3.left + above(x[n3.feature], n3.threshold)
		w0, w1, w2, w3 := values[i0], values[i1], values[i2], values[i3]
		slots[n0.feature] += w0 - v0
		slots[n1.feature] += w1 - v1
		slots[n2.feature] += w2 - v2
		slots[n3.feature] += w3 - v3
		v0, v1, v2, v3 = w0, w1, w2, w3
	}
}

// means returns the values of a tree with each inner node's replaced by the weighted mean of the leaves below. Where
// no training row ended below, the mean is the plain one of the two children. A tree without weights, or with some
// that are no weights, keeps its values and silences the forest.
func (f *Forest[T]) means(t *Tree, order []int) []float64 {
	weights := slices.Clone(t.Weights)
	if len(order) == 1 {
		return t.Values // nothing is asked
	}
	if !areWeights(weights, len(t.Nodes)) {
		f.silent = true
		return t.Values
	}
	width := f.shape.Width
	values := slices.Clone(t.Values)
	for _, i := range slices.Backward(order) { // children before their parent
		n := &t.Nodes[i]
		if n.Left == Leaf {
			continue
		}
		left, right := weights[n.Left], weights[n.Right]
		weights[i] = left + right
		if left+right == 0 {
			left, right = 1, 1
		}
		for k := range width {
			l, r := values[n.Left*width+k], values[n.Right*width+k]
			values[i*width+k] = l + (r-l)*(right/(left+right))
		}
	}
	return values
}

// areWeights tells whether every node has a weight whose sums stay finite.
func areWeights(weights []float64, nodes int) bool {
	if len(weights) != nodes {
		return false
	}
	for _, w := range weights {
		if !(w >= 0 && w <= math.MaxFloat64/float64(nodes)) {
			return false
		}
	}
	return true
}

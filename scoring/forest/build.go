package forest

import (
	"fmt"
	"math"

	"fraudstream/scoring/program"
)

// Add checks a tree and appends it. The error is a *program.UnsupportedError of reason tree-structure,
// feature-index or non-finite, whose class the caller knows.
func (f *Forest[T]) Add(t Tree) error {
	if err := f.check(&t); err != nil {
		return err
	}
	order, depth, err := breadthFirst(t.Nodes)
	if err != nil {
		return err
	}
	root := len(f.nodes)
	if root+len(order) > math.MaxInt32 {
		return structure("node_count", root+len(order), "the forest is too large")
	}
	place := make([]uint32, len(t.Nodes))
	for i, from := range order {
		place[from] = uint32(root + i)
	}
	values := f.means(&t, order)
	for _, from := range order {
		f.nodes = append(f.nodes, f.node(&t.Nodes[from], place, place[from]))
		f.values = append(f.values, values[from*f.shape.Width:(from+1)*f.shape.Width]...)
	}
	f.trees = append(f.trees, tree{root: uint32(root), size: uint32(len(order)), depth: int32(depth), output: int32(t.Output)})
	return nil
}

// node lays out one node. The walk is breadth-first, so the right child has the place behind the left one.
func (f *Forest[T]) node(n *Node, place []uint32, self uint32) node[T] {
	if n.Left == Leaf {
		return node[T]{threshold: T(math.Inf(1)), left: self}
	}
	feature := n.Feature
	if f.shape.Missing && n.MissingLeft {
		feature += f.shape.Features
	}
	return node[T]{threshold: atMost[T](n.Threshold, f.shape.Less), feature: uint32(feature), left: place[n.Left]}
}

// check refuses what the kernels could not walk: they trust every index.
func (f *Forest[T]) check(t *Tree) error {
	n := len(t.Nodes)
	switch {
	case n == 0:
		return structure("node_count", 0, "a tree has at least one node")
	case len(t.Values) != n*f.shape.Width:
		return structure("values", len(t.Values), fmt.Sprintf("%d nodes with %d values each are expected", n, f.shape.Width))
	case t.Output < 0 || t.Output >= f.shape.Outputs:
		return structure("output", t.Output, fmt.Sprintf("the forest has %d outputs", f.shape.Outputs))
	}
	for i := range t.Nodes {
		if err := f.checkNode(t, i); err != nil {
			return err
		}
	}
	return nil
}

func (f *Forest[T]) checkNode(t *Tree, i int) error {
	n := &t.Nodes[i]
	if n.Left == Leaf && n.Right == Leaf {
		for _, v := range t.Values[i*f.shape.Width : (i+1)*f.shape.Width] {
			if v-v != 0 {
				return refusal("non-finite", fmt.Sprintf("values[%d]", i), fmt.Sprint(v), "the value of a leaf must be finite")
			}
		}
		return nil
	}
	for _, child := range [2]int{n.Left, n.Right} {
		if child < 0 || child >= len(t.Nodes) || child == i {
			return structure(fmt.Sprintf("children[%d]", i), child, fmt.Sprintf("the tree has %d nodes", len(t.Nodes)))
		}
	}
	if n.Feature < 0 || n.Feature >= f.shape.Features {
		return refusal("feature-index", fmt.Sprintf("feature[%d]", i), fmt.Sprint(n.Feature), fmt.Sprintf("the model has %d features", f.shape.Features))
	}
	if n.Threshold-n.Threshold != 0 && !f.splitsMissing(n) {
		return refusal("non-finite", fmt.Sprintf("threshold[%d]", i), fmt.Sprint(n.Threshold), "a threshold must be finite")
	}
	return nil
}

// splitsMissing tells a node that parts the missing values from all others: its threshold is +Inf.
func (f *Forest[T]) splitsMissing(n *Node) bool {
	return f.shape.Missing && !n.MissingLeft && math.IsInf(n.Threshold, 1)
}

// breadthFirst lists the nodes level by level, children side by side, and counts the levels below the root. A node
// that is met twice has two parents or is its own ancestor. Nodes that are never met are left out.
func breadthFirst(nodes []Node) (order []int, depth int, err error) {
	met := make([]bool, len(nodes))
	met[0] = true
	order = append(make([]int, 0, len(nodes)), 0)
	for from := 0; ; depth++ {
		level := len(order)
		for ; from < level; from++ {
			n := &nodes[order[from]]
			if n.Left == Leaf {
				continue
			}
			for _, child := range [2]int{n.Left, n.Right} {
				if met[child] {
					return nil, 0, structure(fmt.Sprintf("children[%d]", order[from]), child, "the node has another parent")
				}
				met[child] = true
				order = append(order, child)
			}
		}
		if len(order) == level {
			return order, depth, nil
		}
	}
}

// atMost returns the largest finite number of the lane that is at most t, or below t if less is set. That of +Inf
// lies above every value that Put writes but the +Inf of a missing one.
func atMost[T Lane](t float64, less bool) T {
	r := T(t)
	if float64(r) > t || math.IsInf(t, 1) || less && float64(r) == t {
		return before(r)
	}
	return r
}

// before returns the next smaller number of the lane.
func before[T Lane](x T) T {
	switch v := any(x).(type) {
	case float32:
		return T(math.Nextafter32(v, float32(math.Inf(-1))))
	default:
		return T(math.Nextafter(float64(x), math.Inf(-1)))
	}
}

func structure(attribute string, value int, advice string) error {
	return refusal("tree-structure", attribute, fmt.Sprint(value), advice)
}

func refusal(reason, attribute, value, advice string) error {
	return &program.UnsupportedError{Reason: reason, Attribute: attribute, Value: value, Advice: advice}
}

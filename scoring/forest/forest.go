// Package forest is the one representation of every tree ensemble, and the kernels that run it.
//
// A compiler gives a [Forest] its trees one by one ([Forest.Add]), as the model file holds them: a feature, a
// threshold and two children per node, values per leaf. The forest checks them and lays them out anew. What it
// computes for a row is a sum per output, in the order of the trees, so that the result equals that of the plain
// walk bit for bit: a random forest adds the class shares of every leaf to all outputs, a boosted model one value
// to one output.
//
// # How a node is stored
//
// A node is 12 bytes in the float32 lane: threshold, feature, left child; the right child stands behind the left
// one, so the way down is left + (x > threshold), which compiles to no branch. A leaf is a node that always leads
// to itself, so all walks of a group take the same number of steps without asking whether they have
// arrived.
//
// # Missing values without a branch
//
// Where a forest takes missing values a row is written twice: NaN becomes +Inf in the first copy and -Inf in the
// second. A node that sends missing values left reads the second copy. The kernels thus know nothing of NaN.
//
// # The float32 lane is exact
//
// scikit-learn casts a row to float32 and compares it with a float64 threshold. Rounding the threshold down to
// float32 gives the same answer for every float32 x: no float32 lies between the two. "Less than" becomes "at
// most" the next smaller number by the same argument.
//
// # Why several walks at once
//
// One step down waits for two loads, one after the other; the processor can have many steps under way. A single row
// is walked through four trees at a time. A batch goes tree by tree, and all its rows go down a level before any goes
// down the next: no step waits for another, and the tree is in the cache for all rows but the first. There the values
// of one feature are neighbours, since all rows begin with the same question.
//
// # What moved a row
//
// [Forest.Explain] tells the way of a row apart: see [Paths].
package forest

// Lane is the type in which a model compares: float32 for scikit-learn's forests, float64 for histogram boosting.
type Lane interface{ float32 | float64 }

// Leaf stands for both children of a leaf.
const Leaf = -1

// Node is a node as a model file holds it.
type Node struct {
	Feature     int
	Threshold   float64
	Left, Right int  // indices in Tree.Nodes; Leaf for both in a leaf
	MissingLeft bool // a missing value goes left
}

// Tree is a tree as a model file holds it; its root is node 0.
type Tree struct {
	Nodes  []Node
	Values []float64 // Shape.Width values per node; those of inner nodes are not used
	Output int       // where a forest of width 1 adds the value of this tree

	// Weights says of every leaf how much of training ended there: rows, their weights, or second derivatives. Those
	// of inner nodes are not used. Without it (nil) the forest predicts all the same and explains nothing.
	Weights []float64
}

// Shape is what all trees of a forest have in common.
type Shape struct {
	Features int
	Width    int  // values per leaf: 1, or one per output
	Outputs  int  // sums per row
	Less     bool // x < threshold goes left; else x <= threshold does
	Missing  bool // NaN is taken and goes where the node says; else a row with NaN must not be run
	Single   bool // sums are rounded to float32 after every tree, as XGBoost adds; for forests of width 1
}

// Forest is a checked ensemble in the layout of the kernels.
type Forest[T Lane] struct {
	shape  Shape
	nodes  []node[T]
	values []float64 // shape.Width per node: of an inner node the mean below it, see means
	trees  []tree
	silent bool // a tree has no weights, so that its inner values mean nothing
}

type node[T Lane] struct {
	threshold T
	feature   uint32
	left      uint32
}

type tree struct {
	root   uint32
	size   uint32 // nodes, side by side from the root on
	depth  int32
	output int32
}

// New returns a forest without trees.
func New[T Lane](shape Shape) *Forest[T] { return &Forest[T]{shape: shape} }

// Trees is the number of trees.
func (f *Forest[T]) Trees() int { return len(f.trees) }

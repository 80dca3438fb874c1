package forest

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"fraudstream/scoring/program"

	"pgregory.net/rapid"
)

// grow returns a random tree of at most the given depth, in which a node above that splits with the given odds.
func grow(r *rand.Rand, s Shape, depth int, odds float64) Tree {
	var t Tree
	var node func(level int) int
	node = func(level int) int {
		i := len(t.Nodes)
		t.Nodes = append(t.Nodes, Node{Left: Leaf, Right: Leaf})
		for range s.Width {
			t.Values = append(t.Values, r.NormFloat64())
		}
		if level < depth && (level < 2 || r.Float64() < odds) {
			n := Node{Feature: r.IntN(s.Features), Threshold: r.NormFloat64(), MissingLeft: r.IntN(2) == 0}
			switch r.IntN(8) {
			case 0: // a value that rows hold exactly
				n.Threshold = float64(float32(math.Round(n.Threshold)))
			case 1:
				if s.Missing && !n.MissingLeft {
					n.Threshold = math.Inf(1)
				}
			}
			n.Left = node(level + 1)
			n.Right = node(level + 1)
			t.Nodes[i] = n
		}
		return i
	}
	node(0)
	return t
}

// plainWalk is the definition: down the tree as the file holds it, comparing float64 thresholds.
func plainWalk[T Lane](t *Tree, x []T, less bool) int {
	i := 0
	for t.Nodes[i].Left != Leaf {
		n := &t.Nodes[i]
		v := float64(x[n.Feature])
		left := v <= n.Threshold
		if less {
			left = v < n.Threshold
		}
		if math.IsNaN(v) {
			left = n.MissingLeft
		}
		i = n.Right
		if left {
			i = n.Left
		}
	}
	return i
}

func plainSum[T Lane](trees []Tree, s Shape, x []T) []float64 {
	sums := make([]float64, s.Outputs)
	for k := range trees {
		i := plainWalk(&trees[k], x, s.Less)
		for j, v := range trees[k].Values[i*s.Width : (i+1)*s.Width] {
			sums[trees[k].Output+j] += v
		}
	}
	return sums
}

func TestKernelsEqualPlainWalk(t *testing.T) {
	t.Run("float32", rapid.MakeCheck(kernelsEqualPlainWalk[float32]))
	t.Run("float64", rapid.MakeCheck(kernelsEqualPlainWalk[float64]))
}

func kernelsEqualPlainWalk[T Lane](t *rapid.T) {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
	outputs := rapid.IntRange(1, 4).Draw(t, "outputs")
	shape := Shape{
		Features: rapid.IntRange(1, 9).Draw(t, "features"), Outputs: outputs, Width: outputs,
		Less: rapid.Bool().Draw(t, "less"), Missing: true,
	}
	boosted := rapid.Bool().Draw(t, "boosted")
	if boosted {
		shape.Width = 1
	}
	f := New[T](shape)
	trees := make([]Tree, rapid.IntRange(1, 11).Draw(t, "trees"))
	for k := range trees {
		if rapid.Bool().Draw(t, "ragged") {
			trees[k] = grow(r, shape, 16, 0.5) // a few of them with one long way
		} else {
			trees[k] = grow(r, shape, rapid.IntRange(0, 7).Draw(t, "depth"), 0.7)
		}
		if boosted {
			trees[k].Output = k % outputs
		}
		if err := f.Add(trees[k]); err != nil {
			t.Fatal(err)
		}
	}
	rows := rapid.IntRange(1, 20).Draw(t, "rows")
	x, single, plain := make([]T, rows*f.Stride()), make([]T, rows*f.Stride()), make([]T, rows*shape.Features)
	for i := range rows {
		for j := range shape.Features {
			v := T(r.NormFloat64())
			switch r.IntN(6) {
			case 0:
				v = T(math.NaN())
			case 1:
				v = T(math.Round(float64(v)))
			}
			plain[i*shape.Features+j] = v
			first, step := f.Slot(i, rows)
			f.Put(x[first:], step, j, v)
			f.Put(single[i*f.Stride():], 1, j, v)
		}
	}
	sums := make([]float64, rows*outputs)
	f.Rows(x, rows, sums)
	for i := range rows {
		want := plainSum(trees, shape, plain[i*shape.Features:(i+1)*shape.Features])
		one := make([]float64, outputs)
		f.Rows(single[i*f.Stride():(i+1)*f.Stride()], 1, one)
		for k := range want {
			if got := sums[i*outputs+k]; got != want[k] || one[k] != want[k] {
				t.Fatalf("row %d output %d: batch %v, row %v, plain walk %v", i, k, got, one[k], want[k])
			}
		}
	}
}

func TestAtMost(t *testing.T) {
	up := math.Nextafter(1, 2)
	for _, c := range []struct {
		t    float64
		less bool
		want float32
	}{
		{1, false, 1},
		{up, false, 1},
		{math.Nextafter(1, 0), false, math.Nextafter32(1, 0)},
		{1, true, math.Nextafter32(1, 0)},
		{up, true, 1},
		{1e300, false, math.MaxFloat32},
		{math.Inf(1), false, math.MaxFloat32},
		{-1e300, false, float32(math.Inf(-1))},
	} {
		if got := atMost[float32](c.t, c.less); got != c.want {
			t.Errorf("atMost(%v, %v) = %v, want %v", c.t, c.less, got, c.want)
		}
	}
}

func TestAddRefuses(t *testing.T) {
	leaf := Node{Left: Leaf, Right: Leaf}
	split := func(left, right int) Node { return Node{Threshold: 1, Left: left, Right: right} }
	nan := math.NaN()
	for name, c := range map[string]struct {
		tree   Tree
		reason string
	}{
		"no nodes":          {Tree{}, "tree-structure"},
		"values short":      {Tree{Nodes: []Node{leaf}}, "tree-structure"},
		"output":            {Tree{Nodes: []Node{leaf}, Values: []float64{1}, Output: 1}, "tree-structure"},
		"child is self":     {Tree{Nodes: []Node{split(0, 1), leaf}, Values: []float64{0, 0}}, "tree-structure"},
		"child beyond":      {Tree{Nodes: []Node{split(1, 2), leaf}, Values: []float64{0, 0}}, "tree-structure"},
		"child negative":    {Tree{Nodes: []Node{split(1, -2), leaf}, Values: []float64{0, 0}}, "tree-structure"},
		"half a leaf":       {Tree{Nodes: []Node{split(1, Leaf), leaf}, Values: []float64{0, 0}}, "tree-structure"},
		"two parents":       {Tree{Nodes: []Node{split(1, 1), leaf}, Values: []float64{0, 0}}, "tree-structure"},
		"ancestor":          {Tree{Nodes: []Node{split(1, 2), split(0, 2), leaf}, Values: []float64{0, 0, 0}}, "tree-structure"},
		"feature":           {Tree{Nodes: []Node{{Feature: 2, Left: 1, Right: 2}, leaf, leaf}, Values: []float64{0, 0, 0}}, "feature-index"},
		"feature negative":  {Tree{Nodes: []Node{{Feature: -1, Left: 1, Right: 2}, leaf, leaf}, Values: []float64{0, 0, 0}}, "feature-index"},
		"threshold NaN":     {Tree{Nodes: []Node{{Threshold: nan, Left: 1, Right: 2}, leaf, leaf}, Values: []float64{0, 0, 0}}, "non-finite"},
		"threshold inf":     {Tree{Nodes: []Node{{Threshold: math.Inf(1), Left: 1, Right: 2}, leaf, leaf}, Values: []float64{0, 0, 0}}, "non-finite"},
		"leaf value NaN":    {Tree{Nodes: []Node{leaf}, Values: []float64{nan}}, "non-finite"},
		"leaf value is inf": {Tree{Nodes: []Node{leaf}, Values: []float64{math.Inf(1)}}, "non-finite"},
	} {
		t.Run(name, func(t *testing.T) {
			err := New[float32](Shape{Features: 2, Width: 1, Outputs: 1}).Add(c.tree)
			var u *program.UnsupportedError
			if !errors.As(err, &u) || u.Reason != c.reason {
				t.Fatalf("got %v, want %s", err, c.reason)
			}
		})
	}
}

// TestManyRowsOfLargeTrees takes more rows than fit the usual scratch down trees that are fetched ahead.
func TestManyRowsOfLargeTrees(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	shape := Shape{Features: 5, Width: 2, Outputs: 2}
	f := New[float32](shape)
	trees := make([]Tree, 5)
	for k := range trees {
		trees[k] = grow(r, shape, 10, 1)
		if err := f.Add(trees[k]); err != nil {
			t.Fatal(err)
		}
	}
	const rows = most + 44
	x, plain := make([]float32, rows*f.Stride()), make([]float32, rows*shape.Features)
	for i := range rows {
		for j := range shape.Features {
			v := float32(r.NormFloat64())
			plain[i*shape.Features+j] = v
			first, step := f.Slot(i, rows)
			f.Put(x[first:], step, j, v)
		}
	}
	sums := make([]float64, rows*shape.Outputs)
	f.Rows(x, rows, sums)
	for i := range rows {
		want := plainSum(trees, shape, plain[i*shape.Features:(i+1)*shape.Features])
		if sums[2*i] != want[0] || sums[2*i+1] != want[1] {
			t.Fatalf("row %d: %v, plain walk %v", i, sums[2*i:2*i+2], want)
		}
	}
}

package forest

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// weigh gives every leaf of a tree a weight, some of them none.
func weigh(r *rand.Rand, t *Tree) {
	t.Weights = make([]float64, len(t.Nodes))
	for i, n := range t.Nodes {
		if n.Left == Leaf && r.IntN(5) > 0 {
			t.Weights[i] = float64(r.IntN(100))
		}
	}
}

// plainMean is the definition: all leaves below a node, each as often as training ended there.
func plainMean(t *Tree, i, width, k int) float64 {
	sum, total, leaves, plain := 0.0, 0.0, 0.0, 0.0
	var below func(i int, share float64)
	below = func(i int, share float64) {
		if n := &t.Nodes[i]; n.Left != Leaf {
			below(n.Left, share/2)
			below(n.Right, share/2)
			return
		}
		sum += t.Weights[i] * t.Values[i*width+k]
		total += t.Weights[i]
		plain += share * t.Values[i*width+k]
		leaves += share
	}
	below(i, 1)
	if total == 0 {
		return plain / leaves
	}
	return sum / total
}

// plainPaths walks a row down the tree as the file holds it and notes every step by its feature.
func plainPaths[T Lane](t *Tree, x []T, s Shape, k int, to []float64) (root float64) {
	i := 0
	for t.Nodes[i].Left != Leaf {
		n, next := &t.Nodes[i], t.Nodes[i].Right
		v := float64(x[n.Feature])
		if math.IsNaN(v) && n.MissingLeft || v < n.Threshold || v == n.Threshold && !s.Less {
			next = n.Left
		}
		to[n.Feature] += plainMean(t, next, s.Width, k) - plainMean(t, i, s.Width, k)
		i = next
	}
	return plainMean(t, 0, s.Width, k)
}

func TestPathsEqualPlainWalk(t *testing.T) {
	t.Run("float32", rapid.MakeCheck(pathsEqualPlainWalk[float32]))
	t.Run("float64", rapid.MakeCheck(pathsEqualPlainWalk[float64]))
}

func pathsEqualPlainWalk[T Lane](t *rapid.T) {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 2))
	outputs := rapid.IntRange(1, 3).Draw(t, "outputs")
	shape := Shape{
		Features: rapid.IntRange(1, 6).Draw(t, "features"), Outputs: outputs, Width: outputs,
		Less: rapid.Bool().Draw(t, "less"), Missing: rapid.Bool().Draw(t, "missing"),
	}
	if rapid.Bool().Draw(t, "boosted") {
		shape.Width = 1
	}
	f := New[T](shape)
	trees := make([]Tree, rapid.IntRange(1, 11).Draw(t, "trees"))
	for k := range trees {
		trees[k] = grow(r, shape, rapid.IntRange(0, 6).Draw(t, "depth"), 0.7)
		if shape.Width == 1 {
			trees[k].Output = k % outputs
		}
		weigh(r, &trees[k])
		if err := f.Add(trees[k]); err != nil {
			t.Fatal(err)
		}
	}
	x, plain := make([]T, f.Stride()), make([]T, shape.Features)
	for j := range plain {
		plain[j] = T(math.Round(2*r.NormFloat64()) / 2)
		if shape.Missing && r.IntN(5) == 0 {
			plain[j] = T(math.NaN())
		}
		f.Put(x, 1, j, plain[j])
	}
	sums := make([]float64, outputs)
	f.Rows(x, 1, sums)
	for k := range outputs {
		p := f.Explain(k)
		slots, got, want := make([]float64, p.Slots()), make([]float64, shape.Features), make([]float64, shape.Features)
		p.Add(x, slots)
		total := p.Bias
		for i, v := range slots {
			got[p.Feature(i)] += v
			total += v
		}
		bias := 0.0
		for i := range trees {
			switch {
			case shape.Width > 1:
				bias += plainPaths(&trees[i], plain, shape, k, want)
			case trees[i].Output == k:
				bias += plainPaths(&trees[i], plain, shape, 0, want)
			}
		}
		if !(math.Abs(p.Bias-bias) < 1e-12 && math.Abs(total-sums[k]) < 1e-12) {
			t.Fatalf("output %d: bias %v, want %v; bias and steps give %v, the forest %v", k, p.Bias, bias, total, sums[k])
		}
		for j := range want {
			if !(math.Abs(got[j]-want[j]) < 1e-12) {
				t.Fatalf("output %d, feature %d: %v, want %v", k, j, got[j], want[j])
			}
		}
	}
}

func TestForestWithoutWeightsExplainsNothing(t *testing.T) {
	leaf := Node{Left: Leaf, Right: Leaf}
	for name, weights := range map[string][]float64{
		"none": nil, "too few": {1}, "negative": {0, -1, 1}, "NaN": {0, math.NaN(), 1}, "infinite": {0, math.Inf(1), 1},
	} {
		f := New[float64](Shape{Features: 1, Width: 1, Outputs: 1})
		stump := Tree{Nodes: []Node{{Left: 1, Right: 2}, leaf, leaf}, Values: []float64{7, 1, 2}, Weights: weights}
		if err := f.Add(stump); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if f.Explain(0) != nil {
			t.Errorf("%s: explained", name)
		}
	}
}

// BenchmarkForest100Depth8Explained is one row of BenchmarkForest100Depth8 and its contributions: the ratio of the two
// is what a reason costs.
func BenchmarkForest100Depth8Explained(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	shape := Shape{Features: 30, Width: 2, Outputs: 2}
	f := New[float32](shape)
	for range 100 {
		t := grow(r, shape, 8, 0.9)
		weigh(r, &t)
		if err := f.Add(t); err != nil {
			b.Fatal(err)
		}
	}
	const distinct = 1024
	x := make([]float32, distinct*f.Stride())
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	p := f.Explain(1)
	sums, slots := make([]float64, 2), make([]float64, p.Slots())
	row := func(i int) []float32 { return x[i%distinct*f.Stride():][:f.Stride()] }
	began := time.Now()
	for i := range b.N {
		f.Rows(row(i), 1, sums)
	}
	predicted := time.Since(began)
	b.ResetTimer()
	for i := range b.N {
		p.Add(row(i), slots)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(predicted), "×prediction")
}

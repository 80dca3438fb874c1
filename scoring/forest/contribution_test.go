package forest

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"fraudstream/scoring/program"

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

// BenchmarkExplain tells what reasons cost: ns for the contributions of one row, and how many times as long that is as
// its prediction, in batches of 256 rows and alone. Rows are cast and contributions folded to columns, as in service.
func BenchmarkExplain(b *testing.B) {
	b.Run("forest/depth=8", func(b *testing.B) { benchmarkExplain(b, 8, 2, 0.9) })
	b.Run("forest/depth=16", func(b *testing.B) { benchmarkExplain(b, 16, 2, 0.85) })
	b.Run("boosting/depth=3", func(b *testing.B) { benchmarkExplain(b, 3, 1, 1) })
}

func benchmarkExplain(b *testing.B, depth, width int, odds float64) {
	const features, rows = 30, 256
	r := rand.New(rand.NewPCG(1, 2))
	shape := Shape{Features: features, Width: width, Outputs: width}
	f := New[float32](shape)
	for range 100 {
		t := grow(r, shape, depth, odds)
		weigh(r, &t)
		if err := f.Add(t); err != nil {
			b.Fatal(err)
		}
	}
	builder, err := program.NewBuilder(make([]string, features), nil)
	if err != nil {
		b.Fatal(err)
	}
	step := NewStep(builder, f, builder.Columns(), nil, 100)
	builder.Add("forest", step)
	p, err := builder.Finish(program.Outputs{Explanation: step.Explain(builder, program.PathProbability, width-1)})
	if err != nil {
		b.Fatal(err)
	}
	frame, one := p.NewFrame(rows), p.NewFrame(1)
	frame.Rows, one.Rows = rows, 1
	for i := range rows {
		for j := range features {
			frame.Row(i)[j] = r.NormFloat64()
		}
	}
	batch, alone, explained := time.Duration(0), time.Duration(0), time.Duration(0)
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		p.Run(frame)
		batch += time.Since(began)
		began = time.Now()
		for i := range rows {
			copy(one.Row(0), frame.Row(i))
			p.Run(one)
		}
		alone += time.Since(began)
		began = time.Now()
		for i := range rows {
			p.Contributions(frame, i)
		}
		explained += time.Since(began)
	}
	b.ReportMetric(float64(explained)/float64(b.N*rows), "ns/row")
	b.ReportMetric(float64(explained)/float64(batch), "x-batch")
	b.ReportMetric(float64(explained)/float64(alone), "x-alone")
}

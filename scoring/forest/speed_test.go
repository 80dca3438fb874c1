package forest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"fraudstream/scoring/program"
)

// The benchmarks of this file run forests as a pipeline does, cast to float32 and all, over 30 features, and beside
// them, by turns, a loop over nodes that point to their children: what anyone would write first. They report
//
//	ns/row      of the forest, the median of measurements of 256 rows
//	min-ns/row  the least of them, which a busy machine disturbs least
//	x-plain     how many times as long the loop over pointers takes
const speedFeatures = 30

// A pointerNode is a node of the loop that forests are compared with.
type pointerNode struct {
	feature     int
	threshold   float64
	left, right *pointerNode
	value       []float64
}

// pointers is a tree of a model file as nodes that point to each other.
func pointers(t *Tree, i, width int) *pointerNode {
	n := &pointerNode{feature: t.Nodes[i].Feature, threshold: t.Nodes[i].Threshold, value: t.Values[i*width : (i+1)*width]}
	if t.Nodes[i].Left != Leaf {
		n.left, n.right = pointers(t, t.Nodes[i].Left, width), pointers(t, t.Nodes[i].Right, width)
	}
	return n
}

// walkPointers adds what every tree gives for one row.
func walkPointers(trees []*pointerNode, row, sums []float64) {
	for _, n := range trees {
		for n.left != nil {
			if float64(float32(row[n.feature])) <= n.threshold {
				n = n.left
			} else {
				n = n.right
			}
		}
		for k, v := range n.value {
			sums[k] += v
		}
	}
}

// A sample is what trees are grown from: rows, and which of them are fraud.
type sample struct {
	rows  [][speedFeatures]float32
	fraud []bool
}

// drawSample draws rows whose label depends on twelve of the features, on two of them together, and on chance.
func drawSample(r *rand.Rand, n int) *sample {
	s := &sample{make([][speedFeatures]float32, n), make([]bool, n)}
	for i := range s.rows {
		x := &s.rows[i]
		sum := 0.3 * r.NormFloat64()
		for j := range x {
			x[j] = float32(r.NormFloat64())
			if j < 12 {
				sum += float64(x[j]) * float64(j%5-2)
			}
		}
		s.fraud[i] = sum+2*float64(x[0]*x[1])+float64(x[2]*x[3]) > 5.5
	}
	return s
}

// impurity is the Gini impurity of a set times its size.
func impurity(counts [2]int) float64 {
	a, b := float64(counts[0]), float64(counts[1])
	return a * b / max(a+b, 1)
}

// learn grows a tree as a random forest does: at every node the best of 24 random splits, until a node is pure or the
// depth is reached. Trees have the irregular shape of learnt ones, and rows take the ways that the sample took.
func (s *sample) learn(r *rand.Rand, t *Tree, members []int, depth, width int) int {
	var counts [2]int
	for _, i := range members {
		counts[label(s.fraud[i])]++
	}
	self := len(t.Nodes)
	t.Nodes = append(t.Nodes, Node{Left: Leaf, Right: Leaf})
	share := float64(counts[1]) / float64(len(members))
	t.Values = append(t.Values, []float64{1 - share, share}[:width]...)
	if depth == 0 || counts[0] == 0 || counts[1] == 0 {
		return self
	}
	n, best := Node{}, math.Inf(1)
	for range 24 {
		j := r.IntN(speedFeatures)
		a, b := s.rows[members[r.IntN(len(members))]][j], s.rows[members[r.IntN(len(members))]][j]
		threshold := (float64(a) + float64(b)) / 2
		var sides [2][2]int
		for _, i := range members {
			sides[label(float64(s.rows[i][j]) > threshold)][label(s.fraud[i])]++
		}
		if v := impurity(sides[0]) + impurity(sides[1]); a != b && v < best {
			n, best = Node{Feature: j, Threshold: threshold}, v
		}
	}
	if math.IsInf(best, 1) {
		return self
	}
	left := 0
	for k, i := range members {
		if float64(s.rows[i][n.Feature]) <= n.Threshold {
			members[k], members[left] = members[left], i
			left++
		}
	}
	n.Left = s.learn(r, t, members[:left], depth-1, width)
	n.Right = s.learn(r, t, members[left:], depth-1, width)
	t.Nodes[self] = n
	return self
}

func label(b bool) int {
	if b {
		return 1
	}
	return 0
}

// grove is trees of one depth, each learnt from its own draw of 20,000 rows.
func grove(trees, depth, width int) []Tree {
	const rows = 20_000
	r := rand.New(rand.NewPCG(1, 2))
	s := drawSample(r, rows)
	out := make([]Tree, trees)
	members := make([]int, rows)
	for k := range out {
		for i := range members {
			members[i] = r.IntN(rows)
		}
		s.learn(r, &out[k], members, depth, width)
	}
	return out
}

// benchmarkGrove runs trees over batches of rows.
func benchmarkGrove(b *testing.B, trees []Tree, width int, single bool) {
	f := New[float32](Shape{Features: speedFeatures, Width: width, Outputs: width, Single: single})
	plain := make([]*pointerNode, len(trees))
	nodes := 0
	for k := range trees {
		if err := f.Add(trees[k]); err != nil {
			b.Fatal(err)
		}
		plain[k] = pointers(&trees[k], 0, width)
		nodes += len(trees[k].Nodes)
	}
	b.Logf("%d trees, %d nodes in each", len(trees), nodes/len(trees))
	builder, err := program.NewBuilder(make([]string, speedFeatures), nil)
	if err != nil {
		b.Fatal(err)
	}
	step := NewStep(builder, f, builder.Columns(), nil, 1)
	builder.Add("forest", step)
	p, err := builder.Finish(program.Outputs{Score: step.Out()[0], Predicted: step.Out()[0]})
	if err != nil {
		b.Fatal(err)
	}
	for _, rows := range []int{1, 256} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) { race(b, p, rows, plain, width) })
	}
}

// race lets the program and the plain loop take turns over the same rows, 256 in one measurement.
func race(b *testing.B, p *program.Program, rows int, plain []*pointerNode, width int) {
	const chunk, turn = 256, 8
	drawn := drawSample(rand.New(rand.NewPCG(3, 4)), turn*chunk)
	frame := p.NewFrame(rows)
	frame.Rows = rows
	x := make([]float64, len(drawn.rows)*speedFeatures)
	for i := range x {
		x[i] = float64(drawn.rows[i/speedFeatures][i%speedFeatures])
	}
	row := func(i int) []float64 { return x[i*speedFeatures : (i+1)*speedFeatures] }
	forest, loop, sums := make([]float64, 0, 1<<16), make([]float64, 0, 1<<16), make([]float64, width)
	b.ReportAllocs()
	for b.Loop() {
		for first := 0; first < len(drawn.rows); first += chunk {
			began := time.Now()
			for i := first; i < first+chunk; i += rows {
				for k := range rows {
					copy(frame.Row(k), row(i+k))
				}
				p.Run(frame)
			}
			forest = append(forest, float64(time.Since(began))/chunk)
		}
		for first := 0; first < len(drawn.rows); first += chunk {
			began := time.Now()
			for i := first; i < first+chunk; i++ {
				walkPointers(plain, row(i), sums)
			}
			loop = append(loop, float64(time.Since(began))/chunk)
		}
	}
	slices.Sort(forest)
	slices.Sort(loop)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(forest[len(forest)/2], "ns/row")
	b.ReportMetric(forest[0], "min-ns/row")
	b.ReportMetric(loop[len(loop)/2]/forest[len(forest)/2], "x-plain")
}

func BenchmarkBoosting100Depth3(b *testing.B) { benchmarkGrove(b, grove(100, 3, 1), 1, false) }
func BenchmarkForest100Depth8(b *testing.B)   { benchmarkGrove(b, grove(100, 8, 2), 2, false) }
func BenchmarkForest100Depth16(b *testing.B)  { benchmarkGrove(b, grove(100, 16, 2), 2, false) }

// BenchmarkBoosting500Depth6 adds as XGBoost does, rounding after every tree.
func BenchmarkBoosting500Depth6(b *testing.B) { benchmarkGrove(b, grove(500, 6, 1), 1, true) }

package sklearn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"fraudstream/scoring/forest"
	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// The benchmarks of this file run whole pipelines that testdata/speed.py has fitted, and beside them, by turns, what
// anyone would write first for the same model: a loop over structs. They report
//
//	ns/row      of the pipeline, the median of measurements of 256 rows
//	min-ns/row  the least of them, which a busy machine disturbs least
//	x-plain     how many times as long the plain loop takes
//
// Random forests are measured in package forest, with trees grown there: their files would be large.

// decodeSpeed reads one of the models.
func decodeSpeed(tb testing.TB, name string) pickle.Value {
	tb.Helper()
	v, err := pickle.Decode(readFile(tb, "testdata/speed/"+name+".joblib"), pickle.Limits{})
	if err != nil {
		tb.Fatal(err)
	}
	return v
}

const (
	speedChunk = 256 // rows of one measurement
	speedRows  = 8 * speedChunk
)

// speedInput draws rows as speed.py does: numbers, then categories with the given numbers of values. Of the numbers
// one in fifty is missing where gaps is set.
func speedInput(numbers int, categories []int, gaps bool) [][]float64 {
	r := rand.New(rand.NewPCG(3, 4))
	rows := make([][]float64, speedRows)
	for i := range rows {
		for range numbers {
			v := 1.5 * r.NormFloat64()
			if gaps && r.IntN(50) == 0 {
				v = math.NaN()
			}
			rows[i] = append(rows[i], v)
		}
		for _, values := range categories {
			rows[i] = append(rows[i], float64(r.IntN(values)))
		}
	}
	return rows
}

// chunks measures run over all rows, chunk by chunk, and appends the ns per row of each to times.
func chunks(times []float64, run func(first int)) []float64 {
	for first := 0; first < speedRows; first += speedChunk {
		began := time.Now()
		run(first)
		times = append(times, float64(time.Since(began))/speedChunk)
	}
	return times
}

// inBatches returns what runs a program over a chunk, rows at a time.
func inBatches(p *program.Program, rows int, x [][]float64) func(first int) {
	f := p.NewFrame(rows)
	f.Rows = rows
	return func(first int) {
		for i := first; i < first+speedChunk; i += rows {
			for k := range rows {
				copy(f.Row(k), x[i+k])
			}
			p.Run(f)
		}
	}
}

// race lets a pipeline and a plain loop take turns.
func race(b *testing.B, p *program.Program, x [][]float64, plain func(row []float64) float64) {
	for _, rows := range []int{1, speedChunk} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			pipeline := inBatches(p, rows, x)
			loop := func(first int) {
				for _, row := range x[first : first+speedChunk] {
					plain(row)
				}
			}
			own, other := make([]float64, 0, 1<<18), make([]float64, 0, 1<<18)
			b.ReportAllocs()
			for b.Loop() {
				own = chunks(own, pipeline)
				other = chunks(other, loop)
			}
			slices.Sort(own)
			slices.Sort(other)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(own[len(own)/2], "ns/row")
			b.ReportMetric(own[0], "min-ns/row")
			b.ReportMetric(other[len(other)/2]/own[len(own)/2], "x-plain")
		})
	}
}

// agree holds that the plain loop is the same model.
func agree(b *testing.B, p *program.Program, x [][]float64, plain func(row []float64) float64) {
	b.Helper()
	f := p.NewFrame(len(x))
	f.Rows = len(x)
	for i, row := range x {
		copy(f.Row(i), row)
	}
	p.Run(f)
	for i, row := range x {
		if want := plain(row); math.Abs(f.Score(i)-want) > 1e-12 || f.Fault(i).Code != 0 {
			b.Fatalf("row %d: %v, the plain loop %v, fault %+v", i, f.Score(i), want, f.Fault(i))
		}
	}
}

func compileSpeed(b *testing.B, v pickle.Value) *program.Program {
	b.Helper()
	p, err := Compile(v, program.Spec{})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

// A coefficient is what the plain loop knows of one feature of a linear model.
type coefficient struct{ mean, scale, weight float64 }

func BenchmarkScalerLogisticRegression(b *testing.B) {
	v := decodeSpeed(b, "scaler-logreg")
	steps := attributesOf(v.(*pickle.Object)).parts("steps", 2)
	scaler, model := attributesOf(steps[0].estimator.(*pickle.Object)), attributesOf(steps[1].estimator.(*pickle.Object))
	mean, scale, coef := scaler.vector("mean_", 30), scaler.vector("scale_", 30), model.matrix("coef_", 1, 30)
	terms := make([]coefficient, 30)
	for j := range terms {
		terms[j] = coefficient{mean[j], scale[j], coef[j]}
	}
	bias := model.vector("intercept_", 1)[0]
	p, x := compileSpeed(b, v), speedInput(30, nil, false)
	plain := func(row []float64) float64 {
		sum := bias
		for j := range terms {
			t := &terms[j]
			sum += (row[j] - t.mean) / t.scale * t.weight
		}
		return 1 / (1 + math.Exp(-sum))
	}
	agree(b, p, x, plain)
	race(b, p, x, plain)
}

// A split is a node of the plain loop over trees.
type split struct {
	feature     int
	threshold   float64
	missingLeft bool
	category    *categorySplit // instead of the threshold
	left, right *split
	value       float64
}

// splits links node i of a tree with those below it. Feature j of the tree is column[j] of a row.
func splits(t *forest.Tree, i int, column []int, categories []categorySplit) *split {
	n := &t.Nodes[i]
	s := &split{threshold: n.Threshold, missingLeft: n.MissingLeft, value: t.Values[i]}
	if n.Left == forest.Leaf {
		return s
	}
	j := n.Feature
	if j >= len(column) {
		s.category = &categories[j-len(column)]
		j = s.category.feature
	}
	s.feature = column[j]
	s.left, s.right = splits(t, n.Left, column, categories), splits(t, n.Right, column, categories)
	return s
}

// upTo returns the numbers from first to last.
func upTo(first, last int) []int {
	var out []int
	for i := first; i <= last; i++ {
		out = append(out, i)
	}
	return out
}

func BenchmarkGradientBoosting100Depth3(b *testing.B) {
	v := decodeSpeed(b, "gradient-boosting")
	a := attributesOf(v.(*pickle.Object))
	var trees []*split
	for _, o := range a.array("estimators_").Objects {
		t := attributesOf(o.(*pickle.Object)).tree(30, 1)
		trees = append(trees, splits(&t, 0, upTo(0, 29), nil))
	}
	p, x := compileSpeed(b, v), speedInput(30, nil, false)
	rate, start := a.number("learning_rate"), logit(attributesOf(a.optional("init_").(*pickle.Object)).vector("class_prior_", 2)[1])
	plain := func(row []float64) float64 {
		sum := start
		for _, n := range trees {
			for n.left != nil {
				if float64(float32(row[n.feature])) <= n.threshold {
					n = n.left
				} else {
					n = n.right
				}
			}
			sum += rate * n.value
		}
		return 1 / (1 + math.Exp(-sum))
	}
	agree(b, p, x, plain)
	race(b, p, x, plain)
}

func logit(p float64) float64 { return math.Log(p / (1 - p)) }

// BenchmarkHistGradientBoosting100Leaves31 has 27 numbers, some missing, and three native categories.
func BenchmarkHistGradientBoosting100Leaves31(b *testing.B) {
	v := decodeSpeed(b, "hist-gradient-boosting")
	a := attributesOf(v.(*pickle.Object))
	p, x := compileSpeed(b, v), speedInput(27, []int{8, 8, 8}, true)
	r := &histReader{features: 30, known: a.knownCategories(30)}
	var found []forest.Tree
	for _, stage := range a.list("_predictors") {
		items, _ := listItems(stage)
		t, err := r.tree(items[0])
		if err != nil {
			b.Fatal(err)
		}
		found = append(found, t)
	}
	column := append(upTo(27, 29), upTo(0, 26)...) // scikit-learn puts the categories first
	var trees []*split
	for i := range found {
		trees = append(trees, splits(&found[i], 0, column, r.splits))
	}
	start := a.baseline(1)[0]
	plain := func(row []float64) float64 {
		sum := start
		for _, n := range trees {
			for n.left != nil {
				v := row[n.feature]
				left := v <= n.threshold
				switch {
				case n.category != nil:
					left = n.category.right(v) == 0
				case v != v:
					left = n.missingLeft
				}
				if left {
					n = n.left
				} else {
					n = n.right
				}
			}
			sum += n.value
		}
		return 1 / (1 + math.Exp(-sum))
	}
	agree(b, p, x, plain)
	race(b, p, x, plain)
}

// BenchmarkOneHot reports what a ColumnTransformer that encodes three categories costs on top of the same model
// without them, which takes its turns with it.
func BenchmarkOneHot(b *testing.B) {
	with, without := compileSpeed(b, decodeSpeed(b, "onehot-logreg")), compileSpeed(b, decodeSpeed(b, "scaler-logreg"))
	x := speedInput(30, []int{3, 5, 8}, false)
	bare := make([][]float64, len(x))
	for i := range x {
		bare[i] = x[i][:30]
	}
	for _, rows := range []int{1, speedChunk} {
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			encoded, plain := inBatches(with, rows, x), inBatches(without, rows, bare)
			own, other := make([]float64, 0, 1<<18), make([]float64, 0, 1<<18)
			b.ReportAllocs()
			for b.Loop() {
				own = chunks(own, encoded)
				other = chunks(other, plain)
			}
			slices.Sort(own)
			slices.Sort(other)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(own[len(own)/2]-other[len(other)/2], "ns/row-on-top")
			b.ReportMetric(own[0]-other[0], "min-ns/row-on-top")
		})
	}
}

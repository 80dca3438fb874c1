package sklearn

import (
	"math"
	"testing"

	"fraudstream/scoring/program"

	"pgregory.net/rapid"
)

// runStep runs one step over rows of the given values, whose first registers are the columns, and returns the rows.
func runStep(t interface{ Fatal(args ...any) }, rows [][]float64, build func(b *program.Builder, in matrix)) *program.Frame {
	b, err := program.NewBuilder(make([]string, len(rows[0])), nil)
	if err != nil {
		t.Fatal(err)
	}
	build(b, b.Columns())
	p, err := b.Finish(program.Outputs{})
	if err != nil {
		t.Fatal(err)
	}
	f := p.NewFrame(len(rows))
	f.Rows = len(rows)
	for i, row := range rows {
		copy(f.Row(i), row)
	}
	p.Run(f)
	return f
}

// TestCoupling: pairwise probabilities that come from class probabilities are coupled back to them, to the tolerance at
// which the iteration stops.
func TestCoupling(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 5).Draw(t, "classes")
		want, total := make([]float64, n), 0.0
		for k := range want {
			want[k] = rapid.Float64Range(0.05, 1).Draw(t, "weight")
			total += want[k]
		}
		r, q, p, qp := make([]float64, n*n), make([]float64, n*n), make([]float64, n), make([]float64, n)
		for i := range n {
			want[i] /= total
		}
		for i := range n {
			for j := range n {
				r[i*n+j] = want[i] / (want[i] + want[j])
			}
		}
		couple(r, q, p, qp)
		got := 0.0
		for k := range p {
			got += p[k]
			if math.Abs(p[k]-want[k]) > 0.02 {
				t.Fatalf("class %d: %v, want %v", k, p[k], want[k])
			}
		}
		if math.Abs(got-1) > 1e-9 {
			t.Fatalf("the probabilities add up to %v", got)
		}
	})
}

// TestPolyline interpolates between points, is flat beyond them, and takes the last of equal ones.
func TestPolyline(t *testing.T) {
	p := &polyline{x: []float64{0, 1, 1, 3}, y: []float64{0.1, 0.2, 0.4, 0.8}}
	for x, want := range map[float64]float64{-5: 0.1, 0: 0.1, 0.5: 0.15000000000000002, 1: 0.4, 2: 0.6000000000000001, 3: 0.8, 9: 0.8} {
		if got := p.at(x); got != want {
			t.Errorf("%v: %v, want %v", x, got, want)
		}
	}
	if !math.IsNaN(p.at(math.NaN())) {
		t.Error("NaN must stay NaN")
	}
}

// TestShareOut gives classes that no calibrator believes in equal shares.
func TestShareOut(t *testing.T) {
	f := runStep(t, [][]float64{{0, 0, 0, 0}, {0.5, 0.5, 1, 0}}, func(b *program.Builder, in matrix) {
		b.Add("share", &shareOut{in})
	})
	for i, want := range [][]float64{{0.25, 0.25, 0.25, 0.25}, {0.25, 0.25, 0.5, 0}} {
		for k, w := range want {
			if got := f.Row(i)[k]; got != w {
				t.Errorf("row %d class %d: %v, want %v", i, k, got, w)
			}
		}
	}
}

// TestNeighborsCompete finds a tie between rows of different classes, and none where it cannot matter.
func TestNeighborsCompete(t *testing.T) {
	for name, c := range map[string]struct {
		k      int
		labels []int
		rows   []float64
		want   bool
	}{
		"clear":                        {1, []int{0, 1}, []float64{1, 3}, false},
		"tie of one class":             {1, []int{0, 0, 1}, []float64{1, -1, 3}, false},
		"tie":                          {1, []int{0, 1}, []float64{1, -1}, true},
		"tie within the neighbours":    {2, []int{0, 1, 1}, []float64{1, -1, 3}, false},
		"tie for the last place":       {2, []int{0, 0, 1, 0}, []float64{0.5, 1, -1, 4}, true},
		"the last was displaced":       {1, []int{0, 1, 0}, []float64{2, -2, 1}, false},
		"two of two classes, left out": {1, []int{0, 0, 1}, []float64{1, -1, 1}, true},
	} {
		s := &neighborhood{rows: c.rows, labels: c.labels, k: c.k, metric: "euclidean"}
		nearest, label := make([]float64, c.k), make([]float64, c.k)
		rest := s.search([]float64{0}, nearest, label)
		if got := rest.competes(nearest, label, s.reach([]float64{0}, nearest[c.k-1])); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

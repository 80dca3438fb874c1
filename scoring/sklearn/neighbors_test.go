package sklearn

import (
	"testing"

	"fraudstream/scoring/program"
)

// TestNearTies: neighbours of two classes whose distances differ by less than the rounding of scikit-learn's difference
// of squares leave a row without a score; with a tree, whose distances are exact, the nearer one wins.
func TestNearTies(t *testing.T) {
	rows := []float64{1e6 + 1, 1e6 - 1 - 1e-9} // around 1e6, the second a little farther
	for _, c := range []struct {
		cancels bool
		fault   program.FaultCode
	}{{true, program.Unscorable}, {false, 0}} {
		f := runStep(t, [][]float64{{1e6}}, func(b *program.Builder, in matrix) {
			s := &neighborhood{in: in, out: b.Block(2), rows: rows, labels: []int{0, 1}, k: 1, metric: "euclidean", cancels: c.cancels}
			b.Lane64(len(in) + 2*s.k)
			b.Add("neighbours", s)
		})
		if got := f.Fault(0).Code; got != c.fault {
			t.Errorf("with cancels=%v: fault %v, want %v", c.cancels, got, c.fault)
		}
	}
}

// TestDonors: a gap is filled from the nearest rows that have the value; equally near ones with other values leave it
// open, and so does a distance that rounding could change where donors are weighed by it.
func TestDonors(t *testing.T) {
	nan := program.Missing
	for name, c := range map[string]struct {
		rows    []float64 // of two columns
		k       int
		inverse bool
		x       float64
		want    float64
		fault   program.FaultCode
	}{
		"the nearest":                {[]float64{1, 10, 2, 20, 9, 90}, 1, false, 2.2, 20, 0},
		"the mean of two":            {[]float64{1, 10, 2, 20, 9, 90}, 2, false, 2.2, 15, 0},
		"fewer donors than asked":    {[]float64{1, 10, 2, nan, 9, 90}, 3, false, 2.2, 50, 0},
		"a tie of other values":      {[]float64{1, 10, 3, 20}, 1, false, 2, 0, program.Unscorable},
		"a tie of one value":         {[]float64{1, 10, 3, 10}, 1, false, 2, 10, 0},
		"nothing in common":          {[]float64{nan, 10, nan, 30}, 1, false, 2, 20, 0},
		"weighed by distance":        {[]float64{1, 10, 5, 40}, 2, true, 2, 17.5, 0},
		"at distance zero":           {[]float64{2, 10, 5, 40}, 2, true, 2, 10, 0},
		"at a distance of rounding":  {[]float64{1e9 + 0.1, 10, 1e9 + 0.3, 40}, 2, true, 1e9 + 0.2, 0, program.Unscorable},
		"parted by rounding at most": {[]float64{1e8 + 1.1, 10, 1e8 - 1.1 - 1e-7, 40}, 1, false, 1e8, 0, program.Unscorable},
	} {
		f := runStep(t, [][]float64{{c.x, nan}}, func(b *program.Builder, in matrix) {
			s := &donors{in: in, out: b.Block(2), rows: c.rows, means: columnMeans(c.rows, 2), k: c.k, inverse: c.inverse, nan: true}
			b.Lane64(len(in) + s.count() + 2*s.k)
			b.Add("donors", s)
		})
		if got := f.Registers(0)[3]; f.Fault(0).Code != c.fault || c.fault == 0 && got != c.want {
			t.Errorf("%s: %v with fault %v, want %v with %v", name, got, f.Fault(0).Code, c.want, c.fault)
		}
	}
}

package sklearn

import (
	"math"
	"testing"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// TestScalerNamesInfinity gives a scaler an infinite value in one of two rows, with registers that stand side by side
// and with others that do not. NaN is for who comes next.
func TestScalerNamesInfinity(t *testing.T) {
	for _, in := range []matrix{{0, 1, 2, 3, 4, 5}, {5, 1, 2, 3, 4, 0}} {
		for _, infinite := range []float64{math.Inf(1), math.Inf(-1)} {
			b, err := program.NewBuilder(make([]string, 6), nil)
			if err != nil {
				t.Fatal(err)
			}
			c := &compiler{b: b}
			s := &standardize{in: in, mean: []float64{0, 1, 2, 3, 4, 5}, scale: []float64{1, 2, 3, 4, 5, 6}}
			out := c.standardized(&attributes{object: &pickle.Object{Class: pickle.Global{Name: "StandardScaler"}}}, s)
			p, err := b.Finish(program.Outputs{Score: out[1]})
			if err != nil {
				t.Fatal(err)
			}
			f := p.NewFrame(3)
			f.Rows = 3
			for i := range 3 {
				copy(f.Row(i), []float64{10, 11, 12, 13, 14, 15})
			}
			f.Row(1)[4] = infinite
			f.Row(2)[4] = math.NaN()
			p.Run(f)
			if fault := f.Fault(1); fault.Code != program.Unscorable || fault.Column != 4 {
				t.Errorf("%v, %v: fault %+v", in, infinite, fault)
			}
			for _, i := range []int{0, 2} {
				if f.Fault(i).Code != 0 || f.Score(i) != 5 {
					t.Errorf("%v: row %d: score %v, fault %+v", in, i, f.Score(i), f.Fault(i))
				}
			}
			if f.Registers(2)[out[4]] == f.Registers(2)[out[4]] {
				t.Errorf("%v: NaN did not stay", in)
			}
		}
	}
}

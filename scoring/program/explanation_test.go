package program

import (
	"math"
	"strings"
	"testing"
)

// double is a step that doubles a register, and refuses what is negative.
type double struct {
	in, out Reg
	column  int16
}

func (s *double) Run(f *Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		if row[s.in] < 0 {
			f.Fail(i, UnknownCategory, s.column)
		}
		row[s.out] = 2 * row[s.in]
	}
}

// linearProgram is Σ weights·2x + 1 over columns x, y and z.
func linearProgram(t *testing.T, weights []float64, prepare func(b *Builder, in []Reg)) (*Program, *Frame) {
	t.Helper()
	p := build(t, []string{"x", "y", "z"}, nil, func(b *Builder) Outputs {
		in := make([]Reg, 3)
		for j := range in {
			in[j] = b.New(Reg(j))
			b.Add("double", &double{Reg(j), in[j], int16(j)})
		}
		prepare(b, in)
		return Outputs{Explanation: b.ExplainLinear(0, Sum{In: in, Weights: weights, Intercept: 1, Absent: 6})}
	})
	f := p.NewFrame(1)
	f.Rows = 1
	return p, f
}

func same(a, b []float64) bool {
	for i := range a {
		if !(math.Abs(a[i]-b[i]) < 1e-12) {
			return false
		}
	}
	return len(a) == len(b)
}

func TestLinearReferences(t *testing.T) {
	weights := []float64{1, 10, 0}
	p, f := linearProgram(t, weights, func(*Builder, []Reg) {})
	if why := p.Explanation.Why(); !strings.Contains(why, `"x"`) || p.Explanation.Method() != Nothing || p.Contributions(f, 0) != nil {
		t.Errorf("without any reference: %q", why)
	}
	// z has no weight, so that it needs none. Of y's values one is refused, and one has no rows.
	p.Refer([]Typical{{[]float64{4}, []float64{1}}, {[]float64{1, 2, -1, 9}, []float64{30, 10, 5, 0}}, {}})
	if e := p.Explanation; e.Why() != "" || e.Method() != Linear || e.Bias != 1+8+10*2.5 {
		t.Errorf("%s, %q, bias %v", e.Method(), e.Why(), e.Bias)
	}
	copy(f.Row(0), []float64{5, 1, 7})
	p.Run(f)
	if got := p.Contributions(f, 0); !same(got, []float64{2, -5, 0}) {
		t.Errorf("contributions %v", got)
	}
	// What is missing, or stands for it, counts as nothing at all, and that is less than the reference.
	for _, x := range []float64{math.NaN(), 3} {
		copy(f.Row(0), []float64{x, 1, 7})
		p.Run(f)
		if got := p.Contributions(f, 0); !same(got, []float64{-8, -5, 0}) {
			t.Errorf("x %v: contributions %v", x, got)
		}
	}
}

func TestCentredReferences(t *testing.T) {
	p, f := linearProgram(t, []float64{1, 10, 100}, func(b *Builder, in []Reg) { b.Centre(in) })
	copy(f.Row(0), []float64{1, 2, 4})
	p.Run(f)
	if got := p.Contributions(f, 0); p.Explanation.Bias != 1 || !same(got, []float64{2, 40, 800}) {
		t.Errorf("bias %v, contributions %v", p.Explanation.Bias, got)
	}
	p.Refer([]Typical{{}, {[]float64{1}, []float64{1}}, {}}) // a baseline goes over the scaler
	p.Run(f)
	if got := p.Contributions(f, 0); p.Explanation.Bias != 21 || !same(got, []float64{2, 20, 800}) {
		t.Errorf("bias %v, contributions %v", p.Explanation.Bias, got)
	}
}

func TestInputsOfSeveralColumnsAreNotExplained(t *testing.T) {
	p := build(t, []string{"x", "y"}, nil, func(b *Builder) Outputs {
		return Outputs{Explanation: b.Explain(PathLogOdds, 0, 0, []Reg{0, b.New(-1)}, func(*Frame, []float64, []float64) {})}
	})
	if p.Explanation.Why() != mixed || p.Contributions(p.NewFrame(1), 0) != nil {
		t.Errorf("explained: %q", p.Explanation.Why())
	}
	if p := build(t, nil, nil, func(*Builder) Outputs { return Outputs{} }); p.Explanation.Method() != Nothing || p.Explanation.Why() == "" {
		t.Error("a program of which nothing is said is explained")
	}
}

func TestMeanOfExplanations(t *testing.T) {
	part := func(bias float64, method string) *Explanation {
		return &Explanation{Bias: bias, method: method, output: Reg(bias), add: func(_ *Frame, row, to []float64) {
			for i := range to {
				to[i] += bias * row[i]
			}
		}}
	}
	p := build(t, []string{"x", "y", "z", "w"}, nil, func(*Builder) Outputs {
		return Outputs{Explanation: Mean([]*Explanation{part(1, Linear), part(3, Linear)})}
	})
	f := p.NewFrame(1)
	f.Rows = 1
	copy(f.Row(0), []float64{1, 2, 4, 10})
	p.Run(f)
	if e := p.Explanation; e.Bias != 2 || e.Output(f.Registers(0)) != 6 || !same(p.Contributions(f, 0), []float64{2, 4, 8, 20}) {
		t.Errorf("bias %v, output %v, contributions %v", e.Bias, e.Output(f.Registers(0)), p.Contributions(f, 0))
	}
	if Mean([]*Explanation{part(1, Linear), part(1, PathLogOdds)}).Why() == "" || Mean([]*Explanation{part(1, Linear), Unexplained("why")}).Why() == "" {
		t.Error("parts of different methods are averaged")
	}
}

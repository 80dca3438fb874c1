package sklearn

import (
	"math"
	"testing"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// object makes an estimator with the given attributes: name, value, name, value …
func object(class string, attributes ...pickle.Value) *pickle.Object {
	state := new(pickle.Dict)
	for i := 0; i < len(attributes); i += 2 {
		state.Keys = append(state.Keys, attributes[i])
		state.Values = append(state.Values, attributes[i+1])
	}
	return &pickle.Object{Class: pickle.Global{Module: "sklearn", Name: class}, State: state}
}

func TestOneVersusRest(t *testing.T) {
	for _, c := range []struct {
		multi   pickle.Value
		solver  string
		version string
		classes int
		want    bool
	}{
		{"ovr", "lbfgs", "1.2.2", 3, true},
		{"multinomial", "lbfgs", "1.2.2", 2, false},
		{"multinomial", "lbfgs", "1.2.2", 3, false},
		{"auto", "lbfgs", "1.2.2", 2, true},
		{"auto", "lbfgs", "1.2.2", 3, false},
		{"auto", "liblinear", "1.2.2", 3, true},
		{"deprecated", "newton-cholesky", "1.5.2", 3, true},
		{"deprecated", "newton-cholesky", "1.7.2", 3, false},
		{nil, "lbfgs", "1.9.1", 2, true},
		{nil, "lbfgs", "1.9.1", 3, false},
	} {
		o := object("LogisticRegression", "solver", c.solver, "_sklearn_version", c.version)
		if c.multi != nil {
			o.State.(*pickle.Dict).Keys = append(o.State.(*pickle.Dict).Keys, "multi_class")
			o.State.(*pickle.Dict).Values = append(o.State.(*pickle.Dict).Values, c.multi)
		}
		a := attributesOf(o)
		if got := a.oneVersusRest(c.classes); got != c.want || a.err != nil {
			t.Errorf("%+v: %v, %v", c, got, a.err)
		}
	}
	a := attributesOf(object("LogisticRegression", "multi_class", "new"))
	if a.oneVersusRest(2); reasonOf(t, a.err) != "unsupported-value" {
		t.Errorf("an unknown multi_class: %v", a.err)
	}
}

func TestTakesMissing(t *testing.T) {
	for _, c := range []struct {
		class, version, splitter, criterion string
		monotonic                           pickle.Value
		alone, forest                       bool
	}{
		{"DecisionTreeClassifier", "1.2.2", "best", "gini", nil, false, false},
		{"DecisionTreeClassifier", "1.3.2", "best", "gini", nil, true, false},
		{"DecisionTreeClassifier", "1.4.2", "best", "entropy", nil, true, true},
		{"DecisionTreeClassifier", "1.4.2", "best", "entropy", "set", false, false},
		{"DecisionTreeClassifier", "1.5.2", "random", "gini", nil, false, false},
		{"DecisionTreeClassifier", "1.6.1", "random", "gini", nil, true, true},
		{"DecisionTreeClassifier", "1.7.2", "best", "own", nil, false, false},
		{"DecisionTreeClassifier", "1.9.1", "best", "own", "set", true, true},
		{"ExtraTreeClassifier", "1.5.2", "random", "gini", nil, false, false},
		{"ExtraTreeClassifier", "1.6.1", "random", "gini", nil, true, true},
		{"ExtraTreeClassifier", "1.9.1", "best", "gini", nil, false, false},
	} {
		a := attributesOf(object(c.class, "_sklearn_version", c.version, "splitter", c.splitter, "criterion", c.criterion, "monotonic_cst", c.monotonic))
		if alone, forest := a.takesMissing(false), a.takesMissing(true); alone != c.alone || forest != c.forest || a.err != nil {
			t.Errorf("%+v: %v %v, %v", c, alone, forest, a.err)
		}
	}
}

func TestVersion(t *testing.T) {
	for text, want := range map[string]version{"1.10.2": 1010, "1.9.1": 1009, "0.24.2": 24, "1.6.dev0": 1006, "": 0, "x.y": 0, "1": 0} {
		if got := parseVersion(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

// links runs one step that reads the columns and writes further registers.
func links(t *testing.T, in []float64, outputs int, step func(in, out matrix) program.Step) []float64 {
	t.Helper()
	b, err := program.NewBuilder(make([]string, len(in)), nil)
	if err != nil {
		t.Fatal(err)
	}
	out := b.Block(outputs)
	b.Add("step", step(b.Columns(), out))
	p, err := b.Finish(program.Outputs{})
	if err != nil {
		t.Fatal(err)
	}
	f := p.NewFrame(1)
	f.Rows = 1
	copy(f.Row(0), in)
	p.Run(f)
	return f.Registers(0)[len(in):]
}

func TestLinks(t *testing.T) {
	nan := math.NaN()
	e1, e3 := math.Exp(-1), math.Exp(-3)
	p, q := 1/(1+e1), 1/(1+e3)
	for name, c := range map[string]struct {
		in, want []float64
		step     func(in, out matrix) program.Step
	}{
		"sigmoid":             {[]float64{1}, []float64{1 - p, p}, func(in, out matrix) program.Step { return &sigmoid{in[0], out, 1} }},
		"sigmoid of twice":    {[]float64{0.5}, []float64{1 - p, p}, func(in, out matrix) program.Step { return &sigmoid{in[0], out, 2} }},
		"softmax":             {[]float64{1000, 999, 997}, []float64{1 / (1 + e1 + e3), e1 / (1 + e1 + e3), e3 / (1 + e1 + e3)}, func(in, out matrix) program.Step { return &softmax{in, out} }},
		"one versus rest":     {[]float64{1, 3}, []float64{p / (p + q), q / (p + q)}, func(in, out matrix) program.Step { return &oneVersusRest{in, out} }},
		"argmax":              {[]float64{1, 3, 2}, []float64{1}, func(in, out matrix) program.Step { return &argmax{in, out[0]} }},
		"argmax of equals":    {[]float64{1, 3, 3}, []float64{1}, func(in, out matrix) program.Step { return &argmax{in, out[0]} }},
		"argmax without any":  {[]float64{nan, nan}, []float64{0}, func(in, out matrix) program.Step { return &argmax{in, out[0]} }},
		"sign":                {[]float64{1e-300}, []float64{1}, func(in, out matrix) program.Step { return &sign{raw: in[0], out: out[0]} }},
		"sign of zero":        {[]float64{0}, []float64{0}, func(in, out matrix) program.Step { return &sign{raw: in[0], out: out[0]} }},
		"sign, zero counting": {[]float64{0}, []float64{1}, func(in, out matrix) program.Step { return &sign{raw: in[0], out: out[0], zeroIsOne: true} }},
		"label":               {[]float64{1}, []float64{7}, func(in, out matrix) program.Step { return &label{in[0], out[0], []float64{3, 7}} }},
		"clipped": {[]float64{-5, 0.5, 5, nan}, []float64{-1, 0.5, 2, nan}, func(in, out matrix) program.Step {
			return &rescale{in: in, out: out, scale: []float64{1, 1, 1, 1}, offset: make([]float64, 4), clip: true, low: -1, high: 2}
		}},
	} {
		got := links(t, c.in, len(c.want), c.step)
		for k, want := range c.want {
			if d := math.Abs(got[k] - want); d > 1e-15 || math.IsNaN(got[k]) != math.IsNaN(want) {
				t.Errorf("%s: %v, want %v", name, got, c.want)
				break
			}
		}
	}
}

package sklearn

import (
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"fraudstream/scoring/program"
)

// reasonsCase is what testdata/reasons.py has worked out of one model.
type reasonsCase struct {
	Columns []string
	Typical []struct {
		Values  []any
		Weights []float64
	}
	Rows          [][]any
	Output        []float64
	Contributions [][]float64 // nil where only the sum is known
	Tolerance     float64
}

// TestReasonsAreThoseOfNumpy compares contributions with those that numpy, and XGBoost itself, gave for kept models.
func TestReasonsAreThoseOfNumpy(t *testing.T) { compareReasons(t, "testdata/reasons") }

// TestReasonsOfRealModels does so with models that the installed libraries fit now.
func TestReasonsOfRealModels(t *testing.T) {
	python := os.Getenv("FRAUDSTREAM_PYTHON")
	if python == "" {
		t.Skip("skipped the reasons of a real scikit-learn: FRAUDSTREAM_PYTHON names no python")
	}
	folder := t.TempDir()
	out, err := exec.Command(python, "testdata/reasons.py", folder, strconv.Itoa(rand.IntN(1e6))).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	compareReasons(t, folder)
}

// TestDirections settles for every output which sum is explained, and whether the score falls where it rises.
func TestDirections(t *testing.T) {
	numbers := func(labels ...float64) (classes []program.Constant) {
		for _, v := range labels {
			classes = append(classes, program.NumberConstant(v))
		}
		return classes
	}
	for _, c := range []struct {
		output   string
		classes  []program.Constant
		sums     int // one for two classes, or one for each
		positive int
		fallen   bool // a calibrator falls
		k        int
		falls    bool
	}{
		{"predict_proba", numbers(0, 1), 1, 1, false, 0, false},
		{"predict_proba", numbers(0, 1), 1, 0, false, 0, true},
		{"predict_proba", numbers(0, 1), 1, 0, true, 0, false},
		{"predict_proba", numbers(0, 1), 2, 0, false, 0, false},
		{"predict_proba", numbers(0, 1, 2), 3, 1, false, 1, false},
		{"decision_function", numbers(0, 1), 1, 0, false, 0, false},
		{"decision_function", numbers(0, 1, 2), 3, 0, false, 0, false},
		{"predict", numbers(0, 1), 1, 0, false, 0, false},
		{"predict", numbers(1, -1), 1, 0, false, 0, true},
		{"predict", numbers(0, 1), 2, 0, false, 1, false},
		{"predict", numbers(0, 1, 2), 3, 0, false, -1, false},
		{"score_samples", numbers(-1, 1), 1, 0, false, -1, false},
	} {
		explained := -1
		model := classifier{classes: c.classes, additive: additive{out: make(matrix, c.sums), falls: c.fallen, explain: func(k int) *program.Explanation {
			explained = k
			return &program.Explanation{}
		}}}
		e := model.explanation(c.output, c.positive)
		if explained != c.k || e.Falls != c.falls || (c.k < 0) != (e.Why() != "") {
			t.Errorf("%+v: sum %d, falls %v, why not %q", c, explained, e.Falls, e.Why())
		}
	}
	for name, falls := range map[string]bool{"0.5": true, "-0.5": false} {
		s := calibration{}
		s.slope, _ = strconv.ParseFloat(name, 64)
		if s.falls() != falls {
			t.Errorf("Platt's sigmoid of slope %s falls: %v", name, s.falls())
		}
	}
	if rising := (&calibration{line: &polyline{x: []float64{0, 1}, y: []float64{0.1, 0.9}}}); rising.falls() {
		t.Error("a rising line falls")
	}
}

func compareReasons(t *testing.T, folder string) {
	files, err := filepath.Glob(filepath.Join(folder, "*.joblib"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d models (%v)", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var c reasonsCase
			readJSON(t, file[:len(file)-len("joblib")]+"json", &c)
			c.compare(t, file)
		})
	}
}

func (c *reasonsCase) compare(t *testing.T, file string) {
	p, err := compileFile(t, file, program.Spec{Features: c.Columns})
	if err != nil {
		t.Fatal(err)
	}
	typical := make([]program.Typical, len(c.Columns))
	for j, column := range c.Typical {
		typical[j].Weights = column.Weights
		for _, v := range column.Values {
			typical[j].Values = append(typical[j].Values, value(p.Columns[j], v, false))
		}
	}
	p.Refer(typical)
	if why := p.Explanation.Why(); why != "" {
		t.Fatal(why)
	}
	f := p.NewFrame(len(c.Rows))
	f.Rows = len(c.Rows)
	for i, row := range c.Rows {
		for j, v := range row {
			f.Row(i)[j] = value(p.Columns[j], v, false)
		}
	}
	p.Run(f)
	for i, want := range c.Output {
		room := c.Tolerance * max(1, math.Abs(want))
		sum := p.Explanation.Bias
		for j, v := range p.Contributions(f, i) {
			sum += v
			if c.Contributions != nil && !(math.Abs(v-c.Contributions[i][j]) <= room) {
				t.Errorf("row %d: %s contributes %v, want %v", i, c.Columns[j], v, c.Contributions[i][j])
			}
		}
		if output := p.Explanation.Output(f.Registers(i)); !(math.Abs(output-want) <= room && math.Abs(sum-want) <= room) {
			t.Errorf("row %d: bias and contributions add up to %v, the output is %v, the library's %v", i, sum, output, want)
		}
	}
}

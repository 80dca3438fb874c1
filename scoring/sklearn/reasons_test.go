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

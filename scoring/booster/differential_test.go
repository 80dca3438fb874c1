package booster_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fraudstream/scoring/booster"
	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
	"fraudstream/scoring/sklearn"
)

// A drawn booster is what testdata/differential.py writes for one model.
type drawn struct {
	File, Format, Options string
	Columns               []string
	Rows                  [][]any
	Proba                 [][]float64
	Predicted             []int
}

// TestDifferential draws boosters with the libraries of the python that the environment names and compares every
// probability and every prediction. The seed is new in each run, unless FRAUDSTREAM_DIFFERENTIAL says COUNT SEED.
func TestDifferential(t *testing.T) {
	python := os.Getenv("FRAUDSTREAM_PYTHON")
	if python == "" {
		t.Skip("skipped the comparison with real boosters: FRAUDSTREAM_PYTHON names no python")
	}
	count, seed := "30", fmt.Sprint(time.Now().Unix()%1_000_000)
	if v := os.Getenv("FRAUDSTREAM_DIFFERENTIAL"); v != "" {
		if _, err := fmt.Sscan(v, &count, &seed); err != nil {
			t.Fatalf("FRAUDSTREAM_DIFFERENTIAL is COUNT SEED: %v", err)
		}
	}
	folder := t.TempDir()
	out, err := exec.Command(python, "testdata/differential.py", folder, count, seed).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if library, absent := strings.CutPrefix(string(out), "absent: "); absent {
		t.Skipf("skipped the comparison with real boosters: the python lacks %s", strings.TrimSpace(library))
	}
	t.Logf("%s", out)
	cases, err := filepath.Glob(filepath.Join(folder, "*.case"))
	if err != nil || fmt.Sprint(len(cases)) != count {
		t.Fatalf("%d cases (%v)", len(cases), err)
	}
	worst := map[string]float64{}
	for _, path := range cases {
		var d drawn
		readJSON(t, path, &d)
		t.Run(d.File, func(t *testing.T) { worst[d.Format] = max(worst[d.Format], d.compare(t, folder)) })
	}
	t.Logf("largest differences: %v", worst)
}

// compare runs all rows for every class and returns the largest difference.
func (d *drawn) compare(t *testing.T, folder string) (worst float64) {
	data, err := os.ReadFile(filepath.Join(folder, d.File))
	if err != nil {
		t.Fatal(err)
	}
	tolerance := 1e-12
	if strings.Contains(d.Options, "booster") {
		tolerance = 1e-6 // XGBoost computes in float32
	}
	for k := range d.Proba[0] {
		positive := program.NumberConstant(float64(k))
		spec := program.Spec{Features: d.Columns, Positive: &positive}
		var p *program.Program
		if d.Format == "joblib" {
			var v pickle.Value
			if v, err = pickle.Decode(data, pickle.Limits{}); err == nil {
				p, err = sklearn.Compile(v, spec)
			}
		} else if found := booster.Format(data); found != d.Format {
			t.Fatalf("the format %s was taken for %q", d.Format, found)
		} else {
			p, err = booster.Compile(data, d.Format, spec)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, d.Options)
		}
		f := p.NewFrame(len(d.Rows))
		f.Rows = len(d.Rows)
		for i, row := range d.Rows {
			for j, v := range row {
				f.Row(i)[j] = cell(p.Columns[j].Domain, v)
			}
		}
		p.Run(f)
		for i, row := range d.Proba {
			diff := math.Abs(f.Score(i) - row[k])
			if !(diff <= tolerance) || f.Fault(i).Code != 0 {
				t.Fatalf("row %d %v: class %d has %v, want %v, fault %+v\n%s", i, d.Rows[i], k, f.Score(i), row[k], f.Fault(i), d.Options)
			}
			worst = max(worst, diff)
			if got := f.Predicted(i); got != d.Predicted[i] && !near(row) {
				t.Fatalf("row %d: predicted %d, want %d of %v\n%s", i, got, d.Predicted[i], row, d.Options)
			}
		}
	}
	return worst
}

// near tells rows whose two best classes differ by no more than rounding.
func near(p []float64) bool {
	best, second := math.Inf(-1), math.Inf(-1)
	for _, v := range p {
		best, second = max(best, v), max(second, min(best, v))
	}
	return best-second < 2e-6
}

// cell is what a row holds for a value of the file.
func cell(d *program.Domain, v any) float64 {
	switch x := v.(type) {
	case float64:
		return x
	case bool:
		return program.BoolConstant(x).Num
	case string:
		if code, known := d.Value(program.StringConstant(x)); known {
			return code
		}
		return program.Unseen
	}
	return program.Missing
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

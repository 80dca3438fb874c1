package sklearn

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// bundle is what a parity test needs of metadata.json and golden.json.
type bundle struct {
	Model struct {
		File, Format, Output, Key string
		Classes                   []any
		Positive                  any `json:"positive_class"`
	}
	Golden   struct{ Tolerance *float64 }
	Features []struct {
		Name, Kind, Dtype string
		MissingAs         string `json:"missing_as"`
	}
	golden struct {
		Columns   []string
		Rows      [][]any
		Score     []float64
		Predicted []any
		Label     []any
	}
}

func readBundle(t testing.TB, folder string) *bundle {
	t.Helper()
	b := new(bundle)
	readJSON(t, filepath.Join(folder, "metadata.json"), b)
	readJSON(t, filepath.Join(folder, "golden.json"), &b.golden)
	if b.golden.Predicted == nil {
		b.golden.Predicted = b.golden.Label
	}
	return b
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	if err := json.Unmarshal(readFile(t, path), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// spec is what the bundle asks of Compile.
func (b *bundle) spec() program.Spec {
	s := program.Spec{Output: b.Model.Output, Key: b.Model.Key}
	for _, f := range b.Features {
		s.Features = append(s.Features, f.Name)
		s.NoneIsMissing = append(s.NoneIsMissing, f.MissingAs == "none")
	}
	if b.Model.Positive != nil {
		c := jsonConstant(b.Model.Positive)
		s.Positive = &c
	}
	return s
}

func jsonConstant(v any) program.Constant {
	switch x := v.(type) {
	case string:
		return program.StringConstant(x)
	case bool:
		return program.BoolConstant(x)
	case float64:
		return program.NumberConstant(x)
	}
	return program.Constant{Type: program.NoneType}
}

// compileFile decodes and compiles one model file.
func compileFile(t testing.TB, path string, spec program.Spec) (*program.Program, error) {
	t.Helper()
	v, err := pickle.Decode(readFile(t, path), pickle.Limits{})
	if err != nil {
		return nil, err
	}
	return Compile(v, spec)
}

// value is what a row holds for a JSON value: the rule of package scoring.
func value(c program.Column, v any, noneIsMissing bool) float64 {
	if v == nil {
		if c.Domain.Type() == program.String && noneIsMissing {
			return program.None
		}
		return program.Missing
	}
	constant := jsonConstant(v)
	if c.Domain.Type() == program.String {
		x, known := c.Domain.Value(constant)
		if !known {
			return program.Unseen
		}
		return x
	}
	return constant.Num
}

func knowsNoneOnly(d *program.Domain) bool {
	cs := d.Constants()
	return slices.Contains(cs, program.Constant{Type: program.NoneType}) && !slices.Contains(cs, program.Constant{Type: program.NaN})
}

// fixtureFolders are the bundles that the tests may use: those that the repository carries and, where a checkout
// of the shared fixtures lies beside it, all of them.
func fixtureFolders(t testing.TB) []string {
	t.Helper()
	seen := map[string]bool{}
	var folders []string
	for _, root := range []string{"../testdata/fixtures", "../../../shared/fixtures"} {
		entries, err := os.ReadDir(root)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		for _, e := range entries {
			folder := filepath.Join(root, e.Name())
			if _, err := os.Stat(filepath.Join(folder, "metadata.json")); err == nil && !seen[e.Name()] {
				seen[e.Name()] = true
				folders = append(folders, folder)
			}
		}
	}
	if len(folders) == 0 {
		t.Fatal("no fixtures")
	}
	return folders
}

// TestParity compares every fixture that compiles with what scikit-learn gave for its golden rows.
func TestParity(t *testing.T) {
	passed, refused, worst := 0, map[string]int{}, 0.0
	for _, folder := range fixtureFolders(t) {
		b := readBundle(t, folder)
		if b.Model.Format != "joblib" && b.Model.Format != "pickle" {
			continue
		}
		p, err := compileFile(t, filepath.Join(folder, b.Model.File), b.spec())
		var unsupported *program.UnsupportedError
		if shared := !strings.HasPrefix(folder, "../testdata"); shared && errors.As(err, &unsupported) && unsupported.Reason == "unsupported-estimator" {
			refused[unsupported.Class]++
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", folder, err)
			continue
		}
		t.Run(filepath.Base(folder), func(t *testing.T) {
			worst = max(worst, checkGolden(t, p, b))
		})
		passed++
	}
	if passed < 120 {
		t.Errorf("only %d fixtures were compared", passed)
	}
	t.Logf("%d fixtures agree, largest difference %.3g", passed, worst)
	for class, n := range refused {
		t.Logf("refused: %s in %d fixtures", class, n)
	}
}

// checkGolden runs the golden rows, as a batch and one by one, and returns the largest difference.
func checkGolden(t *testing.T, p *program.Program, b *bundle) (worst float64) {
	t.Helper()
	tolerance := 1e-12
	if b.Golden.Tolerance != nil {
		tolerance = *b.Golden.Tolerance // 1e-6 for boosters that compute in float32
	}
	rows := b.golden.Rows
	f, single := p.NewFrame(len(rows)), p.NewFrame(1)
	f.Rows, single.Rows = len(rows), 1
	for i, row := range rows {
		for j, v := range row {
			as := b.Features[j].MissingAs
			x := value(p.Columns[j], v, as == "none" || as == "" && knowsNoneOnly(p.Columns[j].Domain))
			if b.Features[j].Dtype == "bool" && v != nil && x != 0 {
				x = 1 // the dtype is applied: whatever is not zero is true
			}
			f.Row(i)[j] = x
		}
	}
	p2 := make([]float64, len(p.Columns))
	for i := range rows {
		copy(p2, f.Row(i))
		copy(single.Row(0), p2)
		p.Run(single)
		if i == 0 {
			p.Run(f)
		}
		want := b.golden.Score[i]
		scale := math.Max(1, math.Abs(want))
		d := math.Max(math.Abs(f.Score(i)-want), math.Abs(single.Score(0)-want)) / scale
		if !(d <= tolerance) || f.Fault(i).Code != 0 {
			t.Fatalf("row %d: score %v, one by one %v, scikit-learn %v, fault %+v", i, f.Score(i), single.Score(0), want, f.Fault(i))
		}
		worst = max(worst, d)
		if b.golden.Predicted != nil {
			want := jsonConstant(b.golden.Predicted[i])
			if got := p.Classes[f.Predicted(i)]; got != want && !(isNumber(got) && isNumber(want) && got.Num == want.Num) {
				t.Fatalf("row %d: predicted %v, scikit-learn %v", i, got, want)
			}
		}
	}
	return worst
}

package sklearn

import (
	"path/filepath"
	"slices"
	"testing"

	"fraudstream/scoring/program"
)

// TestSeed scores the plain joblib.dump of the tutorials, which has no metadata and no column names.
func TestSeed(t *testing.T) {
	const folder = "../testdata/fixtures/seed"
	var golden struct {
		Rows  [][]float64
		Score []float64
	}
	readJSON(t, filepath.Join(folder, "golden.json"), &golden)
	for _, features := range [][]string{nil, {"income", "debt"}} {
		p, err := compileFile(t, filepath.Join(folder, "fraud_model.pkl"), program.Spec{Features: features})
		if err != nil {
			t.Fatal(err)
		}
		if len(p.Columns) != 2 || p.Output != "predict_proba" || p.Positive != 1 {
			t.Fatalf("%d columns, output %s, positive %d", len(p.Columns), p.Output, p.Positive)
		}
		f := p.NewFrame(len(golden.Rows))
		f.Rows = len(golden.Rows)
		for i, row := range golden.Rows {
			copy(f.Row(i), row)
		}
		p.Run(f)
		for i, want := range golden.Score {
			if d := f.Score(i) - want; d > 1e-12 || d < -1e-12 || f.Fault(i).Code != 0 {
				t.Errorf("row %d: %v, scikit-learn %v", i, f.Score(i), want)
			}
		}
	}
}

// TestFeatureNames refuses names that are not those of training.
func TestFeatureNames(t *testing.T) {
	folder := "../testdata/fixtures/logreg-sk1.7.2"
	b := readBundle(t, folder)
	path := filepath.Join(folder, b.Model.File)
	own, err := compileFile(t, path, program.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	spec := b.spec()
	for i, c := range own.Columns {
		if c.Name != spec.Features[i] {
			t.Errorf("column %d is named %q, want %q", i, c.Name, spec.Features[i])
		}
	}
	swapped := slices.Clone(spec.Features)
	swapped[0], swapped[1] = swapped[1], swapped[0]
	for name, features := range map[string][]string{
		"swapped": swapped, "one less": swapped[1:], "one more": append(slices.Clone(spec.Features), "x"),
	} {
		if _, err := compileFile(t, path, program.Spec{Features: features}); reasonOf(t, err) != "schema-mismatch" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSpec refuses outputs, classes and keys that the model does not have.
func TestSpec(t *testing.T) {
	folder := "../testdata/fixtures/rf-nan-sk1.7.2"
	forest := filepath.Join(folder, readBundle(t, folder).Model.File)
	text := program.StringConstant("fraud")
	for name, c := range map[string]struct {
		spec   program.Spec
		reason string
	}{
		"decision_function of a forest": {program.Spec{Output: "decision_function"}, "unsupported-value"},
		"unknown output":                {program.Spec{Output: "score_samples"}, "unsupported-value"},
		"unknown class":                 {program.Spec{Positive: &text}, "schema-mismatch"},
		"key of no dict":                {program.Spec{Key: "model"}, "schema-mismatch"},
	} {
		if _, err := compileFile(t, forest, c.spec); reasonOf(t, err) != c.reason {
			t.Errorf("%s: %v, want %s", name, err, c.reason)
		}
	}
	p, err := compileFile(t, forest, program.Spec{Output: "predict"})
	if err != nil {
		t.Fatal(err)
	}
	f := p.NewFrame(1)
	f.Rows = 1
	p.Run(f)
	if want := p.Classes[f.Predicted(0)].Num; f.Score(0) != want {
		t.Errorf("predict gives %v, want %v", f.Score(0), want)
	}
}

// TestRunDoesNotAllocate runs a batch of one model of every family.
func TestRunDoesNotAllocate(t *testing.T) {
	for _, name := range []string{
		"ct-onehot-gb-sk1.7.2", "ct-onehot-nan-logreg-sk1.4.2", "ct-ordinal-rf-sk1.6.1", "rf-nan-sk1.7.2",
		"imputer-indicator-sk1.5.2", "functransformer-log1p-sk1.7.2", "ct-onehot-drop-infrequent-sk1.7.2",
		"ct-hgb-native-sk1.8.0", "adaboost-sk1.2.2", "bagging-sk1.8.0", "calib-isotonic-cv-sk1.9.1", "multiclass-calibrated-sk1.9.1",
		"stacking-sk1.9.1", "mlp-sk1.8.0", "gnb-sk1.7.2", "iforest-sk1.8.0", "threshold-tuned-sk1.9.1", "calib-temperature-sk1.9.1",
	} {
		folder := filepath.Join("../testdata/fixtures", name)
		b := readBundle(t, folder)
		p, err := compileFile(t, filepath.Join(folder, b.Model.File), b.spec())
		if err != nil {
			t.Fatal(err)
		}
		f := p.NewFrame(len(b.golden.Rows))
		f.Rows = len(b.golden.Rows)
		for i, row := range b.golden.Rows {
			for j, v := range row {
				f.Row(i)[j] = value(p.Columns[j], v, false)
			}
		}
		if n := testing.AllocsPerRun(20, func() { p.Run(f) }); n != 0 {
			t.Errorf("%s: %v allocations a run", name, n)
		}
	}
}

// TestFaults names the step and the column of a row that scikit-learn would refuse, and scores its neighbours.
func TestFaults(t *testing.T) {
	folder := "../testdata/fixtures/logreg-sk1.7.2"
	b := readBundle(t, folder)
	p, err := compileFile(t, filepath.Join(folder, b.Model.File), b.spec())
	if err != nil {
		t.Fatal(err)
	}
	f := p.NewFrame(3)
	f.Rows = 3
	for i := range 3 {
		for j, v := range b.golden.Rows[0] {
			f.Row(i)[j] = value(p.Columns[j], v, false)
		}
	}
	f.Row(1)[2] = program.Missing
	p.Run(f)
	fault := f.Fault(1)
	if fault.Code != program.Unscorable || fault.Column != 2 || p.StepNames[fault.Step] == "" {
		t.Errorf("fault %+v", fault)
	}
	for _, i := range []int{0, 2} {
		if f.Fault(i).Code != 0 || f.Score(i) != f.Score(0) {
			t.Errorf("row %d: score %v, fault %+v", i, f.Score(i), f.Fault(i))
		}
	}
}

// BenchmarkRun reports ns per row of whole pipelines, in batches of 32.
func BenchmarkRun(b *testing.B) {
	for _, name := range []string{"logreg-sk1.7.2", "ct-onehot-logreg-sk1.9.1", "ct-onehot-gb-sk1.7.2", "ct-ordinal-rf-sk1.8.0"} {
		b.Run(name, func(b *testing.B) {
			folder := filepath.Join("../testdata/fixtures", name)
			bundle := readBundle(b, folder)
			p, err := compileFile(b, filepath.Join(folder, bundle.Model.File), bundle.spec())
			if err != nil {
				b.Fatal(err)
			}
			const rows = 32
			f := p.NewFrame(rows)
			f.Rows = rows
			for i := range rows {
				for j, v := range bundle.golden.Rows[i%len(bundle.golden.Rows)] {
					f.Row(i)[j] = value(p.Columns[j], v, false)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				p.Run(f)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
		})
	}
}

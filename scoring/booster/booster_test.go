package booster_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fraudstream/scoring/booster"
	"fraudstream/scoring/program"
)

// bundle is what these tests read of a folder of ../testdata/fixtures.
type bundle struct {
	Model    struct{ File, Format string }
	Features []struct{ Name string }
}

type golden struct {
	Rows      [][]any
	Score     []float64
	Predicted []float64
}

// open reads a bare booster of the fixtures and compiles it with the names of its bundle.
func open(t testing.TB, folder string) (*program.Program, golden, []byte) {
	t.Helper()
	var b bundle
	var g golden
	readJSON(t, filepath.Join(folder, "metadata.json"), &b)
	readJSON(t, filepath.Join(folder, "golden.json"), &g)
	data, err := os.ReadFile(filepath.Join(folder, b.Model.File))
	if err != nil {
		t.Fatal(err)
	}
	if found := booster.Format(data); found != b.Model.Format {
		t.Fatalf("%s is taken for %q", b.Model.Format, found)
	}
	var spec program.Spec
	for _, f := range b.Features {
		spec.Features = append(spec.Features, f.Name)
	}
	p, err := booster.Compile(data, b.Model.Format, spec)
	if err != nil {
		t.Fatal(err)
	}
	return p, g, data
}

// bare are the folders of bare boosters.
func bare(t testing.TB) []string {
	t.Helper()
	var folders []string
	for _, pattern := range []string{"xgb-bare-*", "lgbm-bare-*", "catboost-*"} {
		found, err := filepath.Glob("../testdata/fixtures/" + pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("no fixtures %s: %v", pattern, err)
		}
		folders = append(folders, found...)
	}
	return folders
}

// TestParity compares bare boosters with the golden rows of their libraries: exactly where these compute in float32,
// within the last digits of exp elsewhere.
func TestParity(t *testing.T) {
	for _, folder := range bare(t) {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			p, g, _ := open(t, folder)
			tolerance := 1e-15
			if strings.Contains(folder, "xgb") {
				tolerance = 0
			}
			batch, single := p.NewFrame(len(g.Rows)), p.NewFrame(1)
			batch.Rows, single.Rows = len(g.Rows), 1
			for i, row := range g.Rows {
				for j, v := range row {
					batch.Row(i)[j] = cell(p.Columns[j].Domain, v)
				}
			}
			alone := make([]float64, len(g.Rows))
			for i := range g.Rows {
				copy(single.Row(0), batch.Row(i))
				p.Run(single)
				alone[i] = single.Score(0)
			}
			p.Run(batch)
			for i, want := range g.Score {
				if d := math.Abs(batch.Score(i) - want); !(d <= tolerance) || alone[i] != batch.Score(i) {
					t.Fatalf("row %d: %v, alone %v, want %v", i, batch.Score(i), alone[i], want)
				}
				if g.Predicted != nil && p.Classes[batch.Predicted(i)].Num != g.Predicted[i] {
					t.Fatalf("row %d: predicted %v, want %v", i, batch.Predicted(i), g.Predicted[i])
				}
			}
			if n := testing.AllocsPerRun(5, func() { p.Run(batch) }); n != 0 {
				t.Errorf("%v allocations for a batch", n)
			}
		})
	}
}

// TestRefuse compiles hostile, damaged and unsupported files.
func TestRefuse(t *testing.T) {
	for file, reason := range map[string]string{
		"xgb-cycle.json": "tree-structure", "xgb-child-out.json": "tree-structure", "xgb-feature-out.json": "feature-index",
		"xgb-short.json": "tree-structure", "xgb-objective.json": "unsupported-value", "xgb-tree-count.json": "tree-structure",
		"xgb-truncated.json": "truncated", "xgb-truncated.ubj": "truncated", "xgb-huge-count.ubj": "array-size",
		"xgb-deep.ubj": "depth", "xgb-deep.json": "depth",
		"lgbm-child-out.txt": "tree-structure", "lgbm-cycle.txt": "tree-structure", "lgbm-feature-out.txt": "feature-index",
		"lgbm-nan-threshold.txt": "non-finite", "lgbm-num-leaves.txt": "tree-structure", "lgbm-truncated.txt": "truncated",
		"catboost-categories.json": "unsupported-value",
	} {
		data, err := os.ReadFile(filepath.Join("testdata/refuse", file))
		if err != nil {
			t.Fatal(err)
		}
		format := map[string]string{".json": "xgboost-json", ".ubj": "xgboost-ubj", ".txt": "lightgbm-text"}[filepath.Ext(file)]
		if found := booster.Format(data); found != "" {
			format = found
		}
		if got := refusal(t, data, format, program.Spec{}); got != reason {
			t.Errorf("%s: %q, want %q", file, got, reason)
		}
	}
}

// refusal is the reason for which a file is refused; empty if it is not.
func refusal(t testing.TB, data []byte, format string, spec program.Spec) string {
	t.Helper()
	_, err := booster.Compile(data, format, spec)
	if err == nil {
		return ""
	}
	u, ok := errors.AsType[*program.UnsupportedError](err)
	if !ok {
		t.Fatalf("an error of type %T: %v", err, err)
	}
	return u.Reason
}

// TestDamage changes one thing in a sound file each time.
func TestDamage(t *testing.T) {
	files := map[string]string{}
	for _, folder := range bare(t) {
		_, _, data := open(t, folder)
		files[booster.Format(data)] = string(data)
	}
	for _, c := range []struct{ format, old, new, want string }{
		{"xgboost-json", "{", "{", ""},
		{"xgboost-json", `"binary:logistic"`, `"binary:logitraw"`, "unsupported-value"},
		{"xgboost-json", `"num_class":"0"`, `"num_class":"3"`, "unsupported-value"},
		{"xgboost-json", `"num_target":"1"`, `"num_target":"2"`, "unsupported-value"},
		{"xgboost-json", `"num_feature":"6"`, `"num_feature":"2000000000"`, "budget"},
		{"xgboost-json", `"name":"gbtree"`, `"name":"gbforest"`, "unsupported-value"},
		{"xgboost-json", `"base_score":"`, `"base_score":"nan`, "non-finite"},
		{"xgboost-json", `"base_score":"`, `"base_score":"0,`, "model-mismatch"},
		{"xgboost-json", `"iteration_indptr":[0,`, `"iteration_indptr":[1,`, "tree-structure"},
		{"xgboost-json", `"size_leaf_vector":"1"`, `"size_leaf_vector":"2"`, "unsupported-value"},
		{"xgboost-json", `"split_type":[0`, `"split_type":[1`, "tree-structure"},
		{"xgboost-json", `"learner":`, `"learner":{},"learner":`, "corrupt"},
		{"lightgbm-text", "tree\n", "tree\n", ""},
		{"lightgbm-text", "objective=binary sigmoid:1", "objective=regression", "unsupported-value"},
		{"lightgbm-text", "objective=binary sigmoid:1", "objective=binary sigmoid:-1", "unsupported-value"},
		{"lightgbm-text", "version=v4", "version=v9", "unsupported-value"},
		{"lightgbm-text", "num_tree_per_iteration=1", "num_tree_per_iteration=0", "unsupported-value"},
		{"lightgbm-text", "max_feature_idx=5", "max_feature_idx=99999999", "budget"},
		{"lightgbm-text", "max_feature_idx=5", "max_feature_idx=4", "model-mismatch"},
		{"lightgbm-text", "is_linear=0", "is_linear=1", "unsupported-value"},
		{"lightgbm-text", "decision_type=", "decision_type=9", "unsupported-value"},
		{"lightgbm-text", "Tree=1\n", "Tree=2\n", "tree-structure"},
		{"lightgbm-text", "tree_sizes=", "tree_sizes=5 ", "tree-structure"},
		{"lightgbm-text", "leaf_value=", "leaf_value=x", "non-finite"},
		{"catboost-json", "{", "{", ""},
		{"catboost-json", `"Logloss"`, `"RMSE"`, "unsupported-value"},
		{"catboost-json", `"float_feature_index"`, `"float_feature"`, "feature-index"},
		{"catboost-json", `"FloatFeature"`, `"OnlineCtr"`, "unsupported-value"},
		{"catboost-json", `"scale_and_bias"`, `"scale"`, "model-mismatch"},
	} {
		whole := files[c.format]
		if c.format == "catboost-json" || c.format == "xgboost-json" {
			whole = strings.NewReplacer("\": ", "\":", ", ", ",").Replace(whole)
		}
		damaged := strings.ReplaceAll(whole, c.old, c.new)
		if c.new == `"learner":{},"learner":` {
			damaged = strings.Replace(whole, c.old, c.new, 1)
		}
		if c.want != "" && damaged == whole {
			t.Errorf("%s has no %s", c.format, c.old)
			continue
		}
		if got := refusal(t, []byte(damaged), c.format, program.Spec{}); got != c.want {
			t.Errorf("%s, %s for %s: %q, want %q", c.format, c.new, c.old, got, c.want)
		}
	}
}

// TestSpec checks names, classes and outputs against what the caller wants.
func TestSpec(t *testing.T) {
	_, _, data := open(t, "../testdata/fixtures/xgb-bare-xgb3.0.5-sk1.6.1")
	six := []string{"a", "b", "c", "d", "e", "f"}
	third := program.NumberConstant(2)
	for _, c := range []struct {
		spec program.Spec
		want string
	}{
		{program.Spec{}, ""},
		{program.Spec{Features: six}, ""},
		{program.Spec{Features: six[:5]}, "schema-mismatch"},
		{program.Spec{Features: six, Positive: &third}, "schema-mismatch"},
		{program.Spec{Features: six, Output: "decision_function"}, "unsupported-value"},
	} {
		if got := refusal(t, data, "xgboost-json", c.spec); got != c.want {
			t.Errorf("%+v: %q, want %q", c.spec, got, c.want)
		}
	}
	if !booster.SameName("amount in GBP", "amount_in_GBP") || booster.SameName("a_b", "a b") {
		t.Error("LightGBM writes a space as _")
	}
}

// FuzzCompile reads whatever comes in each of the formats; what compiles must run.
func FuzzCompile(f *testing.F) {
	for _, folder := range bare(f) {
		_, _, data := open(f, folder)
		if len(data) < 20_000 {
			f.Add(data)
		}
	}
	files, err := filepath.Glob("testdata/refuse/*")
	if err != nil || len(files) == 0 {
		f.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:min(len(data), 20_000)])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, format := range []string{"xgboost-json", "xgboost-ubj", "lightgbm-text", "catboost-json"} {
			p, err := booster.Compile(data, format, program.Spec{})
			if err != nil {
				if _, ok := errors.AsType[*program.UnsupportedError](err); !ok {
					t.Fatalf("an error of type %T: %v", err, err)
				}
				continue
			}
			frame := p.NewFrame(5)
			frame.Rows = 5
			for i := range 5 {
				for j := range frame.Row(i) {
					frame.Row(i)[j] = []float64{math.NaN(), 0, 1e39, -1, 7}[(i+j)%5]
				}
			}
			p.Run(frame)
		}
	})
}

// scoreOf compiles a file and scores one row, of which the first value is given and the others are 0.
func scoreOf(t *testing.T, data, format string, first float64) float64 {
	t.Helper()
	p, err := booster.Compile([]byte(data), format, program.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	f := p.NewFrame(1)
	f.Rows = 1
	clear(f.Row(0))
	f.Row(0)[0] = first
	p.Run(f)
	return f.Score(0)
}

// A training that was stopped early predicts with the trees up to its best iteration; the first tree of this model
// is a single leaf.
func TestBestIteration(t *testing.T) {
	_, _, data := open(t, "../testdata/fixtures/xgb-bare-xgb1.7.6-sk0.24.2")
	early := strings.Replace(string(data), `"best_iteration":"11"`, `"best_iteration":"0"`, 1)
	const format = "xgboost-json"
	if a, b := scoreOf(t, early, format, 1), scoreOf(t, early, format, 500); a != b {
		t.Errorf("one leaf gives %v and %v", a, b)
	}
	if a, b := scoreOf(t, string(data), format, 1), scoreOf(t, early, format, 1); a == b {
		t.Errorf("twelve trees and one give %v", a)
	}
}

// LightGBM takes what lies within 1e-35 of zero for zero.
func TestAboutZero(t *testing.T) {
	data, err := os.ReadFile("testdata/refuse/lgbm-nan-threshold.txt")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), "threshold=nan", "threshold=1e-36", 1)
	const format = "lightgbm-text"
	zero, tiny, small := scoreOf(t, text, format, 0), scoreOf(t, text, format, 5e-36), scoreOf(t, text, format, 5e-35)
	if zero != tiny || zero == small {
		t.Errorf("0 gives %v, 5e-36 %v, 5e-35 %v", zero, tiny, small)
	}
}

// A linear booster of several classes adds the first of its base scores to all of them, as XGBoost 3.1 and 3.2 do:
// probabilities are then those of the weights alone.
func TestLinearBaseScore(t *testing.T) {
	const model = `{"learner": {"attributes": {}, "feature_names": [], "feature_types": [],
		"gradient_booster": {"name": "gblinear", "model": {"boosted_rounds": 1, "weights": [1, 2, 3, 0, 0, 0]}},
		"learner_model_param": {"base_score": "[5E-1,-3E0,2E0]", "boost_from_average": "1", "num_class": "3", "num_feature": "1", "num_target": "1"},
		"objective": {"name": "multi:softprob", "softmax_multiclass_param": {"num_class": "3"}}}, "version": [3, 2, 0]}`
	if got := scoreOf(t, model, "xgboost-json", 0); math.Abs(got-1.0/3) > 1e-7 {
		t.Errorf("three classes that weigh the same: the last has %v", got)
	}
	want := math.Exp(3) / (math.Exp(1) + math.Exp(2) + math.Exp(3))
	if got := scoreOf(t, model, "xgboost-json", 1); math.Abs(got-want) > 1e-7 {
		t.Errorf("the last class has %v, want %v", got, want)
	}
}

// The categories of a frame that XGBoost keeps with its trees: what it gave for texts, numbers and a missing text, and
// the column of the text that it does not know.
func TestFrameCategories(t *testing.T) {
	data, err := os.ReadFile("testdata/categories.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := booster.Compile(data, "xgboost-json", program.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	f := p.NewFrame(1)
	f.Rows = 1
	for _, c := range []struct {
		country any
		mcc     float64
		want    float64
	}{{"GB", 5411, 0.16748860478401184}, {"US", 5411, 0.7617775797843933}, {"FR", 5812, 0.7695618867874146}, {nil, 5812, 0.7695618867874146}, {"ZZ", 5411, math.NaN()}, {"GB", 1, math.NaN()}} {
		for j, v := range []any{0.5, c.country, c.mcc} {
			f.Row(0)[j] = cell(p.Columns[j].Domain, v)
		}
		p.Run(f)
		fault := f.Fault(0)
		if unknown := c.want != c.want; unknown != (fault.Code == program.UnknownCategory) || unknown && fault.Column < 1 {
			t.Errorf("%v, %v: fault %+v", c.country, c.mcc, fault)
		} else if !unknown && math.Abs(f.Score(0)-c.want) > 1e-7 {
			t.Errorf("%v, %v: %v, want %v", c.country, c.mcc, f.Score(0), c.want)
		}
	}
}

// What contradicts itself in those lists is refused.
func TestDamagedFrameCategories(t *testing.T) {
	data, err := os.ReadFile("testdata/categories.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{`"offsets":[0,2,4,6]`, `"offsets":[0,2,4,7]`},
		{`"offsets":[0,2,4,6]`, `"offsets":[0,4,2,6]`},
		{`"offsets":[0,2,4,6]`, `"offsets":[1,2,4,6]`},
		{`"enc":[`, `"enc":[{"offsets":[],"values":[]},`},
		{`"enc":[`, `"enc":[7,`},
		{`"values":[70,`, `"values":[-61,`},
	} {
		damaged := strings.Replace(string(data), c[0], c[1], 1)
		want := "model-mismatch"
		if strings.Contains(c[1], "-61") {
			want = "unsupported-value" // a letter beyond ASCII
		}
		if got := refusal(t, []byte(damaged), "xgboost-json", program.Spec{}); damaged == string(data) || got != want {
			t.Errorf("%s: %q", c[1], got)
		}
	}
}

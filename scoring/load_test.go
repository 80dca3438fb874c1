package scoring

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// refusals are the damaged copies of one sound bundle: what each is refused for, and which field the error names.
var refusals = map[string]struct{ reason, field string }{
	"bundle-bin-sum-outside":    {"baseline-mismatch", "features[0].baseline.sums[1]"},
	"bundle-cat-count-sum":      {"baseline-mismatch", "features[6].baseline.counts"},
	"bundle-cat-duplicate":      {"baseline-mismatch", "features[6].baseline.values[1]"},
	"bundle-cat-values-length":  {"baseline-mismatch", "features[6].baseline.values"},
	"bundle-classes":            {"schema-mismatch", "model.positive_class"},
	"bundle-count-negative":     {"baseline-mismatch", "features[0].baseline.counts[0]"},
	"bundle-count-sum":          {"baseline-mismatch", "features[0].baseline.counts"},
	"bundle-counts-length":      {"baseline-mismatch", "features[0].baseline.counts"},
	"bundle-edges-descending":   {"baseline-mismatch", "features[0].baseline.edges[1]"},
	"bundle-edges-equal":        {"baseline-mismatch", "features[0].baseline.edges[1]"},
	"bundle-feature-duplicate":  {"schema-mismatch", "features[1].name"},
	"bundle-feature-extra":      {"schema-mismatch", ""},
	"bundle-feature-kind":       {"metadata-invalid", "features[0].kind"},
	"bundle-feature-missing":    {"schema-mismatch", ""},
	"bundle-feature-order":      {"schema-mismatch", ""},
	"bundle-feature-renamed":    {"schema-mismatch", ""},
	"bundle-file-missing":       {"metadata-invalid", "model.file"},
	"bundle-format-wrong":       {"metadata-invalid", "model.format"},
	"bundle-golden-changed":     {"hash-mismatch", "golden.sha256"},
	"bundle-golden-columns":     {"golden-mismatch", "golden.json: columns"},
	"bundle-golden-label":       {"golden-mismatch", "golden.json: predicted[0]"},
	"bundle-golden-rows":        {"golden-mismatch", "golden.json: score"},
	"bundle-golden-score":       {"golden-mismatch", "golden.json: score[3]"},
	"bundle-golden-sha":         {"hash-mismatch", "golden.sha256"},
	"bundle-golden-short-row":   {"golden-mismatch", "golden.json: rows[0]"},
	"bundle-golden-type":        {"golden-mismatch", "golden.json: rows[0][0]"},
	"bundle-json-duplicate-key": {"metadata-invalid", "schema"},
	"bundle-json-trailing":      {"metadata-invalid", ""},
	"bundle-json-truncated":     {"metadata-invalid", ""},
	"bundle-min-above-max":      {"baseline-mismatch", "features[0].baseline.min"},
	"bundle-missing-wrong":      {"baseline-mismatch", "features[0].baseline.counts"},
	"bundle-model-changed":      {"hash-mismatch", "model.sha256"},
	"bundle-model-sha":          {"hash-mismatch", "model.sha256"},
	"bundle-nan-in-json":        {"metadata-invalid", "features[0].baseline.std"},
	"bundle-output-unknown":     {"metadata-invalid", "model.output"},
	"bundle-path-absolute":      {"metadata-invalid", "golden.file"},
	"bundle-path-escape":        {"metadata-invalid", "model.file"},
	"bundle-positive-class":     {"schema-mismatch", "model.positive_class"},
	"bundle-rows-wrong":         {"baseline-mismatch", "features[0].baseline.counts"},
	"bundle-schema-2":           {"metadata-invalid", "schema"},
	"bundle-score-counts":       {"baseline-mismatch", "score.baseline.counts"},
	"bundle-sha-short":          {"metadata-invalid", "model.sha256"},
	"bundle-sklearn-version":    {"metadata-invalid", "environment.scikit_learn"},
	"bundle-std-negative":       {"baseline-mismatch", "features[0].baseline.std"},
	"bundle-sums-length":        {"baseline-mismatch", "features[0].baseline.sums"},
	"bundle-threshold-range":    {"metadata-invalid", "thresholds.block"},
	"bundle-thresholds-crossed": {"metadata-invalid", "thresholds"},
	"bundle-tolerance-huge":     {"metadata-invalid", "golden.tolerance"},
	"bundle-tolerance-negative": {"metadata-invalid", "golden.tolerance"},
}

func TestDamagedBundlesAreRefused(t *testing.T) {
	folders, err := filepath.Glob("testdata/refuse/bundle-*")
	if err != nil || len(folders) != len(refusals)+1 {
		t.Fatalf("%d folders for %d refusals and the control (%v)", len(folders), len(refusals), err)
	}
	for name, want := range refusals {
		t.Run(name, func(t *testing.T) {
			s, err := Load(filepath.Join("testdata/refuse", name), Options{})
			if s != nil || Reason(err) != want.reason {
				t.Fatalf("reason %q (%v), want %q", Reason(err), err, want.reason)
			}
			var bundle *BundleError
			if want.field != "" && (!errors.As(err, &bundle) || bundle.Field != want.field) {
				t.Errorf("%v: want the field %s", err, want.field)
			}
		})
	}
}

func TestControlBundleLoads(t *testing.T) {
	s, err := Load("testdata/refuse/bundle-control", Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := s.Bundle
	if b.Name != "ct-onehot-logreg" || b.Rows != 3500 || b.GoldenRows != 40 || len(b.Features) != 10 || len(b.Warnings) > 0 {
		t.Errorf("%s, %d rows, %d golden rows, %d features, warnings %q", b.Name, b.Rows, b.GoldenRows, len(b.Features), b.Warnings)
	}
	if b.GoldenMaxDiff > 1e-12 || b.GoldenBitEqual == 0 {
		t.Errorf("largest difference %g, %d rows bit-equal", b.GoldenMaxDiff, b.GoldenBitEqual)
	}
	if b.Score == nil || b.Score.Rows != 3500 || *b.Thresholds.Block != 0.03097 {
		t.Errorf("score baseline %+v, thresholds %+v", b.Score, b.Thresholds)
	}
}

// Every fixture folder of the supported classes, all versions and containers, loads through the whole gate, whose
// last part is to give the golden scores.
func TestFixturesLoad(t *testing.T) {
	folders, err := filepath.Glob("testdata/fixtures/*/metadata.json")
	if err != nil || len(folders) < 100 {
		t.Fatalf("%d fixtures (%v)", len(folders), err)
	}
	for _, path := range folders {
		folder := filepath.Dir(path)
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Parallel()
			s, err := Load(folder, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if s.Bundle.GoldenRows < 20 || s.Bundle.GoldenBitEqual == 0 {
				t.Errorf("%d golden rows, %d bit-equal", s.Bundle.GoldenRows, s.Bundle.GoldenBitEqual)
			}
		})
	}
}

func TestBareFileNeedsNames(t *testing.T) {
	const path = "testdata/fixtures/seed/fraud_model.pkl"
	for name, features := range map[string][]string{
		"none": nil, "one": {"income"}, "three": {"income", "debt", "age"}, "twice": {"income", "income"},
	} {
		if _, err := Load(path, Options{Features: features}); Reason(err) != "schema-mismatch" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBareFileScoresAsScikitLearn(t *testing.T) {
	s, err := Load("testdata/fixtures/seed/fraud_model.pkl", Options{Features: []string{"income", "debt"}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Bundle.Name != "fraud_model" || s.Bundle.Version != s.Bundle.SHA256[:12] || len(s.Bundle.Warnings) != 1 {
		t.Errorf("%s %s, warnings %q", s.Bundle.Name, s.Bundle.Version, s.Bundle.Warnings)
	}
	var golden struct {
		Rows  [][2]json.Number
		Score []float64
	}
	data, err := os.ReadFile("testdata/fixtures/seed/golden.json")
	if err == nil {
		err = json.Unmarshal(data, &golden)
	}
	if err != nil || len(golden.Rows) != 20 {
		t.Fatalf("%d golden rows (%v)", len(golden.Rows), err)
	}
	batch := s.NewBatch(len(golden.Rows))
	for i, row := range golden.Rows {
		value := `{"debt": ` + row[1].String() + `, "income": ` + row[0].String() + `}`
		batch.Events = append(batch.Events, Event{Value: []byte(value), Origin: Origin{Row: int64(i) + 1}})
	}
	s.Score(batch)
	for i, r := range batch.Results {
		if diff := r.Decision.Score - golden.Score[i]; r.Outcome != Decided || diff > 1e-12 || diff < -1e-12 {
			t.Errorf("row %d: %v %v, want %v", i, r.Decision.Score, &r.Err, golden.Score[i])
		}
	}
}

func TestOptionsOverABundle(t *testing.T) {
	const path = "testdata/refuse/bundle-control"
	half, most := 0.5, 0.9
	for name, c := range map[string]struct {
		options Options
		reason  string
	}{
		"thresholds":             {Options{Thresholds: &Thresholds{Review: &half, Block: &most}}, ""},
		"one threshold":          {Options{Thresholds: &Thresholds{Block: &half}}, ""},
		"thresholds crossed":     {Options{Thresholds: &Thresholds{Review: &most, Block: &half}}, "metadata-invalid"},
		"features not the model": {Options{Features: []string{"amount"}}, "schema-mismatch"},
		"a field of no feature":  {Options{Mapping: Mapping{Fields: map[string]Field{"amounts": {}}}}, "other"},
	} {
		if _, err := Load(path, c.options); Reason(err) != c.reason {
			t.Errorf("%s: %v, want reason %q", name, err, c.reason)
		}
	}
}

// sharedFixtures is the folder of all fixtures, where the checkout has it beside the repository.
func sharedFixtures(t *testing.T) string {
	root, err := filepath.Abs(".")
	for err == nil {
		if _, missing := os.Stat(filepath.Join(root, "go.mod")); missing == nil {
			break
		}
		if filepath.Dir(root) == root {
			t.Fatal("no go.mod above the test")
		}
		root = filepath.Dir(root)
	}
	path := filepath.Join(root, "..", "shared", "fixtures")
	if _, err := os.Stat(filepath.Join(path, "index.json")); err != nil {
		t.Skip("skipped: ../shared/fixtures is not there; the copies in testdata are tested alone")
	}
	return path
}

// index is what the tests read of index.json.
type index struct {
	Fixtures []struct {
		Folder, Family, Format, Expect string
		Tolerance                      float64
		Rows                           int
		Environment                    struct {
			Version string `json:"scikit_learn"`
		}
	}
	Refuse []struct{ Path, Expect, Reason string }
}

func readIndex(t *testing.T, path string) index {
	var list index
	data, err := os.ReadFile(filepath.Join(path, "index.json"))
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Every hostile, damaged or unsupported pickle or booster is answered as the index says, by the path a user
// would give.
func TestHostileFilesAreRefused(t *testing.T) {
	path := sharedFixtures(t)
	marker := filepath.Join(t.TempDir(), "pwned")
	t.Setenv("FRAUDSTREAM_PWNED", marker)
	for _, r := range readIndex(t, path).Refuse {
		switch filepath.Ext(r.Path) {
		case ".pkl", ".joblib", ".json", ".ubj", ".txt":
		default:
			continue
		}
		t.Run(filepath.Base(r.Path), func(t *testing.T) {
			s, err := Load(filepath.Join(path, r.Path), Options{})
			if Reason(err) == schemaMismatch {
				// Fitted on an array, or it does not say on what: the caller has to name the features.
				s, err = Load(filepath.Join(path, r.Path), Options{Features: []string{"a", "b", "c", "d"}})
			}
			if reason := Reason(err); !answered(filepath.Base(r.Path), r.Expect, r.Reason, reason, s != nil) {
				t.Errorf("%s %s: loaded %v, reason %q: %v", r.Expect, r.Reason, s != nil, reason, err)
			}
		})
	}
	if _, err := os.Stat(marker); err == nil {
		t.Fatal("a payload has run")
	}
}

// answered compares an answer with what the index expects. A flipped bit may be met anywhere, and a file that ends
// early may be called either; bare, the two of no-probability may load by the defaults. A file that is damaged
// inside an estimator which is not supported is refused for the estimator.
func answered(name, expect, want, got string, loaded bool) bool {
	switch {
	case expect == "load":
		return loaded
	case expect == "no-crash":
		return true
	case expect == "either" || want == "no-probability":
		return loaded || got != "other"
	case loaded:
		return false
	case want == "bit-flip" || want == "corrupt":
		return got == "corrupt" || got == "truncated" || got == "unsupported-estimator"
	}
	for _, family := range []string{"hgb-", "model-isotonic", "model-mlp"} {
		if strings.HasPrefix(name, family) && got == "unsupported-estimator" {
			return true
		}
	}
	return got == want
}

func TestErrorsSayWhatAndWhere(t *testing.T) {
	_, err := Load("testdata/refuse/bundle-model-sha", Options{})
	for _, part := range []string{"hash-mismatch", "model.sha256", "model.joblib"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not say %s", err, part)
		}
	}
	if Reason(nil) != "" || Reason(errors.New("disk")) != "other" {
		t.Error("Reason of no error and of another")
	}
}

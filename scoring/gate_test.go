package scoring

import (
	"path/filepath"
	"testing"

	"fraudstream/scoring/program"
)

func TestFraudIsLow(t *testing.T) {
	zero, one, outlier := program.NumberConstant(0), program.NumberConstant(1), program.NumberConstant(-1)
	two := []program.Constant{zero, one}
	for name, c := range map[string]struct {
		word     string
		output   string
		classes  []program.Constant
		positive int
		low      bool
	}{
		"a probability":                    {"", "predict_proba", two, 1, false},
		"a probability of the first class": {"", "predict_proba", two, 0, false},
		"a decision for the last class":    {"", "decision_function", two, 1, false},
		"a decision for the first class":   {"", "decision_function", two, 0, true},
		"a decision among three":           {"", "decision_function", append(two, program.NumberConstant(2)), 0, false},
		"an isolation forest's score":      {"", "score_samples", []program.Constant{outlier, one}, 0, true},
		"an isolation forest's prediction": {"", "predict", []program.Constant{outlier, one}, 0, true},
		"a prediction":                     {"", "predict", two, 0, false},
		"said to be high":                  {"high", "decision_function", two, 0, false},
		"said to be low":                   {"low", "predict_proba", two, 1, true},
	} {
		g := gate{
			meta:    &metadata{Model: modelEntry{FraudIs: c.word}},
			program: &program.Program{Output: c.output, Classes: c.classes, Positive: c.positive},
		}
		if low := g.fraudIsLow(); low != c.low {
			t.Errorf("%s: low is %v", name, low)
		}
	}
}

func TestThresholdsOfUnboundedOutputs(t *testing.T) {
	minus, plus := -3.5, 2.0
	for name, c := range map[string]struct {
		output, word string
		thresholds   Thresholds
		reason       string
	}{
		"rising":                 {"decision_function", "high", Thresholds{Review: &minus, Block: &plus}, ""},
		"rising where low":       {"decision_function", "low", Thresholds{Review: &minus, Block: &plus}, "metadata-invalid"},
		"falling where low":      {"score_samples", "low", Thresholds{Review: &plus, Block: &minus}, ""},
		"beyond a probability":   {"predict_proba", "high", Thresholds{Block: &plus}, "metadata-invalid"},
		"below a probability":    {"predict_proba", "high", Thresholds{Review: &minus}, "metadata-invalid"},
		"one alone, on any side": {"decision_function", "low", Thresholds{Block: &plus}, ""},
	} {
		g := gate{
			meta:    &metadata{Model: modelEntry{FraudIs: c.word}, Thresholds: c.thresholds},
			program: &program.Program{Output: c.output, Classes: make([]program.Constant, 2)},
		}
		if _, from, err := g.thresholds(); Reason(err) != c.reason || err == nil && from != "bundle" {
			t.Errorf("%s: %v from %q, want reason %q", name, err, from, c.reason)
		}
	}
}

// A threshold of the configuration replaces that of the bundle; the other one stays, so that nobody stops blocking by
// moving the line for review.
func TestThresholdsOverTheBundles(t *testing.T) {
	low, middle, high := 0.3, 0.5, 0.8
	for name, c := range map[string]struct {
		bundle, over *Thresholds
		want, from   string
		reason       string
	}{
		"nothing over":    {&Thresholds{Review: &low, Block: &high}, nil, "review 0.3, block 0.8", "bundle", ""},
		"an empty key":    {&Thresholds{Review: &low, Block: &high}, &Thresholds{}, "review 0.3, block 0.8", "bundle", ""},
		"both":            {&Thresholds{Review: &low, Block: &high}, &Thresholds{Review: &middle, Block: &middle}, "review 0.5, block 0.5", "config", ""},
		"review alone":    {&Thresholds{Review: &low, Block: &high}, &Thresholds{Review: &middle}, "review 0.5, block 0.8", "config", ""},
		"block alone":     {&Thresholds{Review: &low, Block: &high}, &Thresholds{Block: &middle}, "review 0.3, block 0.5", "config", ""},
		"over none":       {&Thresholds{}, &Thresholds{Block: &high}, "block 0.8", "config", ""},
		"none":            {&Thresholds{}, nil, "none", "bundle", ""},
		"crossed by this": {&Thresholds{Review: &low, Block: &middle}, &Thresholds{Review: &high}, "", "", "metadata-invalid"},
	} {
		g := gate{
			meta:    &metadata{Thresholds: *c.bundle},
			options: Options{Thresholds: c.over},
			program: &program.Program{Output: "predict_proba", Classes: make([]program.Constant, 2)},
		}
		got, from, err := g.thresholds()
		if Reason(err) != c.reason || err == nil && (got.String() != c.want || from != c.from) {
			t.Errorf("%s: %v from %q, %v; want %s from %q", name, got, from, err, c.want, c.from)
		}
	}
}

// A missing category is None where an encoder knows None and not NaN, unless the metadata says otherwise.
func TestWhatAMissingCategoryWas(t *testing.T) {
	none, nan := program.Constant{Type: program.NoneType}, program.Constant{Type: program.NaN}
	gb := program.StringConstant("GB")
	for name, c := range map[string]struct {
		said    string
		trained []program.Constant
		want    string
	}{
		"None alone":       {"", []program.Constant{gb, none}, "none"},
		"NaN alone":        {"", []program.Constant{gb, nan}, "nan"},
		"both":             {"", []program.Constant{none, gb, nan}, "nan"},
		"neither":          {"", []program.Constant{gb}, "nan"},
		"said, over None":  {"nan", []program.Constant{gb, none}, "nan"},
		"said, over texts": {"none", []program.Constant{gb}, "none"},
	} {
		f := featureEntry{Kind: "categorical", MissingAs: c.said}
		column := &program.Column{Kind: program.Categorical, Domain: domainOf(t, c.trained)}
		if err := f.settle("at", column); err != nil || f.MissingAs != c.want {
			t.Errorf("%s: %s (%v), want %s", name, f.MissingAs, err, c.want)
		}
	}
}

func TestNameless(t *testing.T) {
	folder := edited(t, `"name": "ct-onehot-logreg",
 "version": "2026-01-11",`, "")
	s, err := Load(folder, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if b := s.Bundle; b.Name != filepath.Base(folder) || b.Version != "27008db8ab2b" {
		t.Errorf("%s@%s", b.Name, b.Version)
	}
}

// withoutGolden is an edited bundle whose metadata names no golden rows.
func withoutGolden(t *testing.T, old, new string) string {
	t.Helper()
	folder := edited(t, old, new)
	return editedCopy(t, folder, `"golden": {`, `"once": {`)
}

// The features of a bundle may be left to the model, as those of a bare file are.
func TestFeaturesLeftOut(t *testing.T) {
	// Without the dtypes, nothing tells that card_present is a boolean, so the golden rows are left out as well.
	s, err := Load(withoutGolden(t, `"features": [`, `"columns": [`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if f := s.Bundle.Features; len(f) != 10 || f[0].Name != "amount" || f[0].Baseline != nil {
		t.Errorf("%+v", f)
	}
	s, err = Load("testdata/refuse/bundle-control/model.joblib", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if f := s.Bundle.Features; len(f) != 10 || f[6].Name != "country" || !f[6].Categorical || f[0].Categorical {
		t.Errorf("%+v", f)
	}
}

package scoring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// beside copies the seed model into a new folder and writes a companion with it.
func beside(t *testing.T, name, text string) string {
	t.Helper()
	folder := t.TempDir()
	data, err := os.ReadFile("testdata/fixtures/seed/fraud_model.pkl")
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, "fraud_model.pkl"), data, 0o600)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestCompanionGivesNames(t *testing.T) {
	const names = `{"sklearn_version": "1.7.2", "python_version": "3.13", "features": ["income", "debt"], "metrics": {"auc": 0.9}}`
	for _, file := range []string{"metadata.json", "fraud_model.metadata.json", "fraud_model_metadata.json"} {
		folder := beside(t, file, names)
		paths := []string{filepath.Join(folder, "fraud_model.pkl")}
		if file == "metadata.json" {
			paths = append(paths, folder)
		}
		for _, path := range paths {
			s, err := Load(path, Options{})
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if f := s.Bundle.Features; len(f) != 2 || f[0].Name != "income" || s.Bundle.Unknown["metrics"] == "" {
				t.Errorf("%s: %+v, unknown %q", file, f, s.Bundle.Unknown)
			}
		}
	}
}

func TestCompanionIsReadForWhatItHas(t *testing.T) {
	given := []string{"income", "debt"}
	for text, want := range map[string]struct {
		reason  string
		warning string
		moments bool
	}{
		`{"features": [{"name": "income", "mean": 5e4, "std": 2e4, "min": 0, "max": 1e6, "missing": 3}, {"name": "debt"}], "rows": 100}`: {"", "read for what it has", true},
		`{"features": [{"name": "income", "baseline": {"mean": 5e4, "std": 2e4}}, {"name": "debt", "drift": 7}]}`:                        {"", "read for what it has", true},
		`{"features": [{"name": "income", "mean": 5e4, "std": -1}, {"name": "debt"}]}`:                                                   {"baseline-mismatch", "", false},
		`{"features": ["income"]}`:                {"", "read for what it has", false},
		`{"features": ["debt", "debt"]}`:          {"", "read for what it has", false},
		`{"features": ["debt", "income"]}`:        {"", "read for what it has", false},
		`{"features": 7, "name": [], "rows": -1}`: {"", "read for what it has", false},
		`{"sklearn_version": "0.1"}`:              {"", "saved by 1.7.2", false},
		`{"name": "mine", "name": "yours"}`:       {"metadata-invalid", "", false},
		`{"name": `:                               {"metadata-invalid", "", false},
		`[]`:                                      {"metadata-invalid", "", false},
	} {
		s, err := Load(filepath.Join(beside(t, "fraud_model.metadata.json", text), "fraud_model.pkl"), Options{Features: given})
		if Reason(err) != want.reason {
			t.Errorf("%s: %v, want reason %q", text, err, want.reason)
			continue
		}
		if err != nil {
			continue
		}
		b := s.Bundle.Features[0].Baseline
		if !strings.Contains(strings.Join(s.Bundle.Warnings, "; "), want.warning) || (b != nil && b.HasMoments) != want.moments {
			t.Errorf("%s: warnings %q, baseline %+v", text, s.Bundle.Warnings, b)
		}
	}
}

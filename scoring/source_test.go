package scoring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A folder is a bundle, or it has one model, or it is refused: which file is meant is never guessed.
func TestFolders(t *testing.T) {
	seed, err := os.ReadFile("testdata/fixtures/seed/fraud_model.pkl")
	if err != nil {
		t.Fatal(err)
	}
	features := []string{"income", "debt"}
	for name, c := range map[string]struct {
		files  map[string]string
		reason string
	}{
		"one model":            {map[string]string{"a.pkl": string(seed), "README.txt.md": ""}, ""},
		"two models":           {map[string]string{"a.pkl": string(seed), "b.joblib": string(seed)}, "ambiguous-model"},
		"nothing":              {nil, "file-unreadable"},
		"an MLflow folder":     {map[string]string{"MLmodel": "", "model.pkl": string(seed)}, "unsupported-format"},
		"ONNX":                 {map[string]string{"model.onnx": "\x08\x08"}, "unsupported-format"},
		"a pickle called ONNX": {map[string]string{"model.onnx": string(seed)}, ""},
		"damaged metadata":     {map[string]string{"a.pkl": string(seed), "metadata.json": "{"}, "metadata-invalid"},
		"free-form metadata with a model": {
			map[string]string{"a.pkl": string(seed), "metadata.json": `{"model": {"type": "LogisticRegression"}}`}, "",
		},
		"a schema alone": {map[string]string{"a.pkl": string(seed), "metadata.json": `{"schema": 1, "model": "a.pkl"}`}, "metadata-invalid"},
		"metadata without a schema that names the model": {
			map[string]string{"a.pkl": string(seed), "metadata.json": `{"model": {"file": "a.pkl"}}`}, "metadata-invalid",
		},
	} {
		folder := t.TempDir()
		for file, content := range c.files {
			if err := os.WriteFile(filepath.Join(folder, file), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Load(folder, Options{Features: features}); Reason(err) != c.reason {
			t.Errorf("%s: %v, want reason %q", name, err, c.reason)
		}
	}
}

// Nothing there, an empty path, a folder in the place of a file: all are one reason, without a panic and
// without waiting.
func TestUnreadablePaths(t *testing.T) {
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "metadata.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "testdata/nothing", "testdata/nothing/model.pkl", folder} {
		if _, err := Load(path, Options{}); Reason(err) != "file-unreadable" {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// The path of a bare file may lie anywhere, and its companion is never a bundle.
func TestBareFileOfABundle(t *testing.T) {
	s, err := Load("testdata/refuse/bundle-control/model.joblib", Options{})
	if err != nil {
		t.Fatal(err)
	}
	w := strings.Join(s.Bundle.Warnings, "; ")
	if s.Bundle.GoldenRows != 0 || !strings.Contains(w, "give the folder") || !strings.Contains(w, "no metadata") {
		t.Errorf("%d golden rows, warnings %q", s.Bundle.GoldenRows, w)
	}
	t.Chdir("testdata/refuse/bundle-control")
	if _, err := Load("model.joblib", Options{}); err != nil {
		t.Error(err)
	}
}

func TestReadIsBounded(t *testing.T) {
	folder, err := os.OpenRoot("testdata/refuse/bundle-control")
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	s := &source{folder: folder}
	if data, err := s.read("model.joblib", 5770); err != nil || len(data) != 5770 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	if _, err := s.read("model.joblib", 5769); err == nil {
		t.Error("a file over the limit is read")
	}
}

package scoring

import (
	"os"
	"path/filepath"
	"testing"
)

func TestInspectionOfASoundBundle(t *testing.T) {
	_, secret := newKey(t)
	folder := signedBundle(t, secret, func(text string) string { return text[:1] + `"owner": "fraud team",` + text[1:] })
	in := Inspect(folder, Options{})
	switch {
	case len(in.Obstacles) > 0:
		t.Fatalf("%+v", in.Obstacles)
	case in.Bundle.Name != "ct-onehot-logreg", in.File != "model.joblib", in.Format != "joblib", in.Header.Protocol != 4:
		t.Errorf("%s, file %s, format %s, %+v", in.Bundle.Name, in.File, in.Format, in.Header)
	case in.Label(in.Positive) != "1", len(in.Versions) != 1, in.Output != "predict_proba":
		t.Errorf("positive %q, versions %q, output %q", in.Label(in.Positive), in.Versions, in.Output)
	case len(in.Unknown) != 1 || in.Unknown[0] != "owner" || string(in.Metadata["owner"]) != `"fraud team"`:
		t.Errorf("unknown keys %q, %s", in.Unknown, in.Metadata["owner"])
	case in.Signature == nil || in.Signature.KeyID != secret.ID():
		t.Errorf("signature %+v", in.Signature)
	case len(in.Hashes) != 3 || in.Hashes[1].Actual != in.Hashes[1].Stated:
		t.Errorf("hashes %+v", in.Hashes)
	}
	country := in.Features[6]
	if country != (InspectedFeature{
		Name: "country", Kind: "categorical", DType: "str", Missing: "allowed", MissingAs: country.MissingAs,
		Categories: 9, Baseline: true,
	}) {
		t.Errorf("%+v", country)
	}
}

// Whatever is wrong, the rest is shown, and the reason is that of Load.
func TestInspectionOfDamagedBundles(t *testing.T) {
	for name, want := range refusals {
		in := Inspect(filepath.Join("testdata/refuse", name), Options{})
		last := len(in.Obstacles) - 1
		if last < 0 || in.Obstacles[last].Reason != want.reason || want.field != "" && in.Obstacles[last].Field != want.field {
			t.Errorf("%s: %+v", name, in.Obstacles)
		}
	}
	in := Inspect("testdata/refuse/bundle-model-sha", Options{})
	if len(in.Estimators) < 3 || len(in.Features) != 10 || len(in.Classes) != 2 || in.Hashes[1].Actual == in.Hashes[1].Stated {
		t.Errorf("%d estimators, %d features, hashes %+v", len(in.Estimators), len(in.Features), in.Hashes)
	}
}

func TestInspectionOfWhatIsNoModel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.pkl")
	for name, text := range map[string]string{"nothing": "", "text": "hello", "None": "\x80\x04N.", "a call": "cos\nsystem\n(S'id'\ntR."} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if in := Inspect(path, Options{}); len(in.Obstacles) != 1 {
			t.Errorf("%s: %+v", name, in.Obstacles)
		}
	}
	if in := Inspect("nowhere", Options{}); len(in.Obstacles) != 1 || in.Obstacles[0].Reason != "file-unreadable" {
		t.Errorf("%+v", in.Obstacles)
	}
}

// A format that is not read yet is shown as the metadata name it.
func TestInspectionOfAFormatThatIsNotRead(t *testing.T) {
	folder := t.TempDir()
	for name, text := range map[string]string{
		"model.onnx": "\x08\x08", "metadata.json": `{"schema":1,"model":{"file":"model.onnx","format":"onnx"},"features":[{"name":"a"}]}`,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in := Inspect(folder, Options{})
	if in.Format != "onnx" || len(in.Obstacles) != 1 || in.Obstacles[0].Reason != unsupportedFormat || len(in.Features) != 1 {
		t.Errorf("format %q, %d features, %+v", in.Format, len(in.Features), in.Obstacles)
	}
}

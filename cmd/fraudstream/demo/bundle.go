package demo

import (
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// bundle is the model of the show, written by train/train.py.
//
//go:embed bundle/model.joblib bundle/metadata.json bundle/golden.json
var bundle embed.FS

// WriteBundle writes the embedded model bundle into the folder dir, which it makes. They are the very bytes
// that were trained and hashed, so the hashes in the metadata hold.
func WriteBundle(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	files, err := bundle.ReadDir("bundle")
	if err != nil {
		return err
	}
	for _, f := range files {
		data, err := bundle.ReadFile("bundle/" + f.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, f.Name()), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// describeBundle is one line about the embedded model, from its metadata. Whether it may be trusted is for the workers
// to find out, which put it through the whole gate when they load it. The figures are the metadata's own
// claims, shown as such.
func describeBundle() (string, error) {
	data, err := bundle.ReadFile("bundle/metadata.json")
	if err != nil {
		return "", err
	}
	var m struct {
		Name, Version string
		Features      []struct{}
		Environment   struct {
			ScikitLearn string `json:"scikit_learn"`
		}
		Training struct{ Rows int }
		Metrics  struct {
			ROCAUC float64 `json:"roc_auc"`
		}
	}
	if err := json.Unmarshal(data, &m); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s: %d features, scikit-learn %s, %s rows, AUC %.3f", m.Name, m.Version,
		len(m.Features), m.Environment.ScikitLearn, thousands(int64(m.Training.Rows)), m.Metrics.ROCAUC), nil
}

package scoring

import (
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkLoad is the cold start of a model: from the path to the first event that may be scored, golden rows
// included. FRAUDSTREAM_MODEL adds a bundle of one's own, for instance a large forest.
func BenchmarkLoad(b *testing.B) {
	paths := []string{"testdata/fixtures/ct-onehot-logreg-sk1.9.1", "testdata/fixtures/ct-onehot-gb-sk1.9.1"}
	if path := os.Getenv("FRAUDSTREAM_MODEL"); path != "" {
		paths = append(paths, path)
	}
	for _, path := range paths {
		b.Run(filepath.Base(path), func(b *testing.B) {
			size := int64(0)
			models, _ := filepath.Glob(filepath.Join(path, "model.*"))
			for _, model := range models {
				if info, err := os.Stat(model); err == nil {
					size += info.Size()
				}
			}
			b.SetBytes(size)
			for b.Loop() {
				if _, err := Load(path, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

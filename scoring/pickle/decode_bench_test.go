package pickle

import (
	"path/filepath"
	"testing"
)

func BenchmarkDecode(b *testing.B) {
	for _, file := range []string{"seed.pkl", "container-pickle-4-sk1.0.2.pkl", "container-joblib-none-sk1.9.1.joblib", "container-joblib-xz-sk1.3.2.joblib"} {
		data := readFile(b, filepath.Join("testdata", "models", file))
		b.Run(file, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				mustDecode(b, data)
			}
		})
	}
}

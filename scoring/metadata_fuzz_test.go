package scoring

import (
	"os"
	"testing"

	"fraudstream/scoring/program"
)

// Whatever metadata.json holds, it is read or refused by a BundleError, and what is read becomes numbers.
func FuzzMetadata(f *testing.F) {
	data, err := os.ReadFile("testdata/refuse/bundle-control/metadata.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"schema": 1, "model": {"file": "m"}, "features": [{"name": "a", "baseline": {"values": ["x"], "counts": [1]}}]}`))
	f.Add([]byte(`{"features": [{"name": "a", "mean": 1, "edges": [], "counts": [3], "sums": [3]}], "rows": 3}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := parseCompanion(data, "c"); err != nil && Reason(err) == "other" {
			t.Errorf("companion: %v", err)
		}
		m, err := parseMetadata(data)
		if err != nil {
			if Reason(err) == "other" {
				t.Errorf("%v", err)
			}
			return
		}
		for i, e := range m.Features {
			if e.Baseline == nil {
				continue
			}
			column := &program.Column{Name: e.Name, Domain: new(program.Domain)}
			b, err := e.Baseline.baseline("at", column, e.DType, m.baselineRows())
			if err == nil && len(b.Values) != len(b.Labels) {
				t.Errorf("feature %d: %d values for %d labels", i, len(b.Values), len(b.Labels))
			}
		}
	})
}

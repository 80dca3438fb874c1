package scoring

import (
	"slices"
	"testing"
)

// TestPlaces names what a bundle with derived features reads: the operands, and not the features that are computed.
func TestPlaces(t *testing.T) {
	s, err := Load("testdata/saved/derived", Options{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range s.Places(Mapping{}) {
		names = append(names, p.Column)
	}
	for i := range s.schema.features {
		f := &s.schema.features[i]
		if f.from == nil {
			if !slices.Contains(names, f.name) {
				t.Errorf("the feature %s is not among %q", f.name, names)
			}
			continue
		}
		for _, o := range f.from.operands {
			if !o.eventTime && !slices.Contains(names, o.field.name) {
				t.Errorf("%s, from which %s is computed, is not among %q", o.field.name, f.name, names)
			}
		}
	}
	if !slices.Contains(names, defaultID) || !slices.Contains(names, defaultTime) {
		t.Errorf("id or time is not among %q", names)
	}
}

package scoring

import (
	"encoding/json"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"fraudstream/scoring/program"
)

// What a baseline says x holds for a category is what x holds when an event with that category is read.
func TestCategoriesOfBaselinesAreWhatEventsBecome(t *testing.T) {
	checked := 0
	for _, pattern := range []string{"ct-*", "dict-*", "labels-*"} {
		folders, err := filepath.Glob("testdata/fixtures/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, folder := range folders {
			s, err := Load(folder, Options{})
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range s.Bundle.Features {
				if f.Categorical && f.Baseline != nil {
					checked += checkCategories(t, s, i, f)
				}
			}
		}
	}
	if checked < 200 {
		t.Errorf("%d categories checked", checked)
	}
}

func checkCategories(t *testing.T, s *Scorer, i int, f Feature) int {
	if len(f.Baseline.Values) != len(f.Baseline.Labels) || len(f.Baseline.Values) != len(f.Baseline.Counts) {
		t.Fatalf("%s: %d values, %d labels, %d counts", f.Name, len(f.Baseline.Values), len(f.Baseline.Labels), len(f.Baseline.Counts))
	}
	for j, text := range f.Baseline.Labels {
		raw := []byte(text)
		if s.Program.Columns[i].Domain.Type() == program.String {
			raw, _ = json.Marshal(text)
		}
		batch := s.NewBatch(1)
		batch.Events = append(batch.Events, Event{Value: []byte(`{` + strconv.Quote(f.Name) + `: ` + string(raw) + `}`)})
		s.Score(batch)
		if x := batch.Results[0].X[i]; x != f.Baseline.Values[j] {
			t.Errorf("%s %s: an event gives %v, the baseline says %v", f.Name, text, x, f.Baseline.Values[j])
		}
	}
	return len(f.Baseline.Labels)
}

func TestBaselineCategoriesExtendTheDomain(t *testing.T) {
	const country = `"values": ["GB", "US", "FR", "DE", "BR", "NG", "VN"], "counts": [1308, 1028, 398, 327, 137, 114, 65], "other": 0`
	const fewer = `"values": ["GB", "ZZ"], "counts": [3377, 0], "other": 0`
	s, err := Load(edited(t, country, fewer), Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := s.Bundle.Features[6].Baseline
	if slices.Contains(b.Values, program.Unseen) || b.Values[0] == b.Values[1] {
		t.Errorf("values %v", b.Values)
	}
	// The encoder knows seven countries and the imputer in front of it a fill value; GB is listed.
	if !b.KnownGiven || len(b.Known) < 6 || slices.Contains(b.Known, b.Values[0]) || slices.Contains(b.Known, b.Values[1]) {
		t.Errorf("known %v beside %v", b.Known, b.Values)
	}

	s, err = Load(edited(t, country, fewer+`, "known": ["US"]`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if b := s.Bundle.Features[6].Baseline; !b.KnownGiven || len(b.Known) != 1 {
		t.Errorf("known %v", b.Known)
	}
}

func TestNumericBaseline(t *testing.T) {
	s, err := Load("testdata/refuse/bundle-control", Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := s.Bundle.Features[4]
	b := f.Baseline
	if f.Name != "distance_km" || f.Categorical || len(b.Edges) != 9 || len(b.Counts) != 10 || b.Missing != 268 || b.Rows != 3500 || !b.HasMoments {
		t.Errorf("%s: %+v", f.Name, b)
	}
	if first := s.Bundle.Features[0]; first.DriftTolerance != 0.02 || first.DriftDisabled {
		t.Errorf("%+v", first)
	}
}

func TestResolver(t *testing.T) {
	for name, c := range map[string]struct {
		trained []program.Constant
		dtype   string
		text    string
		want    float64 // NaN: refused
	}{
		"a trained text":               {[]program.Constant{program.StringConstant("GB")}, "object", "GB", 0},
		"another text":                 {[]program.Constant{program.StringConstant("GB")}, "object", "US", 1},
		"a number":                     {[]program.Constant{program.NumberConstant(5411)}, "int64", "5411", 5411},
		"an integral float":            {[]program.Constant{program.NumberConstant(5411)}, "float64", "5411.0", 5411},
		"a further number":             {[]program.Constant{program.NumberConstant(5411)}, "float64", "-2.5", -2.5},
		"a text among numbers":         {[]program.Constant{program.NumberConstant(5411)}, "int64", "GB", math.NaN()},
		"NaN among numbers":            {[]program.Constant{program.NumberConstant(5411)}, "int64", "nan", math.NaN()},
		"a boolean":                    {[]program.Constant{program.BoolConstant(true)}, "bool", "true", 1},
		"a text among booleans":        {[]program.Constant{program.BoolConstant(true)}, "bool", "yes", math.NaN()},
		"mixed, by its label":          {[]program.Constant{program.StringConstant("a"), program.NumberConstant(7)}, "object", "7", 1},
		"no constants, a boolean":      {nil, "bool", "true", 1},
		"no constants, a number":       {nil, "int64", "17", 17},
		"no constants, a text":         {nil, "object", "GB", 0},
		"no constants, digits as text": {nil, "str", "17", 0},
	} {
		domain := domainOf(t, c.trained)
		b := new(Baseline)
		counts := counts{Values: []string{c.text}, Counts: []int64{1}}
		err := counts.code(b, "at", domain, c.dtype)
		if math.IsNaN(c.want) != (err != nil) || err == nil && b.Values[0] != c.want {
			t.Errorf("%s: %v, %v; want %v", name, b.Values, err, c.want)
		}
	}
}

// domainOf is the domain of a column that an encoder compares with constants.
func domainOf(t *testing.T, constants []program.Constant) *program.Domain {
	builder, err := program.NewBuilder([]string{"x"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(constants) > 0 {
		builder.Lookup(0, constants)
	}
	p, err := builder.Finish(program.Outputs{})
	if err != nil {
		t.Fatal(err)
	}
	return p.Columns[0].Domain
}

package booster

import (
	"math"
	"reflect"
	"strings"
	"testing"

	"fraudstream/scoring/forest"
	"fraudstream/scoring/program"
)

func TestUBJSON(t *testing.T) {
	for text, want := range map[string]any{
		"{}":                                object{},
		"{U\x01aT}":                         object{"a": true},
		"{i\x01aN[U\x07U\x08]}":             object{"a": []float64{7, 8}},
		"{U\x01a[#U\x02ZF]}":                "corrupt", // a counted array has no closing bracket
		"{U\x01a[#U\x02ZF}":                 object{"a": []any{nil, false}},
		"{U\x01a[$d#U\x01\x3f\x80\x00\x00}": object{"a": []float64{1}},
		"{U\x01aSU\x02hi}":                  object{"a": "hi"},
		"{U\x01aI\xff\xfe}":                 object{"a": -2.0},
		"{U\x01a[$x#U\x01\x00}":             "corrupt",
		"{U\x01a[$U#i\xff}":                 "corrupt",
		"{U\x01a[$U#U\x09ab}":               "truncated",
		"{U\x01a[#l\x7f\xff\xff\xff":        "array-size",
		"{U\x01a[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff": "array-size",
		"{U\x01aTU\x01aT}":        "corrupt",
		"{U\x01aT":                "truncated",
		"{U\x01aT}}":              "trailing-data",
		strings.Repeat("[", 1000): "depth",
	} {
		got, err := parseUBJSON("test", []byte(text))
		checkParsed(t, text, got, err, want)
	}
}

func TestJSON(t *testing.T) {
	for text, want := range map[string]any{
		`{"a": [1, 2.5], "b": [1, "x", null], "c": []}`: object{"a": []float64{1, 2.5}, "b": []any{1.0, "x", nil}, "c": []float64{}},
		`{"a": 1, "a": 2}`: "corrupt",
		`{"a": NaN}`:       "corrupt",
		`{"a": 1e999}`:     "non-finite",
		`{"a": 1`:          "truncated",
		`{"a": 1} x`:       "trailing-data",
		`{"a": ` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`: "depth",
	} {
		got, err := parseJSON("test", []byte(text))
		checkParsed(t, text, got, err, want)
	}
}

// checkParsed compares a document with what is wanted: a value, or a reason to refuse.
func checkParsed(t *testing.T, text string, got any, err error, want any) {
	t.Helper()
	reason, refused := want.(string)
	switch u, _ := err.(*program.UnsupportedError); { //nolint:errorlint // the readers return it unwrapped
	case !refused && (err != nil || !reflect.DeepEqual(got, want)):
		t.Errorf("%.40q: %#v, %v, want %#v", text, got, err, want)
	case refused && (u == nil || u.Reason != reason):
		t.Errorf("%.40q: %#v, %v, want %s", text, got, err, reason)
	}
}

func TestColumnOfCategories(t *testing.T) {
	few, _ := newSet([]float64{0, 3, 64})
	far, _ := newSet([]float64{1 << 23, 5})
	if few.bits == nil || far.bits != nil {
		t.Fatal("bits are for categories that lie together")
	}
	xgb := column{set: few, above: math.Nextafter(0, -1), inside: 1, outside: 0, missing: math.NaN()}
	lgbm := column{set: few, above: -1, inside: 0, outside: 1, missing: 1}
	wide := column{set: far, above: -1, inside: 0, outside: 1, missing: 1}
	nan := math.NaN()
	for _, c := range []struct {
		column  column
		x, want float64
	}{
		{xgb, 0, 1},
		{xgb, 3, 1},
		{xgb, 3.9, 1},
		{xgb, 1, 0},
		{xgb, 65, 0},
		{xgb, -0.5, 0},
		{xgb, -1, 0},
		{xgb, 1e30, 0},
		{xgb, nan, nan},
		{lgbm, 0, 0},
		{lgbm, 64, 0},
		{lgbm, -0.5, 0},
		{lgbm, -1, 1},
		{lgbm, 128, 1},
		{lgbm, 1e30, 1},
		{lgbm, nan, 1},
		{wide, 5, 0},
		{wide, 6, 1},
		{wide, 1 << 23, 0},
		{column{}, 1e-36, nan},
		{column{}, math.Copysign(0, -1), nan},
		{column{}, 2e-35, 2e-35},
		{column{}, nan, nan},
	} {
		if got := c.column.value(c.x); got != c.want && !(got != got && c.want != c.want) {
			t.Errorf("%v: %v, want %v", c.x, got, c.want)
		}
	}
	for _, bad := range []float64{-1, 0.5, maxCategory, nan} {
		if _, ok := newSet([]float64{bad}); ok {
			t.Errorf("%v was taken for a category", bad)
		}
	}
}

// The bits of LightGBM's decision_type.
func TestDecision(t *testing.T) {
	one, _ := newSet([]float64{1})
	categories := []*set{one}
	for _, c := range []struct {
		decision  int
		threshold float64
		want      forest.Node
	}{
		{nanBit, 5, forest.Node{Threshold: 5}},
		{nanBit | leftBit, 5, forest.Node{Threshold: 5, MissingLeft: true}},
		{0, 5, forest.Node{Threshold: 5, MissingLeft: true}}, // NaN is 0, and 0 <= 5
		{leftBit, -5, forest.Node{Threshold: -5}},            // NaN is 0, and 0 > -5
		{zeroBit | leftBit, 5, forest.Node{Feature: 3, Threshold: 5, MissingLeft: true}},
		{categoryBit, 0, forest.Node{Feature: 3, Threshold: 0.5}},
	} {
		r := &reader{}
		sets := &setTable{model: &Model{Features: 3}, places: map[string]int{}}
		if got := decide(r, forest.Node{Threshold: c.threshold}, c.decision, categories, sets); got != c.want || r.err != nil {
			t.Errorf("%d: %+v, want %+v (%v)", c.decision, got, c.want, r.err)
		}
	}
	for _, decision := range []int{-1, 16, zeroBit | nanBit} {
		r := &reader{}
		if decide(r, forest.Node{}, decision, nil, nil); r.err == nil {
			t.Errorf("decision_type %d was taken", decision)
		}
	}
}

// A model that was stopped early uses its best iterations, and no more than there are.
func TestIterations(t *testing.T) {
	m := Model{trees: make([]forest.Tree, 6), stages: []int{0, 2, 4, 6}}
	for _, c := range []struct{ best, wish, trees int }{{0, 0, 6}, {2, 0, 4}, {2, 1, 2}, {9, 0, 6}, {0, 9, 6}} {
		m.best = c.best
		if trees, _ := m.used(c.wish); len(trees) != c.trees {
			t.Errorf("best %d, wish %d: %d trees, want %d", c.best, c.wish, len(trees), c.trees)
		}
	}
	m.average, m.best = true, 2
	if _, divisor := m.used(0); divisor != 2 {
		t.Errorf("the mean of 2 iterations is divided by %v", divisor)
	}
}

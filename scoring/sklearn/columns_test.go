package sklearn

import (
	"math"
	"slices"
	"testing"

	"fraudstream/scoring/pickle"
)

func list(items ...pickle.Value) *pickle.List { return &pickle.List{Items: items} }

func slice(start, stop, step pickle.Value) *pickle.Object {
	return &pickle.Object{Class: pickle.Global{Module: "builtins", Name: "slice"}, Args: []pickle.Value{start, stop, step}}
}

// TestColumnSpecifications resolves every way to say columns, of four columns a b c d.
func TestColumnSpecifications(t *testing.T) {
	names := []string{"a", "b", "c", "d"}
	remainder := &pickle.Object{
		Class: pickle.Global{Module: "sklearn.compose._column_transformer", Name: "_RemainderColsList"},
		State: &pickle.Dict{Keys: []pickle.Value{"data"}, Values: []pickle.Value{list("d", "a")}},
	}
	for name, c := range map[string]struct {
		spec pickle.Value
		want []int
	}{
		"a name":              {"c", []int{2}},
		"an index":            {int64(1), []int{1}},
		"names":               {list("d", "a"), []int{3, 0}},
		"indices":             {list(int64(2), int64(0)), []int{2, 0}},
		"from the end":        {list(int64(-1), int64(-4)), []int{3, 0}},
		"a mask":              {list(true, false, false, true), []int{0, 3}},
		"no columns":          {list(), []int{}},
		"the remainder":       {remainder, []int{3, 0}},
		"a slice":             {slice(int64(1), int64(3), nil), []int{1, 2}},
		"a slice of names":    {slice("b", "d", nil), []int{1, 2, 3}},
		"an open slice":       {slice(nil, nil, nil), []int{0, 1, 2, 3}},
		"a slice with steps":  {slice(nil, nil, int64(2)), []int{0, 2}},
		"a slice of one step": {slice(int64(1), nil, int64(math.MaxInt64)), []int{1}},
		"a slice to the end":  {slice(int64(-2), int64(99), nil), []int{2, 3}},
	} {
		a := attributesOf(object("ColumnTransformer"))
		if got := a.indexes("part", c.spec, names, len(names)); !slices.Equal(got, c.want) || a.err != nil {
			t.Errorf("%s: %v, %v, want %v", name, got, a.err, c.want)
		}
	}
	for name, spec := range map[string]pickle.Value{
		"an unknown name":  "e",
		"an index beyond":  list(int64(4)),
		"an index before":  list(int64(-5)),
		"a short mask":     list(true, false),
		"a mixed mask":     list(true, int64(1), false, false),
		"a float":          list(1.5),
		"an unknown slice": slice("x", nil, nil),
		"None":             nil,
	} {
		a := attributesOf(object("ColumnTransformer"))
		if got := a.indexes("part", spec, names, len(names)); reasonOf(t, a.err) != "feature-index" {
			t.Errorf("%s: %v, %v", name, got, a.err)
		}
	}
	a := attributesOf(object("ColumnTransformer"))
	if a.indexes("part", slice(nil, nil, int64(-1)), names, 4); reasonOf(t, a.err) != "unsupported-value" {
		t.Errorf("a slice backwards: %v", a.err)
	}
}

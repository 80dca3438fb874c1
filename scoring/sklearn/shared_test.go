package sklearn

import (
	"testing"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// TestOwnTrees refuses ensembles whose trees are one tree, one Tree or one array of nodes.
func TestOwnTrees(t *testing.T) {
	nodes := &pickle.Array{}
	tree := func(nodes *pickle.Array) *pickle.Object { return object("Tree", "nodes", nodes) }
	shared, one := tree(nodes), object("DecisionTreeClassifier", "tree_", tree(&pickle.Array{}))
	for name, pair := range map[string][2]*pickle.Object{
		"one tree":       {one, one},
		"one Tree":       {object("DecisionTreeClassifier", "tree_", shared), object("DecisionTreeClassifier", "tree_", shared)},
		"one array":      {object("DecisionTreeClassifier", "tree_", tree(nodes)), object("DecisionTreeClassifier", "tree_", tree(nodes))},
		"one array here": {object("TreePredictor", "nodes", nodes), object("TreePredictor", "nodes", nodes)},
	} {
		own := make(ownTrees)
		if !own.claim(pair[0]) || own.claim(pair[1]) {
			t.Errorf("%s: taken twice, or not at all", name)
		}
		if !own.claim(object("DecisionTreeClassifier", "tree_", tree(&pickle.Array{}))) {
			t.Errorf("%s: a tree of its own was refused", name)
		}
	}
}

// TestSharedObjects refuses small files that stand for huge models: unions of unions that hold one object many
// times, and encoders and slices that name one list again and again.
func TestSharedObjects(t *testing.T) {
	union := func(child pickle.Value) pickle.Value {
		parts := new(pickle.List)
		for range 10 {
			parts.Items = append(parts.Items, &pickle.Tuple{Items: []pickle.Value{"part", child}})
		}
		o := object("FeatureUnion", "transformer_list", parts)
		o.Class.Module = "sklearn.pipeline"
		return o
	}
	nested := pickle.Value("passthrough")
	for range 12 {
		nested = union(nested)
	}
	wide := new(pickle.List)
	for range 2000 {
		wide.Items = append(wide.Items, &pickle.Tuple{Items: []pickle.Value{"part", "passthrough", slice(nil, nil, nil)}})
	}
	columns := object("ColumnTransformer", "transformers_", wide)
	columns.Class.Module = "sklearn.compose._column_transformer"
	for name, transformer := range map[string]pickle.Value{"union of unions": nested, "many slices": columns} {
		pipeline := object("Pipeline", "steps", list(
			&pickle.Tuple{Items: []pickle.Value{"pre", transformer}},
			&pickle.Tuple{Items: []pickle.Value{"clf", object("LogisticRegression", "classes_", nil)}},
		))
		pipeline.Class.Module = "sklearn.pipeline"
		_, err := Compile(pipeline, program.Spec{Features: make([]string, 1000)})
		if reasonOf(t, err) != "budget" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

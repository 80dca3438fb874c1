package sklearn

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// find returns the first object of a class in a decoded value that is no pattern of one: it is fitted, or a pipeline.
func find(v pickle.Value, class string) *pickle.Object {
	var items []pickle.Value
	switch x := v.(type) {
	case *pickle.Object:
		if x.Class.Name == class && (attributesOf(x).fitted() || attributesOf(x).optional("_Booster") != nil || strings.HasSuffix(class, "Pipeline")) {
			return x
		}
		items = append(items, x.State)
	case *pickle.Dict:
		items = x.Values
	case *pickle.List:
		items = x.Items
	case *pickle.Tuple:
		items = x.Items
	case *pickle.Array:
		items = x.Objects
	}
	for _, item := range items {
		if o := find(item, class); o != nil {
			return o
		}
	}
	return nil
}

// set changes one attribute.
func set(o *pickle.Object, name string, v pickle.Value) {
	state := o.State.(*pickle.Dict)
	for i, k := range state.Keys {
		if k == name {
			state.Values[i] = v
			return
		}
	}
	state.Keys, state.Values = append(state.Keys, name), append(state.Values, v)
}

// drawnWith decodes the first of the drawn pipelines that compiles and holds a class.
func drawnWith(t *testing.T, pattern, class string) (pickle.Value, *pickle.Object, program.Spec) {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join("testdata/drawn", pattern))
	for _, file := range files {
		v, err := pickle.Decode(readFile(t, file), pickle.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var c differentialCase
		readJSON(t, strings.TrimSuffix(file, "joblib")+"json", &c)
		var spec program.Spec
		for _, column := range c.Columns {
			spec.Features = append(spec.Features, column.Name)
		}
		if o := find(v, class); o != nil {
			if _, err := Compile(v, spec); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			return v, o, spec
		}
	}
	t.Fatalf("no pipeline %s holds a %s", pattern, class)
	return nil, nil, program.Spec{}
}

func tuple(items ...pickle.Value) *pickle.Tuple { return &pickle.Tuple{Items: items} }

// TestRefusedOptions gives sound models one option that is not supported: each is refused by class, attribute and value.
func TestRefusedOptions(t *testing.T) {
	text := pickle.Global{Module: "builtins", Name: "str"}
	function := pickle.Global{Module: "numpy", Name: "log1p"}
	wide := &pickle.Array{Type: &pickle.DType{Kind: 'f', Size: 8}, Shape: []int{1, 9}, Data: make([]byte, 72)}
	for _, c := range []struct {
		pattern, class, attribute string
		value                     pickle.Value
		reason                    string
	}{
		{"*knn2*", "KNNImputer", "metric", function, "unsupported-value"},
		{"*knn2*", "KNNImputer", "metric", "cosine", "unsupported-value"},
		{"*knn2*", "KNNImputer", "weights", function, "unsupported-value"},
		{"*knn2*", "KNNImputer", "weights", "rank", "unsupported-value"},
		{"*knn2*", "KNNImputer", "weights", "distance", "unsupported-value"}, // over numbers with a fraction
		{"*knn2*", "KNNImputer", "missing_values", "?", "unsupported-value"},
		{"*knn2*", "KNNImputer", "n_neighbors", int64(0), "model-mismatch"},
		{"*knn2*", "KNNImputer", "_fit_X", wide, "model-mismatch"},
		{"mappers*", "ContinuousDomain", "dtype", text, "unsupported-value"},
		{"mappers*", "ContinuousDomain", "missing_values", true, "unsupported-value"},
		{"mappers*", "ContinuousDomain", "missing_values", "N/A", "unsupported-value"},
		{"mappers*", "ContinuousDomain", "missing_values", list(), "unsupported-value"},
		{"mappers*", "ContinuousDomain", "missing_values", list(math.NaN(), -1.0), "unsupported-value"},
		{"mappers*", "ContinuousDomain", "missing_value_treatment", "as_new", "unsupported-value"},
		{"mappers*", "ContinuousDomain", "missing_value_replacement", "none", "unsupported-value"},
		{"mappers*", "ContinuousDomain", "invalid_value_treatment", "as_new", "unsupported-value"},
		{"mappers*", "ContinuousDomain", "outlier_treatment", "as_new", "unsupported-value"},
		{"mappers*", "ContinuousDomain", "data_min_", wide, "model-mismatch"},
		{"mappers*", "CategoricalDomain", "dtype", "category", "unsupported-value"},
		{"mappers*", "CategoricalDomain", "invalid_value_treatment", "as_new", "unsupported-value"},
		{"mappers-sk1.9*", "CategoricalDomain", "data_values_", list(int64(1)), "unsupported-value"},
		{"mappers*", "MultiDomain", "domains", list(nil), "model-mismatch"},
		{"mappers*", "DataFrameMapper", "built_features", list(tuple(list(int64(3)), nil, nil)), "unsupported-value"},
		{"mappers*", "DataFrameMapper", "built_features", list(tuple("elsewhere", nil, nil)), "feature-index"},
		{"mappers*", "DataFrameMapper", "built_features", list("n1"), "model-mismatch"},
		{"*importances*", "LGBMClassifier", "importance_type", "shap", "unsupported-value"},
		{"*importances*", "XGBClassifier", "importance_type", "shap", "unsupported-value"},
		{"mappers*", "LabelBinarizer", "y_type_", "multilabel-indicator", "unsupported-value"},
		{"mappers*", "LabelEncoder", "classes_", wide, "unsupported-value"},
	} {
		v, o, spec := drawnWith(t, c.pattern+".joblib", c.class)
		set(o, c.attribute, c.value)
		_, err := Compile(v, spec)
		u, ok := errors.AsType[*UnsupportedError](err)
		attribute := c.attribute
		if attribute == "built_features" && c.reason == "feature-index" {
			attribute = "features"
		}
		if !ok || u.Reason != c.reason || u.Attribute != attribute || !strings.HasSuffix(u.Class, c.class) && !strings.HasSuffix(u.Class, "Booster") || u.Advice == "" {
			t.Errorf("%s with %s=%s: %v", c.class, c.attribute, show(c.value), err)
		}
	}
}

// TestMapperNames: a mapper in front names the columns of a file that has no other names.
func TestMapperNames(t *testing.T) {
	v, o, _ := drawnWith(t, "mappers*.joblib", "DataFrameMapper")
	for _, pipeline := range []string{"PMMLPipeline", "Pipeline"} {
		if p := find(v, pipeline); p != nil {
			set(p, "active_fields", nil)
		}
	}
	set(o, "default", false)
	set(o, "built_default", false)
	p, err := Compile(v, program.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, c := range p.Columns {
		named[c.Name] = true
	}
	for _, g := range attributesOf(o).groups("built_features") {
		for _, name := range g.names {
			if !named[name] {
				t.Errorf("the columns %v lack %q", p.Columns, name)
			}
		}
	}
	set(o, "default", nil)
	if _, err := Compile(v, program.Spec{}); !errors.Is(err, errNoColumns) {
		t.Errorf("a mapper that passes on what it does not name: %v", err)
	}
}

// TestLabelEncoderBeside: an encoder beside its classifier may belong to a column, so the dict is ambiguous without a key.
func TestLabelEncoderBeside(t *testing.T) {
	encoder := object("LabelEncoder", "classes_", list("a"))
	encoder.Class.Module = "sklearn.preprocessing._label"
	v, _, spec := drawnWith(t, "mappers*.joblib", "LabelEncoder")
	bundle := &pickle.Dict{Keys: []pickle.Value{"model", "encoder"}, Values: []pickle.Value{v, encoder}}
	_, err := Compile(bundle, spec)
	if reasonOf(t, err) != "ambiguous-model" || !strings.Contains(err.Error(), "encoder") {
		t.Errorf("without a key: %v", err)
	}
	spec.Key = "model"
	if _, err := Compile(bundle, spec); err != nil {
		t.Errorf("with a key: %v", err)
	}
}

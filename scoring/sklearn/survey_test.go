package sklearn

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// of makes an estimator of a class with its module.
func of(module, name string, attributes ...pickle.Value) *pickle.Object {
	o := object(name, append(attributes, "_sklearn_version", "1.7.2")...)
	o.Class.Module = module
	return o
}

func named(name string, estimator pickle.Value) pickle.Value {
	return &pickle.Tuple{Items: []pickle.Value{name, estimator}}
}

// fixture decodes the model of a fixture.
func fixture(t *testing.T, name string) pickle.Value {
	t.Helper()
	files, err := filepath.Glob("../testdata/fixtures/" + name + "/model.*")
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: files %q (%v)", name, files, err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	v, err := pickle.Decode(data, pickle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSurveyOfAForest(t *testing.T) {
	found := Survey(fixture(t, "ct-ordinal-rf-sk1.8.0"))
	has := func(place, class string, count int) bool {
		return slices.Contains(found, Estimator{Place: place, Class: class, Version: "1.8.0", Count: count})
	}
	forest := slices.IndexFunc(found, func(e Estimator) bool {
		return e.Class == "sklearn.ensemble._forest.RandomForestClassifier"
	})
	if forest < 0 || !has("", "sklearn.pipeline.Pipeline", 1) {
		t.Fatalf("found %+v", found)
	}
	trees := slices.IndexFunc(found, func(e Estimator) bool { return e.Class == "sklearn.tree._classes.DecisionTreeClassifier" })
	if trees < 0 || found[trees].Place != found[forest].Place+".estimators_[]" || found[trees].Count < 2 {
		t.Errorf("the trees of the forest: %+v", found)
	}
	for i, e := range found {
		if slices.IndexFunc(found, func(o Estimator) bool { return o.Place == e.Place && o.Class == e.Class }) != i {
			t.Errorf("%+v stands twice in the list", e)
		}
	}
}

// A model is refused for the first thing in its way; people want to know of all of them.
func TestObstaclesAreAllNamed(t *testing.T) {
	encoder := of("sklearn.preprocessing._encoders", "OneHotEncoder",
		"n_features_in_", int64(2), "categories_", list(list("a")))
	pipeline := of("sklearn.pipeline", "Pipeline", "steps", list(
		named("first", of("sklearn.cluster._kmeans", "KMeans", "n_features_in_", int64(2))),
		named("skipped", "passthrough"),
		named("second", encoder),
		named("third", encoder),
		named("last", of("sklearn.gaussian_process._gpc", "GaussianProcessClassifier", "n_features_in_", int64(2))),
	))
	found := Obstacles(pipeline, program.Spec{})
	var classes []string
	for _, o := range found {
		classes = append(classes, o.Class)
	}
	want := []string{
		"sklearn.cluster._kmeans.KMeans", "sklearn.preprocessing._encoders.OneHotEncoder",
		"sklearn.gaussian_process._gpc.GaussianProcessClassifier",
	}
	if !slices.Equal(classes, want) || found[1].Attribute != "categories_" || found[1].Reason != "model-mismatch" {
		t.Errorf("%v", found)
	}
}

func TestNoObstacleInAModelThatCompiles(t *testing.T) {
	for _, name := range []string{"ct-onehot-logreg-sk1.9.1", "ct-ordinal-rf-sk0.24.2", "imblearn-smote-imb0.14.2-sk1.9.1"} {
		if found := Obstacles(fixture(t, name), program.Spec{}); len(found) > 0 {
			t.Errorf("%s: %v", name, found)
		}
	}
}

// Unions of unions of one object stand for very many parts; each is looked at once.
func TestObstaclesOfSharedParts(t *testing.T) {
	nested := pickle.Value(of("sklearn.cluster._kmeans", "KMeans"))
	for range 40 {
		parts := new(pickle.List)
		for range 10 {
			parts.Items = append(parts.Items, named("part", nested))
		}
		nested = of("sklearn.pipeline", "FeatureUnion", "transformer_list", parts)
	}
	pipeline := of("sklearn.pipeline", "Pipeline", "steps", list(named("pre", nested), named("clf", of("sklearn.svm", "X"))))
	if found := Obstacles(pipeline, program.Spec{Features: []string{"a"}}); len(found) < 2 {
		t.Errorf("%v", found)
	}
	if found := Survey(pipeline); len(found) != 43 {
		t.Errorf("%d estimators: %+v", len(found), found)
	}
}

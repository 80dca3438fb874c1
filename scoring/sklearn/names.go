package sklearn

import (
	"fmt"

	"fraudstream/scoring/booster"
	"fraudstream/scoring/pickle"
)

// errNoColumns refuses a model whose number of columns nobody tells. Compile recognises it by identity and looks
// for a better reason.
var errNoColumns error = &UnsupportedError{
	Reason: "schema-mismatch", Attribute: "n_features_in_",
	Advice: "the model does not say which columns it reads; name the features",
}

// columnNames returns one name per column of the model: the caller's, which must be those that the model was
// fitted on; else the model's own; else empty ones.
//
// Where both are known they must agree one by one: a bundle that names the same features in another order would
// feed each number to the wrong coefficient and still score. Names that a booster has made up for an array count
// as none.
func (c *compiler) columnNames(root pickle.Value, wanted []string) ([]string, error) {
	own, n, err := c.input(root)
	if err != nil {
		return nil, err
	}
	switch {
	case n < 0 && wanted == nil && c.mapperNames != nil:
		return c.mapperNames, nil
	case n < 0 && wanted == nil:
		return nil, errNoColumns
	case wanted == nil && own != nil:
		return own, nil
	case wanted == nil:
		return make([]string, n), nil
	case n >= 0 && n != len(wanted):
		return nil, &UnsupportedError{
			Reason: "schema-mismatch", Attribute: "n_features_in_", Value: fmt.Sprint(n),
			Advice: fmt.Sprintf("the model was fitted on %d columns and %d features are named", n, len(wanted)),
		}
	}
	for i, name := range own {
		if !booster.SameName(wanted[i], name) {
			return nil, &UnsupportedError{
				Reason: "schema-mismatch", Attribute: "feature_names_in_", Value: fmt.Sprintf("%q", name),
				Advice: fmt.Sprintf("feature %d is named %q; names and order must be those of training", i+1, wanted[i]),
			}
		}
	}
	return wanted, nil
}

// input finds the names (nil: none) and the number (-1: unknown) of the columns that an estimator was fitted on.
//
// scikit-learn records names (feature_names_in_, since 1.0) where it was fitted on a frame and the number
// (n_features_in_) anyway; a pipeline keeps neither and asks its first step, which is what the end of this
// function does. _feature_names_in and _n_features are what 0.24 called them in a ColumnTransformer, n_features_
// in trees; active_fields is that of a PMMLPipeline.
func (c *compiler) input(v pickle.Value) (names []string, n int, err error) {
	a, err := c.enter(v)
	if err != nil {
		return nil, -1, err
	}
	defer c.leave()
	if m := c.boosterOf(a); m != nil || a.err != nil {
		if a.err != nil {
			return nil, -1, a.err
		}
		return m.Names, m.Features, nil
	}
	for _, attribute := range []string{"feature_names_in_", "_feature_names_in", "active_fields"} {
		if v := a.optional(attribute); v != nil {
			names, ok := texts(v)
			if !ok {
				a.mismatch(attribute, show(v), "a list of names is expected")
				return nil, -1, a.err
			}
			return names, len(names), nil
		}
	}
	for _, attribute := range []string{"n_features_in_", "_n_features", "n_features_"} {
		if n, ok := integer(a.optional(attribute)); ok && n >= 0 && n <= 1<<30 {
			return nil, int(n), nil
		}
	}
	if items, ok := listItems(a.optional("categories_")); ok {
		return nil, len(items), nil
	}
	if a.class == mapperClass {
		c.mapperNames = a.mapperColumns()
		return nil, -1, a.err
	}
	if inner, ok := firstPart(a); ok {
		return c.input(inner)
	}
	return nil, -1, nil
}

// firstPart is the part of a pipeline, a union, a search or an ensemble that reads the columns first. A member of
// a bagging reads a subset of the columns and is no witness. A parameter such as estimator may hold an unfitted
// pattern, so that it is asked only where wrapsFitted says that it was fitted.
func firstPart(a *attributes) (pickle.Value, bool) {
	for _, attribute := range []string{"best_estimator_", "estimator_"} {
		if inner := a.optional(attribute); inner != nil {
			return inner, true
		}
	}
	for _, attribute := range []string{"estimators_", "calibrated_classifiers_"} {
		items, _ := listItems(a.optional(attribute))
		for _, item := range items {
			if inner, ok := item.(*pickle.Object); ok && !a.has("estimators_features_") {
				return inner, true
			}
		}
	}
	for _, attribute := range []string{"estimator", "base_estimator"} {
		if inner, ok := a.optional(attribute).(*pickle.Object); ok && wrapsFitted(a.class) {
			return inner, true
		}
	}
	for _, attribute := range []string{"steps", "transformer_list"} {
		items, _ := listItems(a.optional(attribute))
		for _, item := range items {
			if part, ok := item.(*pickle.Tuple); ok && len(part.Items) >= 2 && !isPassthrough(part.Items[1]) {
				return part.Items[1], true
			}
		}
	}
	return nil, false
}

// wrapsFitted tells the classes that hold a fitted estimator where others hold the pattern of one.
func wrapsFitted(class string) bool {
	switch class {
	case "sklearn.calibration._CalibratedClassifier", "sklearn.frozen._frozen.FrozenEstimator",
		"sklearn.model_selection._classification_threshold.FixedThresholdClassifier":
		return true
	}
	return false
}

// isPassthrough tells a step that does nothing: None or the word.
func isPassthrough(v pickle.Value) bool { return v == nil || v == "passthrough" }

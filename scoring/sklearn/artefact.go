package sklearn

import (
	"fmt"
	"slices"
	"strings"

	"fraudstream/scoring/pickle"
)

// estimatorOf finds the model in what a file holds: the estimator itself, or an entry of a dict. Without a key
// the dict must hold one estimator only: a scaler that lies beside its classifier would otherwise be left out
// unseen. checkContainers comes first wherever the root is a container, because what follows walks into it
// without looking back.
func estimatorOf(v pickle.Value, key string) (pickle.Value, error) {
	switch root := v.(type) {
	case *pickle.Object:
		if key != "" {
			return nil, &UnsupportedError{
				Reason: "schema-mismatch", Class: root.Class.String(), Attribute: "key", Value: fmt.Sprintf("%q", key),
				Advice: "the file holds an estimator, not a dict; leave the key out",
			}
		}
		return root, nil
	case *pickle.Dict:
		if err := checkContainers(v, nil); err != nil {
			return nil, err
		}
		return entryOf(root, key)
	}
	if err := checkContainers(v, nil); err != nil {
		return nil, err
	}
	return nil, &UnsupportedError{Reason: "not-a-classifier", Value: show(v), Advice: "the file is no estimator; save the fitted pipeline itself, or a dict that holds it"}
}

// entryOf finds the entry of a dict that is the model.
//
// Dicts such as {"model": …, "threshold": …, "features": […]} are common; whatever is no estimator in them is
// left alone. Two estimators are refused by name rather than by order, for the order of a dict says nothing about
// which of them was meant.
func entryOf(d *pickle.Dict, key string) (pickle.Value, error) {
	if key != "" {
		v, ok := d.Get(key)
		if !ok {
			return nil, &UnsupportedError{Reason: "schema-mismatch", Attribute: "key", Value: fmt.Sprintf("%q", key), Advice: "the dict has no such entry"}
		}
		return v, nil
	}
	var found []pickle.Value
	var keys []string
	for i, v := range d.Values {
		if o, ok := v.(*pickle.Object); ok && isEstimator(o) {
			found = append(found, o)
			keys = append(keys, show(d.Keys[i]))
		}
	}
	switch len(found) {
	case 0:
		return nil, &UnsupportedError{Reason: "not-a-classifier", Value: "a dict", Advice: "no entry of the dict is an estimator; save the fitted pipeline itself"}
	case 1:
		return found[0], nil
	}
	return nil, &UnsupportedError{
		Reason: "ambiguous-model", Value: "a dict with estimators at " + strings.Join(keys, ", "),
		Advice: "name the entry that is the whole pipeline (model.key in metadata.json), or save one pipeline",
	}
}

// isEstimator tells an estimator, supported or not, from what else lies in such dicts. Estimators of unknown
// classes count as well, or a dict with one of those beside a known one would load the wrong half: scikit-learn
// writes _sklearn_version into the state of all estimators of its own, and classifiers of other packages have
// classes_ once they are fitted.
func isEstimator(o *pickle.Object) bool {
	a := attributesOf(o)
	return transformerOf(a.class) != nil || classifierOf(a.class) != nil || a.has("_sklearn_version") || a.has("classes_")
}

// checkContainers looks for a container that holds itself and for a nesting that no honest file has.
//
// open is the way from the root down to v, so that a container met again beside itself is fine and only one
// within itself is refused. Estimators are not entered here: compiler.enter keeps watch over those.
func checkContainers(v pickle.Value, open []pickle.Value) error {
	var items []pickle.Value
	switch s := v.(type) {
	case *pickle.List:
		items = s.Items
	case *pickle.Tuple:
		items = s.Items
	case *pickle.Dict:
		items = s.Values
	default:
		return nil
	}
	if slices.Contains(open, v) {
		return &UnsupportedError{Reason: "cycle", Value: show(v), Advice: "a container holds itself"}
	}
	if len(open) >= maxDepth {
		return &UnsupportedError{Reason: "depth", Value: show(v), Advice: fmt.Sprintf("containers are nested more than %d deep", maxDepth)}
	}
	open = append(open, v)
	for _, item := range items {
		if err := checkContainers(item, open); err != nil {
			return err
		}
	}
	return nil
}

package sklearn

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// An Estimator is one estimator of a file, or several of one class in one place, supported or not.
type Estimator struct {
	Place   string // names of steps and attributes from the outside inwards: "preprocess.cat.onehot"; empty for the outermost
	Class   string
	Version string // of the scikit-learn that saved it; may be empty
	Count   int    // as in the 100 trees of a forest
}

// Survey lists every estimator that a file holds, from the outside inwards. An estimator that fit has replaced by a
// fitted copy is left out.
//
// It serves the command that shows what is in a file, before anything is known to be supported, and therefore
// never fails: what it cannot make sense of it passes over.
func Survey(v pickle.Value) []Estimator {
	s := surveyor{seen: make(map[*pickle.Object]bool), index: make(map[[2]string]int)}
	s.value("", v)
	return s.found
}

// A surveyor walks over all values of a file, whatever they are, and notes the estimators among them. The order
// of found is that in which a reader of the file would meet them.
type surveyor struct {
	found []Estimator
	index map[[2]string]int // place and class to an index of found
	seen  map[*pickle.Object]bool
}

// value looks into a value. The decoder has made sure that nothing holds itself and that nothing is nested too
// deeply. Keys of a dict become part of the place.
func (s *surveyor) value(place string, v pickle.Value) {
	switch v := v.(type) {
	case *pickle.Object:
		s.object(place, v)
	case *pickle.Dict:
		for i, key := range v.Keys {
			if name, ok := key.(string); ok {
				s.value(join(place, name), v.Values[i])
			}
		}
	case *pickle.List:
		s.items(place, v.Items)
	case *pickle.Tuple:
		s.items(place, v.Items)
	case *pickle.Array:
		s.items(place, v.Objects)
	}
}

// object notes an estimator and looks into its attributes.
func (s *surveyor) object(place string, o *pickle.Object) {
	if s.seen[o] {
		return
	}
	// Fitted estimators are held in several attributes; the first place in the file is their name.
	s.seen[o] = true
	if isEstimator(o) {
		at := [2]string{place, o.Class.String()}
		if i, ok := s.index[at]; ok {
			s.found[i].Count++
		} else {
			version, _ := attributesOf(o).optional("_sklearn_version").(string)
			s.index[at] = len(s.found)
			s.found = append(s.found, Estimator{Place: place, Class: at[1], Version: version, Count: 1})
		}
	}
	state, _ := o.State.(*pickle.Dict)
	if state == nil {
		return
	}
	for i, key := range state.Keys {
		name, ok := key.(string)
		if !ok || replaced(o, name) {
			continue
		}
		if namesParts(name) {
			s.value(place, state.Values[i])
		} else {
			s.value(join(place, name), state.Values[i])
		}
	}
}

// items looks into a list: a (name, estimator, …) pair goes by its name, everything else by its list. The hundred
// trees of a forest share the place "estimators_[]" and are counted.
func (s *surveyor) items(place string, items []pickle.Value) {
	for _, item := range items {
		pair, ok := item.(*pickle.Tuple)
		if ok && len(pair.Items) >= 2 {
			if name, ok := pair.Items[0].(string); ok {
				s.value(join(place, name), pair.Items[1])
				continue
			}
		}
		switch item.(type) {
		// Numbers and texts hold no estimator, and there may be very many.
		case *pickle.Object, *pickle.List, *pickle.Tuple, *pickle.Dict, *pickle.Array:
			s.value(strings.TrimSuffix(place, "[]")+"[]", item)
		}
	}
}

// namesParts tells the attributes that hold named parts: there the names say enough.
func namesParts(attribute string) bool {
	return attribute == "steps" || attribute == "transformers_" || attribute == "transformer_list"
}

// replaced tells a parameter whose fitted copy lies beside it, such as transformers beside transformers_. The
// parameter would list every estimator twice, once fitted and once as it was before.
func replaced(o *pickle.Object, name string) bool {
	has := func(attribute string) bool { v, ok := o.Attr(attribute); return ok && v != nil }
	if has(name + "_") {
		return true
	}
	switch name {
	case "estimator", "base_estimator", "estimators", "estimator_", "base_estimator_":
		return has("estimators_") || has("calibrated_classifiers_") || has("best_estimator_") ||
			!strings.HasSuffix(name, "_") && (has("estimator_") || has("base_estimator_"))
	// What a search has tried is no part of the model.
	case "cv_results_", "param_grid", "param_distributions":
		return true
	}
	return false
}

// join puts a name behind a place.
func join(place, name string) string { return strings.TrimPrefix(place+"."+name, ".") }

// Obstacles lists what keeps a model from being compiled: the error of [Compile], and what stands in the way in
// its other parts, each compiled by itself. It is empty for a model that compiles. One error at a time is a slow
// way to learn that five steps of a pipeline are unsupported.
func Obstacles(v pickle.Value, spec program.Spec) []*UnsupportedError {
	_, err := Compile(v, spec)
	if err == nil {
		return nil
	}
	var list []*UnsupportedError
	note := func(err error) {
		u, ok := errors.AsType[*UnsupportedError](err)
		if ok && !slices.ContainsFunc(list, func(o *UnsupportedError) bool { return sameObstacle(o, u) }) {
			list = append(list, u)
		}
	}
	note(err)
	root, err := estimatorOf(v, spec.Key)
	if err != nil { // it is in the list already
		return list
	}
	w := partsWalk{seen: make(map[*pickle.Object]bool), visit: func(o *pickle.Object, last bool) {
		// What lies in how parts fit together is no fault of the part alone.
		if u, ok := errors.AsType[*UnsupportedError](alone(o, last)); ok && u.Reason != "schema-mismatch" && u.Reason != "not-a-classifier" {
			note(u)
		}
	}}
	w.walk(root, true, 0)
	return list
}

// sameObstacle compares what two errors complain of. Reason and advice follow from these.
func sameObstacle(a, b *UnsupportedError) bool {
	return cmp.Or(cmp.Compare(a.Class, b.Class), cmp.Compare(a.Attribute, b.Attribute), cmp.Compare(a.Value, b.Value)) == 0
}

// maxParts is the number of parts that are compiled one by one; honest models have a few dozen. Each part costs a
// compilation of its own.
const maxParts = 1 << 10

// maxAlone is the number of columns up to which a part is compiled by itself. It is as many as a program may have
// at all.
const maxAlone = 1 << 14

// A partsWalk visits the parts of pipelines, unions and column transformers that hold no named parts themselves, each
// once. last tells the part that classifies.
type partsWalk struct {
	seen  map[*pickle.Object]bool
	visit func(o *pickle.Object, last bool)
}

// walk goes down from v. A part that holds named parts is not visited itself, for its error would be theirs.
func (w *partsWalk) walk(v pickle.Value, last bool, depth int) {
	o, ok := v.(*pickle.Object)
	if !ok || w.seen[o] || len(w.seen) >= maxParts || depth > maxDepth || isSampler(o) {
		return
	}
	w.seen[o] = true
	a, whole := attributesOf(o), true
	for _, attribute := range []string{"steps", "transformers_", "transformer_list"} {
		items, _ := listItems(a.optional(attribute))
		for i, item := range items {
			if pair, ok := item.(*pickle.Tuple); ok && len(pair.Items) >= 2 {
				whole = false
				w.walk(pair.Items[1], last && attribute == "steps" && i == len(items)-1, depth+1)
			}
		}
	}
	if best := a.optional("best_estimator_"); best != nil {
		whole = false
		w.walk(best, last, depth+1)
	}
	if whole {
		w.visit(o, last)
	}
}

// alone compiles one part on the columns that it was fitted on. A part that does not tell their number is left to the
// error of the whole.
func alone(o *pickle.Object, last bool) error {
	a := attributesOf(o)
	switch {
	case last && classifierOf(a.class) == nil:
		return unsupportedClass(a, "a classifier")
	case !last && transformerOf(a.class) == nil:
		return unsupportedClass(a, "a transformer")
	}
	c := &compiler{met: make(map[*pickle.Object]bool)}
	names, n, err := c.input(o)
	if err != nil || n < 0 || n > maxAlone {
		return err
	}
	if names == nil {
		names = make([]string, n)
	}
	if c.b, err = program.NewBuilder(names, nil); err != nil {
		return err
	}
	if last {
		_, err = c.classify(o, c.b.Columns())
	} else {
		_, err = c.transform(o, c.b.Columns())
	}
	return err
}

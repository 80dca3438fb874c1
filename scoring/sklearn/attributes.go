package sklearn

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// attributes reads the state of one estimator by name and type. The first error sticks and later reads return
// zero values, so that a compiler reads all it needs and asks for err once. class is the full Python name,
// "sklearn.preprocessing._data.StandardScaler", as it stands in messages and in the switches of this package.
type attributes struct {
	object *pickle.Object
	class  string
	err    error
}

// attributesOf begins to read an estimator.
func attributesOf(o *pickle.Object) *attributes {
	return &attributes{object: o, class: o.Class.String()}
}

// refuse records an error about an attribute, unless there is one already.
func (a *attributes) refuse(reason, attribute, value, advice string) {
	if a.err == nil {
		a.err = &UnsupportedError{Reason: reason, Class: a.class, Attribute: attribute, Value: value, Advice: advice}
	}
}

// unknown refuses a value whose meaning is not known, since it may change a prediction.
func (a *attributes) unknown(attribute string, v pickle.Value) {
	a.refuse("unsupported-value", attribute, show(v), "this value has no known meaning here; fit the model with a supported setting")
}

// mismatch refuses parts that do not belong together. Such a file was edited or written in two halves: a sound
// fit never leaves it so.
func (a *attributes) mismatch(attribute, value, advice string) {
	a.refuse("model-mismatch", attribute, value, advice)
}

// has reports whether an attribute is there, None included.
func (a *attributes) has(name string) bool {
	_, ok := a.object.Attr(name)
	return ok
}

// optional returns an attribute, or nil where it is absent or None.
func (a *attributes) optional(name string) pickle.Value {
	v, _ := a.object.Attr(name)
	return v
}

// fitted reports whether the state holds anything that fit sets: a name with an underscore at its end.
// scikit-learn's check_is_fitted goes by the same convention.
func (a *attributes) fitted() bool {
	state, ok := a.object.State.(*pickle.Dict)
	if !ok {
		return false
	}
	for _, k := range state.Keys {
		if name, ok := k.(string); ok && strings.HasSuffix(name, "_") {
			return true
		}
	}
	return false
}

// required returns an attribute that a fitted estimator has. An unfitted estimator is told apart from a damaged
// one, since the remedy differs: fit it, or save it again.
func (a *attributes) required(name string) pickle.Value {
	if a.err != nil {
		return nil
	}
	v, ok := a.object.Attr(name)
	if !ok && !a.fitted() {
		a.refuse("unfitted", name, "", "the estimator was saved before fit; fit it and save it again")
	} else if !ok {
		a.mismatch(name, "", "the attribute is absent; save the fitted model again")
	}
	return v
}

// version is the scikit-learn that saved the estimator, as a number that compares: 1.10 is above 1.9. It is zero
// where the file does not say. Compilers ask it only where the same attributes mean something else in another
// release; where an attribute itself tells, they look at that.
func (a *attributes) version() version {
	text, _ := a.optional("_sklearn_version").(string)
	return parseVersion(text)
}

// A version is major*1000 + minor. Patch releases are left out: no rule here turns on one.
type version int

// parseVersion reads "1.5.2" or "1.6.dev0"; whatever is no version is 0, older than all.
func parseVersion(text string) version {
	parts := strings.SplitN(text, ".", 3)
	if len(parts) < 2 {
		return 0
	}
	major, err1 := strconv.ParseUint(parts[0], 10, 16)
	minor, err2 := strconv.ParseUint(parts[1], 10, 8)
	if err1 != nil || err2 != nil {
		return 0
	}
	return version(major*1000 + minor)
}

// text returns a string attribute; def where it is absent. A numpy string counts as a string. What is there and
// is none, None included, is refused.
func (a *attributes) text(name, def string) string {
	v, ok := a.object.Attr(name)
	if !ok {
		return def
	}
	s, ok := pickle.Plain(v).(string)
	if !ok {
		a.unknown(name, v)
	}
	return s
}

// flag returns a boolean attribute; def where it is absent. scikit-learn takes 0 and 1 for booleans wherever it
// merely tests them, so that both are taken here too.
func (a *attributes) flag(name string, def bool) bool {
	v, ok := a.object.Attr(name)
	if !ok {
		return def
	}
	switch b := pickle.Plain(v).(type) {
	case bool:
		return b
	case int64:
		if b == 0 || b == 1 {
			return b == 1
		}
	}
	a.unknown(name, v)
	return def
}

// number returns a numeric attribute that must be finite.
func (a *attributes) number(name string) float64 {
	v := a.required(name)
	if a.err != nil {
		return 0
	}
	f, ok := float(v)
	if !ok {
		a.mismatch(name, show(v), "a number is expected")
		return 0
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		a.refuse("non-finite", name, show(v), "a fitted number must be finite")
	}
	return f
}

// vector returns n finite numbers of a one-dimensional array.
func (a *attributes) vector(name string, n int) []float64 {
	values := a.numbers(name, n)
	a.finite(name, values)
	return values
}

// numbers is vector without the demand that they are finite. n is what the rest of the model implies, so that a
// vector too long is refused like one too short. Integer and float arrays of any width become float64.
func (a *attributes) numbers(name string, n int) []float64 {
	array := a.array(name)
	if a.err != nil {
		return nil
	}
	values, ok := floats(array)
	if !ok || len(array.Shape) != 1 {
		a.mismatch(name, describe(array), "a list of numbers is expected")
		return nil
	}
	if len(values) != n {
		a.mismatch(name, fmt.Sprintf("%d values", len(values)), fmt.Sprintf("%d are expected; the parts of the model do not belong together", n))
		return nil
	}
	return values
}

// matrix returns rows*columns finite numbers in row order. The shape must be exact, for a transposed matrix has
// as many numbers and another meaning.
func (a *attributes) matrix(name string, rows, columns int) []float64 {
	array := a.array(name)
	if a.err != nil {
		return nil
	}
	values, ok := floats(array)
	if !ok {
		a.mismatch(name, describe(array), "a matrix of numbers is expected")
		return nil
	}
	if len(array.Shape) != 2 || array.Shape[0] != rows || array.Shape[1] != columns {
		a.mismatch(name, describe(array), fmt.Sprintf("%d by %d is expected; the parts of the model do not belong together", rows, columns))
		return nil
	}
	a.finite(name, values)
	return values
}

// finite refuses NaN and infinities in what fit has computed.
func (a *attributes) finite(name string, values []float64) {
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			a.refuse("non-finite", name, fmt.Sprintf("[%d]=%v", i, v), "a fitted number must be finite")
			return
		}
	}
}

// array returns a numpy array. One without a type is refused here once, so that readers may look at Type freely.
func (a *attributes) array(name string) *pickle.Array {
	v := a.required(name)
	if a.err != nil {
		return nil
	}
	array, ok := v.(*pickle.Array)
	if !ok || array.Type == nil {
		a.mismatch(name, show(v), "a numpy array is expected")
		return nil
	}
	return array
}

// list returns the items of a list, a tuple or a one-dimensional object array.
func (a *attributes) list(name string) []pickle.Value {
	v := a.required(name)
	if a.err != nil {
		return nil
	}
	items, ok := listItems(v)
	if !ok {
		a.mismatch(name, show(v), "a list is expected")
	}
	return items
}

// constants returns the values of a one-dimensional array as constants. Their types are kept: 1, true and "1" are
// three categories.
func (a *attributes) constants(name string) []program.Constant {
	array := a.array(name)
	if a.err != nil {
		return nil
	}
	cs, ok := constants(array)
	if !ok || len(array.Shape) != 1 {
		a.refuse("unsupported-value", name, describe(array), "numbers, strings, booleans, None and NaN are understood")
		return nil
	}
	return cs
}

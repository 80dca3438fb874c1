package booster

import (
	"fmt"
	"math"
	"strconv"

	"fraudstream/scoring/program"
)

// Limits of the two document formats. Models in use stay below a tenth of them.
const (
	maxDepth  = 256     // objects and arrays one in another; the deepest are CatBoost's nested trees
	maxValues = 4 << 20 // values other than the numbers of an array of numbers
)

// A value of a document is nil, bool, float64, string, []float64 (an array of numbers only), []any or object.
type object = map[string]any

// damaged refuses a document by its grammar. It never quotes the document.
func damaged(class, reason string, offset int, advice string) error {
	return &program.UnsupportedError{Reason: reason, Class: class, Attribute: "byte", Value: strconv.Itoa(offset), Advice: advice}
}

// The advice of damaged.
const (
	adviceTruncated = "the file ends early; copy it again"
	adviceCorrupt   = "no booster writes this; copy the file again"
	adviceDepth     = "values are nested deeper than in any model"
	adviceSize      = "an array is larger than the file"
	adviceBudget    = "the model has more values than this reader takes"
)

// reader reads a document by name and type. The first error sticks and later reads return zero values, so that a
// function reads all it needs and asks for err once. class is the library that errors name; every format has one.
type reader struct {
	class string
	err   error
}

// refuse records an error, unless there is one already.
func (r *reader) refuse(reason, attribute, value, advice string) {
	if r.err == nil {
		r.err = &program.UnsupportedError{Reason: reason, Class: r.class, Attribute: attribute, Value: value, Advice: advice}
	}
}

// structure refuses trees that are none. The reason is the same for all three libraries.
func (r *reader) structure(attribute, value, advice string) {
	r.refuse("tree-structure", attribute, value, advice)
}

// object returns an object that must be there. What is absent reads as empty, so that the next read finds nothing
// and the first error stands.
func (r *reader) object(parent object, key string) object {
	o, ok := parent[key].(object)
	if !ok {
		r.refuse("model-mismatch", key, describe(parent[key]), "an object is expected")
	}
	return o
}

// list returns an array of anything but numbers. An empty array carries no type, and comes out of the grammar as
// one of numbers.
func (r *reader) list(parent object, key string) []any {
	switch l := parent[key].(type) {
	case []any:
		return l
	case []float64:
		if len(l) == 0 {
			return nil
		}
	}
	r.refuse("model-mismatch", key, describe(parent[key]), "a list is expected")
	return nil
}

// optional is list for what may be absent.
func (r *reader) optional(parent object, key string) []any {
	if parent[key] == nil {
		return nil
	}
	return r.list(parent, key)
}

// numbers returns an array of numbers. UBJSON and JSON write an empty one alike.
func (r *reader) numbers(parent object, key string) []float64 {
	l, ok := parent[key].([]float64)
	if !ok {
		r.refuse("model-mismatch", key, describe(parent[key]), "a list of numbers is expected")
	}
	return l
}

// perNode returns an array with one number per node of a tree. After an error it gives zeros, so that loops over
// the nodes need no check of their own.
func (r *reader) perNode(parent object, key string, nodes int) []float64 {
	l := r.numbers(parent, key)
	if r.err == nil && len(l) != nodes {
		r.structure(key, fmt.Sprintf("%d values", len(l)), fmt.Sprintf("the tree has %d nodes", nodes))
	}
	if r.err != nil {
		return make([]float64, nodes)
	}
	return l
}

// text returns a string; it is empty where there is none. A value of another type reads as none.
func (r *reader) text(parent object, key string) string {
	s, _ := parent[key].(string)
	return s
}

// texts returns a list of strings; nil where it is absent. A number among the names is refused.
func (r *reader) texts(parent object, key string) []string {
	items, _ := parent[key].([]any)
	out := make([]string, len(items))
	for i, item := range items {
		s, ok := item.(string)
		if !ok {
			r.refuse("model-mismatch", key, describe(item), "a list of names is expected")
			return nil
		}
		out[i] = s
	}
	return out
}

// count returns a whole number, which XGBoost writes as a text; def where it is absent. What the file states lies
// between 0 and 2^31-1.
func (r *reader) count(parent object, key string, def int) int {
	v, ok := parent[key]
	if !ok {
		return def
	}
	switch n := v.(type) {
	case float64:
		if i, ok := whole(n); ok {
			return i
		}
	case string:
		if i, err := strconv.Atoi(n); err == nil && i >= 0 && i <= math.MaxInt32 {
			return i
		}
	}
	r.refuse("model-mismatch", key, describe(v), "a count is expected")
	return 0
}

// whole returns a number that can index or count. The cast comes first, but its result counts only for numbers in
// range.
func whole(x float64) (int, bool) {
	i := int(x)
	return i, x >= 0 && x <= math.MaxInt32 && float64(i) == x
}

// index returns a number as an index; -1 for what is none, so that a later check refuses it by name.
func index(x float64) int {
	if i, ok := whole(x); ok {
		return i
	}
	return -1
}

// nowhere is a child that no tree has: the forest refuses it by name. It must not be -1, which is what a leaf has.
const nowhere = math.MaxInt32

// childNode is index for the child of an inner node.
func childNode(x float64) int {
	if i := index(x); i >= 0 {
		return i
	}
	return nowhere
}

// describe names a value for a message without quoting a long one. Lists and objects are named by kind alone:
// their content is the model's.
func describe(v any) string {
	switch x := v.(type) {
	case nil:
		return "nothing"
	case bool, float64:
		return fmt.Sprint(x)
	case string:
		if len(x) > 60 {
			x = x[:60] + "…"
		}
		return strconv.Quote(x)
	case object:
		return "an object"
	default:
		return "a list"
	}
}

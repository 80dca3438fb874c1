package sklearn

import (
	"fmt"
	"slices"
	"strconv"

	"fraudstream/scoring/pickle"
)

// columnTransformer gives every transformer its columns and puts the results side by side, in the order of
// transformers_, the remainder last. It emits no step of its own: selecting and joining are done with register lists.
//
// transformers_ is a list of triples: name, fitted transformer, columns. fit has put the remainder behind the
// named ones, with its columns resolved. A transformer may be the word "passthrough" or "drop" instead; one
// without columns was never fitted and is skipped. sparse_threshold decides how zeros are stored and
// verbose_feature_names_out what columns are called, neither what they hold. transformer_weights multiplies the
// columns of a transformer, by its name.
func (c *compiler) columnTransformer(a *attributes, in matrix) matrix {
	c.countColumns(a, in)
	parts := a.parts("transformers_", 3)
	weights := a.weights("transformer_weights")
	var out matrix
	for _, p := range parts {
		if a.err != nil {
			return nil
		}
		columns := c.columnIndexes(a, p, in)
		if a.err != nil || len(columns) == 0 || p.estimator == "drop" {
			continue
		}
		selected := make(matrix, len(columns))
		for i, column := range columns {
			selected[i] = in[column]
		}
		if !isPassthrough(p.estimator) {
			c.within(p.name, func() { selected, a.err = c.transform(p.estimator, selected) })
		}
		out = c.join(a, out, c.weighted(a, p.name, weights, selected))
	}
	return out
}

// countColumns checks the number of columns. scikit-learn 0.24 kept it under another name. _n_features counts the
// same columns as n_features_in_ does.
func (c *compiler) countColumns(a *attributes, in matrix) {
	a.reads(in)
	if n, ok := integer(a.optional("_n_features")); ok && n != int64(len(in)) {
		a.mismatch("_n_features", strconv.FormatInt(n, 10), fmt.Sprintf("the estimator is given %d columns", len(in)))
	}
}

// columnIndexes resolves the columns of one transformer. Since 1.0 the fitted object holds the resolved indices
// as well; where it has both they must agree. A selector (make_column_selector) is a function of the frame's
// dtypes, which an event has not: without the resolved indices it cannot be answered.
func (c *compiler) columnIndexes(a *attributes, p part, in matrix) []int {
	var resolved []int
	known := false
	if all, ok := a.optional("_transformer_to_input_indices").(*pickle.Dict); ok {
		var v pickle.Value
		if v, known = all.Get(p.name); known {
			resolved = a.indexes(p.name, v, nil, len(in))
		}
	}
	if o, ok := p.columns.(*pickle.Object); ok && o.Class.String() == "sklearn.compose._column_transformer.make_column_selector" {
		if !known {
			a.refuse("unsupported-value", "transformers_", p.name, "the columns of a selector are not resolved in this file; name the columns")
		}
		return resolved
	}
	columns := a.indexes(p.name, p.columns, c.namesOf(a, in), len(in))
	if a.err == nil && known && !slices.Equal(columns, resolved) {
		a.mismatch("_transformer_to_input_indices", fmt.Sprint(resolved), fmt.Sprintf("transformers_ gives %q the columns %v", p.name, columns))
	}
	return columns
}

// namesOf returns the column names that a column transformer was fitted on. Where it kept none, the names are
// those of the registers, if they still are columns of the event.
func (c *compiler) namesOf(a *attributes, in matrix) []string {
	for _, attribute := range []string{"feature_names_in_", "_feature_names_in"} {
		if names, ok := texts(a.optional(attribute)); ok {
			if len(names) != len(in) {
				a.mismatch(attribute, fmt.Sprintf("%d names", len(names)), fmt.Sprintf("the estimator is given %d columns", len(in)))
			}
			return names
		}
	}
	return c.b.Names(in)
}

// indexes resolves a column specification of n columns: a name, an index, a list or array of either, a list of
// booleans, or a slice. The order of a list is the order of the columns that result, and a column may be named
// twice. Whether the list is a mask its first item tells: scikit-learn wants all of one type.
func (a *attributes) indexes(name string, v pickle.Value, names []string, n int) []int {
	if o, ok := v.(*pickle.Object); ok && o.Class.String() == "builtins.slice" {
		return a.sliceIndexes(name, o, names, n)
	}
	items, ok := listItems(v)
	if !ok {
		items = []pickle.Value{v}
	}
	if len(items) > 0 {
		if _, mask := pickle.Plain(items[0]).(bool); mask {
			return a.maskIndexes(name, items, n)
		}
	}
	out := make([]int, 0, len(items))
	for _, item := range items {
		i := a.columnIndex(name, item, names, n)
		if a.err != nil {
			return nil
		}
		out = append(out, i)
	}
	return out
}

// columnIndex resolves one name or index; a negative one counts from the end, as in Python.
func (a *attributes) columnIndex(name string, v pickle.Value, names []string, n int) int {
	switch column := pickle.Plain(v).(type) {
	case string:
		if i := slices.Index(names, column); i >= 0 {
			return i
		}
	case int64:
		if column >= -int64(n) && column < 0 {
			return int(column) + n
		}
		if column >= 0 && column < int64(n) {
			return int(column)
		}
	}
	a.refuse("feature-index", "transformers_", show(v), fmt.Sprintf("transformer %q reads a column that is none of the %d", name, n))
	return 0
}

// maskIndexes resolves one boolean per column. A mask of another length than the columns is refused.
func (a *attributes) maskIndexes(name string, mask []pickle.Value, n int) []int {
	var out []int
	for i, m := range mask {
		chosen, ok := pickle.Plain(m).(bool)
		if !ok || len(mask) != n {
			a.refuse("feature-index", "transformers_", fmt.Sprintf("a mask of %d", len(mask)), fmt.Sprintf("transformer %q needs one boolean for each of %d columns", name, n))
			return nil
		}
		if chosen {
			out = append(out, i)
		}
	}
	return out
}

// sliceIndexes resolves a slice. Between names both ends belong to it. Between numbers the end is left out, as
// everywhere in Python; between names pandas includes it, which the transformer relies on. A negative step is
// refused.
func (a *attributes) sliceIndexes(name string, o *pickle.Object, names []string, n int) []int {
	if len(o.Args) != 3 {
		a.mismatch("transformers_", name, "a slice has three parts")
		return nil
	}
	start, stop := 0, n
	step, ok := o.Args[2].(int64)
	if o.Args[2] != nil && (!ok || step <= 0) {
		a.unknown("transformers_", o.Args[2])
		return nil
	}
	if v := o.Args[0]; v != nil {
		start = a.bound(name, v, names, n)
	}
	if v := o.Args[1]; v != nil {
		stop = a.bound(name, v, names, n)
		if _, named := pickle.Plain(v).(string); named {
			stop++
		}
	}
	var out []int
	for i := start; i < stop && a.err == nil; i += int(min(max(step, 1), int64(n)+1)) { // a longer step would overflow
		out = append(out, i)
	}
	return out
}

// bound is one end of a slice; an index beyond the columns is cut, as in Python. A name that is no column is an
// error instead.
func (a *attributes) bound(name string, v pickle.Value, names []string, n int) int {
	if i, ok := integer(v); ok {
		if i < 0 {
			i += int64(n)
		}
		return int(min(max(i, 0), int64(n)))
	}
	return a.columnIndex(name, v, names, n)
}

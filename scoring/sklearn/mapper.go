package sklearn

import (
	"slices"

	"fraudstream/scoring/pickle"
)

// mapperClass is compared in more than one file: a mapper can name the columns of a model that does not know
// them.
const mapperClass = "sklearn_pandas.dataframe_mapper.DataFrameMapper"

// dataFrameMapper compiles sklearn-pandas' DataFrameMapper: a transformer, or several in a row, for each group of
// columns, which it takes from the frame by name; the results stand side by side in the order of the list. Columns
// that no group names are left out (default=False), appended as they are (None), or appended through the transformer
// in default. What concerns names and containers alone, such as alias, df_out, input_df and sparse, changes no value.
//
// features is the list of groups as the caller wrote it, built_features what fit made of it: columns by name, and
// a list of transformers as one TransformerPipeline. A group whose column is missing raises a KeyError in pandas
// and refuses the model here.
func (c *compiler) dataFrameMapper(a *attributes, in matrix) matrix {
	names := c.b.Names(in)
	if names == nil {
		a.mismatch("features", "", "a mapper reads columns by name, and stands where columns have none; name the features and put it first")
		return nil
	}
	// Frames are read by name alone, so the order of the columns does not matter here, and a column may serve twice.
	var out matrix
	for _, g := range a.groups("built_features") {
		var selected matrix
		for _, name := range g.names {
			i := slices.Index(names, name)
			if i < 0 {
				a.refuse("feature-index", "features", show(name), "the mapper reads a column that is not among the features")
				return nil
			}
			selected = append(selected, in[i])
		}
		out = c.join(a, out, c.mapped(a, g, selected))
	}
	return c.join(a, out, c.unmapped(a, in, names))
}

// group is one entry of a mapper. An entry may hold a third item, a dict of options, which is about names alone.
type group struct {
	names        []string
	transformers []pickle.Value
}

// groups reads the entries: as fit has built them, which resolves functions that choose columns, or as they were
// given. A mapper saved before fit has features only, and its transformers refuse themselves as unfitted.
func (a *attributes) groups(attribute string) []group {
	if a.optional(attribute) == nil {
		attribute = "features"
	}
	var groups []group
	for _, item := range a.list(attribute) {
		entry, ok := item.(*pickle.Tuple)
		if !ok || len(entry.Items) < 2 {
			a.mismatch(attribute, show(item), "a tuple of columns and transformers is expected")
			return nil
		}
		names, ok := texts(entry.Items[0])
		if name, one := pickle.Plain(entry.Items[0]).(string); one {
			names, ok = []string{name}, true
		}
		if _, chosen := entry.Items[0].(*pickle.Object); chosen && a.optional("built_features") != nil && attribute == "features" {
			continue // a function, which names nothing
		}
		if !ok {
			a.refuse("unsupported-value", attribute, show(entry.Items[0]), "a group of columns is a name or a list of names")
			return nil
		}
		groups = append(groups, group{names, series(entry.Items[1])})
	}
	return groups
}

// series is the transformers of a group: one, none, or a list of them.
func series(v pickle.Value) []pickle.Value {
	switch v := v.(type) {
	case nil:
		return nil
	case *pickle.List:
		return v.Items
	}
	return []pickle.Value{v}
}

// mapped takes the columns of a group through its transformers. Messages name a group by its first column, since
// groups have no name.
func (c *compiler) mapped(a *attributes, g group, in matrix) matrix {
	for _, v := range g.transformers {
		if a.err != nil {
			return nil
		}
		place := "features"
		if len(g.names) > 0 {
			place = g.names[0]
		}
		c.within(place, func() { in, a.err = c.transform(v, in) })
	}
	return in
}

// unmapped is what becomes of the columns that no group names, in the order of the frame. Columns that a function
// has chosen count as not named. drop_cols lists columns that are left out in any case.
func (c *compiler) unmapped(a *attributes, in matrix, names []string) matrix {
	rule, ok := a.object.Attr("built_default")
	if !ok {
		rule, ok = a.object.Attr("default")
	}
	if rule == false || !ok || a.err != nil {
		return nil
	}
	used, _ := texts(a.optional("drop_cols"))
	for _, g := range a.groups("features") {
		used = append(used, g.names...)
	}
	var rest matrix
	for i, name := range names {
		if !slices.Contains(used, name) {
			rest = append(rest, in[i])
		}
	}
	return c.mapped(a, group{transformers: series(rule)}, rest)
}

// mapperColumns is what a mapper reads, in the order of its list, nil where it also reads columns that it does not
// name. They serve where neither the file nor the caller says which columns there are.
func (a *attributes) mapperColumns() []string {
	if rule, ok := a.object.Attr("default"); ok && rule != false {
		return nil
	}
	var names []string
	for _, g := range a.groups("built_features") {
		for _, name := range g.names {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

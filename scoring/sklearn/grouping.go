package sklearn

import (
	"fmt"
	"math"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// grouping tells for every category of one column which of the encoded values it becomes: its own place, or that
// of the group of infrequent ones.
type grouping struct {
	place      []int // per category
	values     int   // how many encoded values there are
	infrequent int   // the place of the group; -1 without one
}

// groupings reads how min_frequency and max_categories put infrequent categories together. The fitted encoder holds
// the places that result (_default_to_infrequent_mappings) and the members of each group (_infrequent_indices), None
// for a column without one. Encoders before 1.1, ordinal ones before 1.3, do not have that.
//
// Without grouping every category has its own place. A file in which the options are set and the result is
// missing contradicts itself and is refused, since guessing would shift every column behind.
func (a *attributes) groupings(categories [][]program.Constant) []grouping {
	out := make([]grouping, len(categories))
	for i, list := range categories {
		out[i] = grouping{values: len(list), infrequent: -1, place: make([]int, len(list))}
		for k := range list {
			out[i].place[k] = k
		}
	}
	if !a.flag("_infrequent_enabled", false) || a.err != nil {
		if a.optional("min_frequency") != nil || a.optional("max_categories") != nil {
			a.mismatch("_infrequent_enabled", "False", "min_frequency or max_categories is set")
		}
		return out
	}
	mappings, rare := a.list("_default_to_infrequent_mappings"), a.list("_infrequent_indices")
	if a.err == nil && (len(mappings) != len(out) || len(rare) != len(out)) {
		a.mismatch("_default_to_infrequent_mappings", fmt.Sprint(len(mappings)), "one entry per column is expected")
	}
	for i := range out {
		if a.err != nil {
			return nil
		}
		if rare[i] != nil || mappings[i] != nil {
			n := len(categories[i])
			missingLast := n > 0 && categories[i][n-1].Type == program.NaN
			out[i] = a.grouped(mappings[i], rare[i], n, missingLast)
		}
	}
	return out
}

// grouped reads the grouping of one column with n categories. mapping has an integer per category: the place that
// it takes once the infrequent ones share the last. rare lists the categories of the group; the first of them
// tells where the group lies.
func (a *attributes) grouped(mapping, rare pickle.Value, n int, missingLast bool) grouping {
	g := grouping{place: integers(mapping)}
	members := integers(rare)
	if missingLast && len(g.place) == n-1 {
		g.place = append(g.place, n-1) // an ordinal encoder does not group the missing value, which is the last
	}
	if len(g.place) != n || len(members) == 0 {
		a.mismatch("_default_to_infrequent_mappings", show(mapping), fmt.Sprintf("%d places are expected", n))
		return g
	}
	for _, p := range g.place {
		if p < 0 || p >= n {
			a.mismatch("_default_to_infrequent_mappings", fmt.Sprint(p), "there is no such place")
			return g
		}
		g.values = max(g.values, p+1)
	}
	if members[0] < 0 || members[0] >= n {
		a.mismatch("_infrequent_indices", fmt.Sprint(members[0]), "there is no such category")
		return g
	}
	g.infrequent = g.place[members[0]]
	return g
}

// integers reads a list of whole numbers, nil where it is none. Numbers beyond 32 bits count as none: whatever is
// read so is an index or a count.
func integers(v pickle.Value) []int {
	items, ok := listItems(v)
	if !ok {
		return nil
	}
	out := make([]int, len(items))
	for i, item := range items {
		n, ok := integer(item)
		if !ok || n < math.MinInt32 || n > math.MaxInt32 {
			return nil
		}
		out[i] = int(n)
	}
	return out
}

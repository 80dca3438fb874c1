package sklearn

import (
	"fmt"
	"math"
	"slices"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// categories reads one list of constants per column.
func (a *attributes) categories(in matrix) [][]program.Constant {
	items := a.list("categories_")
	if a.err == nil && len(items) != len(in) {
		a.mismatch("categories_", fmt.Sprintf("%d lists", len(items)), fmt.Sprintf("the estimator is given %d columns", len(in)))
	}
	if a.err != nil {
		return nil
	}
	out := make([][]program.Constant, len(items))
	total := 0
	for i, item := range items {
		array, ok := item.(*pickle.Array)
		if ok && len(array.Shape) == 1 {
			out[i], ok = constants(array)
		} else {
			ok = false
		}
		if !ok {
			a.refuse("unsupported-value", "categories_", show(item), "numbers, strings, booleans, None and NaN are understood as categories")
			return nil
		}
		if total += len(out[i]); total > maxConstants {
			a.refuse("budget", "categories_", "", fmt.Sprintf("an encoder may have at most %d categories", maxConstants))
			return nil
		}
		seen := make(map[program.Constant]bool, len(out[i]))
		for _, c := range out[i] {
			if seen[c] {
				a.mismatch("categories_", c.String(), "a category stands twice")
				return nil
			}
			seen[c] = true
		}
	}
	return out
}

// grouping tells for every category of one column which of the encoded values it becomes: its own place, or that
// of the group of infrequent ones.
type grouping struct {
	place      []int // per category
	values     int   // how many encoded values there are
	infrequent int   // the place of the group; -1 without one
}

// groupings reads how infrequent categories were put together. Encoders before 1.1 do not have that.
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

// grouped reads the grouping of one column with n categories.
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

// integers reads a list of whole numbers, nil where it is none.
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

// Places of a category that an encoder does not place.
const (
	zeros  = -1 // no output is set
	refuse = -2 // the row cannot be scored
)

// oneHotEncoder compiles one register per encoded value, of which at most one is 1.
func (c *compiler) oneHotEncoder(a *attributes, in matrix) matrix {
	a.reads(in)
	categories := a.categories(in)
	groups := a.groupings(categories)
	dropped := a.dropped(groups)
	handle := a.text("handle_unknown", "error")
	if !slices.Contains([]string{"error", "ignore", "infrequent_if_exist", "warn"}, handle) {
		a.unknown("handle_unknown", handle)
	}
	if a.err != nil {
		return nil
	}
	// "warn" promises the same as infrequent_if_exist, but gave all zeros until 1.8.
	toGroup := handle == "infrequent_if_exist" || handle == "warn" && a.version() >= parseVersion("1.8")
	s := &oneHot{in: in, columns: c.b.Origins(in)}
	for i, g := range groups {
		unknown := zeros
		switch {
		case handle == "error":
			unknown = refuse
		case toGroup && g.infrequent >= 0:
			unknown = g.infrequent
		}
		places := append(slices.Clone(g.place), unknown)
		values := g.values
		if dropped[i] >= 0 {
			values--
			drop(places, dropped[i])
		}
		c.b.Categorical(in[i])
		s.lookups = append(s.lookups, c.b.Lookup(in[i], categories[i]))
		s.places = append(s.places, places)
		block := make(matrix, values)
		for k := range block {
			block[k] = c.b.New(in[i])
		}
		s.blocks = append(s.blocks, block)
		s.out = append(s.out, block...)
	}
	c.b.Add(c.stepName(a), s)
	return s.out
}

// drop takes one encoded value out: it becomes all zeros and those behind it move up.
func drop(places []int, dropped int) {
	for k, p := range places {
		switch {
		case p == dropped:
			places[k] = zeros
		case p > dropped:
			places[k]--
		}
	}
}

// dropped reads which encoded value of each column is left out, -1 for none. Since 1.2 the attribute counts after
// the grouping of infrequent categories; before, there was no grouping in most files and the two are the same.
func (a *attributes) dropped(groups []grouping) []int {
	out := make([]int, len(groups))
	for i := range out {
		out[i] = -1
	}
	name := "_drop_idx_after_grouping"
	grouped := a.has(name)
	if !grouped {
		name = "drop_idx_"
	}
	v := a.optional(name)
	if v == nil {
		if a.optional("drop") != nil {
			a.mismatch(name, "None", "the parameter drop is set")
		}
		return out
	}
	items, ok := listItems(v)
	if !ok || len(items) != len(groups) {
		a.mismatch(name, show(v), "one entry per column is expected")
		return out
	}
	for i, item := range items {
		if item == nil {
			continue
		}
		n, ok := integer(item)
		if !ok || n < 0 || int(n) >= groups[i].values {
			a.mismatch(name, show(item), "there is no such category")
			return out
		}
		out[i] = int(n)
	}
	return out
}

type oneHot struct {
	in, out matrix
	columns []int16
	lookups []*program.Lookup
	places  [][]int // per column: place per category, and at the end that of an unknown one
	blocks  []matrix
}

func (s *oneHot) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for _, r := range s.out {
			row[r] = 0
		}
		for j, r := range s.in {
			places := s.places[j]
			k := s.lookups[j].Of(row[r])
			if k < 0 {
				k = len(places) - 1
			}
			switch p := places[k]; p {
			case zeros:
			case refuse:
				f.Fail(i, program.UnknownCategory, s.columns[j])
			default:
				row[s.blocks[j][p]] = 1
			}
		}
	}
}

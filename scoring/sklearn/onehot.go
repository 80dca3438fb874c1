package sklearn

import (
	"slices"

	"fraudstream/scoring/program"
)

// Places of a category that an encoder does not place. They share a type with the places themselves, which are
// never negative.
const (
	zeros  = -1 // no output is set
	refuse = -2 // the row cannot be scored
)

// oneHotEncoder compiles one register per encoded value, of which at most one is 1.
//
// All that the encoder does with a category is settled here: grouping of infrequent ones, the value that is dropped,
// and what becomes of a value that training did not know. A row then costs a lookup and a store per column.
//
// categories_ is a list of a vector per column. sparse, sparse_output and dtype change how ones and zeros are
// stored; min_frequency and max_categories have left their groups, drop its indices. The outputs of a column
// stand together, in the order of its categories, the group of infrequent ones last. handle_unknown="error" makes
// a row with an unknown category a fault that names the column; "ignore" leaves its block zero.
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
		// An unknown value that is sent to the group moves up with it when a value before it is dropped.
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

// drop takes one encoded value out: it becomes all zeros and those behind it move up. refuse and zeros are below
// every place and stay as they are.
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
//
// drop_idx_ is an object array of an index or None per column, or None where nothing is dropped. With
// drop="if_binary" only columns of two values have an index.
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

// oneHot sets the register of the value that each column holds. The last of places[j] is the one that an unknown
// category of column j takes, whatever handle_unknown made of it.
type oneHot struct {
	in, out matrix
	columns []int16
	lookups []*program.Lookup
	places  [][]int // per column: place per category, and at the end that of an unknown one
	blocks  []matrix
}

// Run clears all registers of a row and sets one per column. A category of place zeros leaves its block empty, as
// the first category of a column does under drop="first".
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

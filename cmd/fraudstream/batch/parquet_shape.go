package batch

import (
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"fraudstream/scoring"
)

// A shape is how the columns of a table become the fields of an object. A Parquet file is a tree of columns, as an
// event is a tree of fields, and the trees are matched from the top: the path card.country is the column country in
// the group card, or else, as a flat export has it, the column called "card.country".
type shape struct {
	root   node
	leaves []int // indexes of the columns that are read, in the order in which the tree has them
}

// A node is one place of the tree. The levels are Parquet's (Dremel's): how many optional or repeated nodes on the way
// down to here are there, and how many are repeated.
//
// They stand beside every value of a leaf, and tell what no value is there for. Of an optional country in an optional
// group card, a definition level of 2 is a country, 1 a card whose country is null, and 0 no card at all. A
// repetition level of 0 begins a row; a higher one goes on with the list that is so deep, by another element. A leaf
// has index and write, the other kinds have fields: of an object all of them, of a list one, of a map two. Once made
// it is not changed, so any worker may write rows by it.
type node struct {
	kind       nodeKind
	optional   bool
	definition int // of a value that has this node
	repetition int // of a value that is another element of this node
	leaves     int // under it
	index      int // of a leaf among the table's columns
	fields     []field
	write      func(dst []byte, v parquet.Value) []byte // of a leaf
}

// A field is a node under a name. Elements of lists have none, and neither have keys and values of maps. The key is
// written out once, with quotes and colon, and copied for each row.
type field struct {
	name string
	key  []byte // "name":
	node node
}

// The kinds of nodes.
type nodeKind uint8

const (
	leafNode  nodeKind = iota
	groupNode          // an object of its fields
	arrayNode          // elements, each its only field
	mapNode            // entries, each a key and a value
)

// newShape picks what the inputs name. absent are the columns that the table lacks. Where the first name of a path is
// a column, that is taken with all that is in it; the flat name comes second. The fields have the order of the
// inputs. Several places may lie in one column, such as two fields of a group; it is read once. Columns that nothing
// reads cost nothing, for their pages are never asked for.
func newShape(root *parquet.Column, inputs []scoring.Place) (s *shape, absent []string, err error) {
	s = &shape{root: node{kind: groupNode}}
	times := map[string]scoring.Place{}
	for _, in := range inputs {
		if in.Time != "" {
			times[in.Column] = in
		}
	}
	taken := map[string]bool{}
	for _, in := range inputs {
		name, keys := in.Keys[0], in.Keys[:1]
		column := root.Column(name)
		if column == nil {
			name, keys = in.Column, in.Keys
			column = root.Column(name)
		}
		if column == nil {
			if !in.Optional && !slices.Contains(absent, in.Column) {
				absent = append(absent, in.Column)
			}
			continue
		}
		if taken[name] {
			continue
		}
		taken[name] = true
		n, err := newNode(column, name, 0, 0, times)
		if err != nil {
			return nil, nil, err
		}
		s.root.insert(keys, n)
	}
	s.leaves = s.root.number(nil)
	return s, absent, nil
}

// insert puts a node under keys, in objects that are made on the way: the column called "card.country" becomes a
// country in a card, as the path of the mapping expects it.
func (n *node) insert(keys []string, child node) {
	i := slices.IndexFunc(n.fields, func(f field) bool { return f.name == keys[0] })
	if i < 0 {
		i = len(n.fields)
		n.fields = append(n.fields, field{keys[0], append(appendText(nil, keys[0]), ':'), node{kind: groupNode}})
	}
	if len(keys) == 1 {
		n.fields[i].node = child
		return
	}
	n.fields[i].node.insert(keys[1:], child)
}

// number counts the leaves under the node and appends their indexes, in the order in which values of a row will
// stand. The order is fixed here, after all columns were found, since a flat column may come to stand in an object
// that was begun before.
func (n *node) number(list []int) []int {
	before := len(list)
	if n.kind == leafNode {
		list = append(list, n.index)
	}
	for i := range n.fields {
		list = n.fields[i].node.number(list)
	}
	n.leaves = len(list) - before
	return list
}

// newNode makes a node of a column, path being its name from the root. definition and repetition are those of its
// parent. Lists and maps are groups in groups, which Parquet's logical types tell from other groups; a repeated
// column without one is a list as well. An optional column adds one to the definition level of all that is in it, a
// repeated one adds one to both.
func newNode(column *parquet.Column, path string, definition, repetition int, times map[string]scoring.Place) (n node, err error) {
	if column.Repeated() {
		element, err := newElement(column, path, definition+1, repetition+1, times)
		return node{kind: arrayNode, definition: definition + 1, repetition: repetition + 1, fields: []field{{node: element}}}, err
	}
	if column.Optional() {
		definition++
	}
	n, err = newElement(column, path, definition, repetition, times)
	n.optional = column.Optional()
	return n, err
}

// newElement makes a node of a column that is there: whether it may be missing or repeated has been seen to.
func newElement(column *parquet.Column, path string, definition, repetition int, times map[string]scoring.Place) (n node, err error) {
	n = node{kind: groupNode, definition: definition, index: column.Index()}
	if column.Leaf() {
		n.kind = leafNode
		n.write, err = leafWriter(column.Type(), path, times)
		return n, err
	}
	children := column.Columns()
	if inner := onlyRepeated(children); inner != nil {
		switch logical := logicalType(column.Type()); logical.(type) {
		case *format.ListType:
			return newList(n, inner, path, repetition, times)
		case *format.MapType:
			return newMap(n, inner, path, repetition, times)
		}
	}
	for _, child := range children {
		c, err := newNode(child, path+"."+child.Name(), definition, repetition, times)
		if err != nil {
			return n, err
		}
		n.fields = append(n.fields, field{child.Name(), append(appendText(nil, child.Name()), ':'), c})
	}
	return n, nil
}

// onlyRepeated is the one child of a group that is a list or a map.
func onlyRepeated(children []*parquet.Column) *parquet.Column {
	if len(children) == 1 && children[0].Repeated() {
		return children[0]
	}
	return nil
}

// newList makes a list. Its repeated group has one column, the element; in files of old writers it is the element
// itself.
func newList(n node, inner *parquet.Column, path string, repetition int, times map[string]scoring.Place) (node, error) {
	n.kind = arrayNode
	outer := n.definition
	n.definition, n.repetition = outer+1, repetition+1
	var element node
	var err error
	if columns := inner.Columns(); !inner.Leaf() && len(columns) == 1 && !columns[0].Repeated() {
		element, err = newNode(columns[0], path, n.definition, n.repetition, times)
	} else {
		element, err = newElement(inner, path, n.definition, n.repetition, times)
	}
	n.fields = []field{{node: element}}
	return n, err
}

// newMap makes a map, whose keys must be text to become the names of an object's fields. Where a key comes twice the
// object has a name twice, which the corridor refuses: there is no telling which of the two values was meant.
func newMap(n node, inner *parquet.Column, path string, repetition int, times map[string]scoring.Place) (node, error) {
	n.kind = mapNode
	n.definition, n.repetition = n.definition+1, repetition+1
	columns := inner.Columns()
	if len(columns) != 2 || !columns[0].Leaf() || columns[0].Type().Kind() != parquet.ByteArray || !columns[0].Required() {
		return n, fmt.Errorf("column %s: a map whose keys are no text cannot be read", path)
	}
	for _, child := range columns {
		c, err := newNode(child, path, n.definition, n.repetition, times)
		if err != nil {
			return n, err
		}
		n.fields = append(n.fields, field{node: c})
	}
	return n, nil
}

// appendRow appends a row, whose values stand first in values, and returns the rest of them. A row has one value or
// more of every leaf, one leaf after the other; of each leaf only the first has the repetition level 0. The lists are
// views of values; nothing is copied.
//
// Of a sound file the leaves agree on what there is: a list has as many elements in each of them, and what is null to
// one is null to all. bad is a leaf that does not agree with those before it; the row is of no use then. To go on with
// what they agree on would score a row that nobody has written.
func (s *shape) appendRow(dst []byte, values []parquet.Value) (row []byte, rest []parquet.Value, bad *node) {
	columns := make([][]parquet.Value, 0, len(s.leaves))
	for range s.leaves {
		end := 1
		for end < len(values) && values[end].RepetitionLevel() > 0 {
			end++
		}
		columns, values = append(columns, values[:end]), values[end:]
	}
	dst, bad = s.root.append(dst, columns)
	return dst, values, bad
}

// append appends a node of which the leaves have these values: one list for each leaf under it, none of them empty.
// Where a node is null, all leaves under it have one value, with the level at which it ends. The value of a leaf has
// the leaf's own level, no other and no second one beside it.
func (n *node) append(dst []byte, columns [][]parquet.Value) (row []byte, bad *node) {
	there, bad := n.reached(columns, n.present())
	switch {
	case bad != nil:
		return dst, bad
	case !there && n.optional:
		return append(dst, "null"...), nil
	case !there:
		return dst, n.leaf(0)
	}
	switch n.kind {
	case leafNode:
		v := columns[0][0]
		if len(columns[0]) > 1 || v.DefinitionLevel() != n.definition {
			return dst, n
		}
		return n.write(dst, v), nil
	case groupNode:
		dst = append(dst, '{')
		for i := range n.fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			f := &n.fields[i]
			if dst, bad = f.node.append(append(dst, f.key...), columns[:f.node.leaves]); bad != nil {
				return dst, bad
			}
			columns = columns[f.node.leaves:]
		}
		return append(dst, '}'), nil
	default:
		return n.appendElements(dst, columns)
	}
}

// reached tells whether the leaves have values of a definition level or above. The first value of the first leaf says
// so, and bad is a leaf that says otherwise, or that has more than the one value that stands for none.
func (n *node) reached(columns [][]parquet.Value, level int) (there bool, bad *node) {
	there = columns[0][0].DefinitionLevel() >= level
	for i, column := range columns {
		if (column[0].DefinitionLevel() >= level) != there || !there && len(column) > 1 {
			return false, n.leaf(i)
		}
	}
	return there, nil
}

// leaf is the i-th leaf under the node.
func (n *node) leaf(i int) *node {
	for f := range n.fields {
		below := &n.fields[f].node
		if i < below.leaves {
			return below.leaf(i)
		}
		i -= below.leaves
	}
	return n
}

// present is the definition level of a value whose node is not null: a list without elements is there too.
func (n *node) present() int {
	if n.kind == arrayNode || n.kind == mapNode {
		return n.definition - 1
	}
	return n.definition
}

// appendElements appends the elements of a list, or the entries of a map. It cuts them off the front of every leaf's
// values: one whose repetition level is not above that of this list begins the next element. All leaves under a list
// have the same number of elements, as the format has it, so the first one says when it ends; of a damaged file one
// may have fewer or more.
func (n *node) appendElements(dst []byte, columns [][]parquet.Value) (row []byte, bad *node) {
	opening, closing := byte('['), byte(']')
	if n.kind == mapNode {
		opening, closing = '{', '}'
	}
	dst = append(dst, opening)
	if there, bad := n.reached(columns, n.definition); !there {
		return append(dst, closing), bad
	}
	rest := slices.Clone(columns)
	element := make([][]parquet.Value, len(columns))
	for first := true; len(rest[0]) > 0; first = false {
		for i, column := range rest {
			if len(column) == 0 {
				return dst, n.leaf(i)
			}
			end := 1
			for end < len(column) && column[end].RepetitionLevel() > n.repetition {
				end++
			}
			element[i], rest[i] = column[:end], column[end:]
		}
		if !first {
			dst = append(dst, ',')
		}
		of := element
		if n.kind == mapNode {
			if dst, bad = n.fields[0].node.append(dst, element[:1]); bad != nil {
				return dst, bad
			}
			dst, of = append(dst, ':'), element[1:]
		}
		if dst, bad = n.fields[len(n.fields)-1].node.append(dst, of); bad != nil {
			return dst, bad
		}
	}
	for i := range rest {
		if len(rest[i]) > 0 {
			return dst, n.leaf(i)
		}
	}
	return append(dst, closing), nil
}

// logicalType is what a column's bytes mean; nil where nothing is said. Files of old writers have none; see
// converted.
func logicalType(t parquet.Type) format.LogicalTypeValue {
	if logical := t.LogicalType(); logical != nil {
		return logical.Value
	}
	return nil
}

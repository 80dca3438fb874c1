package scoring

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A step of a path is the key of an object, or an index where index is not -1.
// Either is enough to find the next value: in an object by name, in an array by place, counted from 0.
type step struct {
	name  string
	index int
}

// parsePath reads a path: keys joined by dots, a key with other characters in quotes, [n] for an element of an array.
//
//	customer.address.country
//	items[0].price
//	"card.number".issuer
//
// are three such paths; the quotes of the last one keep a dot that belongs to the key, and their inside has the
// escapes of a Go string.
func parsePath(path string) ([]step, error) {
	var steps []step
	rest := path
	for {
		switch {
		case strings.HasPrefix(rest, `"`):
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, fmt.Errorf("path %s: a quote is not closed", path)
			}
			name, err := strconv.Unquote(quoted)
			if err != nil {
				return nil, fmt.Errorf("path %s: %s is no quoted key", path, quoted)
			}
			steps, rest = append(steps, step{name, -1}), rest[len(quoted):]
		default:
			n := strings.IndexAny(rest, `.[]"`)
			if n < 0 {
				n = len(rest)
			}
			if n == 0 {
				return nil, fmt.Errorf("path %q: a key is empty (write \"\" in quotes if it is)", path)
			}
			steps, rest = append(steps, step{rest[:n], -1}), rest[n:]
		}
		for strings.HasPrefix(rest, "[") {
			index, after, err := parseIndex(rest)
			if err != nil {
				return nil, fmt.Errorf("path %s: %w", path, err)
			}
			steps, rest = append(steps, step{"", index}), after
		}
		if rest == "" {
			return steps, nil
		}
		if rest[0] != '.' {
			return nil, fmt.Errorf("path %s: a dot is expected before %s", path, rest)
		}
		rest = rest[1:]
	}
}

// parseIndex reads the [n] that rest begins with. The index fits 31 bits on every platform, more than an event
// of 1 MiB could have elements.
func parseIndex(rest string) (index int, after string, err error) {
	digits, after, closed := strings.Cut(rest[1:], "]")
	n, err := strconv.ParseUint(digits, 10, 31)
	if !closed || err != nil {
		return 0, "", errors.New("[ needs an index and ]")
	}
	return int(n), after, nil
}

// paths is a tree of all the paths that a schema reads. Node 0 is nowhere: what no path leads to. It is built
// once at load and shared by all scanners, which only read it. A scan walks the tree as it walks the value, so
// a path costs nothing where the value has no such branch.
type paths struct {
	nodes []node
	slots int
}

// rootNode is the value as a whole.
const rootNode = 1

// A node is a place in the value that some path ends at or leads through. The scan reads slot, inner and keys for
// every value and the rest seldom.
type node struct {
	slot   int32 // where the scan leaves the token; -1: no path ends here
	inner  bool  // paths lead on
	first  int32 // the slots of the paths that end here or lead on: first ≤ slot < beyond
	beyond int32
	keys   keyTable
	items  []item
	names  []step  // the children in the order of their first path
	nodes  []int32 // likewise
}

// An item is a child by its index. Paths name few, so they are searched in line.
type item struct {
	index int
	node  int32
}

// newPaths joins paths to a tree; slots tells where the token of each will be. A node where a path ends gets
// slot 0 first, which says only that it needs one; the numbers come when the tree is whole.
func newPaths(list [][]step) (p *paths, slots []int32) {
	p = &paths{nodes: []node{{slot: -1}, {slot: -1}}}
	ends := make([]int32, len(list))
	for i, steps := range list {
		at := int32(rootNode)
		for _, s := range steps {
			at = p.child(at, s)
		}
		p.nodes[at].slot = 0
		ends[i] = at
	}
	p.number(rootNode)
	slots = make([]int32, len(list))
	for i, end := range ends {
		slots[i] = p.nodes[end].slot
	}
	return p, slots
}

// child returns the child of a node, which it adds where it is new. The children are searched in line: this is
// done once, at load.
func (p *paths) child(parent int32, s step) int32 {
	n := &p.nodes[parent]
	for i, other := range n.names {
		if other == s {
			return n.nodes[i]
		}
	}
	child := int32(len(p.nodes))
	n.inner = true
	n.names, n.nodes = append(n.names, s), append(n.nodes, child)
	if s.index >= 0 {
		n.items = append(n.items, item{s.index, child})
	} else {
		n.keys.insert(s.name, child)
	}
	p.nodes = append(p.nodes, node{slot: -1})
	return child
}

// number gives slots depth first, so that those under a node are neighbours. Then "everything below this node"
// is a range of slots, which is all that marking a blocked path needs.
func (p *paths) number(at int32) {
	n := &p.nodes[at]
	n.first = int32(p.slots)
	if n.slot >= 0 {
		n.slot = int32(p.slots)
		p.slots++
	}
	for _, child := range n.nodes {
		p.number(child)
	}
	n.beyond = int32(p.slots)
}

// item returns the node of an element of an array.
func (p *paths) item(parent int32, index int) int32 {
	for _, it := range p.nodes[parent].items {
		if it.index == index {
			return it.node
		}
	}
	return 0
}

package pickle

import "slices"

// Three things make a graph of values dangerous to read, and none of them can be seen while it is built, since a list
// may be filled after it has been put in its place. A value that holds itself sends a plain recursion round for ever.
// Ten thousand nested lists exhaust its stack. And sixty lists, each holding the one before twice, are sixty values to
// the memo and 2^60 to whoever walks them.

// A graphWalk looks once at every container that can be reached from the root. Memoised values are shared, so the
// values form a graph, not a tree; what walks it as a tree later meets each value once per path. The figures of
// a finished container are kept, so that the walk itself is linear in what the file holds, however often the
// container is shared.
type graphWalk struct {
	limits Limits
	seen   map[Value]extent
	path   []step
}

// extent is what is known of a container. expanded cannot overflow: it is compared with the limit after each
// addition, and every addend has passed that comparison.
type extent struct {
	open     bool // the walk is inside it
	depth    int  // of the deepest chain of containers below, itself included
	expanded int  // values met when it is walked as a tree
}

// step is a container on the path from the root.
type step struct {
	value Value
	next  int // the child to visit next
	extent
}

// checkGraph refuses values that hold themselves, that are nested too deeply, that stand for too many values, and
// arrays that never had a state. It is a loop with a path of its own, since nesting is what it is there to
// bound. What it lets pass may be read by recursion without a count or a set of what has been seen, and that is
// how every compiler reads it.
func checkGraph(root Value, l Limits) error {
	w := graphWalk{limits: l, seen: map[Value]extent{}}
	if err := w.enter(root); err != nil {
		return err
	}
	for len(w.path) > 0 {
		top := &w.path[len(w.path)-1]
		if next, ok := child(top.value, top.next); ok {
			top.next++
			if err := w.enter(next); err != nil {
				return err
			}
			continue
		}
		w.path = w.path[:len(w.path)-1]
		done := extent{depth: top.depth + 1, expanded: top.expanded + 1}
		w.seen[top.value] = done
		if err := w.absorb(done); err != nil {
			return err
		}
	}
	return nil
}

// enter visits a value: a container goes onto the path unless it has been walked. Numbers, text and arrays of
// numbers hold no other value: they count as one and are not gone into.
func (w *graphWalk) enter(v Value) error {
	switch v := v.(type) {
	case *List, *Tuple, *Set, *Dict, *Object:
	case *Array:
		if v.Type == nil {
			return refuse(ReasonCorrupt, int(v.Offset), "an array without a state")
		}
		if v.Type.Kind != 'O' {
			return w.absorb(extent{expanded: 1})
		}
	case *DType:
		if !v.built {
			return refuse(ReasonCorrupt, w.offset(), "a dtype without a state")
		}
		return w.absorb(extent{expanded: 1})
	default:
		return w.absorb(extent{expanded: 1})
	}
	if known, ok := w.seen[v]; ok {
		if known.open {
			return refuse(ReasonCycle, w.offset(), "a %s holds itself", typeName(v))
		}
		return w.absorb(known)
	}
	if len(w.path) == w.limits.Depth {
		return w.tooDeep()
	}
	w.seen[v] = extent{open: true}
	w.path = append(w.path, step{value: v})
	return nil
}

// absorb adds a finished value to the container that holds it. Its depth counts from here on down, so a shared
// value is deep enough or too deep according to the place where it is met.
func (w *graphWalk) absorb(done extent) error {
	if len(w.path) == 0 {
		return nil
	}
	top := &w.path[len(w.path)-1]
	top.depth = max(top.depth, done.depth)
	top.expanded += done.expanded
	if top.expanded > w.limits.Expanded {
		return refuse(ReasonMemoBomb, w.offset(), "shared references stand for more than %d values", w.limits.Expanded)
	}
	if len(w.path)+done.depth > w.limits.Depth {
		return w.tooDeep()
	}
	return nil
}

// tooDeep points at the innermost object, which is where a reader of the file would look.
func (w *graphWalk) tooDeep() error {
	return refuse(ReasonDepth, w.offset(), "values nested more than %d deep", w.limits.Depth)
}

// offset returns where the innermost object or array on the path began, or -1. Lists and dicts have no offset
// of their own; the object around them is what a person can find in a listing of the file.
func (w *graphWalk) offset() int {
	for _, s := range slices.Backward(w.path) {
		switch v := s.value.(type) {
		case *Object:
			return int(v.Offset)
		case *Array:
			return int(v.Offset)
		}
	}
	return -1
}

// child returns the i-th value that a container holds. Keys count: a tuple can be one. The parts of an object
// have fixed places: state, pairs, arguments, items. A place without a value gives None, which counts as one
// and does no harm.
func child(v Value, i int) (Value, bool) {
	switch v := v.(type) {
	case *List:
		return item(v.Items, i)
	case *Tuple:
		return item(v.Items, i)
	case *Set:
		return item(v.Items, i)
	case *Array:
		return item(v.Objects, i)
	case *Dict:
		if i < len(v.Keys) {
			return v.Keys[i], true
		}
		return item(v.Values, i-len(v.Keys))
	case *Object:
		switch i {
		case 0:
			return v.State, true
		case 1:
			if v.Pairs != nil {
				return v.Pairs, true
			}
			return nil, true
		}
		if i -= 2; i < len(v.Args) {
			return v.Args[i], true
		}
		return item(v.Items, i-len(v.Args))
	}
	return nil, false
}

// item returns items[i], and false past the end.
func item(items []Value, i int) (Value, bool) {
	if i >= len(items) {
		return nil, false
	}
	return items[i], true
}

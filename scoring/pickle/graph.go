package pickle

// A graphWalk looks once at every value that can be reached from the root. Memoised values are shared, so the values
// form a graph, not a tree; what walks it as a tree later meets each value once per path.
type graphWalk struct {
	limits Limits
	seen   map[Value]measure
	path   []step
}

// measure is what is known of a container: open while the walk is inside it.
type measure struct {
	open     bool
	depth    int // of the deepest chain of containers below, itself included
	expanded int // values met when it is walked as a tree, saturating at the limit
}

// step is a container on the path from the root, with what is left to visit in it.
type step struct {
	value    Value
	children []Value
	measure
}

// checkGraph refuses values that hold themselves, that are nested too deeply, that stand for too many values, and
// arrays that never had a state. It is a loop with a path of its own, since nesting is what it is there to bound.
func checkGraph(root Value, l Limits) error {
	w := graphWalk{limits: l, seen: map[Value]measure{}}
	if err := w.enter(root); err != nil {
		return err
	}
	for len(w.path) > 0 {
		top := &w.path[len(w.path)-1]
		if len(top.children) > 0 {
			child := top.children[0]
			top.children = top.children[1:]
			if err := w.enter(child); err != nil {
				return err
			}
			continue
		}
		w.path = w.path[:len(w.path)-1]
		done := measure{depth: top.depth + 1, expanded: top.expanded + 1}
		w.seen[top.value] = done
		if err := w.absorb(done); err != nil {
			return err
		}
	}
	return nil
}

// enter visits a value: a container goes onto the path unless it has been walked.
func (w *graphWalk) enter(v Value) error {
	children, container, err := contents(v)
	if err != nil {
		return err
	}
	if !container {
		return w.absorb(measure{expanded: 1})
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
	w.seen[v] = measure{open: true}
	w.path = append(w.path, step{value: v, children: children})
	return nil
}

// absorb adds a finished value to the container that holds it.
func (w *graphWalk) absorb(done measure) error {
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

func (w *graphWalk) tooDeep() error {
	return refuse(ReasonDepth, w.offset(), "values nested more than %d deep", w.limits.Depth)
}

// offset returns where the innermost object or array on the path began, or -1.
func (w *graphWalk) offset() int {
	for i := len(w.path) - 1; i >= 0; i-- {
		switch v := w.path[i].value.(type) {
		case *Object:
			return int(v.Offset)
		case *Array:
			return int(v.Offset)
		}
	}
	return -1
}

// contents returns what a container holds, and whether it is one. Dict keys count: a tuple can be one.
func contents(v Value) (children []Value, container bool, err error) {
	switch v := v.(type) {
	case *List:
		return v.Items, true, nil
	case *Tuple:
		return v.Items, true, nil
	case *Set:
		return v.Items, true, nil
	case *Dict:
		return append(append([]Value(nil), v.Keys...), v.Values...), true, nil
	case *Object:
		children = append(append(append(children, v.Args...), v.Items...), v.State)
		if v.Pairs != nil {
			children = append(children, v.Pairs)
		}
		return children, true, nil
	case *Array:
		if v.Type == nil {
			return nil, false, refuse(ReasonCorrupt, int(v.Offset), "an array without a state")
		}
		return v.Objects, true, nil
	case *DType:
		if !v.built {
			return nil, false, refuse(ReasonCorrupt, -1, "a dtype without a state")
		}
	}
	return nil, false, nil
}

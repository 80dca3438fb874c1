package pickle

import "errors"

// maxRefused is how many refused names are listed; a pipeline of one's own has a few, a hostile file may have millions.
const maxRefused = 100

// refusedNames are the names that the allow-list has refused, each once, at the place where it stands first.
type refusedNames struct {
	list []*SyntaxError
	seen map[string]bool
}

// note adds the refusal of a name.
func (r *refusedNames) note(g Global, err error) {
	refusal, ok := errors.AsType[*SyntaxError](err)
	if name := clip(g.String()); ok && len(r.list) < maxRefused && !r.seen[name] {
		r.seen[name] = true
		r.list = append(r.list, refusal)
	}
}

// Inspect reads a file within the same limits as [Decode], and lists everything for which Decode refuses it. A name that
// is refused stands for a class without meaning, and what is called by it for an inert [Object]: so nothing runs here
// either, whatever the name. The value is for showing what a file holds, and never for scoring.
//
// It is nil where the file cannot be read to its end. Why not is told only of a file without refused names: after one,
// the fault may be that something else stands in its place.
func Inspect(data []byte, l Limits) (Value, []*SyntaxError) {
	names := &refusedNames{seen: make(map[string]bool)}
	v, err := decode(data, l, names)
	if fault, ok := errors.AsType[*SyntaxError](err); ok && len(names.list) == 0 {
		return nil, []*SyntaxError{fault}
	}
	return v, names.list
}

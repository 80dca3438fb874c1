package main

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// strict walks a parsed file beside the tree of keys. The decoder would refuse an unknown key too, but it knows neither
// what is near it nor the second one; it takes any word where only a few mean something, and cuts the fraction off a
// number where it wants a whole one.
//
// All that is wrong is collected: whoever repairs a file wants to see every line of it at once. The lines of the keys
// are kept, for what is found later: validate speaks of keys, and locate says where they stand.
type strict struct {
	root   *configKey
	wrong  []string              // one line each: LINE: what
	lines  map[string]int        // of every key that the file has, by its path
	given  map[string]ast.Node   // the value of each, by the same path, as config print looks for references in it
	wanted map[string]*configKey // what each may be

	anchors []*ast.AnchorNode // of the file, in its order
	within  map[string]bool   // anchors whose values are being walked for an alias
}

// checkKeys walks the body of a document, whose references have been replaced, beside the tree of all keys. What is
// found is in the result's wrong; an empty list means that the decoder will meet no key that it does not know.
func checkKeys(body ast.Node) *strict {
	s := &strict{root: configKeys(), lines: map[string]int{}, given: map[string]ast.Node{}, wanted: map[string]*configKey{}, within: map[string]bool{}}
	ast.Walk(visit(func(n ast.Node) {
		if anchor, ok := n.(*ast.AnchorNode); ok {
			s.anchors = append(s.anchors, anchor)
		}
	}), body)
	s.walk(s.root, "", body)
	return s
}

// walk checks what stands at a key; at is the key's path in this file, in which maps have their own names. Anchors and
// tags are looked through. What an alias stands for, or a merge key (<<) brings in, is walked again at the place that
// takes it: another key may want another value, and config print has to know where each is from.
func (s *strict) walk(k *configKey, at string, node ast.Node) {
	switch n := node.(type) {
	case *ast.AnchorNode:
		s.walk(k, at, n.Value)
	case *ast.TagNode:
		s.tagged(at, n)
		s.walk(k, at, n.Value)
	case *ast.AliasNode:
		s.behind(n, func(value ast.Node) { s.walk(k, at, value) })
	case *ast.MappingNode:
		for _, entry := range n.Values {
			s.entry(k, at, entry)
		}
	case *ast.MappingValueNode:
		s.entry(k, at, n)
	case ast.ScalarNode:
		s.word(k, at, n)
		s.finite(k, at, n)
		s.whole(k, at, n)
		s.duration(k, at, n)
	}
}

// entry checks one key and goes down. Below a value there is nothing to know: a map of words has any names. A key
// whose name comes from a map, such as a feature's, has its own name in the path and the tree's * in the key.
func (s *strict) entry(parent *configKey, at string, entry *ast.MappingValueNode) {
	if _, merge := entry.Key.(*ast.MergeKeyNode); merge {
		s.walk(parent, at, entry.Value)
		return
	}
	if parent.keys == nil {
		return
	}
	token := entry.Key.GetToken()
	name, line := token.Value, token.Position.Line
	k := parent.below(name)
	if k == nil {
		s.wrong = append(s.wrong, fmt.Sprintf("%d: %s", line, s.unknown(parent, name)))
		return
	}
	path := name
	if at != "" {
		path = at + "." + name
	}
	s.lines[path], s.given[path], s.wanted[path] = line, entry.Value, k
	s.walk(k, path, entry.Value)
}

// behind calls visit with the value that an alias stands for: that of the last anchor of its name before it. One that
// stands within its own value has none, and neither has one without an anchor, which the decoder refuses.
func (s *strict) behind(alias *ast.AliasNode, visit func(ast.Node)) {
	name := alias.Value.GetToken().Value
	for _, anchor := range slices.Backward(s.anchors) {
		if anchor.Name.GetToken().Value != name || !before(lineAndColumn(anchor.GetToken()), lineAndColumn(alias.GetToken())) {
			continue
		}
		if !s.within[name] {
			s.within[name] = true
			visit(anchor.Value)
			delete(s.within, name)
		}
		return
	}
}

// tagged checks that what a tag calls a number is one: the decoder would make 0 of anything else.
func (s *strict) tagged(at string, n *ast.TagNode) {
	scalar, ok := unanchored(n.Value).(ast.ScalarNode)
	if !ok {
		return
	}
	var err error
	switch text := fmt.Sprint(scalar.GetValue()); token.ReservedTagKeyword(n.Start.Value) {
	case token.IntegerTag:
		_, err = strconv.Atoi(text)
	case token.FloatTag:
		_, err = strconv.ParseFloat(text, 64)
	}
	if err != nil {
		s.wrong = append(s.wrong, fmt.Sprintf("%d: %s: the tag %s says a number, and this is none that it takes", n.GetToken().Position.Line, at, n.Start.Value))
	}
}

// unknown says what may be meant: a key at this place, or the same one, or a near one, at another. The place goes
// first, since most wrong keys are misspelt and few are misplaced.
func (s *strict) unknown(parent *configKey, name string) string {
	var here, names, paths []string
	for _, k := range parent.keys {
		here = append(here, k.name)
	}
	s.root.all(func(k *configKey) bool {
		names, paths = append(names, k.name), append(paths, k.path)
		return true
	})
	if near := nearest(name, here); near != "" {
		return fmt.Sprintf("unknown key %q; did you mean %q?", name, near)
	}
	near := nearest(name, names)
	for i := range names {
		switch {
		case near == "" || names[i] != near:
		case near == name:
			return fmt.Sprintf("unknown key %q at this place; it belongs to another one, such as %s", name, paths[i])
		default:
			return fmt.Sprintf("unknown key %q; did you mean %s?", name, paths[i])
		}
	}
	return fmt.Sprintf("unknown key %q; fraudstream config schema prints those that there are", name)
}

// word checks a value that is one of a few. An empty one, or null, is a key that was left out. References have been
// replaced by then, so a variable with a wrong word is found here as well; conceal takes it out of the message.
func (s *strict) word(k *configKey, at string, n ast.ScalarNode) {
	words := k.words()
	if words == nil {
		return
	}
	given := fmt.Sprint(n.GetValue())
	if n.Type() == ast.NullType {
		given = "null"
	}
	for _, w := range words {
		if w == given || given == "" {
			return
		}
	}
	if given == "null" {
		return // a key without a value is one that is left out
	}
	said := fmt.Sprintf("%d: %s: %q is none of %s", n.GetToken().Position.Line, at, given, strings.Join(words, ", "))
	if near := nearest(given, words); near != "" {
		said += fmt.Sprintf("; did you mean %q?", near)
	}
	s.wrong = append(s.wrong, said)
}

// finite checks that a number is one. YAML has words for infinity and for what is no number (NaN), which the decoder
// takes: of a whole number it would make the least that there is, and a limit of NaN is never passed, since every
// comparison with it is false.
func (s *strict) finite(k *configKey, at string, n ast.ScalarNode) {
	kind := k.kind.Kind()
	number, ok := n.GetValue().(float64)
	if !ok || k.text || k.kind == reflect.TypeFor[time.Duration]() || kind < reflect.Int || kind > reflect.Float64 || !math.IsNaN(number) && !math.IsInf(number, 0) {
		return
	}
	s.wrong = append(s.wrong, fmt.Sprintf("%d: %s: %v is no finite number", n.GetToken().Position.Line, at, number))
}

// whole checks that a number has no fraction where the decoder would cut it off: 1.5 rows are a mistake, and not 1. A
// number of the file that is whole but written as 1e3 is taken.
func (s *strict) whole(k *configKey, at string, n ast.ScalarNode) {
	number, ok := n.GetValue().(float64)
	if !ok || !k.kind.ConvertibleTo(reflect.TypeFor[int64]()) || k.kind.Kind() == reflect.Float64 || number == math.Trunc(number) || math.IsNaN(number) {
		return
	}
	s.wrong = append(s.wrong, fmt.Sprintf("%d: %s: %v is no whole number", n.GetToken().Position.Line, at, number))
}

// locate gives the text of an error as decode reports it, LINE: text, or a blank and the text where there is no line.
// It puts the line of the key in front that an error begins with: "drift.features: country: …" is about
// drift.features.country. An error about nothing in the file stays as it is, as does one about a default: that has no
// line. A first word that happens to be a section's name ("drift cannot …") is no key; it has a blank behind it and
// no colon. The longest path wins that the file has a line for.
func (s *strict) locate(err error) string {
	text, path, line := err.Error(), "", 0
	for rest := text; ; {
		end := strings.IndexAny(rest, ".: ")
		if end <= 0 {
			break
		}
		next := rest[:end]
		if path != "" {
			next = path + "." + next
		}
		found, ok := s.lines[next]
		if !ok || rest[end] == ' ' && path == "" { // the first word of a sentence
			break
		}
		path, line, rest = next, found, strings.TrimLeft(rest[end:], ".: ")
	}
	if line == 0 {
		return " " + text
	}
	return fmt.Sprintf("%d: %s", line, text)
}

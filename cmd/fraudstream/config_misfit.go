package main

import (
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// misfit gives the text of the decoder's error as decode reports it. Where a value is of another type than its key
// takes, the decoder names its own types and the place; here the key is named and what it takes, which is what whoever
// repairs the file knows. Of a number that is too large likewise. Any other error stays as it is.
func (s *strict) misfit(err error) string {
	var at *token.Token
	var mistyped *yaml.TypeError
	var misplaced *yaml.UnexpectedNodeTypeError
	var overflow *yaml.OverflowError
	switch {
	case errors.As(err, &mistyped):
		at = mistyped.Token
	case errors.As(err, &misplaced):
		at = misplaced.Token
	case errors.As(err, &overflow):
		at = overflow.Token
	}
	path := s.around(at)
	if path == "" {
		return " " + plain(err)
	}
	k, node := s.wanted[path], s.given[path]
	switch {
	case overflow != nil:
		return fmt.Sprintf("%d: %s: the number is too large", at.Position.Line, path)
	case k.many() && lineAndColumn(at) != lineAndColumn(node.GetToken()): // it is one of them that does not fit
		return fmt.Sprintf("%d: %s: %s is wanted for each of them", at.Position.Line, path, newConfigKey("", "", k.kind.Elem()).wants())
	}
	return fmt.Sprintf("%d: %s: %s is wanted here, and this is %s", at.Position.Line, path, k.wants(), called(node))
}

// around is the path of the innermost value of the file that begins at or before a token; empty where there is none.
func (s *strict) around(at *token.Token) (path string) {
	if at == nil {
		return ""
	}
	nearest := [2]int{}
	for p, node := range s.given {
		begins := lineAndColumn(node.GetToken())
		if !before(lineAndColumn(at), begins) && !before(begins, nearest) && (begins != nearest || len(p) > len(path) || len(p) == len(path) && p < path) {
			path, nearest = p, begins
		}
	}
	return path
}

// lineAndColumn is the line and the column of a token.
func lineAndColumn(t *token.Token) [2]int { return [2]int{t.Position.Line, t.Position.Column} }

// before compares two places.
func before(a, b [2]int) bool { return a[0] < b[0] || a[0] == b[0] && a[1] < b[1] }

// duration checks a length of time, for whose faults the decoder has neither key nor line.
func (s *strict) duration(k *configKey, at string, n ast.ScalarNode) {
	if k.kind != reflect.TypeFor[time.Duration]() || n.Type() == ast.NullType {
		return
	}
	text, ok := n.GetValue().(string)
	if ok {
		_, err := time.ParseDuration(text)
		ok = err == nil
	}
	if !ok {
		s.wrong = append(s.wrong, fmt.Sprintf("%d: %s: %v is no length of time such as 500ms, 30s or 8760h", n.GetToken().Position.Line, at, n.GetValue()))
	}
}

// many says whether a value is a list, or values by name.
func (k *configKey) many() bool {
	return !k.text && k.keys == nil && (k.kind.Kind() == reflect.Slice || k.kind.Kind() == reflect.Map)
}

// wants is what a key takes, in words.
func (k *configKey) wants() string {
	switch kind := k.kind.Kind(); {
	case k.text:
		return "a text"
	case k.keys != nil && k.keys[0].name == "*":
		return "a section with an entry for each name"
	case k.keys != nil:
		return "a section with keys such as " + k.keys[0].name
	case k.kind == reflect.TypeFor[time.Duration]():
		return "a length of time such as 30s"
	case k.many() && kind == reflect.Map:
		return "a section of names and values"
	case k.many():
		return "a list such as [a, b]"
	case kind == reflect.Bool:
		return "true or false"
	case kind >= reflect.Int && kind <= reflect.Uint64:
		return "a whole number"
	case kind == reflect.Float32 || kind == reflect.Float64:
		return "a number"
	}
	return "a text"
}

// called is what a value of the file is, in words and never itself: it may be a secret.
func called(node ast.Node) string {
	switch n := node.(type) {
	case *ast.AnchorNode:
		return called(n.Value)
	case *ast.TagNode:
		return called(n.Value)
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a section with keys"
	case *ast.SequenceNode:
		return "a list"
	case *ast.BoolNode:
		return "true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.StringNode, *ast.LiteralNode:
		return "a text"
	}
	return "something else"
}

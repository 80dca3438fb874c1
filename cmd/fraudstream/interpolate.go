package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// reference is ${env:NAME}, ${env:NAME:-default} or ${file:path}. A closing brace ends it, so neither a name nor a
// default nor a path can hold one.
var reference = regexp.MustCompile(`\$\{(env|file):([^}]*)\}`)

// interpolate replaces references in the values of a parsed configuration. It works on the parsed tree and not on the
// text, so that what a variable holds can never become YAML structure; a plain value that is one reference alone may
// turn into a number or a boolean, a quoted one stays text. What was replaced is returned, so that no message need
// hold it. The first reference that cannot be replaced ends it, with the line that it stands in; the tree is of no
// use then.
func interpolate(file *ast.File) ([]expanded, error) {
	r := &replacer{texts: map[*ast.StringNode]bool{}}
	for _, doc := range file.Docs {
		if doc.Body != nil {
			ast.Walk(r, doc.Body)
		}
	}
	return r.done, r.err
}

// expanded is a value with references, and what they stood for: kept for messages, which must show the former in
// place of the latter, and found again by its line. The value may be a secret, and is never printed.
type expanded struct {
	reference, value string
	line             int
}

// replacer walks the tree and keeps the first error: a walk cannot be broken off otherwise.
type replacer struct {
	done  []expanded
	texts map[*ast.StringNode]bool // that stay texts, whatever is in them
	err   error
}

// Visit replaces scalar values in place, wherever the tree has one: in mappings, in sequences, behind an anchor or a tag,
// in a block of lines. Keys are left as they are: a variable cannot decide which key is meant.
func (r *replacer) Visit(node ast.Node) ast.Visitor {
	switch n := node.(type) {
	case *ast.MappingValueNode:
		n.Value = r.replace(n.Value)
	case *ast.SequenceNode:
		for i, v := range n.Values {
			n.Values[i] = r.replace(v)
		}
	case *ast.AnchorNode:
		n.Value = r.replace(n.Value)
	case *ast.TagNode:
		if text, ok := unanchored(n.Value).(*ast.StringNode); ok && token.ReservedTagKeyword(n.Start.Value) == token.StringTag {
			r.texts[text] = true
		}
		n.Value = r.replace(n.Value)
	case *ast.LiteralNode:
		r.texts[n.Value] = true
		r.replace(n.Value)
	}
	if r.err != nil {
		return nil
	}
	return r
}

// unanchored is the node behind its anchors.
func unanchored(node ast.Node) ast.Node {
	for {
		anchor, ok := node.(*ast.AnchorNode)
		if !ok {
			return node
		}
		node = anchor.Value
	}
}

// replace returns the node with its references replaced; the node itself where it has none, and where it is no text.
func (r *replacer) replace(node ast.Node) ast.Node {
	text, ok := node.(*ast.StringNode)
	if !ok || r.err != nil || !strings.Contains(text.Value, "${") {
		return node
	}
	value, err := expand(text.Value)
	if err != nil {
		r.err = fmt.Errorf("line %d: %w", text.GetToken().Position.Line, err)
		return node
	}
	r.done = append(r.done, expanded{text.Value, value, text.GetToken().Position.Line})
	text.Value = value
	if text.GetToken().Type != token.StringType || r.texts[text] {
		return text
	}
	// A number or a boolean in a variable is one in the configuration too; anything else stays text. So does an integer
	// that would come back written otherwise, such as 0123: it is a password or an account, and no octal number.
	if parsed, err := parser.ParseBytes([]byte(value), 0); err == nil && len(parsed.Docs) == 1 {
		body := parsed.Docs[0].Body
		switch n := body.(type) {
		case *ast.IntegerNode:
			if fmt.Sprint(n.Value) != value {
				return text
			}
		case *ast.FloatNode, *ast.BoolNode:
		default:
			return text
		}
		body.GetToken().Position = text.GetToken().Position // messages name the line of the file, and by it the reference is found again
		return body
	}
	return text
}

// expand replaces every reference in s. An undefined variable without a default is an error; an empty one counts as
// undefined where there is a default, as in a shell. Of a file the line endings at its end are left out, since editors
// put them there and no password has one. No message repeats what a variable or a file holds.
func expand(s string) (string, error) {
	var failed error
	out := reference.ReplaceAllStringFunc(s, func(ref string) string {
		parts := reference.FindStringSubmatch(ref)
		kind, arg := parts[1], parts[2]
		if kind == "file" {
			content, err := os.ReadFile(arg)
			if err != nil {
				failed = fmt.Errorf("${file:…}: %w", err)
			}
			return strings.TrimRight(string(content), "\r\n")
		}
		name, fallback, hasFallback := strings.Cut(arg, ":-")
		if value, ok := os.LookupEnv(name); ok && (value != "" || !hasFallback) {
			return value
		}
		if !hasFallback {
			failed = fmt.Errorf("environment variable %s is not set; set it or write ${env:%s:-default}", name, name)
		}
		return fallback
	})
	if failed != nil {
		return "", failed
	}
	if strings.Contains(reference.ReplaceAllString(s, ""), "${") {
		return "", fmt.Errorf("unknown reference; ${env:NAME}, ${env:NAME:-default} and ${file:PATH} are understood")
	}
	return out, nil
}

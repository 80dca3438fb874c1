package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/url"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"fraudstream/cmd/fraudstream/privacy"
	"fraudstream/consumer/security"
)

// configPrintCommand answers what a process started like this would run by. Passwords, tokens and keys are never
// shown, nor what stands in a file that ${file:…} names, nor a variable whose name says that it holds one: the
// reference is printed in its place. --redact is for a ticket or a chat: it keeps back all that came out of the
// environment, and user names.
//
// # How it knows where a value is from
//
// The file is loaded a second time without the flags. Where the two differ, a flag or its variable has spoken; where
// they agree and the file has a line for the key, it was that line; else it is the default.
//
// # How it knows a secret
//
// By the type of the field (security.Secret), by the name of its key, or by the name of the variable in the
// reference. All that is printed goes through the masking of card numbers besides: a default for a field may be one.
type configPrintCommand struct {
	configFlags
	Redact bool `help:"Also keep back what came from the environment, and user names."`
}

// Run prints YAML with the origin of each value as a comment: it can be read as a configuration again, but for what was
// kept back.
func (c *configPrintCommand) Run(s streams) error {
	config, err := c.load()
	if err != nil {
		return &exitError{exitConfig, err}
	}
	file, err := loadConfig(c.Config)
	if err != nil {
		return &exitError{exitConfig, err}
	}
	p := printer{out: s.out, source: config.source, redact: c.Redact}
	p.keys(configKeys(), "", 0, reflect.ValueOf(config), reflect.ValueOf(file))
	return p.err
}

// A printer writes what is in force, and where it is from: a flag (or its variable), a line of the file, the defaults.
type printer struct {
	out    io.Writer
	source *configSource
	redact bool
	err    error
}

// keys prints what is below a key; force holds the values, and file what they were before the flags.
func (p *printer) keys(k *configKey, at string, depth int, force, file reflect.Value) {
	for _, child := range k.keys {
		if child.name == "*" {
			for _, name := range sortedKeys(force) {
				p.key(child, name, at, depth, force.MapIndex(reflect.ValueOf(name)), file.MapIndex(reflect.ValueOf(name)))
			}
			continue
		}
		p.key(child, child.name, at, depth, fieldOf(force, child.name), fieldOf(file, child.name))
	}
}

// key prints one key, unless nobody has set it and it is empty.
func (p *printer) key(k *configKey, name, at string, depth int, force, file reflect.Value) {
	if at != "" {
		at += "."
	}
	at += name
	if !force.IsValid() || force.IsZero() && p.line(at) == 0 && !isWord(force) {
		return
	}
	for force.Kind() == reflect.Pointer {
		if force.IsNil() {
			return
		}
		force = force.Elem()
	}
	for file.IsValid() && file.Kind() == reflect.Pointer {
		file = file.Elem()
	}
	indent := strings.Repeat("  ", depth)
	if k.keys != nil {
		p.print("%s%s:\n", indent, name)
		p.keys(k, at, depth+1, force, file)
		return
	}
	value, origin := p.shown(k, at, force), "default"
	switch line := p.line(at); {
	case !file.IsValid() || !reflect.DeepEqual(force.Interface(), file.Interface()):
		origin = "flag or variable"
	case line > 0:
		origin = fmt.Sprintf("%s:%d", filepath.Base(p.source.path), line)
	}
	p.print("%s%s: %s # %s\n", indent, name, value, origin)
}

// print writes a line, with the card numbers in it cut short. After an error it writes nothing more.
func (p *printer) print(format string, args ...any) {
	if p.err == nil {
		_, p.err = io.WriteString(p.out, privacy.New(privacy.Options{}).Text(fmt.Sprintf(format, args...)))
	}
}

// line is where the file has a key; 0: nowhere.
func (p *printer) line(at string) int {
	if p.source == nil || p.source.keys == nil {
		return 0
	}
	return p.source.keys.lines[at]
}

// shown is the value as it may be seen: a reference in place of what it stood for, where that is secret, and a secret
// without a reference not at all. What is left is written as YAML.
func (p *printer) shown(k *configKey, at string, v reflect.Value) string {
	reference, fromFile, looksSecret := p.reference(at)
	_, isSecret := reflect.TypeAssert[security.Secret](v)
	switch {
	case v.IsZero() && v.Kind() == reflect.String:
		return `""`
	case reference != "" && (fromFile || looksSecret || p.redact || k.secret()):
		return yamlText(reference)
	case k.secret() || isSecret:
		return `"[secret]"`
	case p.redact && k.name == "username":
		return `"[redacted]"`
	}
	if d, ok := reflect.TypeAssert[time.Duration](v); ok {
		return d.String()
	}
	if v.Kind() == reflect.String {
		return yamlText(withoutUser(v.String()))
	}
	text, err := json.Marshal(v.Interface())
	if err != nil {
		return yamlText(err.Error())
	}
	if isWord(v) {
		return yamlText(strings.Trim(string(text), `"`))
	}
	return string(text)
}

// isWord tells a value that writes itself as a word, of which the first is the zero one: it is printed even where
// nobody has set it.
func isWord(v reflect.Value) bool { return v.Kind() == reflect.Uint8 }

// secretName is a variable that holds what nobody should see, by its name.
var secretName = regexp.MustCompile(`(?i)pass|pwd|secret|token|key|cred|auth`)

// reference is what the file has in the place of the value, if that is or has references: ${…} of the whole value, or
// of the first element of a list that has one.
func (p *printer) reference(at string) (reference string, fromFile, looksSecret bool) {
	if p.line(at) == 0 {
		return "", false, false
	}
	var look visit
	look = func(n ast.Node) {
		if alias, ok := n.(*ast.AliasNode); ok {
			p.source.keys.behind(alias, func(value ast.Node) { ast.Walk(look, value) })
		}
		for _, r := range p.source.references {
			if scalar, ok := n.(ast.ScalarNode); ok && reference == "" &&
				n.GetToken().Position.Line == r.line && fmt.Sprint(scalar.GetValue()) == r.value {
				reference = r.reference
			}
		}
	}
	ast.Walk(look, p.source.keys.given[at])
	return reference, strings.Contains(reference, "${file:"), secretName.MatchString(reference)
}

// visit is called for every node.
type visit func(ast.Node)

// Visit goes on everywhere.
func (v visit) Visit(n ast.Node) ast.Visitor {
	v(n)
	return v
}

// withoutUser takes user and password out of an address.
func withoutUser(text string) string {
	if at, err := url.Parse(text); err == nil && at.User != nil {
		at.User = url.User("secret")
		text = at.String()
	}
	return text
}

// plainText is text that YAML takes for text without quotes.
var plainText = regexp.MustCompile(`^[A-Za-z./][A-Za-z0-9_./@-]*$`)

// yamlText writes a text so that YAML reads it back: as it stands where that is plain, else as JSON, which is YAML.
func yamlText(text string) string {
	if plainText.MatchString(text) && !slices.Contains([]string{"true", "false", "null", "yes", "no", "on", "off"}, strings.ToLower(text)) {
		return text
	}
	encoded, err := json.Marshal(text)
	if err != nil {
		return `""`
	}
	return string(encoded)
}

// fieldOf is the field of a struct with a key of the file, inline ones included.
func fieldOf(v reflect.Value, name string) reflect.Value {
	if !v.IsValid() || v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
	for i := range v.NumField() {
		tag, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if options == "inline" {
			if found := fieldOf(v.Field(i), name); found.IsValid() {
				return found
			}
		}
		if tag == name {
			return v.Field(i)
		}
	}
	return reflect.Value{}
}

// sortedKeys are the names in a map of sections, of features in every use that there is.
func sortedKeys(v reflect.Value) []string {
	names := map[string]bool{}
	for _, key := range v.MapKeys() {
		names[key.String()] = true
	}
	return slices.Sorted(maps.Keys(names))
}

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
)

// configSchemaCommand prints the JSON Schema of the configuration file, for editors: they complete keys, show what
// each is for and mark what is wrong. YAML's language server takes it from a comment at the head of the file:
//
//	# yaml-language-server: $schema=fraudstream.schema.json
//
// # What it says, and what it leaves to config check
//
// The schema is made of the types that the decoder fills, so it has the same keys, types, words and defaults, and a
// test asks the decoder of each. What hangs on two keys at once (a certificate without its key, a topic named twice),
// on a number's range or on a file is not in it: `config check --offline` says that.
//
// Where the decoder takes a number, the schema also takes a text with ${env:…} or ${file:…} in it, since an editor sees
// the file before anything is replaced.
type configSchemaCommand struct{}

// Run prints it.
func (configSchemaCommand) Run(s streams) error { return printJSON(s.out, configSchema()) }

// A schema is the part of JSON Schema 2020-12 that says all there is to say of a configuration. The order of the
// fields is that of the printed text.
type schema struct {
	Dialect     string             `json:"$schema,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        []string           `json:"type,omitempty"`
	Enum        []any              `json:"enum,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Default     any                `json:"default,omitempty"`
	Examples    []any              `json:"examples,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Additional  any                `json:"additionalProperties,omitempty"` // false, or a *schema
	AnyOf       []*schema          `json:"anyOf,omitempty"`
}

// referencePattern is a value that is replaced before anything looks at its type.
const referencePattern = `\$\{(env|file):[^}]+\}`

// configSchema makes the schema of the types that the decoder fills, with the texts of init.yaml.
func configSchema() *schema {
	root := schemaOf(configKeys(), keyTexts(), defaultsOf(reflect.ValueOf(defaultConfig())))
	root.Dialect = "https://json-schema.org/draft/2020-12/schema"
	root.Title = "Configuration of fraudstream"
	return root
}

// schemaOf is the schema of a key. Every section may be left empty, which is null in YAML.
func schemaOf(k *configKey, texts map[string]keyText, defaults any) *schema {
	s := &schema{Description: texts[k.path].description}
	if k.keys == nil {
		s.value(k, texts[k.path], defaults)
		return s
	}
	s.Type = []string{"object", "null"}
	if entries := k.below("*"); entries != nil && entries.name == "*" {
		s.Additional = schemaOf(entries, texts, nil)
		return s
	}
	s.Additional, s.Properties = false, map[string]*schema{}
	given, _ := defaults.(map[string]any)
	for _, child := range k.keys {
		s.Properties[child.name] = schemaOf(child, texts, given[child.name])
	}
	return s
}

// value is the schema of a key that holds a value: one of a few words, or what typeOf says of its type. The default
// stands beside it where it is not empty, and what init.yaml has behind a # as an example, unless it is a secret's.
func (s *schema) value(k *configKey, text keyText, fallback any) {
	s.Default = fallback
	if text.commented && text.example != "" && !k.secret() {
		var example any
		if err := yaml.Unmarshal([]byte(text.example), &example); err == nil {
			s.Examples = []any{example}
		}
	}
	if words := k.words(); words != nil {
		for _, w := range words {
			s.Enum = append(s.Enum, w)
		}
		s.Enum = append(s.Enum, nil)
		s.referable(&schema{Enum: s.Enum})
		s.Enum = nil
		return
	}
	plain := typeOf(k.kind)
	if plain.Type == nil || plain.Type[0] == "string" || plain.Type[0] == "array" || plain.Type[0] == "object" {
		s.Type, s.Items, s.Additional, s.Pattern = plain.Type, plain.Items, plain.Additional, plain.Pattern
		if s.Pattern != "" {
			s.Type, s.Pattern = nil, ""
			s.referable(plain)
		}
		return
	}
	s.referable(plain)
}

// referable says that a reference may stand in the place of a value of another type than text.
func (s *schema) referable(value *schema) {
	s.AnyOf = []*schema{value, {Type: []string{"string"}, Pattern: referencePattern}}
}

// durationPattern is what time.ParseDuration reads, without its sign: no duration of the configuration is negative.
const durationPattern = `^(0|([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+)$`

// typeOf is the schema of a Go type, as the decoder takes values for it. Anything may be left empty.
func typeOf(t reflect.Type) *schema {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return &schema{Type: []string{"string", "null"}, Pattern: durationPattern}
	case t.Kind() == reflect.String:
		return &schema{Type: []string{"string", "null"}}
	case t.Kind() == reflect.Bool:
		return &schema{Type: []string{"boolean", "null"}}
	case t.Kind() == reflect.Float64:
		return &schema{Type: []string{"number", "null"}}
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return &schema{Type: []string{"integer", "null"}}
	case t.Kind() == reflect.Slice:
		return &schema{Type: []string{"array", "null"}, Items: typeOf(t.Elem())}
	case t.Kind() == reflect.Map:
		return &schema{Type: []string{"object", "null"}, Additional: typeOf(t.Elem())}
	case t.Kind() == reflect.Interface:
		return &schema{Type: []string{"string", "number", "boolean", "null"}}
	}
	panic(fmt.Sprintf("a configuration has no values of type %v", t))
}

// defaultsOf is what holds without a file, as the file would say it: structs as maps, without what is empty.
func defaultsOf(v reflect.Value) any {
	switch {
	case !v.IsValid() || v.IsZero():
		return nil
	case v.Kind() == reflect.Pointer:
		return defaultsOf(v.Elem())
	case v.Type() == reflect.TypeFor[time.Duration]():
		return v.Interface().(time.Duration).String()
	case v.Kind() != reflect.Struct:
		return v.Interface()
	}
	fields := map[string]any{}
	for i := range v.NumField() {
		name, options, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		value := defaultsOf(v.Field(i))
		if options == "inline" {
			maps.Copy(fields, value.(map[string]any))
		} else if name != "" && value != nil {
			fields[name] = value
		}
	}
	return fields
}

// MarshalJSON writes a single type as a word.
func (s *schema) MarshalJSON() ([]byte, error) {
	type plain schema
	if len(s.Type) != 1 {
		return json.Marshal((*plain)(s))
	}
	return json.Marshal(struct {
		Type string `json:"type"`
		*plain
	}{s.Type[0], (*plain)(s)})
}

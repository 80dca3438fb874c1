package main

import (
	"encoding"
	"reflect"
	"slices"
	"strings"
)

// A configKey is one key of the configuration file, with those below it. The tree is made of the types that the
// decoder fills, so that whatever is derived from it (the check for unknown keys, the JSON Schema, what is printed)
// knows the same keys as the decoder.
type configKey struct {
	name string // "*" for the entries of a map
	path string // dotted: event.fields.*.path
	kind reflect.Type
	keys []*configKey // nil: a value
	text bool         // the value is a text, whatever it is made of
}

// configKeys is the tree of all keys.
func configKeys() *configKey { return newConfigKey("", "", reflect.TypeFor[Config]()) }

// newConfigKey makes the tree below one type. A type that reads text is a value, whatever it is made of.
func newConfigKey(name, path string, t reflect.Type) *configKey {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	k := &configKey{name: name, path: path, kind: t}
	switch {
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		k.text = true
	case t.Kind() == reflect.Struct:
		k.addFields(t)
	case t.Kind() == reflect.Map && t.Elem().Kind() == reflect.Struct:
		k.add("*", t.Elem())
	}
	return k
}

// addFields adds the keys of a struct, in the order of its fields. A field without a name in its tag is no key: that is
// how the configuration keeps what the file does not say.
func (k *configKey) addFields(t reflect.Type) {
	for field := range t.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			k.addFields(field.Type)
		case name != "" && k.takes(name):
			k.add(name, field.Type)
		}
	}
}

// takes says whether a key may stand at a place. It leaves out the keys that a type has and the place refuses: an id
// is read as it stands.
func (k *configKey) takes(name string) bool { return k.path != "event.id" || name == "path" }

// add puts a key below k, with all that is below its type.
func (k *configKey) add(name string, t reflect.Type) {
	path := name
	if k.path != "" {
		path = k.path + "." + name
	}
	k.keys = append(k.keys, newConfigKey(name, path, t))
}

// below returns the key of a name; nil where there is none. The entries of a map have any name: a feature's, mostly.
func (k *configKey) below(name string) *configKey {
	for _, child := range k.keys {
		if child.name == name || child.name == "*" {
			return child
		}
	}
	return nil
}

// all yields the key and every key below it, in the order of the types' fields, until yield returns false. The root,
// which has no name, is not yielded.
func (k *configKey) all(yield func(*configKey) bool) bool {
	if k.path != "" && !yield(k) {
		return false
	}
	for _, child := range k.keys {
		if !child.all(yield) {
			return false
		}
	}
	return true
}

// words are the values that a key takes, where they can be counted; nil elsewhere. The types do not tell: most are
// texts to the decoder, and what they may say is asked later, by whoever knows what they mean.
func (k *configKey) words() []string {
	switch k.path {
	case "event.format":
		return eventFormats()
	case "event.time.type":
		return []string{"rfc3339", "epoch_s", "epoch_ms", "epoch_us", "layout"}
	case "event.fields.*.type":
		return []string{"json", "decimal", "integer_text", "bool_text", "debezium_decimal", "rfc3339", "epoch_s", "epoch_ms", "epoch_us"}
	case "event.fields.*.absent":
		return []string{"null", "reject"}
	case "kafka.offset_reset":
		return offsetResets()
	case "kafka.sasl.mechanism":
		return []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"}
	case "reasons":
		return []string{"flagged", "all", "none"}
	case "dlq.mode":
		return []string{"raw", "redacted", "reference"}
	case "tracing.protocol":
		return []string{"http/protobuf"}
	case "delivery":
		return []string{atLeastOnce, exactlyOnce}
	}
	return nil
}

// secret tells whether the value must never be shown, whoever asks. It goes by the key's name, in whichever section
// that stands: a field whose type says it is found by that as well.
func (k *configKey) secret() bool {
	return slices.Contains([]string{"password", "token", "hash_key"}, k.name) && k.keys == nil
}

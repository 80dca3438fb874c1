package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// The file that init writes says nothing but the defaults, and every key that there is.
func TestInitFile(t *testing.T) {
	t.Parallel()
	c, err := loadConfig(writeConfig(t, initFile))
	if err != nil {
		t.Fatal(err)
	}
	c.source = nil
	want := defaultConfig()
	want.Event.ID.Path, want.Event.Time.Path, want.Event.Time.Type = "transaction_id", "event_time", "rfc3339"
	if !reflect.DeepEqual(c, want) {
		t.Errorf("it says\n%+v\nthe defaults are\n%+v", c, want)
	}
	// With every # before a key taken away, it still is a configuration: the examples are true.
	full := regexp.MustCompile(`(?m)^( *)#([a-z_]+:)`).ReplaceAllString(initFile, "$1$2")
	full = regexp.MustCompile(`\$\{file:[^}]*\}`).ReplaceAllString(full, "0123456789abcdef")
	full = strings.Replace(full, "events: 20000", "", 1) // belongs to exactly-once
	full = strings.Replace(full, "#keep", "keep", 1)
	if _, err := loadConfig(writeConfig(t, strings.Replace(full, "mode: raw", "mode: redacted", 1))); err != nil {
		t.Errorf("with all examples in force: %v", err)
	}
}

// Every key has a text, and every text a key.
func TestEveryKeyHasAText(t *testing.T) {
	t.Parallel()
	texts := keyTexts()
	configKeys().all(func(k *configKey) bool {
		text, ok := texts[k.path]
		if !ok || len(text.description) < 8 {
			t.Errorf("%s: init.yaml has no comment above it, or not the key", k.path)
		}
		delete(texts, k.path)
		return true
	})
	for path := range texts {
		t.Errorf("%s: init.yaml has it, and the decoder does not", path)
	}
}

// TestSchemaIsTheDecoder walks the schema and asks the decoder of every key: it takes what the schema allows, and
// refuses a key more and another type.
func TestSchemaIsTheDecoder(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(configSchema())
	if err != nil {
		t.Fatal(err)
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	if root["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("$schema is %v", root["$schema"])
	}
	keys := 0
	var walk func(path []string, s map[string]any)
	walk = func(path []string, s map[string]any) {
		if len(path) > 0 {
			keys++
			probeKey(t, path, s)
		}
		properties, _ := s["properties"].(map[string]any)
		if properties != nil {
			if s["additionalProperties"] != false {
				t.Errorf("%v: other keys are allowed", path)
			}
			if said := decoded(path, map[string]any{"no_such_key": 1}); !strings.Contains(said, "no_such_key") {
				t.Errorf("%v: the decoder takes a key that the schema does not have: %q", path, said)
			}
		}
		for name, child := range properties {
			walk(append(slices.Clip(path), name), child.(map[string]any))
		}
		if entries, ok := s["additionalProperties"].(map[string]any); ok && entries["properties"] != nil {
			walk(append(slices.Clip(path), "entry"), entries)
		}
	}
	walk(nil, root)
	if keys < 80 {
		t.Errorf("the schema has only %d keys", keys)
	}
}

// probeKey gives the decoder what the schema of one key says, and what it does not.
func probeKey(t *testing.T, path []string, s map[string]any) {
	t.Helper()
	types := map[string]any{"string": "text", "integer": 3, "number": 0.25, "boolean": true, "array": []any{}, "object": map[string]any{}}
	allowed, enum := s["type"], s["enum"]
	if either, ok := s["anyOf"].([]any); ok {
		first := either[0].(map[string]any)
		allowed, enum = first["type"], first["enum"]
		if first["pattern"] != nil {
			types["string"] = "3h"
		}
	}

	refused := func(said string) bool {
		return regexp.MustCompile("is wanted|is no length of time").MatchString(said)
	}
	if enum != nil {
		for _, word := range enum.([]any) {
			if said := decoded(path, word); strings.Contains(said, "is none of") || refused(said) {
				t.Errorf("%v: %v is refused: %s", path, word, said)
			}
		}
		if said := decoded(path, "no-such-word"); !strings.Contains(said, "is none of") {
			t.Errorf("%v: another word is taken: %q", path, said)
		}
		return
	}
	for name, value := range types {
		says := slices.Contains(asList(allowed), any(name)) || name == "integer" && slices.Contains(asList(allowed), any("number"))
		said := decoded(path, value)
		if says && refused(said) {
			t.Errorf("%v: the schema allows a value of type %s, and the decoder says %s", path, name, said)
		}
		isComposite := name == "array" || name == "object"
		if anything := path[len(path)-1] == "default"; !says && isComposite && !anything && !refused(said) {
			t.Errorf("%v: the decoder takes a value of type %s, and the schema does not: %q", path, name, said)
		}
	}
	if d, ok := s["default"]; ok {
		if said := decoded(path, d); refused(said) {
			t.Errorf("%v: the default %v is refused: %s", path, d, said)
		}
	}
}

// asList is a value of JSON Schema that may stand alone or in a list, as a list.
func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// decoded is what the decoder says of a file with one value.
func decoded(path []string, value any) string {
	for _, name := range slices.Backward(path) {
		value = map[string]any{name: value}
	}
	text, err := yaml.Marshal(value)
	if err != nil {
		return err.Error()
	}
	c := defaultConfig()
	c.source = &configSource{}
	return c.decode(text)
}

// Every flag of every command has a variable of its own name, which has the effect of the flag.
func TestEveryFlagHasAVariable(t *testing.T) {
	t.Parallel()
	parser, err := kong.New(&cli{}, kong.Name("fraudstream"), kong.DefaultEnvars("FRAUDSTREAM"))
	if err != nil {
		t.Fatal(err)
	}
	flags := 0
	for _, command := range parser.Model.Leaves(false) {
		for _, group := range command.AllFlags(false) {
			for _, flag := range group {
				if flag.Name == "help" {
					continue
				}
				flags++
				want := "FRAUDSTREAM_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))
				if !slices.Contains(flag.Envs, want) {
					t.Errorf("%s --%s: the variables are %v, want %s", command.Path(), flag.Name, flag.Envs, want)
				}
			}
		}
	}
	if flags < 60 {
		t.Errorf("only %d flags were looked at", flags)
	}
}

// TestVariablesWork sets flags by their variables: they go over the defaults as flags do, lists by commas.
func TestVariablesWork(t *testing.T) {
	t.Setenv("FRAUDSTREAM_INPUT", "from-the-environment")
	t.Setenv("FRAUDSTREAM_BROKERS", "a:1,b:2")
	code, out, stderr := say("config", "print", "--output", "from-a-flag")
	for _, want := range []string{"input: from-the-environment # flag or variable", `brokers: ["a:1","b:2"] # flag or variable`, "output: from-a-flag # flag or variable", "group: fraudstream # default"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%d, %s%s\nwant %s", code, out, stderr, want)
		}
	}
}

// TestConfigPrint puts secrets wherever a configuration can hold one, and looks for them in what is printed; and for the
// origin of values from each of the places that they may be from.
func TestConfigPrint(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte("swordfish-1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FRAUD_TEST_HOST", "kafka.internal")
	t.Setenv("FRAUD_TEST_PASSWORD", "swordfish-2")
	t.Setenv("FRAUD_TEST_URL", "http://ann:swordfish-3@collector:4318")
	path := writeConfig(t, `
kafka:
  brokers: ["${env:FRAUD_TEST_HOST}:9092"]
  group: "${file:`+secret+`}"
  input: "${env:FRAUD_TEST_PASSWORD}"
  sasl: {mechanism: PLAIN, username: ann, password: swordfish-4}
model: {path: ./bundle}
tracing: {endpoint: "${env:FRAUD_TEST_URL}"}
http: {token: "swordfish-5 and longer"}
admin: {token: "${env:FRAUD_TEST_PASSWORD}-and-longer"}
privacy: {hash_key: "swordfish-6 and longer"}
event:
  fields: {amount: {path: de.4, type: integer_text, scale: 2, default: 4111111111111111}}
drift: {false_alarm_every: 1000h}
`)
	code, out, stderr := say("config", "print", "--config", path, "--delivery", "exactly-once")
	if code != 0 || strings.Contains(out, "swordfish") || strings.Contains(out, "4111111111111111") {
		t.Fatalf("%d: %s%s", code, out, stderr)
	}
	for _, want := range []string{
		`brokers: ["kafka.internal:9092"] # fraud.yaml:3`, `group: "${file:` + secret + `}" # fraud.yaml:4`,
		`input: "${env:FRAUD_TEST_PASSWORD}" # fraud.yaml:5`, "username: ann", `password: "[secret]" # fraud.yaml:6`,
		"dead_letter: transactions.dlq # default", `endpoint: "http://secret@collector:4318"`, "delivery: exactly-once # flag or variable",
		"false_alarm_every: 1000h0m0s", "    amount:\n      path: de.4 # fraud.yaml:13\n      type: integer_text", `token: "[secret]" # fraud.yaml:9`,
		"mode: raw # default", `token: "${env:FRAUD_TEST_PASSWORD}-and-longer"`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("there is no %q in\n%s", want, out)
		}
	}
	_, out, _ = say("config", "print", "--config", path, "--redact")
	for _, hidden := range []string{"swordfish", "kafka.internal", "ann", "collector"} {
		if strings.Contains(out, hidden) {
			t.Errorf("--redact shows %q:\n%s", hidden, out)
		}
	}
	if !strings.Contains(out, "${env:FRAUD_TEST_HOST}:9092") {
		t.Errorf("the reference is not shown:\n%s", out)
	}
}

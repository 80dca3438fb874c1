package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// publishedSchema is what `config schema` prints, held against the metaschema of JSON Schema 2020-12 and compiled.
func publishedSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	code, text, stderr := say("config", "schema")
	if code != 0 {
		t.Fatalf("config schema ends with %d: %s", code, stderr)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	metaschema, err := compiler.Compile("https://json-schema.org/draft/2020-12/schema")
	if err != nil {
		t.Fatal(err)
	}
	if err := metaschema.Validate(document); err != nil {
		t.Error(err)
	}
	document.(map[string]any)["type"] = "thing"
	if metaschema.Validate(document) == nil {
		t.Error("the metaschema takes a type that there is not")
	}
	document.(map[string]any)["type"] = []any{"object", "null"}
	if err := compiler.AddResource("mem:///config.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("mem:///config.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// asJSON is what an editor makes of a YAML file before it looks at the schema.
func asJSON(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	plain, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(plain))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// An editor finds nothing in what is shipped, with the examples in force or not, and marks what the decoder would refuse.
func TestSchemaTakesWhatIsShipped(t *testing.T) {
	t.Parallel()
	schema := publishedSchema(t)
	texts := map[string]string{
		"init.yaml":            initFile,
		"init.yaml, all of it": regexp.MustCompile(`(?m)^( *)#([a-z_]+:)`).ReplaceAllString(initFile, "$1$2"),
	}
	for _, pattern := range []string{"../../deploy/examples/*/*.yaml", "../../deploy/kubernetes/overlays/*/fraud.yaml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) < 2 {
			t.Fatalf("%s: %v, %v", pattern, paths, err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(text)
		}
	}
	for name, text := range texts {
		if err := schema.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(texts) < 7 {
		t.Errorf("only %d files", len(texts))
	}
}

// TestSchemaMarksWhatIsWrong has an editor and the decoder agree on what is refused: misspelt keys, wrong types, wrong
// words.
func TestSchemaMarksWhatIsWrong(t *testing.T) {
	t.Parallel()
	schema := publishedSchema(t)
	for _, wrong := range []string{
		"kafka: {broker: [a:1]}", "kafka: {brokers: a:1}", "kafka: {offset_reset: middle}", "drift: {pool: perhaps}",
		"drift: {false_alarm_every: a year}", "drift: {features: {country: {tolerance: wide}}}", "delivery: exactly once",
		"http: {max_rows: 1.5}", "event: {fields: {amount: {type: integer}}}", "event: {where: {path: mti, in: yes}}", "model: ./bundle",
	} {
		if schema.Validate(asJSON(t, wrong)) == nil {
			t.Errorf("the schema takes %s", wrong)
		}
		if c, err := loadConfig(writeConfig(t, wrong)); err == nil {
			t.Errorf("the decoder takes %s: %+v", wrong, c)
		}
	}
}

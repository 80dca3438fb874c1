package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// forms are the ways in which YAML writes a text; R stands for a reference. What it stands for is given the same words.
var forms = []string{
	"R", `"R"`, "&g R", `&g "R"`, "!!str R", `!!str "R"`, "&g !!str R", "!!str &g R", "!own R", "|-\n    R", ">-\n    R", "&g |-\n    R", "! R",
}

// TestReferencesBehindAnchorsAndTags reads a reference in every form, as the value of a key, in lists of both kinds and by
// an alias. One that cannot be replaced is named with its line in each of them: to go on with the text of the reference
// would be to use a password that everybody knows.
func TestReferencesBehindAnchorsAndTags(t *testing.T) {
	t.Setenv("FRAUD_TEST_GROUP", "from-the-environment")
	for _, form := range forms {
		write := func(format, name string) string {
			return strings.ReplaceAll(format, "R", strings.ReplaceAll(form, "R", "${env:FRAUD_TEST_"+name+"}"))
		}
		c, err := loadConfig(writeConfig(t, write("kafka:\n  group: R\n", "GROUP")))
		if err != nil || c.Kafka.Group != "from-the-environment" {
			t.Errorf("group: %s\nis %q, %v", form, c.Kafka.Group, err)
		}
		c, err = loadConfig(writeConfig(t, write("kafka:\n  brokers:\n  - R\n", "GROUP")))
		if err != nil || len(c.Kafka.Brokers) != 1 || c.Kafka.Brokers[0] != "from-the-environment" {
			t.Errorf("- %s\nis %q, %v", form, c.Kafka.Brokers, err)
		}
		_, err = loadConfig(writeConfig(t, write("kafka:\n  group: R\n", "UNSET")))
		if err == nil || !strings.Contains(err.Error(), ": environment variable FRAUD_TEST_UNSET is not set") || !strings.Contains(err.Error(), fmt.Sprintf("line %d", 2+strings.Count(form, "\n"))) {
			t.Errorf("group: %s\ngives %v", form, err)
		}
	}
	c, err := loadConfig(writeConfig(t, "kafka:\n  brokers: [&b !!str \"${env:FRAUD_TEST_GROUP}\"]\n  group: &g ${env:FRAUD_TEST_GROUP}\n  input: *g\n"))
	if err != nil || c.Kafka.Brokers[0] != "from-the-environment" || c.Kafka.Input != "from-the-environment" {
		t.Errorf("%+v, %v", c.Kafka, err)
	}
}

// TestNumbersByReference reads numbers, which become numbers behind an anchor or a tag too, and text where a tag says so.
// A message about one has the line of the file.
func TestNumbersByReference(t *testing.T) {
	t.Setenv("FRAUD_TEST_NUMBER", "123")
	t.Setenv("FRAUD_TEST_HALF", "123.5")
	t.Setenv("FRAUD_TEST_WORD", "swordfish-7")
	for _, form := range []string{"R", "&n R", "!!float R", "&n !!float R"} {
		form = strings.ReplaceAll(form, "R", "${env:FRAUD_TEST_NUMBER}")
		if c, err := loadConfig(writeConfig(t, "http:\n  max_rows: "+form+"\n")); err != nil || c.HTTP.MaxRows != 123 {
			t.Errorf("%s is %d, %v", form, c.HTTP.MaxRows, err)
		}
	}
	for _, form := range []string{"!!str R", "&n !!str R", `"R"`, "|-\n    R"} {
		form = strings.ReplaceAll(form, "R", "${env:FRAUD_TEST_NUMBER}")
		if c, err := loadConfig(writeConfig(t, "kafka:\n  group: "+form+"\n")); err != nil || c.Kafka.Group != "123" {
			t.Errorf("%s is %q, %v", form, c.Kafka.Group, err)
		}
	}
	for text, want := range map[string]string{
		"http:\n  max_body: 1\n  max_rows: &n ${env:FRAUD_TEST_HALF}\n":         ":3: http.max_rows: ${env:FRAUD_TEST_HALF} is no whole number",
		"kafka:\n  group: a\nhttp:\n  max_rows: !!int ${env:FRAUD_TEST_WORD}\n": ":4: http.max_rows: the tag !!int says a number",
		"thresholds:\n  review: !!float ${env:FRAUD_TEST_WORD}\n":               ":2: thresholds.review: the tag !!float says a number",
	} {
		if _, err := loadConfig(writeConfig(t, text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "swordfish") {
			t.Errorf("%s gives %v\nwant %s", text, err, want)
		}
	}
}

// TestPrintedReferences looks for what a reference stands for in what config print shows: in every form, by an alias, by a
// merge, and with --redact of a number. In its place is the reference.
func TestPrintedReferences(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("swordfish-8\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FRAUD_TEST_ROWS", "4321")
	texts := []string{
		"kafka:\n  group: &g ${file:FILE}\n  input: *g\n",
		"kafka:\n  input: &g !!str ${file:FILE}\n  output: b\n  group: *g\n",
		"event:\n  fields:\n    a: &a\n      path: ${file:FILE}\n    b: *a\n",
		"event:\n  fields:\n    a: &a\n      path: ${file:FILE}\n    b:\n      <<: *a\n      absent: reject\n",
		"event:\n  fields:\n    b: {<<: {path: \"${file:FILE}\"}, absent: reject}\n",
	}
	for _, form := range forms {
		texts = append(texts, "kafka:\n  group: "+strings.ReplaceAll(form, "R", "${file:FILE}")+"\n")
	}
	for _, text := range texts {
		path := writeConfig(t, "http:\n  max_rows: 7\n"+strings.ReplaceAll(text, "FILE", secret))
		code, out, stderr := say("config", "print", "--config", path)
		if code != 0 || strings.Contains(out, "swordfish") || !strings.Contains(out, "${file:"+secret+"}") {
			t.Errorf("%s\nis printed, with %d and %q, as\n%s", text, code, stderr, out)
		}
	}
	path := writeConfig(t, "kafka:\n  group: a\nhttp:\n  max_rows: ${env:FRAUD_TEST_ROWS}\n  max_concurrent: &n ${env:FRAUD_TEST_ROWS}\n")
	if code, out, stderr := say("config", "print", "--config", path, "--redact"); code != 0 || strings.Contains(out, "4321") || strings.Count(out, "${env:FRAUD_TEST_ROWS}") != 2 {
		t.Errorf("%d, %s%s", code, out, stderr)
	}
}

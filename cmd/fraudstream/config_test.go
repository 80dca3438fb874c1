package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"fraudstream/cmd/fraudstream/web"
	"fraudstream/consumer/deadletter"
)

// writeConfig writes a configuration file and returns its path, whose base name the messages begin with.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fraud.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestConfigOfTheReadme reads keys as README.md shows them, and looks at a value of each kind: a list, a path, a nested
// mapping, a pointer.
func TestConfigOfTheReadme(t *testing.T) {
	c, err := loadConfig(writeConfig(t, `
kafka: {brokers: ["a:1", "b:2"], group: g, input: i, output: o, dead_letter: d}
model: {path: ./bundle}
event:
  format: json
  id: {path: transaction_id}
  time: {path: event_time, type: rfc3339}
  where: {path: mti, in: ["0100", "0200"]}
  fields:
    amount: {path: de.4, type: integer_text, scale: 2}
    country: {path: card.country, default: GB}
thresholds: {review: 0.3, block: 0.8}
delivery: at-least-once
`))
	if err != nil {
		t.Fatal(err)
	}
	amount := c.Event.Fields["amount"]
	switch {
	case strings.Join(c.Kafka.Brokers, " ") != "a:1 b:2", c.Kafka.DeadLetter != "d", c.Model.Path != "./bundle",
		amount.Path != "de.4", amount.Type != "integer_text", amount.Scale != 2,
		c.Event.Fields["country"].Default != "GB", *c.Thresholds.Block != 0.8, c.Event.Where.In[1] != "0200":
		t.Errorf("read %+v", c)
	}
}

// TestEmptyConfigIsTheDefaults reads a file of comments alone: it says nothing, and is no error.
func TestEmptyConfigIsTheDefaults(t *testing.T) {
	c, err := loadConfig(writeConfig(t, "# nothing yet\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Kafka.Input != "transactions" || c.Kafka.DeadLetter != "transactions.dlq" || c.Event.Format != "json" {
		t.Errorf("read %+v", c)
	}
}

// TestConfigErrorsSayWhatAndWhere makes one mistake a file: each message names the key, its line where it has one, and what
// was probably meant.
func TestConfigErrorsSayWhatAndWhere(t *testing.T) {
	t.Setenv("FRAUD_TEST_EMPTY", "")
	for _, c := range []struct{ text, want string }{
		{"kafka:\n  broker: [a]\n", `:2: unknown key "broker"; did you mean "brokers"?`},
		{"event:\n  where: {path: x, in: [a]}\n  idd: a\n", `:3: unknown key "idd"; did you mean "id"?`},
		{"drift: {enabled: false}\n", `:1: unknown key "enabled" at this place; it belongs to another one`},
		{"kafka:\n  group: a\n  group: b\n", `[3:3] mapping key "group" already defined`},
		{"kafka:\n  group: [a]\n", ":2: kafka.group: a text is wanted here, and this is a list"},
		{"kafka: [\n", "[1:"},
		{"model: {path: a}\n---\nmodel: {path: b}\n", "one YAML document is expected, found 2"},
		{"kafka:\n  group: \"${env:FRAUD_TEST_UNSET}\"\n", "line 2: environment variable FRAUD_TEST_UNSET is not set"},
		{"kafka:\n  group: \"${file:/nowhere/at/all}\"\n", "line 2: ${file:…}: open /nowhere/at/all"},
		{"kafka:\n  group: \"${vault:x}\"\n", "line 2: unknown reference"},
		{"event: {format: avro}\n", `event.format: "avro" is none of json, cloudevents, debezium`},
		{"tracing: {endpoint: \"localhost:4318\"}\n", "tracing.endpoint is no address such as http://localhost:4318"},
		{"tracing: {endpoint: \"http://ann:pw%@c:4318\"}\n", "tracing.endpoint is no address"},
		{"tracing: {protocol: grpc}\n", `:1: tracing.protocol: "grpc" is none of http/protobuf`},
		{"tracing: {sample: 0}\n", "tracing.sample: 0 is no share"},
		{"tracing: {sample: .nan}\n", ":1: tracing.sample: NaN is no finite number"},
		{"http:\n  max_rows: 1.5\n", `:2: http.max_rows: 1.5 is no whole number`},
		{"commit: {events: 20000.5}\n", `:1: commit.events: 20000.5 is no whole number`},
		{"delivery: at-most-once\n", `:1: delivery: "at-most-once" is none of at-least-once, exactly-once; did you mean "at-least-once"?`},
		{"kafka:\n  sasl:\n    token: {fille: x}\n", `:3: unknown key "fille"; did you mean "file"?`},
		{"event:\n  fields:\n    amount:\n      typ: decimal\n", `:4: unknown key "typ"; did you mean "type"?`},
		{"event:\n  fields:\n    amount: {type: decimaal}\n", `:3: event.fields.amount.type: "decimaal" is none of json, decimal, integer_text, bool_text, debezium_decimal, rfc3339, epoch_s, epoch_ms, epoch_us; did you mean "decimal"?`},
		{"event:\n  format: debezum\n", `:2: event.format: "debezum" is none of json, cloudevents, debezium; did you mean "debezium"?`},
		{"event:\n  id: {path: a, type: json}\n", `:2: unknown key "type" at this place`},
		{"drift:\n  features:\n    country: {tolerence: 0.1}\n", `:3: unknown key "tolerence"; did you mean "tolerance"?`},
		{"drift:\n  features:\n    country:\n      tolerance: 2\n", ":4: drift.features: country: tolerance: 2 is no share"},
		{"brokrs: [a]\n", `:1: unknown key "brokrs"; did you mean kafka.brokers?`},
		{"kafka: {brokers: [[a]]}\n", ":1: kafka.brokers: a text is wanted for each of them"},
		{"kafka:\n  brokers: localhost:9092\n", ":2: kafka.brokers: a list such as [a, b] is wanted here, and this is a text"},
		{"kafka: {group: &a [x]}\n", ":1: kafka.group: a text is wanted here, and this is a list"},
		{"model: x\n", ":1: model: a section with keys such as path is wanted here, and this is a text"},
		{"http:\n  max_rows: many\n", ":2: http.max_rows: a whole number is wanted here, and this is a text"},
		{"http:\n  token:\n    a: b\n", ":3: http.token: a text is wanted here, and this is a section with keys"},
		{"http: {max_body: 99999999999999999999}\n", ":1: http.max_body: the number is too large"},
		{"drift: {pool: perhaps}\n", ":1: drift.pool: true or false is wanted here, and this is a text"},
		{"drift: {features: [a]}\n", ":1: drift.features: a section with an entry for each name is wanted here, and this is a list"},
		{"event:\n  fields:\n    amount: de.4\n", ":3: event.fields.amount: a section with keys such as path is wanted here, and this is a text"},
		{"event: {fields: {a: {map: {Y: maybe}}}}\n", ":1: event.fields.a.map: true or false is wanted for each of them"},
		{"thresholds: {review: high}\n", ":1: thresholds.review: a number is wanted here, and this is a text"},
		{"commit:\n  interval: 5 parsecs\n", ":2: commit.interval: 5 parsecs is no length of time such as 500ms, 30s or 8760h"},
		{"a: 1\nb: 2\n", ":2: unknown key \"b\""},
		{"xyzzyx: 1\n", "fraudstream config schema prints those that there are"},
		{"commit: {events: 10}\n", "commit.events has a meaning only with delivery exactly-once"},
		{"commit: {interval: 1m}\n", "commit.interval: 1m0s is not between 0 (the default) and 10s"},
	} {
		_, err := loadConfig(writeConfig(t, c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q gives %v\nwant %s", c.text, err, c.want)
		}
	}
}

// TestNumbersAreFinite gives every number of the configuration, as it stands and out of a variable, what YAML calls one
// and no comparison holds of: a limit of NaN is none. What keeps it out says so with the key.
func TestNumbersAreFinite(t *testing.T) {
	numbers := 0
	configKeys().all(func(k *configKey) bool {
		kind := k.kind.Kind()
		if k.keys != nil || k.text || k.kind == reflect.TypeFor[time.Duration]() || kind < reflect.Int || kind > reflect.Float64 {
			return true
		}
		numbers++
		path := strings.ReplaceAll(k.path, "*", "a") // a feature
		for _, value := range []string{".nan", ".inf", "-.inf", "!!float .nan", "&a .NaN", "${env:FRAUD_TEST_NAN:-.nan}"} {
			text := ""
			for depth, name := range strings.Split(path, ".") {
				text += "\n" + strings.Repeat(" ", depth) + name + ":"
			}
			text += " " + value + "\n"
			if _, err := loadConfig(writeConfig(t, text)); err == nil || !strings.Contains(err.Error(), path+": ") {
				t.Errorf("%s gives %v", text, err)
			}
		}
		return true
	})
	if numbers < 12 {
		t.Errorf("the configuration has only %d numbers", numbers)
	}
}

// What a variable or a file holds is in no message, wherever somebody has put it.
func TestMessagesHoldNoReferencedValue(t *testing.T) {
	const secret = "hunter2-hunter2"
	t.Setenv("FRAUD_TEST_SECRET", secret)
	for _, text := range []string{
		"delivery: ${env:FRAUD_TEST_SECRET}\n", "commit: {interval: \"${env:FRAUD_TEST_SECRET}\"}\n", "reasons: ${env:FRAUD_TEST_SECRET}\n",
		"commit: {events: \"${env:FRAUD_TEST_SECRET}\"}\n", "kafka: {offset_reset: \"x${env:FRAUD_TEST_SECRET}\"}\n",
		"tracing: {endpoint: \"${env:FRAUD_TEST_SECRET}\"}\n", "drift: {features: {a: {accept_until: \"${env:FRAUD_TEST_SECRET}\"}}}\n",
	} {
		_, err := loadConfig(writeConfig(t, text))
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q gives %v", text, err)
		}
	}
}

// Tokens are secrets by their type: whoever prints a section does not print them, and the doors have them as they are.
func TestTokensAreSecrets(t *testing.T) {
	const token = "sixteen-letters-and-more"
	c, err := loadConfig(writeConfig(t, "http: {token: "+token+"}\nadmin: {token: "+token+"}\n"))
	if err != nil || string(c.HTTP.Token) != token || string(c.Admin.Token) != token {
		t.Errorf("%v, %d and %d letters", err, len(c.HTTP.Token), len(c.Admin.Token))
	}
	if text := fmt.Sprintf("%v %+v %#v", c.HTTP, c.Admin, c.HTTP); strings.Contains(text, token) || strings.Count(text, "[secret]") != 3 {
		t.Error(text)
	}
	var options web.Options
	if err := c.HTTP.complete(&options); err != nil || options.Token != token {
		t.Errorf("%v, the door has %q", err, options.Token)
	}
}

// TestReferences reads variables and files: within a text, as a number, without the line feed that an editor has left, and
// as a text that would be structure if it were replaced before the file is parsed.
func TestReferences(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "group")
	if err := os.WriteFile(secret, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FRAUD_TEST_REVIEW", "0.25")
	t.Setenv("FRAUD_TEST_YAML", "a: {b: [")
	c, err := loadConfig(writeConfig(t, `
kafka:
  brokers: ["${env:FRAUD_TEST_HOST:-localhost}:9092"]
  group: "${file:`+secret+`}"
  input: "${env:FRAUD_TEST_YAML}"
thresholds:
  review: ${env:FRAUD_TEST_REVIEW}
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Kafka.Brokers[0] != "localhost:9092" || c.Kafka.Group != "from a file" {
		t.Errorf("read %+v", c.Kafka)
	}
	if c.Kafka.Input != "a: {b: [" {
		t.Errorf("a variable became structure: %q", c.Kafka.Input)
	}
	if *c.Thresholds.Review != 0.25 {
		t.Errorf("review is %v", *c.Thresholds.Review)
	}
}

// TestNearest guesses at misspelt keys, and does not where the guess would be wild.
func TestNearest(t *testing.T) {
	for word, want := range map[string]string{"brokers": "brokers", "dead_leter": "dead_letter", "modle": "model", "x": "", "certificate": ""} {
		if got := nearest(word, []string{"brokers", "dead_letter", "model", "id"}); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

// TestRunRefusesTopicsThatCannotBe gives topics and groups that a stream would go round in circles over, or that nobody
// has named; the model is never looked at.
func TestRunRefusesTopicsThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct {
		run  runCommand
		want string
	}{
		"the output is read again":     {runCommand{Output: "transactions"}, "kafka.input and kafka.output are both transactions"},
		"dead letters are read again":  {runCommand{Input: "transactions.dlq"}, "kafka.input and kafka.dead_letter are both transactions.dlq"},
		"decisions among dead letters": {runCommand{DeadLetter: "decisions"}, "kafka.output and kafka.dead_letter are both decisions"},
		"no group":                     {runCommand{Config: writeConfig(t, "kafka: {group: ''}\n")}, "kafka.group is empty"},
		"no input":                     {runCommand{Config: writeConfig(t, "kafka: {input: ''}\n")}, "kafka.input is empty"},
		"no brokers":                   {runCommand{Config: writeConfig(t, "kafka: {brokers: []}\n")}, "kafka.brokers is empty"},
		"an empty broker":              {runCommand{Brokers: []string{"a:1", ""}}, "kafka.brokers holds an empty address"},
	} {
		c.run.Model = "x"
		if _, err := c.run.config(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", name, err, c.want)
		}
	}
	if _, err := (&runCommand{Model: "x"}).config(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
}

// TestDeadLetterConfig reads the section dlq, its defaults, and what is refused of it. Without dlq.keep the id stays
// readable, wherever the mapping has it.
func TestDeadLetterConfig(t *testing.T) {
	c, err := loadConfig(writeConfig(t, "dlq: {mode: redacted, keep: [id, card.country], breaker: {share: 0.2, events: 10}}\n"))
	if err != nil || c.DLQ.Mode != deadletter.Redacted || c.kept()[1] != "card.country" || c.DLQ.Breaker.Share != 0.2 || c.DLQ.Breaker.Events != 10 {
		t.Errorf("read %+v, %v", c.DLQ, err)
	}
	if c, err = loadConfig(writeConfig(t, "event: {id: {path: de.37}}\n")); err != nil || !slices.Equal(c.kept(), []string{"de.37"}) || c.DLQ.Breaker.Share != 0.5 {
		t.Errorf("defaults %+v, %v, %v", c.DLQ, c.kept(), err)
	}
	for text, want := range map[string]string{
		"dlq: {mode: none}":                       "raw, redacted, reference",
		"dlq: {keep: [a]}":                        "only with dlq.mode redacted",
		"dlq: {breaker: {share: 0}}":              "1 switches the breaker off",
		"dlq: {breaker: {share: 1.5}}":            "1 switches the breaker off",
		"dlq: {breaker: {share: 0.5, events: 0}}": "at least 1",
		"event: {fields: {a: {default: &nan .nan}}}\ndlq: {breaker: {share: *nan}}": "dlq.breaker.share: NaN is no finite number",
		"dlq: {breaker: {shares: 0.5, events: 100}}":                                `did you mean "share"?`,
	} {
		if _, err := loadConfig(writeConfig(t, text+"\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	// It would have passed as no more than 1, and a share of the events is never over it.
	if (&DLQConfig{Breaker: BreakerConfig{Share: math.NaN(), Events: 1}}).validate() == nil {
		t.Error("a share that is no number passes")
	}
}

package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"

	"fraudstream/consumer"
	"fraudstream/consumer/security"
	"fraudstream/scoring"
)

// Config is the configuration file. Every key that it holds has an effect; a key that it does not hold is an error.
type Config struct {
	Kafka      KafkaConfig         `yaml:"kafka"`
	Model      ModelConfig         `yaml:"model"`
	Event      EventConfig         `yaml:"event"`
	Thresholds *scoring.Thresholds `yaml:"thresholds"`
	Reasons    scoring.Reasons     `yaml:"reasons"` // which decisions carry reasons
	Drift      DriftConfig         `yaml:"drift"`
	DLQ        DLQConfig           `yaml:"dlq"`
	Tracing    TracingConfig       `yaml:"tracing"`
	HTTP       HTTPConfig          `yaml:"http"`
	Admin      AdminConfig         `yaml:"admin"`
	Privacy    PrivacyConfig       `yaml:"privacy"`
	Delivery   string              `yaml:"delivery"`
	Commit     CommitConfig        `yaml:"commit"`
	Memory     MemoryConfig        `yaml:"memory"`
}

// KafkaConfig names the cluster, the group and the topics.
type KafkaConfig struct {
	Brokers    []string `yaml:"brokers"`
	Group      string   `yaml:"group"`
	Input      string   `yaml:"input"`
	Output     string   `yaml:"output"`
	DeadLetter string   `yaml:"dead_letter"`

	// Topics of the drift monitor; where a name is empty, nothing is written.
	Alerts     string `yaml:"alerts"`
	DriftState string `yaml:"drift_state"`
	DriftTicks string `yaml:"drift_ticks"` // of the pool

	OffsetReset string `yaml:"offset_reset"` // earliest, latest, stop: where to go on when the next offset is gone

	LibraryProtocol bool `yaml:"library_protocol"` // fetch and produce by the Kafka library's types: slower, for brokers that refuse ours

	TLS  security.TLS  `yaml:"tls"`
	SASL security.SASL `yaml:"sasl"`
}

// ModelConfig names the model and the keys whose signature on it is believed.
type ModelConfig struct {
	Path             string   `yaml:"path"`
	RequireSignature bool     `yaml:"require_signature"`
	TrustedKeys      []string `yaml:"trusted_keys"` // minisign public keys, or files that hold one
}

// EventConfig tells how an event is read.
type EventConfig struct {
	scoring.Mapping `yaml:",inline"`
}

// eventFormats are the words of event.format.
func eventFormats() []string { return []string{"json", "cloudevents", "debezium"} }

// defaultConfig is what holds where neither file nor flags say otherwise.
func defaultConfig() Config {
	return Config{
		Kafka: KafkaConfig{
			Brokers: []string{"localhost:9092"}, Group: "fraudstream",
			Input: "transactions", Output: "decisions", DeadLetter: "transactions.dlq",
			OffsetReset: string(consumer.ResetEarliest),
		},
		Event:    EventConfig{scoring.Mapping{Format: "json"}},
		DLQ:      defaultDLQ(),
		Tracing:  defaultTracing(),
		HTTP:     defaultHTTP(),
		Admin:    defaultAdmin(),
		Delivery: atLeastOnce,
	}
}

// loadConfig reads a strict YAML file over the defaults; an empty path gives the defaults.
func loadConfig(path string) (Config, error) {
	c := defaultConfig()
	if path == "" {
		return c, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return c, fmt.Errorf("%s: %s", path, plain(err))
	}
	if err := interpolate(file); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	if len(file.Docs) != 1 {
		return c, fmt.Errorf("%s: one YAML document is expected, found %d", path, len(file.Docs))
	}
	if file.Docs[0].Body == nil {
		return c, nil
	}
	err = yaml.NodeToValue(file.Docs[0].Body, &c, yaml.Strict())
	if err != nil {
		return c, fmt.Errorf("%s:%s", path, explain(err))
	}
	if err := c.validate(); err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// explain gives an unknown key its line and a near name, and any other error its place in the file.
func explain(err error) string {
	unknown, ok := errors.AsType[*yaml.UnknownFieldError](err)
	if !ok {
		return " " + plain(err)
	}
	key, line := unknown.Token.Value, unknown.Token.Position.Line
	near := nearest(key, keysOf(reflect.TypeFor[Config]()))
	if near == key {
		return fmt.Sprintf("%d: unknown key %q at this place; it belongs to another one: see the configuration section of the README", line, key)
	}
	if near != "" {
		return fmt.Sprintf("%d: unknown key %q; did you mean %q?", line, key, near)
	}
	return fmt.Sprintf("%d: unknown key %q; see the configuration section of the README", line, key)
}

// plain is a YAML error with its place but without the lines around it, which may hold a secret.
func plain(err error) string { return yaml.FormatError(err, false, false) }

// validate checks what the types cannot say.
func (c *Config) validate() error {
	if !slices.Contains(eventFormats(), c.Event.Format) {
		return fmt.Errorf("event.format: %q is none of %s", c.Event.Format, strings.Join(eventFormats(), ", "))
	}
	if err := errors.Join(c.validateDelivery(), c.validateMemory()); err != nil {
		return err
	}
	if c.Model.RequireSignature && len(c.Model.TrustedKeys) == 0 {
		return errors.New("model.require_signature: nobody is trusted; name public keys in model.trusted_keys")
	}
	if err := errors.Join(c.DLQ.validate(), c.Tracing.validate(), c.Privacy.validate(), c.HTTP.validate(), c.Admin.validate()); err != nil {
		return err
	}
	return c.Drift.validate()
}

// validate checks what only a stream needs: names for everything, and no topic twice. A service that reads what it
// writes would never come to an end.
func (k *KafkaConfig) validate() error {
	if _, err := parseReset(k.OffsetReset); err != nil {
		return err
	}
	if len(k.Brokers) == 0 {
		return errors.New("kafka.brokers is empty: give at least one HOST:PORT")
	}
	if slices.Contains(k.Brokers, "") {
		return errors.New("kafka.brokers holds an empty address: give HOST:PORT")
	}
	keys := []string{"kafka.group", "kafka.input", "kafka.output", "kafka.dead_letter", "kafka.alerts", "kafka.drift_state", "kafka.drift_ticks"}
	names := []string{k.Group, k.Input, k.Output, k.DeadLetter, k.Alerts, k.DriftState, k.DriftTicks}
	const needed = 4
	for i, name := range names {
		if name == "" && i >= needed {
			continue
		}
		if name == "" {
			return fmt.Errorf("%s is empty: give it a name", keys[i])
		}
		for j := 1; j < i; j++ { // the group may be called like a topic
			if names[j] == name {
				return fmt.Errorf("%s and %s are both %s: give each a topic of its own", keys[j], keys[i], name)
			}
		}
	}
	return nil
}

// keysOf lists the YAML keys of a configuration type, those of nested types included.
func keysOf(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for field := range t.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("yaml"), ","); name != "" {
			keys = append(keys, name)
		}
		keys = append(keys, keysOf(field.Type)...)
	}
	return keys
}

// nearest returns the candidate at the smallest edit distance from word, if that is at most half its length.
func nearest(word string, candidates []string) string {
	best, distance := "", len(word)/2+1
	for _, c := range candidates {
		if d := editDistance(word, c); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's distance in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

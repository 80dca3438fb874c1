package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/parser"

	"fraudstream/consumer"
	"fraudstream/consumer/security"
	"fraudstream/scoring"
)

// Config is the configuration file. Every key that it holds has an effect; a key that it does not hold is an error.
//
// # How a value comes about
//
// The defaults come first (defaultConfig), then the file over them, then the flags, or their variables FRAUDSTREAM_…,
// over both. In the file, ${env:NAME}, ${env:NAME:-default} and ${file:PATH} are replaced in the parsed tree and not
// in the text, so that a password with a quote or a # in it changes nothing but its own value.
//
// # Why it is read three times
//
// The tree of the parsed file is walked beside the tree of the keys first (config_strict.go): the decoder would
// refuse an unknown key too, but could not say which one was meant. Then the decoder fills the structure, and
// validate says what types cannot. Each step names the line; none repeats a value that came out of a variable or a
// file.
//
// # One source for all that is said about keys
//
// Structure and tags are the keys, here and in the files of the sections. What is said of a key stands above it in
// init.yaml and nowhere else; the JSON Schema takes it from there, and a test holds both together.
type Config struct {
	Kafka      KafkaConfig         `yaml:"kafka"`
	Model      ModelConfig         `yaml:"model"`
	Event      EventConfig         `yaml:"event"`
	Thresholds *scoring.Thresholds `yaml:"thresholds"` // over those of the bundle; nil: the bundle's
	Reasons    scoring.Reasons     `yaml:"reasons"`    // which decisions carry reasons
	Drift      DriftConfig         `yaml:"drift"`
	DLQ        DLQConfig           `yaml:"dlq"`
	Tracing    TracingConfig       `yaml:"tracing"`
	HTTP       HTTPConfig          `yaml:"http"`
	Admin      AdminConfig         `yaml:"admin"`
	Privacy    PrivacyConfig       `yaml:"privacy"`
	Delivery   string              `yaml:"delivery"` // at-least-once or exactly-once
	Commit     CommitConfig        `yaml:"commit"`
	Memory     MemoryConfig        `yaml:"memory"`

	source *configSource // nil: no file
}

// KafkaConfig names the cluster, the group and the topics.
type KafkaConfig struct {
	Brokers    []string `yaml:"brokers"` // HOST:PORT, to begin with: the cluster names the others
	Group      string   `yaml:"group"`   // whose members share the partitions
	Input      string   `yaml:"input"`
	Output     string   `yaml:"output"`
	DeadLetter string   `yaml:"dead_letter"`

	// Topics of the drift monitor; where a name is empty, nothing is written.
	Alerts     string `yaml:"alerts"`
	DriftState string `yaml:"drift_state"`
	DriftTicks string `yaml:"drift_ticks"` // of the pool

	OffsetReset string `yaml:"offset_reset"` // earliest, latest, stop: where to go on when the next offset is gone

	LibraryProtocol bool `yaml:"library_protocol"` // fetch and produce by the Kafka library's types, for brokers that refuse ours

	TLS  security.TLS  `yaml:"tls"`
	SASL security.SASL `yaml:"sasl"`
}

// ModelConfig names the model and the keys whose signature on it is believed.
type ModelConfig struct {
	Path             string   `yaml:"path"`
	RequireSignature bool     `yaml:"require_signature"` // refuse what nobody in TrustedKeys has signed
	TrustedKeys      []string `yaml:"trusted_keys"`      // minisign public keys, or files that hold one
}

// EventConfig tells how an event is read: its envelope, and where in it the id, the time and the features are. The keys
// are those of [scoring.Mapping].
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

// loadConfig reads a strict YAML file over the defaults; an empty path gives the defaults. The lines of an error begin
// with the path, and with the line of the file where there is one, as editors and compilers have it: FILE:LINE: what.
func loadConfig(path string) (Config, error) {
	c := defaultConfig()
	if path == "" {
		return c, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return c, fmt.Errorf("configuration: %w", err)
	}
	c.source = &configSource{path: path}
	if said := c.decode(text); said != "" {
		return c, errors.New(path + ":" + strings.ReplaceAll(c.source.conceal(said), "\n", "\n"+path+":"))
	}
	return c, nil
}

// decode reads the text of the source over c and says what is wrong, a line each, each beginning with the line's number
// where it has one.
func (c *Config) decode(text []byte) (wrong string) {
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return " " + plain(err)
	}
	if c.source.references, err = interpolate(file); err != nil {
		return " " + err.Error()
	}
	if len(file.Docs) != 1 {
		return fmt.Sprintf(" one YAML document is expected, found %d", len(file.Docs))
	}
	body := file.Docs[0].Body
	if body == nil {
		return ""
	}
	keys := checkKeys(body)
	c.source.keys = keys
	if len(keys.wrong) > 0 {
		return strings.Join(keys.wrong, "\n")
	}
	if err := yaml.NodeToValue(body, c, yaml.Strict()); err != nil {
		return keys.misfit(err)
	}
	if err := c.validate(); err != nil {
		return keys.locate(err)
	}
	return ""
}

// A configSource is the file that a configuration was read from, for messages and for config print.
type configSource struct {
	path       string
	keys       *strict // nil: the file is empty
	references []expanded
}

// conceal puts the references back into a message, in the place of what they stood for: that may be a password, which
// somebody has put where a number belongs.
func (s *configSource) conceal(message string) string {
	const tooShort = 3 // such a value is no secret, and would be found in every second word
	for _, r := range s.references {
		if len(r.value) > tooShort {
			message = strings.ReplaceAll(message, r.value, r.reference)
		}
	}
	return message
}

// plain is a YAML error with its place but without the lines around it, which may hold a secret.
func plain(err error) string { return yaml.FormatError(err, false, false) }

// validate checks what the types cannot say, of the sections that every command reads. What a stream needs beyond
// that is asked of [KafkaConfig.validate]: whoever scores a file need not name a topic.
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
	if !slices.Contains(offsetResets(), k.OffsetReset) {
		return fmt.Errorf("kafka.offset_reset: %q is none of %s", k.OffsetReset, strings.Join(offsetResets(), ", "))
	}
	if len(k.Brokers) == 0 {
		return errors.New("kafka.brokers is empty: give at least one HOST:PORT")
	}
	if slices.Contains(k.Brokers, "") {
		return errors.New("kafka.brokers holds an empty address: give HOST:PORT")
	}
	keys := []string{"kafka.group", "kafka.input", "kafka.output", "kafka.dead_letter", "kafka.alerts", "kafka.drift_state", "kafka.drift_ticks"}
	names := []string{k.Group, k.Input, k.Output, k.DeadLetter, k.Alerts, k.DriftState, k.DriftTicks}
	const needed = 4 // the first ones; alerts and the topics of drift may be left out
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

// nearest returns the candidate at the smallest edit distance from word, if that is at most half its length: beyond
// that, two words share little but their vowels, and a wrong guess costs more time than none. Of several the first is
// taken.
func nearest(word string, candidates []string) string {
	best, distance := "", len(word)/2+1
	for _, c := range candidates {
		if d := editDistance(word, c); d < distance {
			best, distance = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's distance in bytes: the fewest insertions, deletions and substitutions that make b of
// a. It keeps one row of the table of all prefixes, and of the row before only the field on the diagonal.
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

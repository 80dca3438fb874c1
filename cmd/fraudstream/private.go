package main

import (
	"errors"
	"slices"

	"fraudstream/cmd/fraudstream/privacy"
	"fraudstream/consumer/deadletter"
	"fraudstream/consumer/security"
)

// PrivacyConfig says what people may see of events, beside what masking leaves of them.
type PrivacyConfig struct {
	HashKey security.Secret `yaml:"hash_key"` // of ids; empty: they are cut to their last characters
	Show    []string        `yaml:"show"`     // fields of events that people see, masked: in the console, in logs, in dlq list
}

// shortestKey is the least that a key of HMAC-SHA-256 should have, in bytes. RFC 2104, section 3, wants 32; 16 are
// out of reach of guessing, too, and are what people have at hand.
const shortestKey = 16

// validate refuses a key that can be guessed: then the hash of an id is as good as the id.
func (c *PrivacyConfig) validate() error {
	if n := len(c.HashKey); n > 0 && n < shortestKey {
		return errors.New("privacy.hash_key is too short: give 16 bytes or more, such as ${file:PATH} of what openssl rand -hex 32 prints")
	}
	return nil
}

// masker masks as the configuration says.
func (c *PrivacyConfig) masker() *privacy.Masker {
	return privacy.New(privacy.Options{HashKey: []byte(c.HashKey)})
}

// readable makes what people see of an allowed field. The id looks as it does beside a decision in the console:
// hashed where there is a key, and without one cut to its last characters. Who needs the event itself has its place.
func (c *Config) readable() func(path, text string) string {
	masker, ids := c.Privacy.masker(), c.Event.IDPaths()
	return func(path, text string) string {
		if slices.Contains(ids, path) {
			return masker.ID(text)
		}
		return masker.Text(text)
	}
}

// shown picks from an event what the console and the log may show of it; nil where nothing may be. The paths are
// those of the whole event, as they are for dlq.keep: of a Debezium message, payload.after.country.
func (c *Config) shown() func(value []byte) map[string]string {
	if len(c.Privacy.Show) == 0 {
		return nil
	}
	return privacy.NewFields(c.Privacy.Show, c.readable()).Of
}

// A letterMask makes of a dead letter what dlq list shows. Its headers were written by whoever may write to the
// topic, so that they are masked like any other text.
type letterMask struct {
	masker   *privacy.Masker
	redactor *deadletter.Redactor
}

// newLetterMask keeps the fields of dlq.keep and of privacy.show readable.
func (c *Config) newLetterMask() *letterMask {
	readable := deadletter.NewRedactor(slices.Concat(c.kept(), c.Privacy.Show)).Showing(c.readable())
	return &letterMask{masker: c.Privacy.masker(), redactor: readable}
}

// letter is a letter as it is shown, with or without its value.
func (m *letterMask) letter(l *deadletter.Letter, values bool) shownLetter {
	masked := *l
	masked.Code, masked.Field, masked.Message = m.masker.Text(l.Code), m.masker.Text(l.Field), m.masker.Text(l.Message)
	masked.Source.Topic = m.masker.Text(l.Source.Topic)
	shown := shownLetter{Letter: &masked}
	if values {
		shown.Value = m.masker.JSON(string(m.redactor.Value(l.Value)))
	}
	return shown
}

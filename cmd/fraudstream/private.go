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
	Show    []string        `yaml:"show"`     // fields whose values dlq list --values shows, beside those of dlq.keep
}

// shortestKey is the least that a key of HMAC-SHA-256 should have, in bytes (RFC 2104, section 3, wants 32; 16 are out
// of reach of guessing, too, and are what people have at hand).
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

// A letterMask makes of a dead letter what dlq list shows. Its headers were written by whoever may write to the topic, so
// that they are masked like any other text.
type letterMask struct {
	masker   *privacy.Masker
	redactor *deadletter.Redactor
}

// newLetterMask keeps the fields of dlq.keep and of privacy.show readable. The id is one of the former, by which people
// find the event again: it is hashed where there is a key, and else stands as it is.
func (c *Config) newLetterMask() *letterMask {
	m := &letterMask{masker: c.Privacy.masker()}
	id := c.idPath()
	m.redactor = deadletter.NewRedactor(slices.Concat(c.kept(), c.Privacy.Show)).Showing(func(path, text string) string {
		if path == id && c.Privacy.HashKey != "" {
			return m.masker.ID(text)
		}
		return m.masker.Text(text)
	})
	return m
}

// letter is a letter as it is shown, with or without its value.
func (m *letterMask) letter(l *deadletter.Letter, values bool) shownLetter {
	masked := *l
	masked.Code, masked.Field, masked.Message = m.masker.Text(l.Code), m.masker.Text(l.Field), m.masker.Text(l.Message)
	masked.Source.Topic = m.masker.Text(l.Source.Topic)
	shown := shownLetter{Letter: &masked}
	if values {
		shown.Value = m.masker.Text(string(m.redactor.Value(l.Value)))
	}
	return shown
}

package main

import (
	"errors"

	"fraudstream/cmd/fraudstream/privacy"
	"fraudstream/consumer/security"
)

// PrivacyConfig says what people may see of events, beside what masking leaves of them.
type PrivacyConfig struct {
	HashKey security.Secret `yaml:"hash_key"` // of ids; empty: they are cut to their last characters
	Show    []string        `yaml:"show"`     // fields whose values the console and dlq list --values show
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
	return privacy.New(privacy.Options{HashKey: []byte(c.HashKey), Show: c.Show})
}

package main

import (
	"errors"

	"fraudstream/consumer"
	"fraudstream/consumer/deadletter"
)

// DLQConfig says what dead letters hold of their events, and when the stream pauses rather than write more of them.
type DLQConfig struct {
	Mode    deadletter.Mode `yaml:"mode"` // raw, redacted, reference
	Keep    []string        `yaml:"keep"` // fields that redacted leaves as they are; default: the id
	Breaker BreakerConfig   `yaml:"breaker"`
}

// BreakerConfig is the share of the last minute's events that may fail.
type BreakerConfig struct {
	Share  float64 `yaml:"share"`  // 1: the breaker is off
	Events int     `yaml:"events"` // below so many in a minute it says nothing
}

// defaultDLQ pauses a stream of which half fails, once a hundred events in a minute are enough to tell: then it is the
// model, the mapping or the producer that is broken, and not the events.
func defaultDLQ() DLQConfig { return DLQConfig{Breaker: BreakerConfig{Share: 0.5, Events: 100}} }

// validate refuses what could only be a misunderstanding: a share that no stream can keep, or fields to be kept
// readable in a mode that keeps all or none of them.
func (c *DLQConfig) validate() error {
	switch {
	case !(c.Breaker.Share > 0 && c.Breaker.Share <= 1): // so written, it refuses NaN
		return errors.New("dlq.breaker.share is a share of the events over 0, such as 0.5; 1 switches the breaker off")
	case c.Breaker.Events < 1:
		return errors.New("dlq.breaker.events must be at least 1")
	case len(c.Keep) > 0 && c.Mode != deadletter.Redacted:
		return errors.New("dlq.keep has a meaning only with dlq.mode redacted")
	}
	return nil
}

// kept are the fields that stay readable: those named, else the one by which the event is found again.
func (c *Config) kept() []string {
	if len(c.DLQ.Keep) > 0 {
		return c.DLQ.Keep
	}
	return c.Event.IDPaths()
}

// letters gives o what the configuration says of dead letters.
func (c *Config) letters(o *consumer.Options) {
	o.LetterMode, o.LetterKeep = c.DLQ.Mode, c.kept()
	o.Breaker = consumer.Breaker{Share: c.DLQ.Breaker.Share, Events: c.DLQ.Breaker.Events}
}

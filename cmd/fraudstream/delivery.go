package main

import (
	"errors"
	"fmt"
	"time"

	"fraudstream/consumer"
)

// The guarantees of delivery.
const (
	atLeastOnce = "at-least-once"
	exactlyOnce = "exactly-once"
)

// CommitConfig says how often offsets are committed: with exactly-once delivery a transaction for each partition, which
// readers of decisions wait for.
type CommitConfig struct {
	Interval time.Duration `yaml:"interval"` // default 200 ms; 100 ms with exactly-once
	Events   int           `yaml:"events"`   // with exactly-once: of one partition, at the latest; default 20,000
}

// longestInterval keeps a transaction far from the time after which its coordinator aborts it.
const longestInterval = 10 * time.Second

// validateDelivery refuses a guarantee that there is not, figures out of range, and commit.events where nothing would
// heed it.
func (c *Config) validateDelivery() error {
	switch {
	case c.Delivery != atLeastOnce && c.Delivery != exactlyOnce:
		return fmt.Errorf("delivery: %q is neither %s nor %s", c.Delivery, atLeastOnce, exactlyOnce)
	case c.Commit.Interval < 0 || c.Commit.Interval > longestInterval:
		return fmt.Errorf("commit.interval: %v is not between 0 (the default) and %v", c.Commit.Interval, longestInterval)
	case c.Commit.Events < 0 || c.Commit.Events > 1_000_000:
		return fmt.Errorf("commit.events: %d is not between 0 (the default) and 1000000", c.Commit.Events)
	case c.Commit.Events > 0 && c.Delivery == atLeastOnce:
		return errors.New("commit.events has a meaning only with delivery exactly-once")
	}
	return nil
}

// deliver gives o what the configuration says of delivery.
func (c *Config) deliver(o *consumer.Options) {
	o.ExactlyOnce = c.Delivery == exactlyOnce
	o.CommitInterval, o.CommitEvents = c.Commit.Interval, c.Commit.Events
}

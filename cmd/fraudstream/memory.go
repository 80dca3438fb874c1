package main

import (
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"strconv"
	"strings"

	"fraudstream/consumer"
)

// MemoryConfig bounds the memory that events under way may take up: fetched, decompressed, decided and not yet
// acknowledged, of all partitions of this process together. What the model and the monitor need comes on top.
//
// Without a budget it follows GOMEMLIMIT, which whoever starts the process in a container sets already: so the limit of
// the container is said once. A limit that leaves too little ends the start.
type MemoryConfig struct {
	Budget string `yaml:"budget"` // 256MiB, 1GiB; empty: three eighths of GOMEMLIMIT where that is set, else 256MiB
}

// bytes is the budget, and where it comes from, in words for the log. It is at least [consumer.MinMemory].
func (m MemoryConfig) bytes() (n int64, from string, err error) {
	if m.Budget != "" {
		if n, err = parseSize(m.Budget); err == nil && n < consumer.MinMemory {
			err = fmt.Errorf("%s is less than %d MiB, and no stream gets by with that", m.Budget, consumer.MinMemory>>20)
		}
		if err != nil {
			return 0, "", fmt.Errorf("memory.budget: %w", err)
		}
		return n, "memory.budget", nil
	}
	limit := debug.SetMemoryLimit(-1) // a negative limit changes nothing
	if limit == math.MaxInt64 {
		return consumer.DefaultMemory, "default", nil
	}
	if n = limit / 8 * 3; n < consumer.MinMemory { // the collector works in rounds and needs about as much again
		return 0, "", fmt.Errorf("GOMEMLIMIT: three eighths of %d MiB are less than the %d MiB that a stream needs for its events", limit>>20, consumer.MinMemory>>20)
	}
	return n, "three eighths of GOMEMLIMIT", nil
}

// parseSize reads a number of bytes with its unit, without which nobody can tell 256 from a mistake. The units are
// powers of 1024, as in GOMEMLIMIT; MB and the like, which are read as either, are refused. Signs and fractions are
// refused with the rest: 1.5GiB is 1536MiB.
func parseSize(text string) (int64, error) {
	for _, u := range []struct {
		unit string
		size int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}} {
		digits, ok := strings.CutSuffix(text, u.unit)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil || n > uint64(math.MaxInt64/u.size) {
			return 0, fmt.Errorf("%q is no whole number of %s", text, u.unit)
		}
		return int64(n) * u.size, nil
	}
	return 0, fmt.Errorf("%q has none of the units KiB, MiB, GiB: write 256MiB", text)
}

// validateMemory refuses a budget that cannot be read or cannot suffice. What GOMEMLIMIT says is no matter of the file.
func (c *Config) validateMemory() error {
	if c.Memory.Budget == "" {
		return nil
	}
	_, _, err := c.Memory.bytes()
	return err
}

// remember gives o the budget, and says what it is. It is asked of a stream alone, when everything else has been
// checked: GOMEMLIMIT is the process's and not the file's.
func (c *Config) remember(o *consumer.Options, log *slog.Logger) error {
	n, from, err := c.Memory.bytes()
	if err != nil {
		return err
	}
	o.Memory = n
	log.Info("memory for events under way", slog.Int64("budget_mib", n>>20), slog.String("from", from))
	return nil
}

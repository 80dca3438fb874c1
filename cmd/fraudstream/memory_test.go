package main

import (
	"strings"
	"testing"
)

// TestSizes reads sizes, and refuses those without a unit, with one of 1000, or with a fraction.
func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"16MiB": 16 << 20, "256MiB": 256 << 20, "2GiB": 2 << 30, "65536KiB": 64 << 20} {
		if n, err := parseSize(text); err != nil || n != want {
			t.Errorf("%s is %d, %v; want %d", text, n, err, want)
		}
	}
	for _, text := range []string{"256", "256MB", "256 MiB", "-1MiB", "1.5GiB", "MiB", "9999999999999GiB", "256mib", "0x10MiB"} {
		if n, err := parseSize(text); err == nil {
			t.Errorf("%s is taken for %d", text, n)
		}
	}
}

// TestBudgetThatCannotSuffice refuses a budget that is under the least, by its key, and takes one that is not.
func TestBudgetThatCannotSuffice(t *testing.T) {
	c := Config{Memory: MemoryConfig{Budget: "15MiB"}}
	if err := c.validateMemory(); err == nil || !strings.Contains(err.Error(), "memory.budget: 15MiB is less than 16 MiB") {
		t.Errorf("error %v", err)
	}
	if n, from, err := (MemoryConfig{Budget: "1GiB"}).bytes(); n != 1<<30 || from != "memory.budget" || err != nil {
		t.Errorf("%d from %q, %v", n, from, err)
	}
}

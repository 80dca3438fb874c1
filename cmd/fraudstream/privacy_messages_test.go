package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// What is printed of command lines, files and configurations.
func TestNoCardNumberInMessages(t *testing.T) {
	t.Parallel()
	good, bad := panEvents()
	dir := filepath.Join(t.TempDir(), "5500000000000004")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	rows := filepath.Join(dir, "4111111111111111.ndjson")
	if err := os.WriteFile(rows, []byte(strings.Join(bad, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	table := filepath.Join(dir, "4111111111111111.csv")
	if err := os.WriteFile(table, []byte("amount,4111111111111111,country\n4111 1111 1111 1111,1,2\n\"4111111111111111\"1,2,3\n4111111111111111\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := func(name string) string { return filepath.Join(dir, "out-"+name) }
	config := func(text string) string {
		path := filepath.Join(t.TempDir(), "4111111111111111.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, args := range [][]string{
		{"score", "--model", "demo/bundle", "--in", rows},
		{"score", "--model", "demo/bundle", "--in", rows, "--out", out("1.ndjson.gz")},
		{"score", "--model", "demo/bundle", "--in", rows, "--out", out("2.csv")},
		{"score", "--model", "demo/bundle", "--in", rows, "--out", out("3.parquet")},
		{"score", "--model", "demo/bundle", "--in", table},
		{"score", "--model", "demo/bundle", "--in", table, "--format", "parquet"},
		{"score", "--model", "demo/bundle", "--in", rows, "--format", "csv"},
		{"score", "--model", "demo/bundle", "--in", rows, "--out", out("2.csv"), "--resume"},
		{"score", "--model", "demo/bundle", "--in", rows, "--out", rows},
		{"drift", "--model", "demo/bundle", "--in", rows, "--tick-events", "10", "--html", out("page.html")},
		{"drift", "--model", "demo/bundle", "--in", rows, "--tick-events", "10", "--json"},
		{"drift", "--model", "demo/bundle", "--in", table, "--tick-events", "10"},
		{"drift", "--model", "demo/bundle", "--in", cardCountries(t, dir), "--tick-events", "100", "--json"},
		{"drift", "--model", "demo/bundle", "--in", cardCountries(t, dir), "--tick-events", "100", "--html", out("drifting.html")},
		{"model", "inspect", "4111111111111111"},
		{"model", "verify", dir},
		{"model", "diff", "4111111111111111", dir},
		{"score", "--model", "demo/bundle", "--in", filepath.Join(dir, "5500000000000004.ndjson")},
		{"score", "--model", "4111111111111111"},
		{"score", "--4111111111111111"},
		{"run", "--model", "demo/bundle", "--start", "4111111111111111"},
		{"4111111111111111"},
		{"config", "check", "--offline", "--config", config("'4111111111111111': 1\n")},
		{"config", "check", "--offline", "--config", config("event: {format: '4111 1111 1111 1111'}\n")},
		{"config", "check", "--offline", "--config", config("commit: {events: '4111111111111111'}\n")},
		{"config", "check", "--offline", "--config", config("kafka: [4111111111111111\n")},
		{"config", "print", "--config", config("kafka: {group: '4111111111111111'}\n")},
		{"serve", "--model", "demo/bundle", "--listen", "4111111111111111:1"},
	} {
		_, out, stderr := say(args...)
		if found := leaks(out + stderr); len(found) > 0 || out+stderr == "" {
			t.Errorf("%v: %v in %s%s", args, found, out, stderr)
		}
	}
	written, err := filepath.Glob(out("*"))
	if err != nil || len(written) != 5 {
		t.Errorf("written are %v, %v", written, err)
	}
	for _, path := range written {
		if text := unpacked(t, path); len(leaks(text)) > 0 {
			t.Errorf("%s: %v in %.900s", path, leaks(text), text)
		}
	}
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(good); err != nil || len(leaks(text.String())) != len(examplePANs) {
		t.Error("a number in plain sight is not found")
	}
}

// cardCountries is a file whose events have a card number for a country, so that there is an alarm to tell of.
func cardCountries(t *testing.T, dir string) string {
	t.Helper()
	good, _ := panEvents()
	path := filepath.Join(dir, "drifting-4111111111111111.ndjson")
	text := strings.Repeat(strings.Join(good, "\n")+"\n", 200)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// unpacked is what a file holds; of Parquet, whose pages are compressed, the columns of text.
func unpacked(t *testing.T, path string) string {
	t.Helper()
	if strings.HasSuffix(path, ".parquet") {
		type faults struct {
			Error        string `parquet:"error,optional"`
			ErrorField   string `parquet:"error_field,optional"`
			ErrorMessage string `parquet:"error_message,optional"`
			Decision     string `parquet:"decision_id,optional"`
		}
		rows, err := parquet.ReadFile[faults](path)
		if err != nil || len(rows) == 0 || rows[0].Error == "" {
			t.Fatalf("%v, %v", rows, err)
		}
		return fmt.Sprint(rows)
	}
	text, err := os.ReadFile(path)
	if err == nil && strings.HasSuffix(path, ".gz") {
		var packed *gzip.Reader
		if packed, err = gzip.NewReader(bytes.NewReader(text)); err == nil {
			text, err = io.ReadAll(packed)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

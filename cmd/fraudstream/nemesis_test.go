package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fraudstream/cmd/fraudstream/nemesis"
)

// TestNemesisInProcess gives the service a bad day on the in-process broker, which is not Kafka: it has no replicas to
// lose, and its faults are those that can be put into its answers.
func TestNemesisInProcess(t *testing.T) {
	length := nemesisTime(t)
	runNemesis(t, &nemesis.Options{
		Faults: chosen(t, nemesis.InProcess()), Ground: nemesis.StartInProcess(t), For: length,
		Partitions: 6, Rate: 400, Workers: 3, Patience: 90 * time.Second, Settle: 500 * time.Millisecond,
	})
}

// TestNemesis gives the service a bad day on three brokers of Apache Kafka.
func TestNemesis(t *testing.T) {
	length := nemesisTime(t)
	runNemesis(t, &nemesis.Options{
		Faults: chosen(t, nemesis.OnKafka()), Ground: nemesis.StartKafka(t), Plain: buildPlain(t), For: length,
		Partitions: 6, Rate: 100, Workers: 3, Patience: 3 * time.Minute, Settle: 2 * time.Second,
	})
}

// nemesisTime is how long faults strike; without the variable there is no nemesis.
func nemesisTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("FRAUDSTREAM_NEMESIS")
	if text == "" {
		t.Skip("skipped the nemesis: FRAUDSTREAM_NEMESIS is not set; `make nemesis` sets it")
	}
	length, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("FRAUDSTREAM_NEMESIS: %v", err)
	}
	return length
}

// runNemesis builds what the run's processes run, lets the run go, and shows and keeps what it found.
func runNemesis(t *testing.T, o *nemesis.Options) {
	t.Helper()
	o.Seed = nemesisSeed(t)
	o.Logs = t.TempDir()
	if dir := os.Getenv("FRAUDSTREAM_NEMESIS_DIR"); dir != "" {
		o.Logs = filepath.Join(dir, strconv.FormatUint(o.Seed, 10))
		if err := os.MkdirAll(o.Logs, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	o.Executable = buildCommand(t)
	var err error
	if o.Model, err = filepath.Abs("demo/bundle"); err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(filepath.Dir(o.Logs), "results.jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	o.Results = file
	report := nemesis.Run(t, o)
	t.Logf("seed %d on %s\n\n%s", o.Seed, o.Ground.Name, nemesis.Table(report.Results))
	if o.Ground.Kafka != nil {
		for topic, read := range report.Records {
			if n := countWithKcat(t, o.Ground.Direct, topic); n != read {
				t.Errorf("librdkafka, checking every CRC, reads %d records of %s, franz-go %d", n, topic, read)
			}
		}
	}
	if err := nemesis.Append(file, []nemesis.Result{nemesis.Verdict(o.Ground.Name, o.Seed, t.Failed())}); err != nil {
		t.Error(err)
	}
}

// buildPlain builds the loop that a developer would write.
func buildPlain(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plain")
	if out, err := exec.Command("go", "build", "-o", path, "./nemesis/plain").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// chosen are the faults whose names have one of the words of FRAUDSTREAM_NEMESIS_FAULTS, which are separated by commas;
// all of them without it. A test that has none of them skips itself before it starts a cluster.
func chosen(t *testing.T, faults []nemesis.Fault) []nemesis.Fault {
	t.Helper()
	text := os.Getenv("FRAUDSTREAM_NEMESIS_FAULTS")
	if text == "" {
		return faults
	}
	faults = slices.DeleteFunc(faults, func(f nemesis.Fault) bool {
		return !slices.ContainsFunc(strings.Split(text, ","), func(word string) bool { return strings.Contains(f.Name, word) })
	})
	if len(faults) == 0 {
		t.Skip("no fault of this test has a word of FRAUDSTREAM_NEMESIS_FAULTS in its name")
	}
	return faults
}

// nemesisSeed is that of FRAUDSTREAM_SEED, or a new one.
func nemesisSeed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv("FRAUDSTREAM_SEED")
	if text == "" {
		return uint64(time.Now().UnixMilli())
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("FRAUDSTREAM_SEED: %v", err)
	}
	return seed
}

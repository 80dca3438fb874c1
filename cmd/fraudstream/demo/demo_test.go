package demo

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// An audience writes down the show and leaves when it has seen a line with some words.
type audience struct {
	bytes.Buffer
	words string
	leave context.CancelFunc
}

func (a *audience) Write(text []byte) (int, error) {
	if a.words != "" && bytes.Contains(text, []byte(a.words)) {
		a.leave()
	}
	return a.Buffer.Write(text)
}

// play runs a fast show with stand-in workers until some words appear; without words, to its end.
func play(t *testing.T, until string, environment ...string) (Summary, string, error) {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &audience{words: until, leave: cancel}
	s, err := Run(ctx, Options{
		Fast: true, Plain: true, Seed: 5, Out: out, Executable: executable, environment: environment,
	})
	return s, out.String(), err
}

// TestRun plays the whole script: nothing is lost although a worker dies, what it had not committed comes twice, and
// every poison is a dead letter.
func TestRun(t *testing.T) {
	t.Parallel()
	began := time.Now()
	s, out, err := play(t, "")
	t.Logf("%v\n%s", time.Since(began), out)
	if err != nil {
		t.Fatal(err)
	}
	if s.Sent < 3000 || s.Lost != 0 || s.DeadLetter < 5 || s.Poison != 5 || s.FirstDecision <= 0 {
		t.Errorf("summary %+v", s)
	}
	if s.Decided+s.DeadLetter != s.Sent+s.Duplicated-s.Lost {
		t.Errorf("the summary does not add up: %+v", s)
	}
	if s.Duplicated == 0 {
		t.Error("no duplicates: the worker was not killed in the middle of its work")
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if last := lines[len(lines)-1]; last != s.Line() {
		t.Errorf("the last line is %q, want %q", last, s.Line())
	}
	for _, p := range poisons {
		if !regexp.MustCompile(regexp.QuoteMeta(p.fault) + ` +` + p.code + ` +transactions/\d/\d+`).MatchString(out) {
			t.Errorf("%s is not shown with its code and offset", p.fault)
		}
	}
	if strings.Count(out, "> drift alarm: amount over 96: 10 % → 32 %") != 1 {
		t.Error("the drift alarm is not shown once, though both workers tell of it")
	}
	for i, line := range lines {
		if n := len([]rune(line)); n > 100 {
			t.Errorf("line %d is %d columns wide: %s", i, n, line)
		}
	}
	if strings.Contains(out, "\x1b") {
		t.Error("a plain show has control codes")
	}
}

// TestRunFindsFaults shows that the witness cannot be fooled: workers that lose events, mistake one for another or
// never start are found out.
func TestRunFindsFaults(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped three short shows")
	}
	t.Parallel()
	t.Run("lose", func(t *testing.T) {
		t.Parallel()
		s, out, err := play(t, "the gateway is mended", fault+"=lose")
		if err != nil || s.Lost == 0 || s.Decided+s.DeadLetter != s.Sent+s.Duplicated-s.Lost {
			t.Errorf("summary %+v, error %v\n%s", s, err, out)
		}
	})
	t.Run("mistake", func(t *testing.T) {
		t.Parallel()
		if s, _, err := play(t, "the gateway is mended", fault+"=mistake"); err == nil || s.Strange == 0 {
			t.Errorf("summary %+v, error %v", s, err)
		}
	})
	t.Run("exit", func(t *testing.T) {
		t.Parallel()
		_, _, err := play(t, "", fault+"=exit")
		if err == nil || !strings.Contains(err.Error(), "model refused") {
			t.Errorf("error %v, want the worker's last words", err)
		}
	})
}

// fill writes some bytes into one partition of the input.
func fill(t *testing.T, brokers []string, bytes int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	value := make([]byte, 64<<10)
	for sent := 0; sent < bytes; sent += len(value) {
		client.Produce(t.Context(), &kgo.Record{Topic: input, Value: value}, nil)
	}
	if err := client.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

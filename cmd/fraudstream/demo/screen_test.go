package demo

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"fraudstream/cmd/fraudstream/demo/cards"
)

func scored(score float64, verdict string) *decision {
	d := &decision{Score: score, Verdict: verdict}
	d.Thresholds.Review, d.Thresholds.Block = .05, .4
	return d
}

// TestBar checks that length and verdict of a bar agree: it crosses the fourth cell at review, the seventh at block.
func TestBar(t *testing.T) {
	s := &screen{plain: true}
	for _, test := range []struct {
		score float64
		want  string
	}{
		{0, ".........."},
		{.025, "##........"},
		{.05, "####......"},
		{.4, "#######..."},
		{1, "##########"},
	} {
		if got := s.bar(scored(test.score, "")); got != test.want {
			t.Errorf("bar of %v is %s, want %s", test.score, got, test.want)
		}
	}
}

// TestScreenPace checks that a burst of decisions does not become a burst of lines, and that a blocked payment is
// shown even so.
func TestScreenPace(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out, plain: true}
	tx := cards.New(1).Next()
	for range 1000 {
		s.Decision(&tx, scored(.01, "approve"))
	}
	for range 1000 {
		s.Decision(&tx, scored(.9, "block"))
	}
	if n := strings.Count(out.String(), "\n"); n < 2 || n > 4 {
		t.Errorf("%d lines for 2000 decisions in a moment, want one of each", n)
	}
	if !strings.Contains(out.String(), "BLOCK") {
		t.Error("the blocked payment is not shown")
	}
}

// TestStatusStays checks that on a terminal a line goes above the status.
func TestStatusStays(t *testing.T) {
	var out bytes.Buffer
	s := &screen{out: &out}
	s.Status("42 s")
	out.Reset()
	s.Line("a line")
	if got := out.String(); !strings.HasPrefix(got, "\r\x1b[2Ka line\n") || !strings.Contains(got, "42 s") {
		t.Errorf("wrote %q", got)
	}
	s.Settle()
	out.Reset()
	s.Line("the end")
	if got := out.String(); got != "the end\n" {
		t.Errorf("wrote %q after the status was taken away", got)
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
}

// TestBrokerForgets checks that a partition does not grow without end: without the topic's own limit it would.
func TestBrokerForgets(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped the writing of 100 MB")
	}
	cluster, err := startBroker()
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	fill(t, cluster.ListenAddrs(), 100<<20)
	deadline := time.Now().Add(20 * time.Second)
	for {
		p := cluster.PartitionInfo(input, 0)
		if p.HighWatermark < 1600 {
			t.Fatalf("only %d records were written", p.HighWatermark)
		}
		held := p.NumBytes
		if held <= 12<<20 && p.LogStartOffset > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("a partition holds %d MiB", held>>20)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

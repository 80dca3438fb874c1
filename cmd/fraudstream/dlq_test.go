package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// lettersIn puts n dead letters into an in-process broker, as the stream writes them, and returns its address. Every
// third has the code empty; the last one holds what would move a cursor.
func lettersIn(t *testing.T, n int) string {
	t.Helper()
	address := fakeKafka(t, kfake.SeedTopics(2, "transactions", "decisions", "transactions.dlq"))
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for i := range n {
		code, message := "wrong_type", "field amount is text"
		if i%3 == 2 {
			code, message = "empty", "\x1b[2Jempty\tvalue"
		}
		r := &kgo.Record{
			Topic: "transactions.dlq", Partition: int32(i % 2), Timestamp: time.Now().Add(time.Duration(i-n) * time.Second), Value: fmt.Appendf(nil, `{"transaction_id":"t-%d","pan":"4111"}`, i),
			Headers: []kgo.RecordHeader{
				{Key: "__connect.errors.topic", Value: []byte("transactions")},
				{Key: "__connect.errors.partition", Value: fmt.Append(nil, i%2)},
				{Key: "__connect.errors.offset", Value: fmt.Append(nil, i)},
				{Key: "__connect.errors.exception.message", Value: []byte(message)},
				{Key: "fraudstream.error.code", Value: []byte(code)},
			},
		}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	return address
}

// TestLettersAreListedWithoutPayload lists letters by code, partition, time and number. No payload is shown unless it is
// asked for, then it is masked; and a message that would clear the screen does not.
func TestLettersAreListedWithoutPayload(t *testing.T) {
	address := lettersIn(t, 9)
	code, out, _ := say("dlq", "list", "--brokers", address)
	if code != 0 || strings.Count(out, "\n") != 10 || !strings.Contains(out, "wrong_type") || !strings.Contains(out, "transactions/1/7") {
		t.Errorf("%d\n%s", code, out)
	}
	if strings.Contains(out, "t-1") || strings.Contains(out, "4111") || strings.Contains(out, "\x1b") {
		t.Errorf("payload, or what moves the cursor, is printed:\n%q", out)
	}
	code, out, _ = say("dlq", "list", "--brokers", address, "--code", "empty", "--partition", "0", "--json", "--values")
	type line struct {
		Code, Value, Mode string
		Source            struct{ Offset int64 }
	}
	var lines []line
	for text := range strings.Lines(out) {
		var one line
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		lines = append(lines, one)
	}
	if code != 0 || len(lines) != 2 || lines[0].Value != `{"transaction_id":"*2","pan":"9999"}` || lines[1].Source.Offset != 8 || lines[0].Mode != "raw" {
		t.Errorf("%d %+v\n%s", code, lines, out)
	}
	for _, c := range []struct {
		args []string
		want int
	}{
		{[]string{"--since", "1h"}, 9},
		{[]string{"--last", "3"}, 3},
		{[]string{"--last", "300"}, 9},
		{[]string{"--until", "1h"}, 0},
		{[]string{"--since", time.Now().Add(-time.Minute).Format(time.RFC3339), "--limit", "4"}, 4},
	} {
		if _, out, _ = say(append([]string{"dlq", "list", "--brokers", address, "--json"}, c.args...)...); strings.Count(out, "\n") != c.want {
			t.Errorf("%v:\n%s", c.args, out)
		}
	}
	_, out, _ = say("dlq", "list", "--brokers", address, "--json", "--last", "2")
	if first, second, _ := strings.Cut(out, "\n"); !strings.Contains(first, `"offset":7}`) || !strings.Contains(second, `"offset":8}`) {
		t.Errorf("the newest two:\n%s", out)
	}
	if code, _, _ = say("dlq", "list", "--brokers", address, "--last", "1", "--limit", "1"); code != exitUsage {
		t.Errorf("--last and --limit: %d", code)
	}
	if code, _, _ = say("dlq", "list", "--brokers", address, "--since", "yesterday"); code != exitUsage {
		t.Errorf("--since yesterday: %d", code)
	}
	if code, _, complaints := say("dlq", "list", "--brokers", address, "--dead-letter", "none"); code != exitConfig || !strings.Contains(complaints, "topic none") {
		t.Errorf("no such topic: %d %s", code, complaints)
	}
}

// TestReplayCommand replays some letters, then the rest: each is sent once, and a second command counts those of the first.
func TestReplayCommand(t *testing.T) {
	address := lettersIn(t, 9)
	code, out, _ := say("dlq", "replay", "--brokers", address, "--dry-run")
	if code != 0 || out != "would_be_replayed=9 replayed_before=0 gone=0 foreign=0\n" {
		t.Errorf("dry run: %d %s", code, out)
	}
	code, out, _ = say("dlq", "replay", "--brokers", address, "--code", "empty", "--rate", "0")
	if code != 0 || out != "replayed=3 replayed_before=0 gone=0 foreign=0\n" {
		t.Errorf("one code: %d %s", code, out)
	}
	code, out, _ = say("dlq", "replay", "--brokers", address, "--json")
	if code != 0 || !strings.Contains(out, `"replayed": 6`) || !strings.Contains(out, `"before": 3`) {
		t.Errorf("the rest: %d %s", code, out)
	}
	if code, _, _ = say("dlq", "replay", "--brokers", address, "--rate", "-1"); code != exitUsage {
		t.Errorf("--rate -1: %d", code)
	}
	if code, out, _ = say("dlq", "resume", "--brokers", address); code != 0 || strings.Count(out, "failing events before offset") != 2 {
		t.Errorf("resume: %d %s", code, out)
	}
}

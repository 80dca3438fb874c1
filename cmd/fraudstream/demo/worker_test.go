package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// TestMain lets this test binary stand in for the program: started with `run`, it is a worker.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "run" {
		if err := standIn(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) > 2 && os.Args[1] == "parent" {
		dieYoung(os.Args[2])
	}
	os.Exit(m.Run())
}

// dieYoung starts a worker, says which process it is, and waits to be killed.
func dieYoung(dir string) {
	w, err := (&Options{Executable: os.Args[0]}).startWorker("worker 1", dir, "127.0.0.1:0", []string{"127.0.0.1:1"})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(w.command.Process.Pid)
	<-w.gone
	os.Exit(1)
}

// fault is the variable that makes a stand-in misbehave: "lose" drops every hundredth event, "mistake" gives every
// hundredth decision the id of another transaction, "exit" ends with an error at once.
const fault = "STAND_IN_FAULT"

// standIn consumes as simply as one can with franz-go: at least once, decisions before offsets.
func standIn(args []string) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	value := map[string]*string{}
	for _, name := range []string{"brokers", "input", "output", "dead-letter", "group", "model", "listen", "delivery", "config", "drift-tick-events"} {
		value[name] = flags.String(name, "", "")
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if os.Getenv(fault) == "exit" {
		return fmt.Errorf("model refused: %s", *value["model"])
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(*value["brokers"], ",")...), kgo.ConsumerGroup(*value["group"]),
		kgo.ConsumeTopics(*value["input"]), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.Balancers(kgo.RangeBalancer()), kgo.HeartbeatInterval(500*time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0), kgo.FetchMaxWait(100*time.Millisecond),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	last, alarmed := time.Now(), false
	for ctx.Err() == nil {
		fetches := client.PollRecords(ctx, 500)
		var out []*kgo.Record
		if !alarmed && cents(fetches.Records()) {
			alarmed = true
			out = append(out, &kgo.Record{Topic: alerts, Value: []byte(
				`{"episode":"e1","state":"open","feature":"amount","severity":"warning","text":"amount over 96: 10 % → 32 %; amount up to 7: 10 % → 4 %"}`)})
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if answer := answer(r, *value["output"], *value["dead-letter"]); answer != nil {
				out = append(out, answer)
			}
		})
		if err := client.ProduceSync(context.Background(), out...).FirstErr(); err != nil {
			return err
		}
		if time.Since(last) > time.Second || ctx.Err() != nil { // seldom, so that a kill is felt
			last = time.Now()
			_ = client.CommitUncommittedOffsets(context.Background()) // a lost generation only means duplicates
		}
		client.AllowRebalance()
	}
	return client.CommitUncommittedOffsets(context.Background())
}

// answer is the decision or dead letter of an event.
func answer(r *kgo.Record, output, deadLetter string) *kgo.Record {
	misbehave := os.Getenv(fault)
	if code := codeOf(r.Value); code != "" {
		return &kgo.Record{Topic: deadLetter, Partition: r.Partition, Key: r.Key, Value: r.Value, Headers: []kgo.RecordHeader{
			{Key: "__connect.errors.topic", Value: []byte(r.Topic)},
			{Key: "__connect.errors.partition", Value: fmt.Append(nil, r.Partition)},
			{Key: "__connect.errors.offset", Value: fmt.Append(nil, r.Offset)},
			{Key: "fraudstream.error.code", Value: []byte(code)},
		}}
	}
	var event struct {
		TransactionID string `json:"transaction_id"`
	}
	_ = json.Unmarshal(r.Value, &event) // codeOf has found it sound
	if r.Offset%100 == 99 && misbehave == "lose" {
		return nil
	}
	if r.Offset%100 == 99 && misbehave == "mistake" {
		event.TransactionID += "0"
	}
	return &kgo.Record{Topic: output, Partition: r.Partition, Key: r.Key, Value: fmt.Appendf(nil,
		`{"decision_id":"%s/%d/%d","transaction_id":%q,"score":0.01,"decision":"approve",`+
			`"thresholds":{"review":0.05,"block":0.4},"source":{"topic":%q,"partition":%d,"offset":%d}}`,
		r.Topic, r.Partition, r.Offset, event.TransactionID, r.Topic, r.Partition, r.Offset)}
}

// cents tells whether most amounts are far too high.
func cents(records []*kgo.Record) bool {
	high := 0
	for _, r := range records {
		var event struct{ Amount float64 }
		if json.Unmarshal(r.Value, &event) == nil && event.Amount > 500 {
			high++
		}
	}
	return high > 5 && high*10 > len(records)
}

// codeOf tells the five poisons apart, and nothing else.
func codeOf(event []byte) string {
	switch {
	case !json.Valid(event):
		return "bad_json"
	case bytes.Count(event, []byte(`"amount"`)) > 1:
		return "duplicate_key"
	case bytes.Contains(event, []byte(`"amount":"`)):
		return "wrong_type"
	case bytes.Contains(event, []byte(`"amount":null`)):
		return "missing_field"
	case bytes.Contains(event, []byte(`1e999`)):
		return "non_finite"
	}
	return ""
}

func TestCodesOfPoison(t *testing.T) {
	event := []byte(`{"transaction_id":"t-1","amount":12.50,"country":"GB"}`)
	if code := codeOf(event); code != "" {
		t.Fatalf("a sound event is %s", code)
	}
	var codes []string
	for _, p := range poisons {
		spoilt := p.spoil(slices.Clone(event))
		if got := codeOf(spoilt); got != p.code {
			t.Errorf("%s: %s is %q, want %q", p.fault, spoilt, got, p.code)
		}
		codes = append(codes, p.code)
	}
	if slices.Sort(codes); len(slices.Compact(codes)) != len(poisons) {
		t.Error("two poisons have the same code: a dead letter would not tell which it is")
	}
}

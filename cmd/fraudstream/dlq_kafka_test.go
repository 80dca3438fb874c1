package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/consumer/kafkatest"
)

// TestReplayIsKilled kills a replay on a real Apache Kafka, again and again, and starts it again: every letter comes to
// the input topic exactly once, for a reader of committed records.
func TestReplayIsKilled(t *testing.T) {
	const letters, kills = 6_000, 8
	cluster := kafkatest.Start(t, 1)
	for _, topic := range []string{"transactions", "decisions", "transactions.dlq"} {
		cluster.CreateTopic(t, topic, 4)
	}
	writeLetters(t, cluster.Bootstrap(), letters)
	fraudstream := buildCommand(t)
	command := []string{"dlq", "replay", "--brokers", cluster.Bootstrap(), "--rate", "3000"}
	for range kills {
		replay := startProcess(t, "replay", fraudstream, command...)
		time.Sleep(time.Duration(100+rand.IntN(700)) * time.Millisecond)
		replay.kill()
	}
	out, err := exec.Command(fraudstream, command...).Output()
	if err != nil {
		t.Fatal(err)
	}
	var replayed, before int
	if _, err := fmt.Sscanf(string(out), "replayed=%d replayed_before=%d", &replayed, &before); err != nil || replayed+before != letters {
		t.Errorf("the last one said %q, of %d letters; %v", out, letters, err)
	}
	t.Logf("%d kills: %s", kills, out)

	copies := map[int64]int{}
	for _, r := range readCommitted(t, cluster.Bootstrap(), "transactions", letters) {
		copies[header(t, r, "__connect.errors.offset")]++
	}
	lost, twice := 0, 0
	for i := range int64(letters) {
		if copies[i] == 0 {
			lost++
		}
		twice += max(copies[i]-1, 0)
	}
	if lost > 0 || twice > 0 {
		t.Errorf("lost=%d duplicated=%d of %d letters", lost, twice, letters)
	}
}

// writeLetters writes n dead letters whose events have the offsets 0 to n-1.
func writeLetters(t *testing.T, bootstrap string, n int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic("transactions.dlq"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var all []*kgo.Record
	for i := range n {
		all = append(all, &kgo.Record{
			Partition: int32(i % 4), Value: fmt.Appendf(nil, `{"transaction_id":"t-%d"}`, i),
			Headers: []kgo.RecordHeader{
				{Key: "__connect.errors.topic", Value: []byte("transactions")},
				{Key: "__connect.errors.partition", Value: fmt.Append(nil, i%4)},
				{Key: "__connect.errors.offset", Value: fmt.Append(nil, i)},
				{Key: "fraudstream.error.code", Value: []byte("wrong_type")},
			},
		})
	}
	if err := client.ProduceSync(t.Context(), all...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// readCommitted reads until at least n records have come and then nothing for a while.
func readCommitted(t *testing.T, bootstrap, topic string, n int) (all []*kgo.Record) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for patience := time.Minute; ; {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		fetches := client.PollFetches(ctx)
		cancel()
		if fetches.NumRecords() == 0 {
			return all
		}
		all = append(all, fetches.Records()...)
		if len(all) >= n {
			patience = 3 * time.Second
		}
	}
}

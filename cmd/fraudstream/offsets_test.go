package main

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// TestOffsetsSkip names an offset for a partition whose group stands at 12 of 20. It is refused the output for a topic, an
// offset whose events are decided, one beyond the end, and partitions that are not there or were never read.
func TestOffsetsSkip(t *testing.T) {
	address := fakeKafka(t, kfake.SeedTopics(2, "transactions", "decisions", "transactions.dlq"))
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MaxVersions(kversion.V2_4_0()))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	for range 20 {
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "transactions", Partition: 1, Value: []byte("{}")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	commit := kmsg.NewPtrOffsetCommitRequest()
	commit.Group, commit.Generation = "fraudstream", -1
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = "transactions"
	topic.Partitions = []kmsg.OffsetCommitRequestTopicPartition{{Partition: 1, Offset: 12}}
	commit.Topics = append(commit.Topics, topic)
	if _, err := commit.RequestWith(t.Context(), client); err != nil {
		t.Fatal(err)
	}

	skip := func(args ...string) (int, string, string) {
		return say(append([]string{"offsets", "skip", "--brokers", address, "--topic"}, args...)...)
	}
	code, out, complaints := skip("transactions", "--partition", "1", "--to", "15")
	if code != 0 || out != "transactions/1: the group stands at offset 12; if it cannot be read there, it goes on at 15 within seconds\n" {
		t.Errorf("%d %q %s", code, out, complaints)
	}
	if code, out, _ = skip("transactions", "--partition", "1", "--to", "16", "--json"); code != 0 || !strings.Contains(out, `"at": 12`) {
		t.Errorf("%d %s", code, out)
	}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "is not the input", []string{"decisions", "--partition", "1", "--to", "15"}},
		{exitFailure, "no partition 7", []string{"transactions", "--partition", "7", "--to", "15"}},
		{exitFailure, "holds 0 to 20", []string{"transactions", "--partition", "1", "--to", "21"}},
		{exitFailure, "decided already", []string{"transactions", "--partition", "1", "--to", "3"}},
		{exitFailure, "nothing of it was read yet", []string{"transactions", "--partition", "0", "--to", "0"}},
	} {
		if code, _, complaints := skip(c.args...); code != c.code || !strings.Contains(complaints, c.want) {
			t.Errorf("%q: %d %s", c.args, code, complaints)
		}
	}
}

// TestOffsetResetConfig takes the three words of kafka.offset_reset and no other.
func TestOffsetResetConfig(t *testing.T) {
	config := writeConfig(t, "kafka: {offset_reset: newest}\n")
	code, _, complaints := say("topics", "check", "--config", config)
	if code != exitConfig || !strings.Contains(complaints, `kafka.offset_reset: "newest" is none of earliest, latest, stop`) {
		t.Errorf("%d %s", code, complaints)
	}
	for _, policy := range []string{"earliest", "latest", "stop"} {
		c, err := loadConfig(writeConfig(t, "kafka: {offset_reset: "+policy+"}\n"))
		if err != nil || c.Kafka.OffsetReset != policy || c.Kafka.validate() != nil {
			t.Errorf("%s: %+v, %v", policy, c.Kafka, err)
		}
	}
}

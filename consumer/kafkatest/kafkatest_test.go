package kafkatest_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"fraudstream/consumer/kafkatest"
)

// TestCrashKeepsRecords is what every other real-Kafka test leans on: a topic comes with leaders, a killed broker
// comes back on its old port, and acknowledged records are still there.
func TestCrashKeepsRecords(t *testing.T) {
	cluster := kafkatest.Start(t, 1)
	cluster.CreateTopic(t, "kept", 2)
	if n := produce(t, cluster, "kept", 1); n != 0 {
		t.Fatalf("base offset of the first record is %d, want 0", n)
	}
	before := cluster.Bootstrap()
	cluster.StopNode(t, 1, true)
	if after := cluster.StartNode(t); after != before {
		t.Fatalf("the node came back at %s, was at %s", after, before)
	}
	if n := produce(t, cluster, "kept", 1); n != 1 {
		t.Fatalf("base offset of the second record is %d, want 1", n)
	}
}

// TestThreeNodesLoseOne shows that a topic of three replicas is written on while one node is dead.
func TestThreeNodesLoseOne(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped three nodes of Apache Kafka: -short")
	}
	cluster := kafkatest.Start(t, 3)
	cluster.CreateTopic(t, "kept", 1)
	first := produce(t, cluster, "kept", 0)
	cluster.StopNode(t, 3, true)
	// A plain retry after a lost acknowledgement appends a copy, so the offset may be more than one further.
	if n := produce(t, cluster, "kept", 0); n <= first {
		t.Fatalf("base offset with one node dead is %d, want over %d", n, first)
	}
}

// produce writes one record with acks=all and returns its offset; it tries again while leaders move.
func produce(t *testing.T, cluster *kafkatest.Cluster, topic string, partition int) int64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	transport := &kafka.Transport{MetadataTTL: 200 * time.Millisecond}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(strings.Split(cluster.Bootstrap(), ",")...), Transport: transport}
	for {
		r, err := client.Produce(ctx, &kafka.ProduceRequest{
			Topic: topic, Partition: partition, RequiredAcks: kafka.RequireAll,
			Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("x"))}),
		})
		if err == nil {
			err = r.Error
		}
		if err == nil {
			return r.BaseOffset
		}
		if ctx.Err() != nil {
			t.Fatalf("produce: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

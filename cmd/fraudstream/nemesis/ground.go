package nemesis

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"fraudstream/consumer/kafkatest"
)

// Ground is the cluster that a run stands on. All faults of a run happen in one cluster's life.
type Ground struct {
	Name        string   // as the results have it, such as Apache Kafka 4.4.0; what follows " with " makes no table of its own
	Brokers     string   // where the workers go
	Direct      string   // where generator and witness go: the same brokers by a way that no fault of the network is on
	Access      string   // of the workers: more lines of the kafka section of their configuration, each with its line break
	PlainAccess []string // arguments for the plain loop that say the same
	Replication int16    // of every topic: 3 on Apache Kafka, 1 in process

	// Exactly one of these is there.
	Kafka *kafkatest.Proxied
	Fake  *kfake.Cluster

	connections connections // of the in-process broker
}

// createTopic creates a topic, and returns when every broker knows all of it: a worker asks any of them, and ends
// with an error of its configuration where a topic is not there. What is refused, or not known to all within two
// minutes, ends the test.
func (g *Ground) createTopic(t testing.TB, client *kgo.Client, name string, partitions int32) {
	t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, partitions, g.Replication
	req.Topics = append(req.Topics, topic)
	req.TimeoutMillis = 30_000
	res, err := req.RequestWith(t.Context(), client)
	const exists = 36 // a busy cluster says so of what it has just created for us
	if err != nil || res.Topics[0].ErrorCode != 0 && res.Topics[0].ErrorCode != exists {
		t.Fatalf("create topic %s: %v %+v", name, err, res)
	}
	for deadline := time.Now().Add(2 * time.Minute); !known(t.Context(), client, name, partitions); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("topic %s is not known to every broker after two minutes", name)
		}
	}
}

// known asks each broker that the client has heard of whether it knows the leaders of all partitions of a topic. A
// broker that does not answer knows nothing.
func known(ctx context.Context, client *kgo.Client, name string, partitions int32) bool {
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &name
	req.Topics = append(req.Topics, topic)
	for _, broker := range client.DiscoveredBrokers() {
		res, err := broker.RetriableRequest(ctx, req)
		if err != nil {
			return false
		}
		t := res.(*kmsg.MetadataResponse).Topics[0]
		if t.ErrorCode != 0 || len(t.Partitions) != int(partitions) ||
			slices.ContainsFunc(t.Partitions, func(p kmsg.MetadataResponseTopicPartition) bool { return p.ErrorCode != 0 }) {
			return false
		}
	}
	return true
}

package nemesis

import (
	"os"
	"strings"
	"testing"
	"time"

	"fraudstream/consumer/kafkatest"
)

// StartKafka returns the ground of three brokers of Apache Kafka, which the workers reach through proxies. It ends with
// its test.
func StartKafka(t testing.TB) *Ground {
	t.Helper()
	cluster := kafkatest.StartProxied(t, 3, kafkatest.Options{})
	return &Ground{
		Name: kafkaName(), Brokers: cluster.Network.Bootstrap(), Direct: cluster.Bootstrap(),
		Replication: 3, Kafka: cluster,
	}
}

// kafkaName is Apache Kafka with the version that was asked for, if one was.
func kafkaName() string {
	return strings.TrimSpace("Apache Kafka " + os.Getenv("FRAUDSTREAM_KAFKA_VERSION"))
}

// OnKafka lists the faults for three brokers of Apache Kafka.
func OnKafka() []Fault {
	return append(ProcessFaults(6, 300, 40*time.Second, 16*time.Second), KafkaFaults()...)
}

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

// kafkaName is Apache Kafka with the version that was asked for, if one was, and with the session of its brokers if
// that is not the usual one: their figures are no others' then.
func kafkaName() string {
	name := strings.TrimSpace("Apache Kafka " + os.Getenv("FRAUDSTREAM_KAFKA_VERSION"))
	if session := os.Getenv("FRAUDSTREAM_KAFKA_SESSION"); session != "" {
		name += ", brokers' session " + session + " ms"
	}
	return name
}

// OnKafka lists the faults for three brokers of Apache Kafka.
func OnKafka() []Fault {
	return append(ProcessFaults(6, 300, 40*time.Second, 16*time.Second), KafkaFaults()...)
}

package nemesis

import "time"

// OnKafka lists the faults for three brokers of Apache Kafka.
func OnKafka() []Fault {
	return append(ProcessFaults(18, 300, 40*time.Second), KafkaFaults()...)
}

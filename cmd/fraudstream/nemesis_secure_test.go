package main

import (
	"testing"
	"time"

	"fraudstream/cmd/fraudstream/nemesis"
)

// TestNemesisSecure gives the service a bad day on three brokers of Apache Kafka that show certificates and ask an
// authorizer: each right is withdrawn and given back, and the certificates expire.
func TestNemesisSecure(t *testing.T) {
	nemesisTime(t) // without the variable there is no nemesis; here each fault strikes once, however long that takes
	runNemesis(t, &nemesis.Options{
		Faults: chosen(t, nemesis.SecureFaults()), Ground: nemesis.StartSecure(t), Plain: buildPlain(t),
		Partitions: 6, Rate: 100, Workers: 3, Patience: 3 * time.Minute, Settle: 2 * time.Second,
	})
}

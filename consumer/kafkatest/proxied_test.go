package kafkatest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/consumer/kafkatest"
)

// TestProxiesAreTheOnlyWay shows that a client that came through the network knows no other way, and that the test's own
// clients need none of it.
func TestProxiesAreTheOnlyWay(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped three nodes of Apache Kafka: -short")
	}
	cluster := kafkatest.StartProxied(t, 3, kafkatest.Options{})
	cluster.CreateTopic(t, "kept", 6)
	through := franz(t, cluster.Network.Bootstrap())
	for p := range int32(6) {
		write(t, through, p)
	}
	cluster.Network.Cut()
	failing := make(chan error, 1)
	through.Produce(t.Context(), &kgo.Record{Value: []byte("x")}, func(_ *kgo.Record, err error) { failing <- err })
	direct := franz(t, cluster.Bootstrap())
	for p := range int32(6) {
		write(t, direct, p)
	}
	select {
	case err := <-failing:
		t.Fatalf("a record went through a network that is cut, or was given up: %v", err)
	default:
	}
	cluster.Network.Heal(t)
	if err := <-failing; err != nil {
		t.Fatal(err)
	}
}

// TestCertificateExpires shows that brokers can be made to show a certificate that has expired, and a good one again.
func TestCertificateExpires(t *testing.T) {
	cluster := kafkatest.StartProxied(t, 1, kafkatest.Options{Secure: true})
	cluster.CreateTopic(t, "kept", 1)
	dial := func() error {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(cluster.Security.Authority.PEM)
		conn, err := tls.Dial("tcp", cluster.Network.Bootstrap(), &tls.Config{RootCAs: pool})
		if err == nil {
			conn.Close()
		}
		return err
	}
	if err := dial(); err != nil {
		t.Fatal(err)
	}
	cluster.ShowCertificate(t, time.Now().Add(-time.Minute))
	await(t, "the expired certificate", func() bool {
		err := dial()
		return err != nil && strings.Contains(err.Error(), "expired")
	})
	cluster.ShowCertificate(t, time.Now().Add(time.Hour))
	await(t, "the new certificate", func() bool { return dial() == nil })
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited 30 s for %s", what)
		}
	}
}

func franz(t *testing.T, bootstrap string, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(bootstrap, ",")...), kgo.DefaultProduceTopic("kept"),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.MetadataMinAge(50 * time.Millisecond),
	}, more...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// write produces one record.
func write(t *testing.T, client *kgo.Client, partition int32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := client.ProduceSync(ctx, &kgo.Record{Partition: partition, Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

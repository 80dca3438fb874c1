package consumer

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go/sasl/plain"
)

// On an Apache Kafka with SASL_SSL (FRAUDSTREAM_KAFKA_SASL_SSL=host:port, FRAUDSTREAM_KAFKA_CA, …_USER, …_PASSWORD;
// FRAUDSTREAM_KAFKA is its plain listener) the stream runs over TLS, and a wrong password is told at once.
func TestSecuredOnApacheKafka(t *testing.T) {
	address := os.Getenv("FRAUDSTREAM_KAFKA_SASL_SSL")
	if address == "" {
		t.Skip("skipped TLS and SASL on Apache Kafka: FRAUDSTREAM_KAFKA_SASL_SSL names none")
	}
	pem, err := os.ReadFile(os.Getenv("FRAUDSTREAM_KAFKA_CA"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	user, password := os.Getenv("FRAUDSTREAM_KAFKA_USER"), os.Getenv("FRAUDSTREAM_KAFKA_PASSWORD")
	s := newStage(t, &broker{bootstrap: os.Getenv("FRAUDSTREAM_KAFKA"), real: true}, 2, 2)
	sent := s.sendEvents("a", 500, 2)
	o := s.options()
	o.Brokers, o.TLS, o.ExitAtEnd = []string{address}, &tls.Config{RootCAs: roots}, true
	o.SASL = plain.Mechanism{Username: user, Password: password}
	if err := s.consumer(o).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.assertOnce(sent, s.decisionIDs())

	o.SASL = plain.Mechanism{Username: user, Password: "not-the-secret"}
	if err := startFault(t, s.consumer(o)); !strings.Contains(err.Error(), "authentication failed") {
		t.Error(err)
	}
	if strings.Contains(s.logs.String(), "not-the-secret") {
		t.Error("the password is in the log")
	}
}

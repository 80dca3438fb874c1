package consumer

import (
	"crypto/tls"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"fraudstream/consumer/kafkatest"
	"fraudstream/consumer/security"
)

// servedCertificate is what a broker shows, which a test may change.
type servedCertificate struct {
	now atomic.Pointer[tls.Certificate]
}

func (s *servedCertificate) set(t *testing.T, a *kafkatest.Authority, until time.Time) {
	t.Helper()
	certificate, key := a.Issue(t, "broker", until)
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	s.now.Store(&pair)
}

func (s *servedCertificate) config() *tls.Config {
	return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.now.Load(), nil }}
}

// franzLogin is how the independent client logs in.
func franzLogin(d *security.Dialer) []kgo.Opt {
	return []kgo.Opt{
		kgo.Dialer(d.DialContext),
		kgo.SASL(scram.Auth{User: "ann", Pass: "pw"}.AsSha512Mechanism()),
	}
}

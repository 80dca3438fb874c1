// Package security proves to a Kafka broker who this client is, and makes the broker prove who it is.
//
// A [Dialer] opens the connections: plain TCP, TLS, or TLS with a certificate of our own (mTLS). A [SASL] login then
// runs inside the connection: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER. Both are plugged into every client
// that the consumer makes, so there is one place where a connection can be made and none that forgets its login.
//
//	dialer, err := security.NewDialer(security.TLS{Enabled: true, CA: "ca.pem"})
//	login, err := security.SASL{Mechanism: "SCRAM-SHA-512", Username: "svc", Password: secret}.Login()
//
// # Why files are read again at every connection
//
// Certificates and tokens live for hours and the process lives for months; whatever renews them replaces files. A
// connection is made a few times an hour, so reading the files each time costs nothing, and a renewed certificate, key,
// authority or token holds from the next connection on without a restart. A set of files that does not fit together,
// since it is being replaced right now, is passed over for the last one that did.
//
// # Why the TLS handshake is made here and not by the Kafka library
//
// The library takes one tls.Config for the life of the client, in which the authorities to trust cannot change. Made
// while dialing, the handshake also fails where the address is known, so that the error names it and says what to do.
//
// # Why nothing logs in twice over one connection
//
// Brokers with connections.max.reauth.ms, or with tokens that end, close a connection whose login is over. The next
// request then makes a new one, with the token or password of that moment; it costs one retry, which is counted.
//
// # What is never shown
//
// No error and no log line holds a password, a token or what a token command has printed.
package security

import (
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// SASL says how to log in. The zero value does not.
type SASL struct {
	Mechanism  string            `yaml:"mechanism"` // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER
	Username   string            `yaml:"username"`
	Password   Secret            `yaml:"password"`
	Token      Token             `yaml:"token"`      // of OAUTHBEARER
	Extensions map[string]string `yaml:"extensions"` // of OAUTHBEARER: what some providers ask for beside the token
}

// Login returns the mechanism that a client authenticates with; nil where there is none.
func (s SASL) Login() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case "":
		if s.Username != "" || s.Password != "" || s.Token.given() {
			return nil, fmt.Errorf("sasl.mechanism is missing: give %s", mechanisms)
		}
		return nil, nil
	case "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512":
		if s.Username == "" || s.Password == "" {
			return nil, fmt.Errorf("sasl.mechanism %s needs sasl.username and sasl.password", s.Mechanism)
		}
		if s.Token.given() {
			return nil, fmt.Errorf("sasl.token belongs to OAUTHBEARER, and the mechanism is %s", s.Mechanism)
		}
	case "OAUTHBEARER":
		if s.Username != "" || s.Password != "" {
			return nil, errors.New("sasl.username and sasl.password do not belong to OAUTHBEARER: give sasl.token")
		}
		return newBearer(s.Token, s.Extensions)
	default:
		return nil, fmt.Errorf("sasl.mechanism %q is unknown: give %s", s.Mechanism, mechanisms)
	}
	switch s.Mechanism {
	case "SCRAM-SHA-256":
		return scram.Mechanism(scram.SHA256, s.Username, string(s.Password))
	case "SCRAM-SHA-512":
		return scram.Mechanism(scram.SHA512, s.Username, string(s.Password))
	}
	return plain.Mechanism{Username: s.Username, Password: string(s.Password)}, nil
}

const mechanisms = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"

	"github.com/segmentio/kafka-go/sasl"

	"fraudstream/consumer/security"
)

// access is how every client of Kafka that this program makes opens a connection and logs in. It is worked out before
// anything is connected, so that a file that cannot be read or a mechanism that does not exist ends the start and not
// the first connection; the error names the key. A password or a token that would travel in clear text is warned of:
// inside a machine, or a tunnel, that may be meant.
func (k *KafkaConfig) access(log *slog.Logger) (dial func(ctx context.Context, network, address string) (net.Conn, error), login sasl.Mechanism, err error) {
	dialer, err := security.NewDialer(k.TLS)
	if err != nil {
		return nil, nil, fmt.Errorf("kafka.%w", err)
	}
	if login, err = k.SASL.Login(); err != nil {
		return nil, nil, fmt.Errorf("kafka.%w", err)
	}
	if mechanism := k.SASL.Mechanism; !k.TLS.Enabled && (mechanism == "PLAIN" || mechanism == "OAUTHBEARER") {
		log.Warn("the login goes over the network in clear text: set kafka.tls.enabled", "mechanism", mechanism)
	}
	return dialer.DialContext, login, nil
}

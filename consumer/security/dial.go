package security

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// TLS says how connections are encrypted, and what each side shows the other. The files hold PEM.
type TLS struct {
	Enabled    bool   `yaml:"enabled"`
	CA         string `yaml:"ca"`          // authorities that may have signed the broker's certificate; empty: those of the system
	Cert       string `yaml:"cert"`        // what this client shows (mTLS), with its chain; empty: nothing
	Key        string `yaml:"key"`         // of Cert
	ServerName string `yaml:"server_name"` // the name in the broker's certificate; empty: the host that is dialed
}

// dialTimeout is for the connection; the handshake is bounded by the caller's context.
const dialTimeout = 3 * time.Second

// Dialer opens connections to brokers.
type Dialer struct {
	o    TLS
	last atomic.Pointer[tls.Config] // that fitted together; nil without TLS
}

// NewDialer reads the files once, so that what is missing or does not fit is known at the start.
func NewDialer(o TLS) (*Dialer, error) {
	d := &Dialer{o: o}
	if !o.Enabled {
		if o != (TLS{}) {
			return nil, errors.New("tls is configured and tls.enabled is not true: connections would not be encrypted")
		}
		return d, nil
	}
	if (o.Cert == "") != (o.Key == "") {
		return nil, errors.New("tls.cert and tls.key belong together: give both or neither")
	}
	config, err := o.load()
	if err != nil {
		return nil, err
	}
	d.last.Store(config)
	return d, nil
}

// load reads the files as they are now.
func (o TLS) load() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		pem, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %s holds no certificate in PEM", o.CA)
		}
	}
	if o.Cert != "" {
		pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, fmt.Errorf("tls.cert and tls.key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// DialContext opens one connection, which is authenticated on return if TLS is on.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, network, address)
	if err != nil || !d.o.Enabled {
		return conn, err
	}
	config, err := d.o.load()
	if err != nil {
		config = d.last.Load()
	} else {
		d.last.Store(config)
	}
	config = config.Clone()
	if config.ServerName = d.o.ServerName; config.ServerName == "" {
		if config.ServerName, _, err = net.SplitHostPort(address); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error says more
		return nil, fmt.Errorf("TLS with %s: %w", address, explain(err))
	}
	return &connection{secured, address}, nil
}

// explain adds to a failed handshake what to do about it.
func explain(err error) error {
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("the broker's certificate is signed by an authority that is not trusted; give it in tls.ca (%w)", unknown)
	}
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Errorf("%w; dial a name that it holds, or give one in tls.server_name", name)
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return fmt.Errorf("the broker's certificate is not valid today (%s to %s); it has to be renewed (%w)",
			day(invalid.Cert.NotBefore), day(invalid.Cert.NotAfter), invalid)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Errorf("the broker does not speak TLS on this port; dial its TLS listener, or leave tls out (%w)", err)
	}
	return refused(err)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// refused says so where the broker has ended the handshake with an alert: nearly always it is our certificate.
func refused(err error) error {
	if remote, ok := errors.AsType[*net.OpError](err); ok && remote.Op == "remote error" {
		return fmt.Errorf("the broker refuses the connection (%w); look at tls.cert: missing, expired, or of an authority that it does not trust", err)
	}
	return err
}

// connection is an encrypted one. In TLS 1.3 a broker may refuse our certificate after the handshake has ended here:
// the refusal is met by the first read.
type connection struct {
	*tls.Conn
	address string
}

// Read reads what the broker has sent.
func (c *connection) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if explained := refused(err); explained != err { //nolint:errorlint // whether it is another value
		return n, fmt.Errorf("TLS with %s: %w", c.address, explained)
	}
	return n, err
}

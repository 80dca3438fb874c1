package web

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"
)

// TLS names the files of the listener's certificate. With ClientCA, callers have to show a certificate of that
// authority (mTLS), before they are asked for a token.
type TLS struct {
	Cert     string `yaml:"cert"`      // PEM: the certificate and those between it and its authority
	Key      string `yaml:"key"`       // PEM
	ClientCA string `yaml:"client_ca"` // PEM; empty: anybody may connect
}

// Enabled tells whether the listener speaks TLS.
func (t TLS) Enabled() bool { return t != TLS{} }

// lookEvery is how often the files are looked at, at most: certificates are renewed over days, and a connection every
// millisecond must not become three system calls every millisecond.
const lookEvery = time.Second

// Config is the configuration of a listener whose certificates are read anew when their files change, so that a
// rotation takes no restart and drops no connection. Files that are wrong at the start are an error; files that turn
// wrong later leave the old ones in force, and log hears of it. TLS 1.2 is the oldest that is spoken.
// GetConfigForClient and not GetCertificate, because the authorities of the callers are renewed as well. Connections
// that are open keep what they were opened with.
func (t TLS) Config(log *slog.Logger) (*tls.Config, error) {
	if t.Cert == "" || t.Key == "" {
		return nil, errors.New("tls: cert and key go together: name both files")
	}
	c := &certificates{files: t, log: log}
	if err := c.read(); err != nil {
		return nil, err
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		NextProtos:         []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current(), nil },
	}, nil
}

// certificates are what the files held when they were last read.
type certificates struct {
	files TLS
	log   *slog.Logger

	mu     sync.Mutex // handshakes share it
	looked time.Time
	stamp  string // of the files: their times and sizes
	config *tls.Config
}

// current is the configuration of a connection that begins now. The files are read under the lock: other handshakes
// wait for some milliseconds, once for each rotation. A failure leaves the stamp of the wrong files in place, so they
// are read again only when they change again.
func (c *certificates) current() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookEvery {
		return c.config
	}
	c.looked = time.Now()
	if c.files.stamp() == c.stamp {
		return c.config
	}
	if err := c.read(); err != nil {
		c.log.Error("the changed certificate cannot be used; the old one stays", "error", err)
		return c.config
	}
	c.log.Info("the certificate was read anew", "file", c.files.Cert)
	return c.config
}

// stamp changes when a file does. A file that is away has none. Times in nanoseconds and sizes are compared, and not
// contents: Kubernetes replaces the link to a whole folder, which changes the times of what the names lead to.
func (t TLS) stamp() string {
	var stamp strings.Builder
	for _, name := range []string{t.Cert, t.Key, t.ClientCA} {
		if info, err := os.Stat(name); name != "" && err == nil {
			fmt.Fprint(&stamp, info.ModTime().UnixNano(), " ", info.Size(), " ")
		}
	}
	return stamp.String()
}

// read reads the files. What was found is remembered even where it is wrong, so that it is said once.
func (c *certificates) read() error {
	c.stamp = c.files.stamp()
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return fmt.Errorf("tls.cert, tls.key: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{pair}}
	if c.files.ClientCA != "" {
		authorities, err := os.ReadFile(c.files.ClientCA)
		if err != nil {
			return fmt.Errorf("tls.client_ca: %w", err)
		}
		config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !config.ClientCAs.AppendCertsFromPEM(authorities) {
			return fmt.Errorf("tls.client_ca: %s holds no certificate in PEM form", c.files.ClientCA)
		}
	}
	c.config = config
	return nil
}

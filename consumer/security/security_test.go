package security

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fraudstream/consumer/kafkatest"
)

// tomorrow is when the certificates of these tests end.
func tomorrow() time.Time { return time.Now().Add(24 * time.Hour) }

// server answers TLS connections with what certificate says at that moment, and demands a client's from clients if
// that is not nil. It sends one byte when a handshake is done on its side.
func server(t *testing.T, clients *kafkatest.Authority, certificate func() tls.Certificate) string {
	t.Helper()
	config := &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		c := certificate()
		return &c, nil
	}}
	if clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.ClientCAs.AppendCertsFromPEM(clients.PEM)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte{1})
			_ = conn.Close()
		}
	}()
	return l.Addr().String()
}

func pair(t *testing.T, certificate, key []byte) tls.Certificate {
	t.Helper()
	p, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// connect dials and reads a byte, which in TLS 1.3 is where a refused client learns of it.
func connect(d *Dialer, address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Read(make([]byte, 1))
	return err
}

func dialer(t *testing.T, o TLS) *Dialer {
	t.Helper()
	o.Enabled = true
	d, err := NewDialer(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestBrokerMustProveItself(t *testing.T) {
	known, unknown := kafkatest.NewAuthority(t), kafkatest.NewAuthority(t)
	ca := kafkatest.WriteFile(t, filepath.Join(t.TempDir(), "ca.pem"), known.PEM)
	good := brokerPair(t, known, tomorrow())
	for _, c := range []struct {
		name, want string
		shown      tls.Certificate
		o          TLS
	}{
		{"sound", "", good, TLS{CA: ca}},
		{"sound under a name", "", good, TLS{CA: ca, ServerName: "localhost"}},
		{"unknown authority", "give it in tls.ca", brokerPair(t, unknown, tomorrow()), TLS{CA: ca}},
		{"expired", "has to be renewed", brokerPair(t, known, time.Now().Add(-time.Hour)), TLS{CA: ca}},
		{"other name", "tls.server_name", good, TLS{CA: ca, ServerName: "kafka.example"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := server(t, nil, func() tls.Certificate { return c.shown })
			err := connect(dialer(t, c.o), address)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("connecting failed: %v", err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), address)):
				t.Errorf("error %v does not hold %q and the address", err, c.want)
			}
		})
	}
}

// brokerPair is a broker's certificate.
func brokerPair(t *testing.T, a *kafkatest.Authority, until time.Time) tls.Certificate {
	t.Helper()
	certificate, key := a.Issue(t, "broker", until)
	return pair(t, certificate, key)
}

func TestPlainPortIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			_, _ = conn.Write([]byte("this is no TLS"))
			_ = conn.Close()
		}
	}()
	if err := connect(dialer(t, TLS{}), l.Addr().String()); err == nil || !strings.Contains(err.Error(), "does not speak TLS") {
		t.Errorf("error %v", err)
	}
}

// An authority and a client certificate that are replaced hold from the next connection on; files that do not fit
// together for a moment do not get in the way.
func TestFilesAreReadAgain(t *testing.T) {
	dir := t.TempDir()
	ca, cert, key := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem")
	first, second := kafkatest.NewAuthority(t), kafkatest.NewAuthority(t)
	clients := kafkatest.NewAuthority(t)
	broker := brokerPair(t, first, tomorrow())
	address := server(t, clients, func() tls.Certificate { return broker })

	oldCert, oldKey := clients.Issue(t, "client", time.Now().Add(-time.Hour))
	kafkatest.WriteFile(t, ca, first.PEM)
	kafkatest.WriteFile(t, cert, oldCert)
	kafkatest.WriteFile(t, key, oldKey)
	d := dialer(t, TLS{CA: ca, Cert: cert, Key: key})
	if err := connect(d, address); err == nil || !strings.Contains(err.Error(), "look at tls.cert") {
		t.Fatalf("an expired certificate of ours: %v", err)
	}
	newCert, newKey := clients.Issue(t, "client", tomorrow())
	kafkatest.WriteFile(t, cert, newCert)
	kafkatest.WriteFile(t, key, newKey)
	if err := connect(d, address); err != nil {
		t.Fatalf("after the renewal: %v", err)
	}
	kafkatest.WriteFile(t, key, oldKey) // does not fit the certificate
	if err := connect(d, address); err != nil {
		t.Fatalf("while the files are being replaced: %v", err)
	}
	kafkatest.WriteFile(t, key, newKey)
	broker = brokerPair(t, second, tomorrow())
	if err := connect(d, address); err == nil || !strings.Contains(err.Error(), "not trusted") {
		t.Fatalf("the broker moved to another authority: %v", err)
	}
	kafkatest.WriteFile(t, ca, first.PEM, second.PEM)
	if err := connect(d, address); err != nil {
		t.Fatalf("after the authority was added: %v", err)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	a := kafkatest.NewAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{brokerPair(t, a, tomorrow())}, MaxVersion: tls.VersionTLS11}
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			_ = conn.(*tls.Conn).Handshake()
			_ = conn.Close()
		}
	}()
	ca := kafkatest.WriteFile(t, filepath.Join(t.TempDir(), "ca.pem"), a.PEM)
	if err := connect(dialer(t, TLS{CA: ca}), l.Addr().String()); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
}

func TestOptionsThatDoNotFit(t *testing.T) {
	dir := t.TempDir()
	empty := kafkatest.WriteFile(t, filepath.Join(dir, "empty.pem"))
	for _, c := range []struct {
		o    TLS
		want string
	}{
		{TLS{CA: "x"}, "tls.enabled is not true"},
		{TLS{Enabled: true, Cert: "x"}, "belong together"},
		{TLS{Enabled: true, CA: filepath.Join(dir, "none")}, "tls.ca"},
		{TLS{Enabled: true, CA: empty}, "no certificate"},
		{TLS{Enabled: true, Cert: empty, Key: empty}, "tls.cert"},
	} {
		if _, err := NewDialer(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.o, err, c.want)
		}
	}
	for _, c := range []struct {
		s    SASL
		want string
	}{
		{SASL{Password: "hunter2"}, "mechanism is missing"},
		{SASL{Mechanism: "GSSAPI"}, "unknown"},
		{SASL{Mechanism: "PLAIN", Password: "hunter2"}, "needs sasl.username"},
		{SASL{Mechanism: "SCRAM-SHA-256", Username: "u", Password: "hunter2", Token: Token{File: "x"}}, "belongs to OAUTHBEARER"},
		{SASL{Mechanism: "OAUTHBEARER"}, "one of them"},
		{SASL{Mechanism: "OAUTHBEARER", Token: Token{File: "x", Command: []string{"y"}}}, "one of them"},
		{SASL{Mechanism: "OAUTHBEARER", Password: "hunter2", Token: Token{File: "x"}}, "give sasl.token"},
		{SASL{Mechanism: "OAUTHBEARER", Token: Token{File: "x"}, Extensions: map[string]string{"auth": "y"}}, "no extension"},
		{SASL{Mechanism: "OAUTHBEARER", Token: Token{File: "x"}, Extensions: map[string]string{"a": "y\x01auth=z"}}, "no extension"},
	} {
		if _, err := c.s.Login(); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: error %v, want %q", c.s.Mechanism, err, c.want)
		}
	}
	if login, err := (SASL{}).Login(); login != nil || err != nil {
		t.Errorf("no login: %v, %v", login, err)
	}
}

// jwt is a token with an end; its signature is nobody's.
func jwt(until time.Time) string {
	claims := fmt.Sprintf(`{"sub":"svc","exp":%d}`, until.Unix())
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

func start(t *testing.T, s SASL) (string, error) {
	t.Helper()
	s.Mechanism = "OAUTHBEARER"
	login, err := s.Login()
	if err != nil {
		t.Fatal(err)
	}
	_, first, err := login.Start(t.Context())
	return string(first), err
}

func TestBearerMessage(t *testing.T) {
	path := kafkatest.WriteFile(t, filepath.Join(t.TempDir(), "token"), []byte("abc.def\n"))
	got, err := start(t, SASL{Token: Token{File: path}, Extensions: map[string]string{"pool": "p=1", "cluster": "c"}})
	if want := "n,,\x01auth=Bearer abc.def\x01cluster=c\x01pool=p=1\x01\x01"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if done, response, err := (exchange{}).Next(t.Context(), nil); !done || response != nil || err != nil {
		t.Error("an empty answer ends the exchange")
	}
	if done, response, err := (exchange{}).Next(t.Context(), []byte(`{"status":"invalid_token"}`)); done || string(response) != "\x01" || err != nil {
		t.Error("a refusal is acknowledged with the byte 1")
	}
}

func TestTokenFileIsReadAtEveryLogin(t *testing.T) {
	path := kafkatest.WriteFile(t, filepath.Join(t.TempDir(), "token"), []byte("one"))
	login, err := SASL{Mechanism: "OAUTHBEARER", Token: Token{File: path}}.Login()
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"one", "two"} {
		kafkatest.WriteFile(t, path, []byte(token))
		if _, first, err := login.Start(t.Context()); err != nil || !strings.Contains(string(first), "Bearer "+token+"\x01") {
			t.Errorf("%q, %v", first, err)
		}
	}
	for _, bad := range []string{"", "a b", "a\x01auth=Bearer x", strings.Repeat("x", maxToken+1)} {
		kafkatest.WriteFile(t, path, []byte(bad))
		if _, _, err := login.Start(t.Context()); err == nil || bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("%.20q was taken for a token: %v", bad, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := login.Start(t.Context()); err == nil {
		t.Error("a missing file was passed over")
	}
}

// The command prints how often it has run; a JWT is kept until it is about to end, any other token for one login.
func TestTokenCommand(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "token.sh")
	count := filepath.Join(dir, "count")
	write := func(token string) {
		text := fmt.Sprintf("#!/bin/sh\necho run >>%s\necho '%s'\necho secret-on-stderr >&2\n", count, token)
		if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	runs := func() int {
		text, _ := os.ReadFile(count)
		return strings.Count(string(text), "run")
	}
	for _, c := range []struct {
		token string
		want  int
	}{{jwt(time.Now().Add(time.Hour)), 1}, {jwt(time.Now().Add(30 * time.Second)), 2}, {"opaque", 2}} {
		_ = os.Remove(count)
		write(c.token)
		login, err := SASL{Mechanism: "OAUTHBEARER", Token: Token{Command: []string{script}}}.Login()
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, first, err := login.Start(t.Context()); err != nil || !strings.Contains(string(first), c.token) {
				t.Fatalf("%q, %v", first, err)
			}
		}
		if runs() != c.want {
			t.Errorf("%.10s…: the command ran %d times for two logins, want %d", c.token, runs(), c.want)
		}
	}
	_, err := start(t, SASL{Token: Token{Command: []string{"/bin/sh", "-c", "echo token-half; echo oops >&2; exit 3"}}})
	if err == nil || strings.Contains(err.Error(), "oops") || strings.Contains(err.Error(), "token-half") {
		t.Errorf("a failing command: %v", err)
	}
}

func TestSlowTokenCommand(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	login, err := SASL{Mechanism: "OAUTHBEARER", Token: Token{Command: []string{"sleep", "60"}}}.Login()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := login.Start(ctx); err == nil || !strings.Contains(err.Error(), "in time") {
		t.Errorf("error %v", err)
	}
}

package web

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

var serials = int64(0)

func (a *authority) sign(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	serials++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serials), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, BasicConstraintsValid: true, IsCA: a.cert == nil,
	}
	template.Subject.CommonName = name
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, private
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &private.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if a.cert == nil {
		a.cert, a.key, a.pem = template, private, cert
		a.cert.Raw = der
	}
	return cert, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
}

func newAuthority(t *testing.T) *authority {
	a := new(authority)
	a.sign(t, "authority")
	parsed, err := x509.ParseCertificate(a.cert.Raw)
	if err != nil {
		t.Fatal(err)
	}
	a.cert = parsed
	return a
}

// put writes a file as a rotation does: beside, and then in the place of the old one.
func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// With an authority of clients, who has no certificate of it does not get as far as a request. A certificate whose
// files are replaced is the one that is shown from then on, and files that are wrong change nothing.
func TestTLS(t *testing.T) {
	t.Parallel()
	ours, strangers := newAuthority(t), newAuthority(t)
	dir := t.TempDir()
	files := TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), ClientCA: filepath.Join(dir, "ca.pem")}
	cert, key := ours.sign(t, "first")
	put(t, files.Cert, cert)
	put(t, files.Key, key)
	put(t, files.ClientCA, ours.pem)
	var said strings.Builder
	config, err := files.Config(slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		t.Fatal(err)
	}
	s := newCards(t, func(o *Options) { o.TLS = config })
	address, _ := listening(t, s)

	shown := func(client *authority) (name, protocol string, err error) {
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ours.pem)
		mine := &tls.Config{RootCAs: pool}
		if client != nil {
			cert, key := client.sign(t, "client")
			pair, err := tls.X509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			mine.Certificates = []tls.Certificate{pair}
		}
		transport := &http.Transport{TLSClientConfig: mine, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		response, err := (&http.Client{Transport: transport}).Get("https://" + address + "/healthz")
		if err != nil {
			return "", "", err
		}
		defer response.Body.Close()
		_, _ = io.Copy(io.Discard, response.Body)
		return response.TLS.PeerCertificates[0].Subject.CommonName, response.Proto, nil
	}
	if name, protocol, err := shown(ours); name != "first" || protocol != "HTTP/2.0" || err != nil {
		t.Fatalf("%q, %q, %v", name, protocol, err)
	}
	if _, _, err := shown(nil); err == nil {
		t.Error("a client without a certificate was served")
	}
	if _, _, err := shown(strangers); err == nil {
		t.Error("a client of another authority was served")
	}

	time.Sleep(lookEvery + 50*time.Millisecond)
	put(t, files.Cert, []byte("no certificate"))
	if name, _, err := shown(ours); name != "first" || err != nil {
		t.Errorf("with a broken file: %q, %v", name, err)
	}
	cert, key = ours.sign(t, "second")
	put(t, files.Key, key)
	put(t, files.Cert, cert)
	time.Sleep(lookEvery + 50*time.Millisecond)
	if name, _, err := shown(ours); name != "second" || err != nil {
		t.Errorf("after the rotation: %q, %v", name, err)
	}
}

func TestTLSNamesTheFile(t *testing.T) {
	a := newAuthority(t)
	dir := t.TempDir()
	cert, key := a.sign(t, "x")
	good := TLS{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	put(t, good.Cert, cert)
	put(t, good.Key, key)
	for want, files := range map[string]TLS{
		"cert and key go together":     {Cert: good.Cert},
		"tls.cert, tls.key: open":      {Cert: good.Cert, Key: filepath.Join(dir, "none")},
		"tls.client_ca: open":          {good.Cert, good.Key, filepath.Join(dir, "none")},
		"holds no certificate in PEM":  {good.Cert, good.Key, good.Key},
		"tls.cert, tls.key: tls: fail": {good.Key, good.Key, ""},
	} {
		if _, err := files.Config(slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %s", err, want)
		}
	}
}

// With a token, every route asks for it but the probes; metrics only where they are told to. Nothing of the answer
// says which part of the token was wrong.
func TestToken(t *testing.T) {
	const token = "a token of the test"
	for _, protect := range []bool{false, true} {
		s := newCards(t, func(o *Options) { o.Token, o.ProtectMetrics = token, protect })
		door := checked(t, s.http.Handler, token)
		open := map[string]bool{
			"/healthz": true, "/readyz": true, "/v2/health/live": true, "/v2/health/ready": true,
			"/v2/models/{model}/ready": true, "/v2/models/{model}/versions/{version}/ready": true, "/metrics": !protect,
		}
		for _, r := range s.routes() {
			at := strings.NewReplacer("{model}", "card-fraud", "{version}", "2026-11-01").Replace(r.path)
			for header, right := range map[string]bool{
				"": false, "Bearer " + token: true, "bearer  " + token: true, "Bearer x" + token: false, "Bearer": false,
				"Basic " + token: false, "Bearer " + token[1:]: false, token: false,
			} {
				request := httptest.NewRequest(r.method, at, strings.NewReader("[]"))
				request.Header.Set("Authorization", header)
				recorder := httptest.NewRecorder()
				door.ServeHTTP(recorder, request)
				refused := recorder.Code == http.StatusUnauthorized
				if refused == (right || open[r.path]) || refused && !strings.HasPrefix(recorder.Header().Get("WWW-Authenticate"), "Bearer") {
					t.Errorf("%s %s with %q: %d", r.method, r.path, header, recorder.Code)
				}
			}
		}
	}
}

func TestAdmin(t *testing.T) {
	level := new(slog.LevelVar)
	var said bytes.Buffer
	admin := NewAdmin(AdminOptions{Log: slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: level})), Level: level}).http.Handler
	call := func(method, path, body string, headers ...string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(method, path, strings.NewReader(body))
		request.Host = "127.0.0.1:6060"
		for i := 0; i < len(headers); i += 2 {
			request.Header.Set(headers[i], headers[i+1])
			if headers[i] == "Host" {
				request.Host = headers[i+1]
			}
		}
		recorder := httptest.NewRecorder()
		admin.ServeHTTP(recorder, request)
		return recorder
	}
	for path, want := range map[string]string{
		"/debug/pprof/": "goroutine", "/debug/pprof/goroutine?debug=1": "goroutine profile", "/debug/pprof/cmdline": "fraudstream",
		"/log-level": `{"level":"info"}`, "/build": "go\tgo1.",
	} {
		if r := call("GET", path, ""); r.Code != 200 || !strings.Contains(r.Body.String(), want) {
			t.Errorf("%s: %d, %.200s", path, r.Code, r.Body)
		}
	}
	for _, word := range []string{"debug", "ERROR\n", "error", `"warn"`} {
		said.Reset()
		r := call("PUT", "/log-level", word)
		if !strings.Contains(said.String(), `level=WARN msg="the log level was changed"`) {
			t.Errorf("%q is changed and the log says %q", word, said.String())
		}
		if want := strings.ToLower(strings.Trim(word, "\"\n")); r.Code != 200 || r.Body.String() != `{"level":"`+want+"\"}\n" || !strings.EqualFold(level.Level().String(), want) {
			t.Errorf("%q: %d, %s", word, r.Code, r.Body)
		}
	}
	if r := call("PUT", "/log-level", "loud"); r.Code != 400 || level.Level() != slog.LevelWarn {
		t.Errorf("loud: %d, %v", r.Code, level.Level())
	}
	for _, headers := range [][]string{{"Origin", "https://evil.example"}, {"Host", "evil.example"}, {"Sec-Fetch-Site", "cross-site"}} {
		if r := call("PUT", "/log-level", "debug", headers...); r.Code != http.StatusForbidden {
			t.Errorf("%v: %d", headers, r.Code)
		}
	}
	if r := call("GET", "/predict", ""); r.Code != 404 {
		t.Errorf("/predict: %d", r.Code)
	}

	admin = NewAdmin(AdminOptions{Log: slog.New(slog.DiscardHandler), Level: level, Token: "a token of the test"}).http.Handler
	if r := call("GET", "/debug/pprof/", ""); r.Code != http.StatusUnauthorized {
		t.Errorf("without the token: %d", r.Code)
	}
}

func TestAdminStaysAtHome(t *testing.T) {
	for address, fine := range map[string]bool{
		"127.0.0.1:0": true, "[::1]:6060": true, "localhost:6060": true, "127.8.8.8:1": true,
		"0.0.0.0:6060": false, ":6060": false, "10.0.0.1:6060": false, "[::]:0": false, "example.com:1": false, "6060": false,
	} {
		if err := CheckAdmin(address, ""); (err == nil) != fine {
			t.Errorf("%s without a token: %v", address, err)
		}
		if err := CheckAdmin(address, "a token of the test"); (err == nil) != (address != "6060") {
			t.Errorf("%s with a token: %v", address, err)
		}
	}
}

// The log has the id of every request at the level of debugging, and nothing of the event.
func TestRequestsAreLogged(t *testing.T) {
	var said bytes.Buffer
	level := new(slog.LevelVar)
	door := newDoor(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: level})) })
	ask(t, door, "POST", "/predict?pan=4111111111111111", `{"income": 4111111111111111, "debt": "4111111111111111"}`, nil)
	if said.Len() > 0 {
		t.Errorf("a request is no news: %s", &said)
	}
	level.Set(slog.LevelDebug)
	ask(t, door, "POST", "/predict?pan=4111111111111111", `{"income": 4111111111111111, "debt": "4111111111111111"}`, nil)
	if line := said.String(); !strings.Contains(line, "id=q-1 method=POST route=/predict status=400") || strings.Contains(line, "4111") {
		t.Errorf("said %q", line)
	}
}

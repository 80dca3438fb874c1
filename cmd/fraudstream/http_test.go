package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"fraudstream/consumer/kafkatest"
)

// A service is the command as a process of its own, serving HTTP by a configuration file.
type service struct {
	t          *testing.T
	said       *logLines
	url, admin string // with the scheme; admin is empty where there is no such listener
	client     *http.Client
	token      string // that is sent; empty: none
}

// serveBy starts `serve` with a configuration and flags, and waits until it listens. At the end of the test it is asked to
// stop, which it must do well.
func serveBy(t *testing.T, config string, flags ...string) *service {
	t.Helper()
	s := &service{t: t, said: &logLines{}, client: &http.Client{Timeout: 20 * time.Second}}
	cmd := exec.Command("fraudstream", append([]string{"serve", "--config", writeConfig(t, config)}, flags...)...)
	cmd.Stderr = s.said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := <-ended; err != nil && cmd.ProcessState.ExitCode() != exitConfig {
			t.Errorf("%v; it said\n%s", err, s.said)
		}
	})
	s.url = s.heard(`"msg":"listening","address":"([^"]+)"`)
	if !strings.Contains(config, noAdmin) {
		s.admin = s.heard(`"msg":"admin listening","address":"([^"]+)"`)
	}
	return s
}

// heard waits until the process has said a pattern, and returns its first group.
func (s *service) heard(pattern string) string {
	s.t.Helper()
	words := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if m := words.FindStringSubmatch(s.said.String()); m != nil {
			return m[1]
		}
	}
	s.t.Fatalf("it does not say %s; it said\n%s", pattern, s.said)
	return ""
}

// ask sends a request. Headers are NAME: VALUE.
func (s *service) ask(method, url, body string, headers ...string) (status int, answer string, header http.Header) {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(text), response.Header
}

// expect demands a status and words of the answer.
func (s *service) expect(status int, words, method, url, body string, headers ...string) string {
	s.t.Helper()
	got, answer, _ := s.ask(method, url, body, headers...)
	if got != status || !strings.Contains(answer, words) {
		s.t.Errorf("%s %s: %d %.400q, want %d and %s", method, url, got, answer, status, words)
	}
	return answer
}

// anyPort is a configuration that listens where there is room, without the operators' listener.
const (
	noAdmin = "admin: {listen: \"\"}\n"
	anyPort = "http: {listen: 127.0.0.1:0}\n" + noAdmin
)

// prediction is what the tests read of an answer.
type prediction struct {
	Status   string
	ID       string `json:"decision_id"`
	Score    float64
	Decision string
	Error    struct{ Code, Field, Message string }
}

// Every door of the command gives a transaction the same score: one object, an array, CSV and the Open Inference Protocol,
// and `score` over a file. A bad row among good ones has an error of its own, by the same words as in a file.
func TestDoorsAgree(t *testing.T) {
	t.Parallel()
	s := serveBy(t, anyPort, "--model", seedModel, "--features", "income,debt")
	const one, other, bad = `{"transaction_id":"t-1","income":52000,"debt":1300}`, `{"transaction_id":"t-2","income":8000.5,"debt":90000}`, `{"transaction_id":"t-3","income":"none","debt":1}`
	of := exec.Command("fraudstream", "score", "--model", seedModel, "--features", "income,debt")
	of.Stdin = strings.NewReader(one + "\n" + other + "\n" + bad + "\n")
	file, _ := of.Output() // exit 3, for the bad row
	var want []prediction
	for line := range strings.Lines(string(file)) {
		var p prediction
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		want = append(want, p)
	}
	if len(want) != 3 || want[0].Score == want[1].Score || want[2].Error.Code != "wrong_type" {
		t.Fatalf("score says %s", file)
	}
	same := func(door, answer string, rows int) {
		t.Helper()
		var got []prediction
		if err := json.Unmarshal([]byte(answer), &got); err != nil || len(got) != rows {
			t.Fatalf("%s: %v in %s", door, err, answer)
		}
		for i, p := range got {
			if p.Score != want[i].Score || p.Decision != want[i].Decision || p.Error.Code != want[i].Error.Code || p.Error.Field != want[i].Error.Field {
				t.Errorf("%s, row %d: %+v, and of a file %+v", door, i+1, p, want[i])
			}
		}
	}
	same("object", "["+s.expect(200, `"status":"success"`, "POST", s.url+"/predict", one)+"]", 1)
	s.expect(400, `"code":"wrong_type","field":"income"`, "POST", s.url+"/predict", bad)
	same("array", s.expect(200, `"status":"error"`, "POST", s.url+"/predict", "["+one+","+other+","+bad+"]"), 3)
	const table = "transaction_id,income,debt\nt-1,52000,1300\nt-2,8000.5,90000\nt-3,none,1\n"
	same("CSV", s.expect(200, `"transaction_id":"t-2"`, "POST", s.url+"/predict", table, "Content-Type: text/csv; charset=utf-8", "X-Request-Id: q7"), 3)
	s.expect(200, `"decision_id":"http/q7/2"`, "POST", s.url+"/predict", table, "Content-Type: text/csv", "X-Request-Id: q7")
	s.expect(400, "no column is one of the model's", "POST", s.url+"/predict", "a,b\n1,2\n", "Content-Type: text/csv")
	s.expect(415, "text/csv", "POST", s.url+"/predict", table, "Content-Type: text/csv; charset=latin1")

	var model struct {
		Name, Platform string
		Inputs         []struct{ Name string }
	}
	name := regexp.MustCompile(`"model":\{"name":"([^"]+)"`).FindStringSubmatch(s.expect(200, "", "POST", s.url+"/predict", one))[1]
	if err := json.Unmarshal([]byte(s.expect(200, "", "GET", s.url+"/v2/models/"+name, "")), &model); err != nil || len(model.Inputs) != 2 {
		t.Errorf("%v in the metadata %+v", err, model)
	}
	s.expect(200, `"ready":true`, "GET", s.url+"/v2/health/ready", "")
	var tensors struct{ Outputs []struct{ Data []float64 } }
	answer := s.expect(200, "", "POST", s.url+"/v2/models/"+name+"/infer",
		`{"inputs":[{"name":"income","datatype":"FP64","shape":[2],"data":[52000,8000.5]},{"name":"debt","datatype":"FP64","shape":[2],"data":[1300,90000]}],"outputs":[{"name":"score"}]}`)
	if err := json.Unmarshal([]byte(answer), &tensors); err != nil || len(tensors.Outputs) != 1 || len(tensors.Outputs[0].Data) != 2 ||
		tensors.Outputs[0].Data[0] != want[0].Score || tensors.Outputs[0].Data[1] != want[1].Score {
		t.Errorf("infer: %v in %s", err, answer)
	}
}

// Events come over HTTP in the envelope that the configuration names, and columns of CSV have the names of its paths.
func TestEnvelopesThroughTheCommand(t *testing.T) {
	t.Parallel()
	model := []string{"--model", seedModel, "--features", "income,debt"}
	const data = `{"transaction_id":"t-1","account":{"income":52000},"debt":1300}`
	const whole = `{"specversion":"1.0","id":"1","source":"/pos","type":"payment","data":` + data + `}`
	const fields = anyPort + "event: {format: %s, fields: {income: {path: account.income}}, where: {path: transaction_id, in: [t-1]}}\n"
	t.Run("cloudevents", func(t *testing.T) {
		t.Parallel()
		s := serveBy(t, fmt.Sprintf(fields, "cloudevents"), model...)
		s.expect(200, `"transaction_id":"t-1"`, "POST", s.url+"/predict", data, "Ce-Specversion: 1.0", "Content-Type: application/json")
		s.expect(200, `"transaction_id":"t-1"`, "POST", s.url+"/predict", whole, "Content-Type: application/cloudevents+json")
		s.expect(200, `},{"status":"success"`, "POST", s.url+"/predict", "["+whole+","+whole+"]", "Content-Type: application/cloudevents-batch+json")
		s.expect(400, `"field":"ce_specversion"`, "POST", s.url+"/predict", data)
		s.expect(200, `"transaction_id":"t-1"`, "POST", s.url+"/predict", "transaction_id,account.income,debt\nt-1,52000,1300\n", "Content-Type: text/csv")
		s.expect(200, `{"status":"skipped","reason":"where"}`, "POST", s.url+"/predict", strings.Replace(data, "t-1", "t-2", 1), "Ce-Specversion: 1.0")
	})
	t.Run("debezium", func(t *testing.T) {
		t.Parallel()
		s := serveBy(t, fmt.Sprintf(fields, "debezium"), model...)
		s.expect(200, `"transaction_id":"t-1"`, "POST", s.url+"/predict", `{"payload":{"op":"c","after":`+data+`}}`)
		s.expect(200, `"transaction_id":"t-1"`, "POST", s.url+"/predict", "\x00\x00\x00\x00\x07"+`{"op":"r","after":`+data+`}`)
		s.expect(200, `{"status":"skipped","reason":"delete"}`, "POST", s.url+"/predict", `{"op":"d"}`)
		s.expect(400, `"code":"missing_field","field":"op"`, "POST", s.url+"/predict", data)
	})
}

// What the sections http and admin may not say ends the start with 78, and the message names the key and what to do.
func TestHTTPConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := kafkatest.NewAuthority(t).Issue(t, "fraudstream", time.Now().Add(time.Hour))
	kafkatest.WriteFile(t, filepath.Join(dir, "cert.pem"), cert)
	kafkatest.WriteFile(t, filepath.Join(dir, "key.pem"), key)
	kafkatest.WriteFile(t, filepath.Join(dir, "text.pem"), []byte("no certificate"))
	for _, refused := range [][]string{ // the configuration, and what is said of it
		{"http: {token: short}", "http.token", "fewer than 16 characters"},
		{"http: {protect_metrics: true}", "http.protect_metrics", "there is no http.token"},
		{"http: {max_body: 0}", "http.max_body", "between 1 and 67108864"},
		{"http: {max_body: 67108865}", "http.max_body", "between 1 and 67108864"},
		{"http: {max_rows: 0}", "http.max_rows", "between 1 and 100000"},
		{"http: {max_rows: 100001}", "http.max_rows", "between 1 and 100000"},
		{"http: {max_concurrent: 0}", "http.max_concurrent", "between 1 and 10000"},
		{"http: {max_concurrent: 10001}", "http.max_concurrent", "between 1 and 10000"},
		{"http: {max_bodi: 3}", "max_bodi", "max_body"},
		{"http: {tls: {cert: DIR/cert.pem}}", "http.tls", "name both files"},
		{"http: {tls: {key: DIR/key.pem}}", "http.tls", "name both files"},
		{"http: {tls: {client_ca: DIR/cert.pem}}", "http.tls", "name both files"},
		{"http: {tls: {cert: DIR/none.pem, key: DIR/key.pem}}", "http.tls.cert", "none.pem", "no such file"},
		{"http: {tls: {cert: DIR/text.pem, key: DIR/key.pem}}", "http.tls.cert", "PEM"},
		{"http: {tls: {cert: DIR/cert.pem, key: DIR/cert.pem}}", "http.tls.cert, tls.key", "private key"},
		{"http: {tls: {cert: DIR/cert.pem, key: DIR/key.pem, client_ca: DIR/text.pem}}", "http.tls.client_ca", "text.pem holds no certificate"},
		{"http: {tls: {cert: DIR/cert.pem, key: DIR/key.pem, client_ca: DIR/none.pem}}", "http.tls.client_ca", "none.pem"},
		{"admin: {token: short}", "admin.token", "fewer than 16 characters"},
		{"admin: {listen: 0.0.0.0:0}", "admin.listen", "set a token, or listen on 127.0.0.1"},
		{"admin: {listen: \":0\"}", "admin.listen", "set a token, or listen on 127.0.0.1"},
		{"admin: {listen: example.com:6060}", "admin.listen", "set a token, or listen on 127.0.0.1"},
		{"admin: {listen: loopback}", "admin.listen", "no HOST:PORT"},
	} {
		config, words := refused[0], refused[1:]
		t.Run(config, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, "fraudstream", "serve", "--model", seedModel, "--features", "income,debt",
				"--config", writeConfig(t, strings.ReplaceAll(config, "DIR", dir)))
			var said bytes.Buffer
			cmd.Stderr = &said
			if _ = cmd.Run(); cmd.ProcessState.ExitCode() != exitConfig {
				t.Errorf("exit %d, want %d: %s", cmd.ProcessState.ExitCode(), exitConfig, &said)
			}
			for _, word := range words {
				if !strings.Contains(said.String(), word) {
					t.Errorf("it does not say %q: %s", word, &said)
				}
			}
		})
	}
}

// The limits and the token of the configuration hold, whoever asks.
func TestHTTPConfigurationHolds(t *testing.T) {
	t.Parallel()
	const token = "sixteen characters"
	const section = "http: {listen: 127.0.0.1:0, token: " + token + ", protect_metrics: %v, max_body: 2000, max_rows: 3, max_concurrent: 1}\n" + noAdmin
	s := serveBy(t, fmt.Sprintf(section, true), "--model", seedModel, "--features", "income,debt")
	const event = `{"income":52000,"debt":1300}`
	for _, path := range []string{"/predict", "/metrics", "/openapi.json", "/console/state", "/console/events", "/v2"} {
		method := "GET"
		if path == "/predict" {
			method = "POST"
		}
		s.expect(401, "Authorization: Bearer TOKEN", method, s.url+path, event)
		s.expect(401, "", method, s.url+path, event, "Authorization: Bearer another token of 16")
	}
	for _, path := range []string{"/healthz", "/readyz", "/v2/health/live", "/", "/console/app.js"} {
		s.expect(200, "", "GET", s.url+path, "")
	}
	s.token = token
	s.expect(200, `"status":"success"`, "POST", s.url+"/predict", event)
	s.expect(200, "fraudstream_model_info", "GET", s.url+"/metrics", "")

	fill := func(n int) string { return event + strings.Repeat(" ", n-len(event)) }
	s.expect(200, "", "POST", s.url+"/predict", fill(2000))
	s.expect(413, "the body is over 2000 bytes", "POST", s.url+"/predict", fill(2001))
	s.expect(200, "", "POST", s.url+"/predict", "["+event+","+event+","+event+"]")
	s.expect(413, "at most 3 events", "POST", s.url+"/predict", "["+event+","+event+","+event+","+event+"]")
	s.expect(413, "at most 3 events", "POST", s.url+"/predict", "income,debt\n1,2\n1,2\n1,2\n1,2\n", "Content-Type: text/csv")

	// One request that is slow to send its body has the only place.
	slow, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(slow, "POST /predict HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", token)
	status, header := 0, http.Header{}
	for end := time.Now().Add(10 * time.Second); status != 429 && time.Now().Before(end); { // it may not have its place yet
		status, _, header = s.ask("POST", s.url+"/predict", event)
	}
	if status != 429 || header.Get("Retry-After") == "" {
		t.Errorf("beside a request under way: %d, Retry-After %q", status, header.Get("Retry-After"))
	}
	s.expect(200, "", "GET", s.url+"/healthz", "")
	_ = slow.Close()

	open := serveBy(t, fmt.Sprintf(section, false), "--model", seedModel, "--features", "income,debt")
	open.expect(200, "fraudstream_model_info", "GET", open.url+"/metrics", "")
	open.expect(401, "", "POST", open.url+"/predict", event)
}

// The operators' listener is there by default, on loopback and without a token: profiles, and the level of the log, which
// changes what the process says from then on. What can be reached from elsewhere asks for its own token.
func TestAdminListener(t *testing.T) {
	t.Parallel()
	model := []string{"--model", seedModel, "--features", "income,debt"}
	s := serveBy(t, "http: {listen: 127.0.0.1:0}\n", model...)
	if !strings.HasPrefix(s.admin, "http://127.0.0.1:") {
		t.Fatalf("by default it listens at %q", s.admin)
	}
	s.expect(200, "goroutine", "GET", s.admin+"/debug/pprof/", "")
	s.expect(200, `"level":"info"`, "GET", s.admin+"/log-level", "")
	s.expect(404, "", "GET", s.url+"/debug/pprof/", "")
	s.expect(404, "", "GET", s.url+"/log-level", "")
	s.expect(403, "from no page", "GET", s.admin+"/debug/pprof/", "", "Origin: http://example.com")
	s.expect(200, "", "GET", s.url+"/openapi.json", "", "X-Request-Id: before")
	s.expect(200, `"level":"debug"`, "PUT", s.admin+"/log-level", "debug")
	s.expect(200, "", "GET", s.url+"/openapi.json", "", "X-Request-Id: after")
	s.heard(`("id":"after")`) // requests are logged once they are answered
	if said := s.said.String(); strings.Contains(said, `"id":"before"`) {
		t.Errorf("a request was logged before the level was changed:\n%s", said)
	}
	s.expect(400, "debug, info, warn or error", "PUT", s.admin+"/log-level", "loud")

	const token = "the operators' own"
	far := serveBy(t, "http: {listen: 127.0.0.1:0}\nadmin: {listen: \"0.0.0.0:0\", token: \""+token+"\"}\n", model...)
	at := "http://127.0.0.1:" + far.admin[strings.LastIndexByte(far.admin, ':')+1:]
	far.expect(401, "", "GET", at+"/debug/pprof/heap", "")
	far.expect(401, "", "PUT", at+"/log-level", "debug")
	far.token = token
	far.expect(200, "", "GET", at+"/debug/pprof/heap", "")
	far.expect(200, "", "GET", far.url+"/openapi.json", "") // the door asks for none
	off := serveBy(t, anyPort, model...)
	if off.expect(200, "", "GET", off.url+"/healthz", ""); strings.Contains(off.said.String(), "admin listening") {
		t.Errorf("it is off and listens all the same:\n%s", off.said)
	}
}

// By TLS the door answers nobody who speaks plain HTTP, and with an authority of clients nobody who has no certificate of
// it. `ready` follows the configuration of the process, so that a health check needs no other line for it.
func TestTLSThroughTheCommand(t *testing.T) {
	t.Parallel()
	ours, strangers := kafkatest.NewAuthority(t), kafkatest.NewAuthority(t)
	dir := t.TempDir()
	file := func(name string, text []byte) string { return kafkatest.WriteFile(t, filepath.Join(dir, name), text) }
	cert, key := ours.Issue(t, "fraudstream", time.Now().Add(time.Hour))
	client, clientKey := ours.Issue(t, "prometheus", time.Now().Add(time.Hour))
	stranger, strangerKey := strangers.Issue(t, "prometheus", time.Now().Add(time.Hour))
	ca := file("ca.pem", ours.PEM)
	files := fmt.Sprintf("cert: %s, key: %s", file("cert.pem", cert), file("key.pem", key))
	mine := []string{"--cert", file("client.pem", client), "--key", file("client-key.pem", clientKey)}
	theirs := []string{"--cert", file("stranger.pem", stranger), "--key", file("stranger-key.pem", strangerKey)}

	ready := func(want bool, args ...string) {
		t.Helper()
		said, err := exec.Command("fraudstream", append([]string{"ready"}, args...)...).CombinedOutput()
		if (err == nil) != want {
			t.Errorf("ready %v: %v, %s", args, err, said)
		}
	}
	start := func(more string) (*service, string) {
		config := fmt.Sprintf("http: {listen: %q, tls: {%s%s}}\n", freeAddress(t), files, more) + noAdmin
		s := serveBy(t, config, "--model", seedModel, "--features", "income,debt")
		if !strings.HasPrefix(s.url, "https://") {
			t.Errorf("it says that it listens at %s", s.url)
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ours.PEM)
		s.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
		return s, writeConfig(t, config)
	}

	s, config := start("")
	s.expect(200, `"status":"success"`, "POST", s.url+"/predict", `{"income":52000,"debt":1300}`)
	plain := strings.Replace(s.url, "https://", "http://", 1)
	s.expect(400, "HTTPS", "GET", plain+"/readyz", "")
	ready(true, "--config", config)
	ready(true, "--url", s.url+"/readyz")
	ready(true, "--config", config, "--ca", ca)
	ready(false, "--config", config, "--ca", file("strangers.pem", strangers.PEM))
	ready(false, "--url", plain+"/readyz")
	ready(false, "--config", config, "--listen", freeAddress(t))
	ready(true, "--config", config, "--listen", "0.0.0.0"+s.url[strings.LastIndexByte(s.url, ':'):])

	s, config = start(", client_ca: " + ca)
	if _, err := s.client.Get(s.url + "/readyz"); err == nil {
		t.Error("a caller without a certificate is answered")
	}
	ready(false, "--config", config)
	ready(false, append(theirs, "--config", config)...)
	ready(true, append(mine, "--config", config)...)
	ready(false, append(mine[:2:2], "--config", config)...)
}

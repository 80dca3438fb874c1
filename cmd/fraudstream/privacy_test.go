package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/cmd/fraudstream/privacy"
)

// The example numbers of three schemes, as people write them.
var examplePANs = []string{"4111111111111111", "5500 0000 0000 0004", "3782-822463-10005"}

// leaks are the numbers that a text shows, however they are divided.
func leaks(text string) (found []string) {
	undivided := regexp.MustCompile(`[ \-]`).ReplaceAllString(text, "")
	for _, pan := range examplePANs {
		if digits := regexp.MustCompile(`[ \-]`).ReplaceAllString(pan, ""); strings.Contains(undivided, digits) {
			found = append(found, digits)
		}
	}
	return found
}

// panEvents are events with a number wherever one can be: the id, fields, names of fields, and text that is no JSON.
func panEvents() (good, bad []string) {
	event := func(id, country string) string {
		return fmt.Sprintf(`{"transaction_id":%s,"event_time":"2026-11-22T10:15:00Z","amount":12.5,"country":%q,"channel":"pos","mcc":"5411","card_type":"debit",`+
			`"customer_age":40,"distance_km":1,"cross_border":false,"tx_count_24h":1,"amount_to_mean_7d":1,"minutes_since_last":10,"terminal_risk":0.02}`, id, country)
	}
	for _, pan := range examplePANs {
		good = append(good, event(fmt.Sprintf("%q", pan), "GB"), event("4111111111111111", pan))
		bad = append(bad,
			strings.Replace(event(`"t"`, "GB"), "12.5", fmt.Sprintf("%q", pan), 1),                  // a field of another type
			strings.Replace(event(`"t"`, "GB"), `"amount"`, fmt.Sprintf("%q", pan), 1),              // a name
			strings.Replace(event(`"t"`, "GB"), `"t"`, fmt.Sprintf(`{"pan":%q}`, pan), 1),           // an id that is none
			strings.Replace(event(`"t"`, "GB"), "2026-11-22T10:15:00Z", pan, 1),                     // a time that is none
			fmt.Sprintf(`{"pan":%q,"pan":%q}`, pan, pan), fmt.Sprintf(`{"pan":%q`, pan), pan+"\xff", // no JSON
		)
	}
	return good, bad
}

// No card number is in what the HTTP door shows to others than the caller whose event it was.
func TestNoCardNumberOverHTTP(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	stderr, ended := &logLines{}, make(chan error, 1)
	listen, off := "127.0.0.1:0", ""
	command := &serveCommand{Model: "demo/bundle"}
	command.Listen, command.AdminListen = &listen, &off
	go func() {
		ended <- command.Run(ctx, streams{strings.NewReader(""), io.Discard, privacy.New(privacy.Options{}).Writer(stderr)})
	}()
	address := regexp.MustCompile(`"listening","address":"([^"]+)"`)
	for deadline := time.Now().Add(20 * time.Second); !address.MatchString(stderr.String()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not listen: %s", stderr.String())
		}
	}
	url := address.FindStringSubmatch(stderr.String())[1]
	ask := func(method, path, body string) string {
		request, err := http.NewRequestWithContext(ctx, method, url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Card", examplePANs[0])
		request.Header.Set("X-Request-Id", examplePANs[0])
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	good, bad := panEvents()
	for _, event := range good {
		if answer := ask("POST", "/predict", event); !strings.Contains(answer, `"status":"success"`) {
			t.Errorf("%s is answered by %s", event, answer)
		}
	}
	for _, event := range bad {
		if answer := ask("POST", "/predict", event); len(leaks(answer)) > 0 || !strings.Contains(answer, `"error"`) {
			t.Errorf("%q is answered by %s", event, answer)
		}
	}
	shown := []string{
		ask("POST", "/predict?reasons=4111111111111111", good[0]), ask("GET", "/v2/models/4111111111111111", ""),
		ask("POST", "/v2/models/card-fraud/infer", `{"inputs":[{"name":"4111111111111111","shape":[1],"datatype":"BYTES","data":["4111111111111111"]}]}`),
	}
	// The page sets a decision aside only while somebody looks.
	state := ""
	for began := time.Now(); !strings.Contains(state, `"decisions":[{`) || !strings.Contains(state, `"refused":[{`); {
		if time.Since(began) > time.Minute {
			t.Fatalf("the console shows no decision or no refused event: %.600s", state)
		}
		state = ask("GET", "/console/state", "")
		ask("POST", "/predict", good[0])
		ask("POST", "/predict", bad[0])
		time.Sleep(50 * time.Millisecond)
	}
	shown = append(shown, state)
	for _, path := range []string{"/metrics", "/drift", "/console/state", "/openapi.json", "/"} {
		shown = append(shown, ask("GET", path, ""))
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, text := range append(shown, stderr.String()) {
		if found := leaks(text); len(found) > 0 {
			t.Errorf("%v in %.600s", found, text)
		}
	}
}

// Nor is one in the log of the stream, or in the list of its dead letters, whose topic holds the events as they
// came.
func TestNoCardNumberFromTheStream(t *testing.T) {
	t.Parallel()
	address := fakeKafka(t, kfake.SeedTopics(1, "transactions", "decisions", "transactions.dlq", "alerts"))
	client, err := kgo.NewClient(kgo.SeedBrokers(address))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	good, bad := panEvents()
	for i, event := range append(good, bad...) {
		pan := examplePANs[i%len(examplePANs)]
		r := &kgo.Record{Topic: "transactions", Key: []byte(pan), Value: []byte(event), Headers: []kgo.RecordHeader{{Key: "card", Value: []byte(pan)}, {Key: pan}}}
		if err := client.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	// A letter that something else has written holds a number in every header that is listed.
	foreign := &kgo.Record{Topic: "transactions.dlq", Value: []byte(`{"transaction_id":"4111111111111111","note":"4111111111111111"}`)}
	for _, name := range []string{"__connect.errors.topic", "__connect.errors.exception.message", "fraudstream.error.code", "fraudstream.error.field"} {
		foreign.Headers = append(foreign.Headers, kgo.RecordHeader{Key: name, Value: []byte(examplePANs[0])})
	}
	if err := client.ProduceSync(t.Context(), foreign).FirstErr(); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "fraud.yaml")
	text := fmt.Sprintf("kafka: {brokers: [%q], alerts: alerts}\nmodel: {path: demo/bundle}\ndlq: {breaker: {share: 1}}\nprivacy: {hash_key: 0123456789abcdef, show: [note]}\n", address)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, stderr := say("run", "--config", config, "--exit-at-end", "--listen=", "--admin-listen=")
	if code != 0 {
		t.Fatalf("%d: %s", code, stderr)
	}
	shown := map[string]string{"stdout": out, "stderr": stderr}
	for name, args := range map[string][]string{"table": nil, "lines": {"--json"}, "values": {"--values"}, "lines with values": {"--json", "--values"}} {
		code, out, stderr := say(append([]string{"dlq", "list", "--config", config}, args...)...)
		if code != 0 || strings.Count(out, "\n") < len(bad) {
			t.Errorf("%s: %d, %s%s", name, code, out, stderr)
		}
		shown[name] = out + stderr
	}
	for name, text := range shown {
		if found := leaks(text); len(found) > 0 {
			t.Errorf("%s: %v in %s", name, found, text)
		}
	}
	want := privacy.New(privacy.Options{HashKey: []byte("0123456789abcdef")}).ID(examplePANs[0])
	if !strings.Contains(shown["values"], want) || !strings.Contains(shown["values"], "411111******1111") {
		t.Errorf("the id is not hashed, or the field that may be shown is not:\n%s", shown["values"])
	}
}

// What is printed of command lines, files and configurations.
func TestNoCardNumberInMessages(t *testing.T) {
	t.Parallel()
	good, bad := panEvents()
	dir := t.TempDir()
	rows := filepath.Join(dir, "4111111111111111.ndjson")
	if err := os.WriteFile(rows, []byte(strings.Join(bad, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	config := func(text string) string {
		path := filepath.Join(t.TempDir(), "4111111111111111.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, args := range [][]string{
		{"score", "--model", "demo/bundle", "--in", rows},
		{"score", "--model", "demo/bundle", "--in", filepath.Join(dir, "5500000000000004.ndjson")},
		{"score", "--model", "4111111111111111"},
		{"score", "--4111111111111111"},
		{"run", "--model", "demo/bundle", "--start", "4111111111111111"},
		{"4111111111111111"},
		{"config", "check", "--offline", "--config", config("'4111111111111111': 1\n")},
		{"config", "check", "--offline", "--config", config("event: {format: '4111 1111 1111 1111'}\n")},
		{"config", "check", "--offline", "--config", config("commit: {events: '4111111111111111'}\n")},
		{"config", "check", "--offline", "--config", config("kafka: [4111111111111111\n")},
		{"config", "print", "--config", config("kafka: {group: '4111111111111111'}\n")},
		{"serve", "--model", "demo/bundle", "--listen", "4111111111111111:1"},
	} {
		_, out, stderr := say(args...)
		if found := leaks(out + stderr); len(found) > 0 || out+stderr == "" {
			t.Errorf("%v: %v in %s%s", args, found, out, stderr)
		}
	}
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(good); err != nil || len(leaks(text.String())) != len(examplePANs) {
		t.Error("a number in plain sight is not found")
	}
}

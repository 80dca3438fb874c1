package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/cmd/fraudstream/privacy"
)

// Example numbers of the schemes, of 13 to 19 digits, as people write them.
var examplePANs = []string{
	"4111111111111111", "5500 0000 0000 0004", "3782-822463-10005", "4222222222222", "3056 930902 5904", "6304-0000-0000-0000-000",
}

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

// headersOfCards has a number as the value of a header, as its name, and where other programs look for something else.
func headersOfCards(pan string) []kgo.RecordHeader {
	return []kgo.RecordHeader{
		{Key: "card", Value: []byte(pan)},
		{Key: pan},
		{Key: "content-type", Value: []byte("application/json; card=" + pan)},
		{Key: "traceparent", Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
		{Key: "tracestate", Value: []byte("card=" + pan)},
		{Key: "ce_id", Value: []byte(pan)},
		{Key: "__connect.errors.exception.message", Value: []byte(pan)},
	}
}

// A cardStream is the service over events that hold card numbers wherever they can.
type cardStream struct {
	t          *testing.T
	broker     string
	config     string
	client     *kgo.Client
	spans      *receiver
	stderr     *logLines
	url, admin string
	good, bad  []string
	end        func()
}

// topicsOfCards are those that the service reads and writes.
var topicsOfCards = []string{"transactions", "decisions", "transactions.dlq", "alerts", "drift-state", "drift-ticks"}

// openCards starts the service, which sends spans and lets some fields be shown; more is configuration. Its log says all
// that it has to say.
func openCards(t *testing.T, more string) *cardStream {
	t.Helper()
	s := &cardStream{t: t, spans: newReceiver(t), stderr: &logLines{}}
	s.good, s.bad = panEvents()
	s.broker = fakeKafka(t, kfake.SeedTopics(1, topicsOfCards...))
	var err error
	if s.client, err = kgo.NewClient(kgo.SeedBrokers(s.broker), kgo.DefaultProduceTopic("transactions")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	s.config = writeConfig(t, fmt.Sprintf(`
kafka: {brokers: [%q], alerts: alerts, drift_state: drift-state, drift_ticks: drift-ticks}
model: {path: demo/bundle}
privacy: {hash_key: 0123456789abcdef, show: [note, country]}
tracing: {endpoint: %q}
%s`, s.broker, s.spans.URL, more))
	anywhere := "127.0.0.1:0"
	command := &runCommand{Config: s.config, Start: "earliest", DriftTickEvents: 100}
	command.Listen, command.AdminListen = &anywhere, &anywhere
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- command.Run(ctx, streams{strings.NewReader(""), io.Discard, privacy.New(privacy.Options{}).Writer(s.stderr)})
	}()
	s.end = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("%v\n%s", err, s.stderr)
		}
	})
	t.Cleanup(s.end)
	s.url, s.admin = s.address("listening"), s.address("admin listening")
	if answer := s.ask("PUT", s.admin+"/log-level", "debug"); !strings.Contains(answer, "debug") {
		t.Fatal(answer)
	}
	return s
}

// address is what a line of the log says that it listens on.
func (s *cardStream) address(line string) string {
	s.t.Helper()
	pattern := regexp.MustCompile(`"` + line + `","address":"([^"]+)"`)
	for deadline := time.Now().Add(20 * time.Second); !pattern.MatchString(s.stderr.String()); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("it does not say %q: %s", line, s.stderr)
		}
	}
	return pattern.FindStringSubmatch(s.stderr.String())[1]
}

// ask is the whole answer to a request that names a card wherever a request can name something: status, headers, body.
// What the caller is told of his own request stays out: its id, and its trace.
func (s *cardStream) ask(method, url, body string) string {
	s.t.Helper()
	return askWithCards(s.t, method, url, body)
}

func askWithCards(t *testing.T, method, url, body string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"X-Card": examplePANs[0], "X-4111111111111111": "1", "User-Agent": "till/" + examplePANs[0], "Referer": "http://shop/" + examplePANs[0],
		"Cookie": "card=" + examplePANs[0], "X-Request-Id": examplePANs[0], "Authorization": "Bearer " + examplePANs[0],
		"Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "Tracestate": "card=" + examplePANs[0],
	} {
		request.Header.Set(name, value)
	}
	if strings.HasPrefix(body, "amount,") {
		request.Header.Set("Content-Type", "text/csv")
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	for _, own := range []string{"X-Request-Id", "Traceparent", "Tracestate"} {
		response.Header.Del(own)
	}
	read := io.Reader(response.Body)
	if strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		read = io.LimitReader(read, 20_000) // the rest never ends
	}
	text, err := io.ReadAll(read)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(response.StatusCode, response.Header, "\n", string(text))
}

// send produces events with a number in key and headers, and waits until they are decided.
func (s *cardStream) send(events []string) {
	s.t.Helper()
	for i, event := range events {
		pan := examplePANs[i%len(examplePANs)]
		s.client.Produce(s.t.Context(), &kgo.Record{Key: []byte(pan), Value: []byte(event), Headers: headersOfCards(pan)}, nil)
	}
	if err := s.client.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	(&survival{t: s.t, client: s.client}).committed("fraudstream", "transactions", int64(len(events)))
}

// records are those of all topics but the input.
func (s *cardStream) records() map[string][]*kgo.Record {
	s.t.Helper()
	reader, err := kgo.NewClient(kgo.SeedBrokers(s.broker), kgo.ConsumeTopics(topicsOfCards[1:]...), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		s.t.Fatal(err)
	}
	defer reader.Close()
	all := map[string][]*kgo.Record{}
	for {
		ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
		fetches := reader.PollFetches(ctx)
		cancel()
		if errors.Is(fetches.Err0(), context.DeadlineExceeded) {
			return all
		}
		fetches.EachRecord(func(r *kgo.Record) { all[r.Topic] = append(all[r.Topic], r) })
	}
}

// ownText is a record without what is the input's by contract: of decisions the key, the id of the transaction and the
// trace; of raw letters key, value and headers; of the ticks and the state nothing.
func ownText(r *kgo.Record) string {
	var text strings.Builder
	write := func(key, value []byte) { fmt.Fprintf(&text, "%s %s\n", key, value) }
	switch r.Topic {
	case "decisions":
		var fields map[string]any
		if err := json.Unmarshal(r.Value, &fields); err != nil {
			return err.Error()
		}
		delete(fields, "transaction_id")
		value, _ := json.Marshal(fields)
		write(nil, value)
	case "transactions.dlq":
	default:
		write(r.Key, r.Value)
	}
	for _, h := range r.Headers {
		switch {
		case h.Key == "tracestate" && r.Topic == "decisions":
		case r.Topic == "transactions.dlq" && !strings.HasPrefix(h.Key, "__connect.errors.") && !strings.HasPrefix(h.Key, "fraudstream."):
		default:
			write([]byte(h.Key), h.Value)
		}
	}
	return text.String()
}

// Nothing that the service says of a stream holds a card number: not the topics that it writes beside what the contract
// carries over, not its spans, its log, its page or its answers. The events drift, for the category of a feature has
// become a card number.
func TestNoCardNumberFromTheStream(t *testing.T) {
	t.Parallel()
	s := openCards(t, "drift: {pool: true}\ndlq: {breaker: {share: 1}}\n")
	events := append(slices.Clone(s.good), s.bad...)
	for i := range 1200 {
		events = append(events, s.good[1+2*(i%len(examplePANs))])
	}
	s.send(events)
	shown := map[string]string{}
	for began := time.Now(); !strings.Contains(shown["state"], `"shown":{"country":"411111******1111"}`); time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatalf("the console shows no field: %.900s", shown["state"])
		}
		shown["state"] = s.ask("GET", s.url+"/console/state", "")
		s.client.Produce(t.Context(), &kgo.Record{Value: []byte(s.good[1])}, nil)
	}
	for _, path := range []string{"/console/events", "/metrics", "/drift", "/openapi.json", "/asyncapi.json", "/", "/readyz", "/healthz", "/4111111111111111", "/v2/models/4111111111111111/4111111111111111?pan=4111111111111111"} {
		shown[path] = s.ask("GET", s.url+path, "")
	}
	for name, body := range map[string]string{
		"refused": s.bad[0], "array": "[" + s.bad[1] + "]", "table": "amount,4111111111111111\n4111111111111111,4111111111111111\n", "none": examplePANs[0],
	} {
		shown["predict "+name] = s.ask("POST", s.url+"/predict?pan=4111111111111111", body)
		shown["infer "+name] = s.ask("POST", s.url+"/v2/models/4111111111111111/infer", body)
		shown["method "+name] = s.ask("4111111111111111", s.url+"/predict", body)
	}
	for _, path := range []string{"/log-level", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=1", "/4111111111111111"} {
		shown["admin "+path] = s.ask("GET", s.admin+path, "")
	}
	shown["a level"] = s.ask("PUT", s.admin+"/log-level", "4111111111111111")
	s.end()
	shown["log"] = s.stderr.String()
	shown["spans"] = fmt.Sprint(s.spans.spans(t))
	records := s.records()
	for topic, all := range records {
		for _, r := range all {
			shown[topic] += ownText(r)
		}
	}
	for _, topic := range topicsOfCards[1:] {
		if len(records[topic]) == 0 {
			t.Errorf("nothing is written to %s", topic)
		}
	}
	// A letter that something else has written holds a number in every header that is listed.
	foreign := &kgo.Record{Topic: "transactions.dlq", Value: []byte(`{"transaction_id":"4111111111111111","note":"4111111111111111"}`)}
	for _, name := range []string{"__connect.errors.topic", "__connect.errors.exception.message", "fraudstream.error.code", "fraudstream.error.field"} {
		foreign.Headers = append(foreign.Headers, kgo.RecordHeader{Key: name, Value: []byte(examplePANs[0])})
	}
	if err := s.client.ProduceSync(t.Context(), foreign).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{"table": nil, "lines": {"--json"}, "values": {"--values"}, "lines with values": {"--json", "--values"}} {
		code, out, stderr := say(append([]string{"dlq", "list", "--config", s.config}, args...)...)
		if code != 0 || strings.Count(out, "\n") < len(s.bad) {
			t.Errorf("%s: %d, %s%s", name, code, out, stderr)
		}
		shown[name] = out + stderr
	}
	for name, text := range shown {
		for line := range strings.Lines(text) {
			if found := leaks(line); len(found) > 0 {
				t.Errorf("%s: %v in %.900s", name, found, line)
				break
			}
		}
	}
	want := privacy.New(privacy.Options{HashKey: []byte("0123456789abcdef")}).ID(examplePANs[0])
	if !strings.Contains(shown["values"], want) || !strings.Contains(shown["values"], "411111******1111") {
		t.Errorf("the id is not hashed, or the field that may be shown is not:\n%s", shown["values"])
	}
	if !strings.Contains(shown["alerts"], `"feature":"country"`) || !strings.Contains(shown["log"], `"shown":{"country":"GB"}`) {
		t.Errorf("no alert of the country, or no field of a dead letter in the log:\n%s\n%.2000s", shown["alerts"], shown["log"])
	}
}

// In the modes that keep events out of the dead letters, numbers are in no part of one.
func TestNoCardNumberInMaskedLetters(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"redacted", "reference"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := openCards(t, "dlq: {mode: "+mode+", breaker: {share: 1}}\n")
			s.send(s.bad)
			s.end()
			letters := s.records()["transactions.dlq"]
			if len(letters) != len(s.bad) {
				t.Errorf("%d letters of %d events", len(letters), len(s.bad))
			}
			for _, r := range letters {
				if text := fmt.Sprintf("%s %s %s", r.Key, r.Value, r.Headers); len(leaks(text)) > 0 {
					t.Errorf("%v in %s", leaks(text), text)
				}
			}
		})
	}
}

// What is printed of command lines, files and configurations.
func TestNoCardNumberInMessages(t *testing.T) {
	t.Parallel()
	good, bad := panEvents()
	dir := filepath.Join(t.TempDir(), "5500000000000004")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	rows := filepath.Join(dir, "4111111111111111.ndjson")
	if err := os.WriteFile(rows, []byte(strings.Join(bad, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	table := filepath.Join(dir, "4111111111111111.csv")
	if err := os.WriteFile(table, []byte("amount,4111111111111111,country\n4111 1111 1111 1111,1,2\n\"4111111111111111\"1,2,3\n4111111111111111\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := func(name string) string { return filepath.Join(dir, "out-"+name) }
	config := func(text string) string {
		path := filepath.Join(t.TempDir(), "4111111111111111.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, args := range [][]string{
		{"score", "--model", "demo/bundle", "--in", rows},
		{"score", "--model", "demo/bundle", "--in", rows, "--out", out("1.ndjson.gz")},
		{"score", "--model", "demo/bundle", "--in", rows, "--out", out("2.csv")},
		{"score", "--model", "demo/bundle", "--in", rows, "--out", out("3.parquet")},
		{"score", "--model", "demo/bundle", "--in", table},
		{"score", "--model", "demo/bundle", "--in", table, "--format", "parquet"},
		{"score", "--model", "demo/bundle", "--in", rows, "--format", "csv"},
		{"score", "--model", "demo/bundle", "--in", rows, "--out", out("2.csv"), "--resume"},
		{"score", "--model", "demo/bundle", "--in", rows, "--out", rows},
		{"drift", "--model", "demo/bundle", "--in", rows, "--tick-events", "10", "--html", out("page.html")},
		{"drift", "--model", "demo/bundle", "--in", rows, "--tick-events", "10", "--json"},
		{"drift", "--model", "demo/bundle", "--in", table, "--tick-events", "10"},
		{"drift", "--model", "demo/bundle", "--in", cardCountries(t, dir), "--tick-events", "100", "--json"},
		{"drift", "--model", "demo/bundle", "--in", cardCountries(t, dir), "--tick-events", "100", "--html", out("drifting.html")},
		{"model", "inspect", "4111111111111111"},
		{"model", "verify", dir},
		{"model", "diff", "4111111111111111", dir},
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
	written, err := filepath.Glob(out("*"))
	if err != nil || len(written) != 5 {
		t.Errorf("written are %v, %v", written, err)
	}
	for _, path := range written {
		if text := unpacked(t, path); len(leaks(text)) > 0 {
			t.Errorf("%s: %v in %.900s", path, leaks(text), text)
		}
	}
	var text bytes.Buffer
	if err := json.NewEncoder(&text).Encode(good); err != nil || len(leaks(text.String())) != len(examplePANs) {
		t.Error("a number in plain sight is not found")
	}
}

// cardCountries is a file whose events have a card number for a country, so that there is an alarm to tell of.
func cardCountries(t *testing.T, dir string) string {
	t.Helper()
	good, _ := panEvents()
	path := filepath.Join(dir, "drifting-4111111111111111.ndjson")
	text := strings.Repeat(strings.Join(good, "\n")+"\n", 200)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// unpacked is what a file holds; of Parquet, whose pages are compressed, the columns of text.
func unpacked(t *testing.T, path string) string {
	t.Helper()
	if strings.HasSuffix(path, ".parquet") {
		type faults struct {
			Error        string `parquet:"error,optional"`
			ErrorField   string `parquet:"error_field,optional"`
			ErrorMessage string `parquet:"error_message,optional"`
			Decision     string `parquet:"decision_id,optional"`
		}
		rows, err := parquet.ReadFile[faults](path)
		if err != nil || len(rows) == 0 || rows[0].Error == "" {
			t.Fatalf("%v, %v", rows, err)
		}
		return fmt.Sprint(rows)
	}
	text, err := os.ReadFile(path)
	if err == nil && strings.HasSuffix(path, ".gz") {
		var packed *gzip.Reader
		if packed, err = gzip.NewReader(bytes.NewReader(text)); err == nil {
			text, err = io.ReadAll(packed)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

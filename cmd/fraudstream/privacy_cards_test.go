package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/cmd/fraudstream/privacy"
)

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

// A cardStream is the service over events that hold card numbers wherever they can: with a broker of its own in this
// process, a collector of spans, and both listeners on ports that the system picks.
type cardStream struct {
	t          *testing.T
	broker     string
	config     string
	client     *kgo.Client
	spans      *receiver
	stderr     *logLines
	url, admin string   // addresses of the two listeners
	good, bad  []string // events that are decided, and that become dead letters
	end        func()   // stops the service and waits for it; may be called twice
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
	request, err := http.NewRequestWithContext(s.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
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
		s.t.Fatal(err)
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
		s.t.Fatal(err)
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

// records are those of all topics but the input, up to a last one in each that is written for this.
func (s *cardStream) records() map[string][]*kgo.Record {
	s.t.Helper()
	const end = "the end of this topic"
	outputs := topicsOfCards[1:]
	for _, topic := range outputs {
		if err := s.client.ProduceSync(s.t.Context(), &kgo.Record{Topic: topic, Value: []byte(end)}).FirstErr(); err != nil {
			s.t.Fatal(err)
		}
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(s.broker), kgo.ConsumeTopics(outputs...), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		s.t.Fatal(err)
	}
	defer reader.Close()
	all := map[string][]*kgo.Record{}
	for ended := 0; ended < len(outputs); {
		fetches := reader.PollFetches(s.t.Context())
		if err := fetches.Err0(); err != nil {
			s.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if string(r.Value) == end {
				ended++
				return
			}
			all[r.Topic] = append(all[r.Topic], r)
		})
	}
	return all
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

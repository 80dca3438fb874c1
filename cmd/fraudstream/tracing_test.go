package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver is a collector of the test's own: it decodes what arrives, or answers with a status that says no.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	paths  []string
	got    []*tracepb.ResourceSpans
}

// newReceiver is a collector on loopback, which must be sent protobuf and nothing else.
func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		var data tracepb.TracesData
		if err != nil || proto.Unmarshal(body, &data) != nil || request.Header.Get("Content-Type") != "application/x-protobuf" {
			t.Errorf("%s: no protobuf of spans", request.URL)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.paths = append(r.paths, request.Method+" "+request.URL.Path)
		if w.WriteHeader(r.status); r.status == http.StatusOK {
			r.got = append(r.got, data.ResourceSpans...)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// answer sets the status of the answers from now on; only with 200 are spans kept.
func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// spans are those that arrived, by name; the resource of each must be this service.
func (r *receiver) spans(t *testing.T) map[string][]*tracepb.Span {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[string][]*tracepb.Span{}
	for _, group := range r.got {
		if texts(group.Resource.Attributes)["service.name"] != "fraudstream" {
			t.Errorf("resource %v", group.Resource)
		}
		for _, scope := range group.ScopeSpans {
			for _, span := range scope.Spans {
				all[span.Name] = append(all[span.Name], span)
			}
		}
	}
	return all
}

// texts are attributes by name, whole numbers among them written as text.
func texts(attributes []*commonpb.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range attributes {
		if all[a.Key] = a.Value.GetStringValue(); all[a.Key] == "" {
			all[a.Key] = fmt.Sprint(a.Value.GetIntValue())
		}
	}
	return all
}

// scoreTraced runs the service to the end of three events of one trace, and returns what it has logged.
func scoreTraced(t *testing.T, endpoint string) (log string) {
	t.Helper()
	address := fakeKafka(t, kfake.SeedTopics(1, "transactions", "decisions", "transactions.dlq"))
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.DefaultProduceTopic("transactions"), kgo.ConsumeTopics("decisions"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const events = 3
	for _, value := range payments(1, events, events) {
		header := kgo.RecordHeader{Key: "traceparent", Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")}
		if err := client.ProduceSync(t.Context(), &kgo.Record{Value: value, Headers: []kgo.RecordHeader{header}}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	config := writeConfig(t, fmt.Sprintf(`
kafka: {brokers: [%q]}
model: {path: demo/bundle}
tracing: {endpoint: %q}
`, address, endpoint))
	code, _, log := say("run", "--config", config, "--listen", "", "--exit-at-end")
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, log)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for seen := 0; seen < events; {
		fetched := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d decisions, want %d", seen, events)
		}
		seen += fetched.NumRecords()
	}
	return log
}

// What run does arrives at the collector before it ends: spans with links to the traces of the events.
func TestRunSendsSpans(t *testing.T) {
	r := newReceiver(t)
	if log := scoreTraced(t, r.URL+"/tenant"); strings.Contains(log, "spans") {
		t.Errorf("log %s", log)
	}
	events := 0
	for _, span := range r.spans(t)["process transactions"] {
		found := texts(span.Attributes)
		var n int
		_, _ = fmt.Sscan(found["messaging.batch.message_count"], &n)
		events += n
		if found["messaging.system"] != "kafka" || found["messaging.destination.name"] != "transactions" ||
			found["messaging.consumer.group.name"] != "fraudstream" || span.Kind != tracepb.Span_SPAN_KIND_CONSUMER {
			t.Errorf("span %v", span)
		}
		if len(span.Links) != 1 || fmt.Sprintf("%x-%x", span.Links[0].TraceId, span.Links[0].SpanId) != "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7" {
			t.Errorf("links %v", span.Links)
		}
	}
	if events != 3 || r.paths[0] != "POST /tenant/v1/traces" {
		t.Errorf("spans of %d events, by %v", events, r.paths)
	}
}

// A collector that is away costs the stream nothing but one line.
func TestCollectorAway(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	if log := scoreTraced(t, closed.URL); strings.Count(log, "spans") != 1 || !strings.Contains(log, "spans cannot be sent") {
		t.Errorf("log %s", log)
	}
}

// One that takes the connection and never answers does not hold up the end of the process.
func TestMuteCollector(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = mute.Close() }()
	c := TracingConfig{Endpoint: "http://" + mute.Addr().String(), Protocol: "http/protobuf", Sample: 1}
	var lines logLines
	spans, err := c.open(slog.New(slog.NewTextHandler(&lines, nil)))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 3 * spansQueued { // more than the queue takes
		_, span := spans.tracer().Start(t.Context(), "any")
		span.End()
	}
	spans.close()
	if took := time.Since(began); took > 5*spansAtEnd {
		t.Errorf("the end took %v", took)
	}
	if text := lines.String(); !strings.Contains(text, "the last spans were not sent in time") {
		t.Errorf("log %s", text)
	}
}

// logLines is a log that is still written to while a test reads it.
type logLines struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write appends what is logged.
func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all that was logged so far.
func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// The log says when the collector is lost and when it is back, once each, however often it was asked in between.
func TestCollectorComesBack(t *testing.T) {
	r := newReceiver(t)
	var log bytes.Buffer
	c, err := newCollector(r.URL, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Stop(t.Context()) }()
	batch := []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{Spans: []*tracepb.Span{{Name: "a"}, {Name: "b"}}}}}}
	for _, status := range []int{200, 503, 404, 503, 200, 200} {
		r.answer(status)
		if err := c.UploadTraces(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	text := log.String()
	if strings.Count(text, "\n") != 2 || !strings.Contains(text, "503 Service Unavailable") || !strings.Contains(text, "dropped=6") {
		t.Errorf("log %s", text)
	}
}

// Where nothing is configured nothing is made.
func TestTracingIsOff(t *testing.T) {
	c := defaultConfig()
	spans, err := c.Tracing.open(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if spans.tracer() != nil {
		t.Error("there is a tracer")
	}
	spans.close()
}

package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"fraudstream/cmd/fraudstream/privacy"
)

// collector is the far end of the traces: an [otlptrace.Client] that posts protobuf. OpenTelemetry's own client does
// the same and links gRPC with its gateway to do it, which would double the size of the binary.
//
// It tries once. A span is worth less than the memory that a backlog of them would take, so what an absent collector
// does not get is dropped, which is said once, and once more when it is back.
type collector struct {
	at     string
	client *http.Client
	log    *slog.Logger

	mu      sync.Mutex
	dropped int // spans since the last upload that went well
}

// newCollector returns the client of an endpoint, which may have a path of its own. The timeout bounds each upload,
// so that a collector that takes connections and never answers costs spans and no goroutine.
func newCollector(endpoint string, log *slog.Logger) (*collector, error) {
	at, err := url.JoinPath(endpoint, "v1", "traces")
	if err != nil {
		return nil, fmt.Errorf("tracing.endpoint: %w", err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return &collector{at: at, log: log, client: &http.Client{Transport: transport, Timeout: spansUpload}}, nil
}

// Start does nothing: the collector may come later than its client.
func (c *collector) Start(context.Context) error { return nil }

// Stop closes the connections.
func (c *collector) Stop(context.Context) error {
	c.client.CloseIdleConnections()
	return nil
}

// UploadTraces sends spans, or drops them. It returns no error, since what is to be said of one has been said: the SDK
// would log each.
func (c *collector) UploadTraces(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	n := 0
	for _, r := range spans {
		for _, s := range r.ScopeSpans {
			n += len(s.Spans)
			for _, span := range s.Spans {
				maskSpan(span)
			}
		}
	}
	c.count(n, c.post(ctx, spans))
	return nil
}

// maskSpan cuts the card numbers short in all texts of a span. Of a request it has the path and the trace state,
// which are whatever the caller has made them; of an event it has nothing, and stays that way whoever adds an
// attribute.
func maskSpan(s *tracepb.Span) {
	masker := privacy.New(privacy.Options{})
	mask := func(texts ...*string) {
		for _, t := range texts {
			*t = masker.Text(*t)
		}
	}
	attributes := func(all []*commonpb.KeyValue) {
		for _, a := range all {
			if text, ok := a.Value.GetValue().(*commonpb.AnyValue_StringValue); ok {
				mask(&text.StringValue)
			}
		}
	}
	mask(&s.Name, &s.TraceState)
	if s.Status != nil {
		mask(&s.Status.Message)
	}
	attributes(s.Attributes)
	for _, e := range s.Events {
		mask(&e.Name)
		attributes(e.Attributes)
	}
	for _, l := range s.Links {
		mask(&l.TraceState)
		attributes(l.Attributes)
	}
}

// post sends one request. TracesData is ExportTraceServiceRequest under another name: both hold the spans as field 1,
// and only the latter comes with gRPC. Any 2xx is a success; what the collector says of spans that it has refused
// singly is not read.
func (c *collector) post(ctx context.Context, spans []*tracepb.ResourceSpans) error {
	body, err := proto.Marshal(&tracepb.TracesData{ResourceSpans: spans})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.at, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/x-protobuf")
	response, err := c.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection is used again
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the collector answers %s", response.Status)
	}
	return nil
}

// count says when the collector is lost, and when it is back, with the number of spans that it has missed meanwhile.
// An error in between says nothing more: it would be one a batch, for as long as the collector is away. spans is how
// many the upload held, and err why it did not go well, if so.
func (c *collector) count(spans int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil && c.dropped == 0:
		c.log.Warn("spans cannot be sent and are dropped until the collector takes them; the stream goes on", slog.Any("error", err))
		fallthrough
	case err != nil:
		c.dropped += spans
	case c.dropped > 0:
		c.log.Info("the collector takes spans again", slog.Int("dropped", c.dropped))
		c.dropped = 0
	}
}

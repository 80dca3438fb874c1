package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// TracingConfig says where spans go: to an OpenTelemetry collector, by OTLP over HTTP. Without an endpoint none is
// made.
type TracingConfig struct {
	Endpoint string  `yaml:"endpoint"` // such as http://localhost:4318; /v1/traces is added
	Protocol string  `yaml:"protocol"`
	Sample   float64 `yaml:"sample"` // share of the batches, and of the requests that belong to no trace
}

// defaultTracing would sample every batch, but names no collector: it is off until one is named.
func defaultTracing() TracingConfig { return TracingConfig{Protocol: "http/protobuf", Sample: 1} }

// validate checks what the types cannot say. The endpoint is not repeated: it may hold a password.
func (c *TracingConfig) validate() error {
	if c.Protocol != "http/protobuf" {
		return fmt.Errorf("tracing.protocol: %q is not supported by this version; it sends http/protobuf", c.Protocol)
	}
	if !(c.Sample > 0 && c.Sample <= 1) {
		return fmt.Errorf("tracing.sample: %v is no share; give a number over 0, up to 1, and no endpoint for none", c.Sample)
	}
	if c.Endpoint == "" {
		return nil
	}
	at, err := url.Parse(c.Endpoint)
	if err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
		return errors.New("tracing.endpoint is no address such as http://localhost:4318")
	}
	return nil
}

// What spans may take: of memory, by their number; of the collector's patience and ours, by time. The consumer leaves
// within nine seconds of the signal, the last spans have one more, and so the process ends within its ten.
const (
	spansQueued = 2048
	spansEvery  = 2 * time.Second
	spansUpload = 5 * time.Second
	spansAtEnd  = time.Second
)

// tracing makes spans and sends them, beside the stream and never in its way: what the collector does not take in time
// is dropped.
type tracing struct {
	provider *sdk.TracerProvider // nil: off
	log      *slog.Logger
}

// open prepares the export; nothing is sent, and nobody is waited for, before there is a span. Whether a trace is
// kept is decided where it begins: what belongs to one follows it, and the share of tracing.sample is of what begins
// here. It costs nothing where no endpoint is named: there is no provider, and the rooms see a nil tracer.
func (c *TracingConfig) open(log *slog.Logger) (*tracing, error) {
	if c.Endpoint == "" {
		return &tracing{}, nil
	}
	collector, err := newCollector(c.Endpoint, log)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptrace.New(context.Background(), collector)
	if err != nil {
		return nil, err
	}
	return &tracing{log: log, provider: sdk.NewTracerProvider(
		sdk.WithBatcher(exporter,
			sdk.WithMaxQueueSize(spansQueued), sdk.WithBatchTimeout(spansEvery), sdk.WithExportTimeout(spansUpload)),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(c.Sample))),
		sdk.WithResource(resource.NewSchemaless(semconv.ServiceName("fraudstream"), semconv.ServiceVersion(moduleVersion()))),
	)}, nil
}

// moduleVersion is that of this binary, as the version command prints it. It stands beside each span as
// service.version, so that a trace tells which release made it.
func moduleVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}

// tracer is what the rooms make spans with; nil where tracing is off.
func (t *tracing) tracer() trace.Tracer {
	if t.provider == nil {
		return nil
	}
	return t.provider.Tracer("fraudstream")
}

// close sends the spans that are left, as long as there is time: it takes a second at most, and what is left then is
// dropped with a word in the log.
func (t *tracing) close() {
	if t.provider == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), spansAtEnd)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.Warn("the last spans were not sent in time and are dropped", slog.Any("error", err))
	}
}

package consumer

import (
	"bytes"
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// maxLinks bounds the links of one span. It is the limit of OpenTelemetry's SDK, too: what is over it would be thrown
// away there.
const maxLinks = 128

// The headers of W3C Trace Context. Both travel from the event to its decision or raw dead letter as they are, even where
// they are not well formed: whoever reads them may know what to make of them. A letter that withholds its event keeps a
// well-formed parent alone, since anything may stand in the others.
const (
	headerParent = "traceparent"
	headerState  = "tracestate"
)

// traceContext is what the headers of one event say of the trace that it belongs to: views into its record, nil where
// there is no such header.
type traceContext struct{ parent, state []byte }

// sampled tells whether somebody records the trace: the lowest bit of the flags, which are two hexadecimal digits behind
// version, trace and span (W3C Trace Context, section 3.2.2.5). It spares the parsing of all the others.
func (t traceContext) sampled() bool {
	const lastDigit = 54
	if len(t.parent) <= lastDigit {
		return false
	}
	switch d := t.parent[lastDigit]; {
	case '0' <= d && d <= '9', 'a' <= d && d <= 'f':
		return (d&1 == 1) == (d <= '9') // a, c and e have odd codes and even values
	}
	return false
}

// Get gives OpenTelemetry's parser the text of a header; Set and Keys are what its interface asks for beside it.
func (t traceContext) Get(key string) string {
	switch key {
	case headerParent:
		return string(t.parent)
	case headerState:
		return string(t.state)
	}
	return ""
}

// Set does nothing: what an event says is read, not written.
func (t traceContext) Set(string, string) {}

// Keys are the headers that Get knows.
func (t traceContext) Keys() []string { return []string{headerParent, headerState} }

// link remembers the traces of the chunk's events, if they are recorded, for the span of their run. Neighbours from one
// producer's batch often share a context, which is linked once.
func (w *run) link(chunk []traceContext) {
	var last []byte
	for _, t := range chunk {
		if len(w.links) == maxLinks {
			return
		}
		if !t.sampled() || bytes.Equal(t.parent, last) {
			continue
		}
		last = t.parent
		ctx := propagation.TraceContext{}.Extract(context.Background(), t)
		found := trace.SpanContextFromContext(ctx)
		if !found.IsValid() {
			continue
		}
		if n := len(w.links); n == 0 || !w.links[n-1].SpanContext.Equal(found) {
			w.links = append(w.links, trace.Link{SpanContext: found})
		}
	}
}

// trace reports a run whose publication has ended, well or not, as one span: from its fetch to the acknowledgement, with
// a mark where scoring ended. It is made only now, since nothing in between needs it; the run itself keeps two times and
// the links. A span says how many and where, never which: no key, id, offset or value.
//
// The events belong to as many traces as there were payments, so the span has links to them and no parent.
func (p *partition) trace(w *receipt, err error) {
	tracer := p.c.o.Tracer
	if tracer == nil || w.tally.consumed == 0 {
		return
	}
	_, span := tracer.Start(context.Background(), "process "+p.c.o.Input,
		trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindConsumer), trace.WithTimestamp(w.fetchedAt), trace.WithLinks(w.links...))
	if span.IsRecording() {
		span.SetAttributes(p.attributes(w)...)
		span.AddEvent("scored", trace.WithTimestamp(w.scoredAt))
	}
	if err != nil {
		label, _ := classify(err)
		span.SetAttributes(semconv.ErrorTypeKey.String(label))
		span.SetStatus(codes.Error, "not acknowledged; the events are scored again")
	}
	span.End(trace.WithTimestamp(time.Now()))
}

// attributes are those of OpenTelemetry's conventions for messaging, and what came of the events.
func (p *partition) attributes(w *receipt) []attribute.KeyValue {
	refused := 0
	for _, c := range w.tally.codes {
		refused += c.count
	}
	return []attribute.KeyValue{
		semconv.MessagingSystemKafka,
		semconv.MessagingOperationTypeProcess,
		semconv.MessagingOperationName("process"),
		semconv.MessagingDestinationName(p.c.o.Input),
		semconv.MessagingDestinationPartitionID(itoa(p.id)),
		semconv.MessagingConsumerGroupName(p.c.o.Group),
		semconv.MessagingClientID(p.c.o.ClientID),
		semconv.MessagingBatchMessageCount(w.tally.consumed),
		attribute.String("fraudstream.model", w.model),
		attribute.Int("fraudstream.decisions", len(w.tally.decided)),
		attribute.Int("fraudstream.dead_letters", refused),
		attribute.Int("fraudstream.skipped", w.tally.left()),
	}
}

package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

const (
	soundEvent  = `{"income": 40000, "debt": 30000}`
	callerTrace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
)

// post asks for a prediction with a trace context; an empty one is left out.
func post(t *testing.T, door http.Handler, body, parent, state string) *http.Response {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), "POST", "/predict", strings.NewReader(body))
	for name, value := range map[string]string{"traceparent": parent, "tracestate": state} {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	recorder := httptest.NewRecorder()
	door.ServeHTTP(recorder, request)
	return recorder.Result()
}

// An answer, good or bad, carries the trace context of its request; one that is not well formed is none, and no reason
// to refuse the event.
func TestTraceContextOfAnswers(t *testing.T) {
	for _, tracer := range []trace.Tracer{nil, sdk.NewTracerProvider().Tracer("test")} {
		door := newDoor(t, func(o *Options) { o.Tracer = tracer })
		for _, c := range []struct{ parent, state, wantParent, wantState string }{
			{"", "", "", ""},
			{callerTrace, "", callerTrace, ""},
			{callerTrace, "congo=t61rcWkgMzE,rojo=1", callerTrace, "congo=t61rcWkgMzE,rojo=1"},
			{callerTrace, "no state", callerTrace, ""},
			{"", "congo=alone", "", ""},
			{"00-1-2-01", "congo=t61rcWkgMzE", "", ""},
			{"00-" + strings.Repeat("0", 32) + callerTrace[35:], "", "", ""},
			{strings.Repeat("x", 10_000), "", "", ""},
		} {
			for body, status := range map[string]int{soundEvent: 200, "no event": 400} {
				r := post(t, door, body, c.parent, c.state)
				if r.StatusCode != status || r.Header.Get("traceparent") != c.wantParent || r.Header.Get("tracestate") != c.wantState {
					t.Errorf("%q %q: status %d, traceparent %q, tracestate %q", c.parent, c.state,
						r.StatusCode, r.Header.Get("traceparent"), r.Header.Get("tracestate"))
				}
			}
		}
	}
}

// A request is one span, in its caller's trace, that says what was asked and how it ended and nothing else.
func TestRequestsAreSpans(t *testing.T) {
	spans := tracetest.NewSpanRecorder()
	tracer := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans)).Tracer("test")
	door := newDoor(t, func(o *Options) { o.Tracer = tracer })
	post(t, door, soundEvent, callerTrace, "")
	post(t, door, "no event", "", "")
	post(t, door, "["+strings.Repeat(" ", DefaultBody)+"]", "00-1-2-01", "")
	ended := spans.Ended()
	if len(ended) != 3 {
		t.Fatalf("%d spans", len(ended))
	}
	for i, want := range []struct {
		parent string
		status int64
	}{{"00f067aa0ba902b7", 200}, {"0000000000000000", 400}, {"0000000000000000", 413}} {
		span := ended[i]
		if span.Name() != "POST /predict" || span.SpanKind() != trace.SpanKindServer || span.Parent().SpanID().String() != want.parent {
			t.Errorf("%d: %q, kind %v, parent %v", i, span.Name(), span.SpanKind(), span.Parent().SpanID())
		}
		if (span.SpanContext().TraceID().String() == callerTrace[3:35]) != (i == 0) {
			t.Errorf("%d: trace %v", i, span.SpanContext().TraceID())
		}
		found := map[string]any{}
		for _, a := range span.Attributes() {
			found[string(a.Key)] = a.Value.AsInterface()
		}
		if len(found) != 4 || found["http.response.status_code"] != want.status || found["http.route"] != "/predict" {
			t.Errorf("%d: %v", i, found)
		}
	}
}

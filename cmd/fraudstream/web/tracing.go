package web

import (
	"net/http"

	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// traced gives the answers of a handler the trace context of their requests, as the stream does with its decisions,
// so that a proxy or a log of answers alone can be joined with the caller's trace. A context that is not well formed
// is none (W3C Trace Context, section 3.2). With a tracer a request is one span, in the caller's trace if it has one;
// it says nothing of the body.
func (s *Server) traced(handle http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		context := propagation.TraceContext{}
		ctx := context.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		context.Inject(ctx, propagation.HeaderCarrier(w.Header()))
		if s.options.Tracer == nil {
			handle(w, r)
			return
		}
		_, span := s.options.Tracer.Start(ctx, r.Method+" "+r.Pattern, trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			semconv.HTTPRequestMethodKey.String(r.Method), semconv.HTTPRoute(r.Pattern), semconv.URLPath(r.URL.Path)))
		defer span.End()
		answer := &answerStatus{ResponseWriter: w, status: http.StatusOK}
		handle(answer, r)
		span.SetAttributes(semconv.HTTPResponseStatusCode(answer.status))
		if answer.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	}
}

// answerStatus remembers the status of an answer.
type answerStatus struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status and passes it on.
func (a *answerStatus) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach what lies beneath: flushing, and the deadlines of a long answer.
func (a *answerStatus) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// Package web is the HTTP door: predictions, health, metrics and the drift report.
//
//	POST /predict   one event, an array of them or a CSV table, through the same corridor as the stream
//	     /v2/…      the Open Inference Protocol, version 2: the same for tensors
//	GET  /drift     the drift report as JSON
//	GET  /metrics   Prometheus
//	GET  /healthz   200 while the loop turns; never depends on the broker
//	GET  /readyz    200 once the model is verified and, with Kafka, the group was joined; 503 from SIGTERM on
//	GET  /openapi.json, /asyncapi.json  what all of this, and the topics, look like
//
// # Why the monitor is told only by serve
//
// Beside a stream, a request is a question (a test, a what-if, an analyst's replay) and must not colour what the
// monitor says of live traffic. Where there is no stream, requests are the live traffic and are counted.
//
// # Why one event answers with its own status
//
// Whoever posts one event wants to know by the status line whether it was scored: 200 or 400. An array is a
// batch file in small; some of its events may be bad and the others are scored all the same, so the answer is
// 200 and each element says for itself what became of it.
//
// # Why a request is bounded, and where
//
// The door is as public as its port. A request has 16 KiB of headers in five seconds and a body of 1 MiB, or what
// [Limits] says, in fifteen. Before a byte of the body is read it needs one of 64 places; where all are taken the
// answer is 429 at once, because a queue would only hide that. Only when the body is there does it take one of the
// workers, two for each processor, and it gives the worker back before it writes its answer. So a client that sends
// or reads slowly holds a place and some memory, and neither the scoring of others nor, beside a stream, that of
// events.
//
// What is read of the process (/metrics, /drift, the state of the console) adds up the counts of all partitions each
// time. Eight answers of each are made at a time, and the next caller gets a 429 as well.
//
// # Who may ask
//
// With a token, every path asks for it but those that supervisors and load balancers look at: /healthz, /readyz and
// their like below /v2. /metrics is open as well, since what scrapes it seldom has a token and it names no account; one
// option closes it. Certificates are read anew when their files change. What costs time or shows memory (profiles) and
// what changes the process (the level of its log) is on a listener of its own, see [NewAdmin].
//
// # Why there is one table of routes
//
// The multiplexer, the question for the token and the OpenAPI description are made from the same table, and the tests
// hold every answer that they get against that description. What the description says of an event is what the model in
// force says when it is asked: see scoring.Scorer.Inputs.
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"fraudstream/cmd/fraudstream/web/console"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// The four timeouts of the server, and how long it waits for requests under way when it stops. They bound what
// a slow or silent client can hold: a connection that sends its headers a byte at a time is the oldest attack
// on a web server that there is.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 15 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	drainTimeout      = 5 * time.Second
)

// Options is what the door needs. Scorer, Gatherer and Log must be there; everything else may be left out.
//
// Ready and Healthy are called once for each probe, from any goroutine, and so is Ticked for each closed interval;
// they must not block.
type Options struct {
	Scorer   *scoring.Scorer
	Gatherer prometheus.Gatherer
	Requests *RequestMetrics
	Monitor  *drift.Monitor
	Observe  bool             // predictions are live traffic and feed the monitor
	Ticked   func(drift.Tick) // is told what came of their drift intervals
	Table    *Table           // reads text/csv; nil: it is refused
	Console  *console.Console // the page at /; nil: none
	Traffic  *console.Door    // counts predictions for it, where they are the live traffic; nil: they are not
	Log      *slog.Logger
	Tracer   trace.Tracer // of a span for each prediction; nil: none
	Ready    func() bool
	Healthy  func() bool

	Limits         Limits
	Token          string      // that a caller has to bear; empty: none
	ProtectMetrics bool        // /metrics asks for the token as well
	TLS            *tls.Config // nil: plain HTTP
	Topics         Topics      // of the AsyncAPI description
}

// Server is the HTTP door of one process. It may serve any number of requests at once: the scorer is immutable,
// and all scratch lies in the workers, which go round in a channel. Listen, Serve and Addr are called in that
// order, by one goroutine.
type Server struct {
	options  Options
	limits   Limits
	plain    *scoring.Scorer // of the tensors of /v2
	inputs   []scoring.Input
	names    [][]byte // of the inputs, as JSON with the colon
	requests *RequestMetrics
	http     http.Server
	listener net.Listener
	stopping atomic.Bool
	closing  chan struct{} // closed when the door begins to stop: answers without an end must find one
	workers  chan *worker
	places   chan *place
}

// New returns a door that is not listening yet. /drift is there only where there is a monitor; without one it
// is 404, and not an empty report that looks like calm.
func New(o Options) *Server {
	limits := o.Limits.withDefaults()
	s := &Server{
		options: o, limits: limits, plain: o.Scorer.Plain(), inputs: o.Scorer.Inputs(), requests: o.Requests,
		workers: newWorkers(o), places: newPlaces(limits.Concurrent), closing: make(chan struct{}),
	}
	for _, in := range s.inputs {
		s.names = append(s.names, append(appendText(nil, in.Name), ':'))
	}
	s.http = http.Server{
		Handler:           identified(s.clean(s.mux(s.routes()))),
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn),
	}
	return s
}

// Listen opens the address, so that a wrong one is known before anything else starts. The error is that of the
// operating system: an address in use, a port below 1024, a name that does not resolve.
func (s *Server) Listen(address string) error {
	l, err := net.Listen("tcp", address)
	if err == nil && s.options.TLS != nil {
		l = tls.NewListener(l, s.options.TLS)
	}
	s.listener = l
	return err
}

// Addr is the address that Listen got, with the port that was chosen for port 0.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers until ctx ends, then takes no more and lets the requests under way finish. What has not finished after
// five seconds is cut off: a client that reads slowly must not keep the process from its end.
func (s *Server) Serve(ctx context.Context) error {
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		s.stopping.Store(true)
		close(s.closing)
		// The context that ended is the reason to stop, so the grace period must not inherit its end.
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
		defer cancel()
		err := s.http.Shutdown(drain)
		if errors.Is(err, context.DeadlineExceeded) {
			s.options.Log.Warn("requests under way did not end in time and are cut off", "after", drainTimeout.String())
			err = s.http.Close()
		}
		stopped <- err
	})
	defer stop()
	defer runConsole(ctx, s.options.Console)()
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// isHealthy is for the supervisor that restarts a process: it says no only where a restart would help. A broker
// that is away is no reason, since a restart would not bring it back.
func (s *Server) isHealthy() bool { return s.options.Healthy == nil || s.options.Healthy() }

// isReady is for the load balancer: no traffic before there is anything to answer with, and none once the process
// has begun to stop, while the requests under way are still being answered.
func (s *Server) isReady() bool {
	return !s.stopping.Load() && (s.options.Ready == nil || s.options.Ready())
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.isHealthy(), "ok", "the scoring loop has not turned for 30 s")
}

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	answer(w, s.isReady(), "ready", "not ready: the group has not been joined yet, or the process is stopping")
}

// answer writes one line of text: 200 or 503.
func answer(w http.ResponseWriter, ok bool, yes, no string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(statusOf(ok))
	text := yes
	if !ok {
		text = no
	}
	_, _ = w.Write([]byte(text + "\n")) // a client that has gone needs no answer
}

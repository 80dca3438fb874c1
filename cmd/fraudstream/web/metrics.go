package web

import (
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"fraudstream/scoring"
)

// NewRegistry returns a registry with the metrics of the Go runtime and of the process. It is a registry of its
// own and not the library's global one, so that two servers in one test do not meet in it.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// ModelMetrics count how loading went and name the model in force. Both are for alerts on deployments: a count
// of refusals that moves, and a hash that is not the one that was rolled out.
type ModelMetrics struct {
	loads *prometheus.CounterVec
	info  *prometheus.GaugeVec
}

// NewModelMetrics registers them. It panics where the registry has metrics of these names already, which only a
// mistake in wiring can bring about.
func NewModelMetrics(r prometheus.Registerer) *ModelMetrics {
	register := promauto.With(r) // what it makes is registered
	return &ModelMetrics{
		loads: register.NewCounterVec(prometheus.CounterOpts{
			Name: "fraudstream_model_loads_total",
			Help: "Attempts to load a model, by result (ok, refused) and, where refused, by reason.",
		}, []string{"result", "reason"}),
		info: register.NewGaugeVec(prometheus.GaugeOpts{
			Name: "fraudstream_model_info",
			Help: "The model in force; always 1.",
		}, []string{"name", "version", "sha256"}),
	}
}

// Loaded counts a model that passed the gate and makes it the one in force. The series of the model before is
// dropped, so that a sum over the gauge counts processes and not their pasts.
func (m *ModelMetrics) Loaded(b *scoring.Bundle) {
	m.loads.WithLabelValues("ok", "").Inc()
	m.info.Reset()
	m.info.WithLabelValues(b.Name, b.Version, b.SHA256).Set(1)
}

// Refused counts a model that did not. reason is the stable word of scoring.Reason, of which there are a few
// dozen at most: a label made of messages would grow without bound.
func (m *ModelMetrics) Refused(reason string) {
	m.loads.WithLabelValues("refused", reason).Inc()
}

// metricsPath is where Prometheus looks by itself.
const metricsPath = "/metrics"

// metrics is the exposition of all that the process has registered.
func (s *Server) metrics() http.HandlerFunc {
	return promhttp.HandlerFor(s.options.Gatherer, promhttp.HandlerOpts{ErrorLog: slog.NewLogLogger(s.options.Log.Handler(), slog.LevelError)}).ServeHTTP
}

// RequestMetrics count what the door answers, by route and status, and how long it took. The route is that of the
// table and not the path that was asked for, so strangers cannot make new series.
type RequestMetrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

// NewRequestMetrics registers them; like NewModelMetrics it panics where they are registered already.
func NewRequestMetrics(r prometheus.Registerer) *RequestMetrics {
	register := promauto.With(r)
	return &RequestMetrics{
		requests: register.NewCounterVec(prometheus.CounterOpts{
			Name: "fraudstream_http_requests_total",
			Help: "Requests answered over HTTP, by route and status.",
		}, []string{"route", "code"}),
		seconds: register.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "fraudstream_http_request_seconds",
			Help:    "Time from the headers of a request to the end of its answer, by route; streams of the console are left out.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"route"}),
	}
}

// observe counts one request; without a registry to count in there is nothing to do.
func (m *RequestMetrics) observe(route string, status int, took time.Duration) {
	if m == nil {
		return
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

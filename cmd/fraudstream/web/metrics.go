package web

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

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
	m := &ModelMetrics{
		loads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fraudstream_model_loads_total",
			Help: "Attempts to load a model, by result (ok, refused) and, where refused, by reason.",
		}, []string{"result", "reason"}),
		info: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "fraudstream_model_info",
			Help: "The model in force; always 1.",
		}, []string{"name", "version", "sha256"}),
	}
	r.MustRegister(m.loads, m.info)
	return m
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

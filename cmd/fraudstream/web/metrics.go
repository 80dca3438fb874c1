package web

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"fraudstream/scoring"
)

// NewRegistry returns a registry with the metrics of the Go runtime and of the process.
func NewRegistry() *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// ModelMetrics count how loading went and name the model in force.
type ModelMetrics struct {
	loads *prometheus.CounterVec
	info  *prometheus.GaugeVec
}

// NewModelMetrics registers them.
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

// Loaded counts a model that passed the gate and makes it the one in force.
func (m *ModelMetrics) Loaded(b *scoring.Bundle) {
	m.loads.WithLabelValues("ok", "").Inc()
	m.info.Reset()
	m.info.WithLabelValues(b.Name, b.Version, b.SHA256).Set(1)
}

// Refused counts a model that did not.
func (m *ModelMetrics) Refused(reason string) {
	m.loads.WithLabelValues("refused", reason).Inc()
}

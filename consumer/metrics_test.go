package consumer

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"fraudstream/scoring"
)

// TestCountersBeginAtZero holds that Prometheus can see the first event of a kind: an increase needs a sample before it.
func TestCountersBeginAtZero(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	m.add(newState("in", 3, 0))
	expect := func(name string, labels ...string) {
		if value, series := metric(t, registry, name, labels...); value != 0 || series != 1 {
			t.Errorf("%s%v: %d series, value %v", name, labels, series, value)
		}
	}
	for _, code := range scoring.Codes() {
		expect("fraudstream_dead_letters_total", "code", string(code))
	}
	expect("fraudstream_events_skipped_total", "reason", "where")
	expect("fraudstream_commits_total", "result", "ok")
	expect("fraudstream_commits_total", "result", "error")
	expect("fraudstream_offsets_skipped_total", "topic", "in", "partition", "3")
}

package consumer

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func everyEventIsDecidedOnce(t *testing.T, b *broker) {
	s := newStage(t, b, 4, 4)
	registry := prometheus.NewRegistry()
	o := s.options()
	o.Metrics = NewMetrics(registry)
	sent := s.sendEvents("a", 2000, 4)
	stop := s.start(s.consumer(o))
	s.await("all decisions", func() bool { return s.count(s.output()) >= 2000 })
	sent = append(sent, s.sendEvents("b", 500, 4)...)
	s.await("the rest", func() bool { return s.count(s.output()) >= 2500 })
	stop()
	s.assertOnce(sent, s.decisionIDs())
	if n, _ := metric(t, registry, "fraudstream_decisions_total"); n != 2500 {
		t.Errorf("decisions_total = %v", n)
	}
	if n, _ := metric(t, registry, "fraudstream_score"); n != 2500 {
		t.Errorf("score count = %v", n)
	}
	if _, series := metric(t, registry, "fraudstream_consumer_lag_records"); series != 0 {
		t.Errorf("%d lag series are left of partitions given up", series)
	}
}

package consumer

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
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

// Whatever the producers compress with, their events are decided, and the headers that travel on are not lost.
func everyCodecIsRead(t *testing.T, b *broker) {
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	s := newStage(t, b, 1, 1)
	var sent []string
	for i, codec := range []kgo.CompressionCodec{
		kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
	} {
		client := s.newClient(kgo.ProducerBatchCompression(codec))
		var records []*kgo.Record
		for j := range 20 {
			id := fmt.Sprintf("c%d-%02d", i, j)
			sent = append(sent, id)
			records = append(records, &kgo.Record{
				Topic: s.input(), Key: []byte("k"), Value: event(id), Headers: []kgo.RecordHeader{{Key: headerParent, Value: []byte(trace)}},
			})
		}
		if err := client.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	stop := s.start(s.consumer(s.options()))
	s.await("all decisions", func() bool { return s.count(s.output()) >= int64(len(sent)) })
	stop()
	s.assertOnce(sent, s.decisionIDs())
	for _, r := range s.read(s.output()) {
		if header(r, headerParent) != trace {
			t.Fatalf("a decision has the trace %q", header(r, headerParent))
		}
	}
}

package consumer

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/scoring"
)

// Records of other formats than plain JSON: what stands in headers reaches the corridor, and what is left out is counted
// by its reason, gets neither a decision nor a letter and is committed like any other.
func TestFormats(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	first, second := string(event("t-1")), string(event("t-2"))
	binary := []kgo.RecordHeader{{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "content-type", Value: []byte("application/json; charset=utf-8")}}
	structured := []kgo.RecordHeader{{Key: "content-type", Value: []byte("application/cloudevents+json; charset=UTF-8")}}
	for _, c := range []struct {
		format  string
		records []*kgo.Record
		skipped map[string]float64
		codes   []string
	}{
		{
			"cloudevents",
			[]*kgo.Record{
				{Value: []byte(first), Headers: binary},
				{Value: []byte(`{"specversion":"1.0","id":"e-1","source":"/pos","type":"payment","data":` + second + `}`), Headers: structured},
				{Value: []byte(first)},
			},
			nil,
			[]string{"missing_field"},
		},
		{
			"debezium",
			[]*kgo.Record{
				{Value: []byte(`{"before":null,"after":` + first + `,"op":"c"}`)},
				{Value: []byte(`{"schema":{},"payload":{"before":null,"after":` + second + `,"op":"r"}}`)},
				{Value: []byte(`{"before":` + first + `,"after":` + first + `,"op":"u"}`)},
				{Value: []byte(`{"before":` + first + `,"after":null,"op":"d"}`), Key: []byte("k")},
				{Value: nil, Key: []byte("k")},
			},
			map[string]float64{"update": 1, "delete": 1, "tombstone": 1, "where": 0},
			nil,
		},
	} {
		s := newStage(t, b, 1, 1)
		registry := prometheus.NewRegistry()
		o := s.options()
		o.Metrics, o.ExitAtEnd = NewMetrics(registry), true
		s.produce(c.records...)
		model, err := scoring.Load("testdata/fraud_model.pkl", scoring.Options{
			Features: []string{"income", "debt"}, Mapping: scoring.Mapping{Format: c.format},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := New(o, model).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.decisionIDs(); len(got) != 2 || got["t-1"] != 1 || got["t-2"] != 1 {
			t.Errorf("%s: decisions %v", c.format, got)
		}
		var codes []string
		for _, l := range s.read(s.letters()) {
			codes = append(codes, header(l, "fraudstream.error.code"))
		}
		if fmt.Sprint(codes) != fmt.Sprint(c.codes) {
			t.Errorf("%s: letters %v, want %v", c.format, codes, c.codes)
		}
		for reason, want := range c.skipped {
			if n, _ := metric(t, registry, "fraudstream_events_skipped_total", "reason", reason); n != want {
				t.Errorf("%s: skipped %s = %v, want %v", c.format, reason, n, want)
			}
		}
	}
}

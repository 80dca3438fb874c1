package consumer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
)

func deadLetters(t *testing.T, b *broker) {
	s := newStage(t, b, 2, 2)
	registry := prometheus.NewRegistry()
	o := s.options()
	o.Metrics, o.ExitAtEnd = NewMetrics(registry), true
	poison := []*kgo.Record{
		{Value: []byte(`{"transaction_id":"p0","income":`), Key: []byte("k0"), Partition: 1},
		{Value: []byte(`{"transaction_id":"p1","income":"many","debt":null}`), Key: nil, Partition: 1},
		{Value: nil, Key: []byte("k2"), Partition: 1},
		{Value: []byte("\xff"), Key: []byte("k3"), Partition: 1},
	}
	poison[0].Headers = []kgo.RecordHeader{{Key: "traceparent", Value: []byte("00-abc-def-01")}, {Key: "x", Value: nil}}
	var sent []string
	for i, p := range poison {
		sent = append(sent, s.sendEvents(fmt.Sprintf("n%d", i), 6, 2)...)
		s.produce(p)
	}
	sent = append(sent, s.sendEvents("last", 6, 2)...)
	if err := s.consumer(o).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.assertOnce(sent, s.decisionIDs())

	letters := s.read(s.letters())
	if len(letters) != len(poison) {
		t.Fatalf("%d dead letters, want %d", len(letters), len(poison))
	}
	for i, code := range []string{"bad_json", "wrong_type", "empty", "bad_utf8"} {
		l, p := letters[i], poison[i]
		if !bytes.Equal(l.Key, p.Key) || !bytes.Equal(l.Value, p.Value) || (l.Key == nil) != (p.Key == nil) || (l.Value == nil) != (p.Value == nil) {
			t.Errorf("%s: key %q value %q, want those of the event", code, l.Key, l.Value)
		}
		for name, want := range map[string]string{
			"fraudstream.error.code": code, "__connect.errors.topic": s.input(), "__connect.errors.partition": "1",
			"__connect.errors.offset": fmt.Sprint(p.Offset), "__connect.errors.connector.name": s.name,
		} {
			if got := header(l, name); got != want {
				t.Errorf("%s: header %s = %q, want %q", code, name, got, want)
			}
		}
		if header(l, "__connect.errors.exception.message") == "" {
			t.Errorf("%s: no message", code)
		}
	}
	if header(letters[0], "traceparent") != "00-abc-def-01" || len(letters[0].Headers) < 2 || letters[0].Headers[1].Key != "x" {
		t.Errorf("headers of the event are not kept: %v", letters[0].Headers)
	}
	if got := header(letters[1], "fraudstream.error.field"); got != "income" {
		t.Errorf("field = %q", got)
	}
	if strings.Contains(header(letters[1], "__connect.errors.exception.message"), "many") {
		t.Error("the message holds payload")
	}
	if n, _ := metric(t, registry, "fraudstream_dead_letters_total", "code", "wrong_type"); n != 1 {
		t.Errorf("dead_letters_total{wrong_type} = %v", n)
	}
	if n, _ := metric(t, registry, "fraudstream_missing_fields_total", "feature", "debt", "kind", "null"); n != 1 {
		t.Errorf("missing_fields_total{debt} = %v", n)
	}
	if n, _ := metric(t, registry, "fraudstream_events_consumed_total"); n != float64(len(sent)+len(poison)) {
		t.Errorf("events_consumed_total = %v", n)
	}
}

// A replayed dead letter is decided under the id that it would have had, and one that fails again keeps its origin.
func replayKeepsItsOrigin(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	origin := []kgo.RecordHeader{
		{Key: "__connect.errors.topic", Value: []byte("cards")},
		{Key: "__connect.errors.partition", Value: []byte("7")},
		{Key: "__connect.errors.offset", Value: []byte("4711")},
		{Key: "kept", Value: []byte("yes")},
		{Key: "fraudstream.error.code", Value: []byte("wrong_type")},
	}
	half := origin[:2]
	s.produce(
		&kgo.Record{Value: event("good"), Headers: origin},
		&kgo.Record{Value: []byte("{"), Headers: origin},
		&kgo.Record{Value: event("incomplete"), Headers: half},
	)
	o := s.options()
	o.ExitAtEnd = true
	if err := s.consumer(o).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range s.read(s.output()) {
		var d struct {
			ID string `json:"decision_id"`
		}
		if err := json.Unmarshal(r.Value, &d); err != nil {
			t.Fatal(err)
		}
		if header(r, "ce_id") != d.ID {
			t.Errorf("ce_id %q, decision_id %q", header(r, "ce_id"), d.ID)
		}
		ids = append(ids, d.ID)
	}
	if want := []string{"cards/7/4711", s.input() + "/0/2"}; fmt.Sprint(ids) != fmt.Sprint(want) {
		t.Errorf("decision ids %v, want %v", ids, want)
	}
	letters := s.read(s.letters())
	if len(letters) != 1 {
		t.Fatalf("%d dead letters", len(letters))
	}
	seen := map[string]int{}
	for _, h := range letters[0].Headers {
		seen[h.Key]++
	}
	if header(letters[0], "__connect.errors.offset") != "4711" || header(letters[0], "fraudstream.error.code") != "bad_json" ||
		header(letters[0], "kept") != "yes" || seen["__connect.errors.offset"] != 1 || seen["fraudstream.error.code"] != 1 {
		t.Errorf("headers %v", letters[0].Headers)
	}
}

func decisionRecord(t *testing.T, b *broker) {
	s := newStage(t, b, 3, 3)
	s.produce(&kgo.Record{
		Key: []byte("card-9"), Value: event("one"), Partition: 2,
		Headers: []kgo.RecordHeader{{Key: "other", Value: []byte("x")}, {Key: "traceparent", Value: []byte("00-1-2-01")}},
	})
	o := s.options()
	o.ExitAtEnd = true
	if err := s.consumer(o).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	records := s.read(s.output())
	if len(records) != 1 {
		t.Fatalf("%d decisions", len(records))
	}
	r := records[0]
	if r.Partition != 2 || string(r.Key) != "card-9" {
		t.Errorf("partition %d key %q", r.Partition, r.Key)
	}
	var d struct {
		ID       string `json:"decision_id"`
		Decision string `json:"decision"`
	}
	if err := json.Unmarshal(r.Value, &d); err != nil {
		t.Fatal(err)
	}
	bundle := testScorer(t).Bundle
	for name, want := range map[string]string{
		"ce_specversion": "1.0", "ce_id": s.input() + "/2/0", "ce_source": "/fraudstream/" + s.input(),
		"ce_type": "fraudstream.decision.v1", "content-type": "application/json", "traceparent": "00-1-2-01",
		"ce_model": bundle.Name + "@" + bundle.Version, "ce_decision": d.Decision, "other": "",
	} {
		if got := header(r, name); got != want {
			t.Errorf("header %s = %q, want %q", name, got, want)
		}
	}
}

// Decisions over the limit of the output become dead letters, one by one; the others of their batch are written. They
// stand among the other dead letters in the order of the events.
func outputTooLarge(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	s.create(s.name+".small", 1, "max.message.bytes", "1500")
	var sent []string
	for round := range 3 {
		sent = append(sent, s.sendEvents(fmt.Sprintf("r%d", round), 20, 1)...)
		s.produce(&kgo.Record{Key: noise(2000), Value: event(fmt.Sprintf("large-%d", round))})
		s.produce(&kgo.Record{Value: fmt.Appendf(nil, "broken-%d", round)})
	}
	registry := prometheus.NewRegistry()
	o := s.options()
	o.ExitAtEnd, o.Output, o.Metrics = true, s.name+".small", NewMetrics(registry)
	if err := s.consumer(o).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, r := range s.read(o.Output) {
		ids[strings.TrimPrefix(string(r.Key), "k")]++
	}
	s.assertOnce(sent, ids)
	letters := s.read(s.letters())
	if len(letters) != 6 {
		t.Fatalf("%d dead letters, want 6", len(letters))
	}
	for i, l := range letters {
		code, value := "output_too_large", event(fmt.Sprintf("large-%d", i/2))
		if i%2 == 1 {
			code, value = "bad_json", fmt.Appendf(nil, "broken-%d", i/2)
		}
		if header(l, "fraudstream.error.code") != code || !bytes.Equal(l.Value, value) {
			t.Errorf("letter %d: %v %s", i, l.Headers, l.Value)
		}
	}
	if n, _ := metric(t, registry, "fraudstream_decisions_total"); n != 60 {
		t.Errorf("decisions_total = %v", n)
	}
	if n, _ := metric(t, registry, "fraudstream_dead_letters_total", "code", "output_too_large"); n != 3 {
		t.Errorf("dead_letters_total = %v", n)
	}
}

// noise is text that no codec makes small.
func noise(n int) []byte {
	text := make([]byte, n)
	for i := range text {
		text[i] = byte('!' + rand.IntN(90))
	}
	return text
}

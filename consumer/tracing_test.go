package consumer

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"fraudstream/consumer/deadletter"
	"fraudstream/consumer/recordbatch"
)

const (
	recordedTrace   = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	unrecordedTrace = "00-5bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
)

// recorder is a tracer whose spans a test can look at.
func recorder(t testing.TB) (trace.Tracer, *tracetest.SpanRecorder) {
	t.Helper()
	spans := tracetest.NewSpanRecorder()
	provider := sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))
	t.Cleanup(func() { _ = provider.Shutdown(t.Context()) })
	return provider.Tracer("test"), spans
}

func traced(value []byte, headers ...string) *kgo.Record {
	r := &kgo.Record{Key: []byte("card"), Value: value}
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return r
}

// The trace context of an event is that of its decision or dead letter, well formed or not, in every mode of the
// letters; and where the event has none, neither has what came of it.
func TestTraceContextTravels(t *testing.T) {
	contexts := [][]string{
		{},
		{headerParent, recordedTrace},
		{headerParent, recordedTrace, headerState, "congo=t61rcWkgMzE,rojo=00f067aa0ba902b7"},
		{headerState, "congo=alone"},
		{headerParent, "00-1-2-01", headerState, ""},
		{headerParent, "ff-" + recordedTrace[3:], "other", "x"},
	}
	// Where a letter does not show its event, only what can be nothing but the id of a trace stays.
	masked := [][]string{{}, contexts[1], contexts[1], {}, {}, contexts[5]}
	for _, mode := range []deadletter.Mode{deadletter.Raw, deadletter.Redacted, deadletter.Reference} {
		t.Run(fmt.Sprint(mode), func(t *testing.T) {
			s := newStage(t, newFake(t), 1, 1)
			for i, headers := range contexts {
				s.produce(traced(event(fmt.Sprintf("e-%d", i)), headers...), traced([]byte("no event"), headers...))
			}
			o := s.options()
			o.ExitAtEnd, o.LetterMode = true, mode
			if err := s.consumer(o).Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, topic := range []string{s.output(), s.letters()} {
				records := s.read(topic)
				if len(records) != len(contexts) {
					t.Fatalf("%s: %d records, want %d", topic, len(records), len(contexts))
				}
				for i, r := range records {
					want := contexts[i]
					if topic == s.letters() && mode != deadletter.Raw {
						want = masked[i]
					}
					assertTrace(t, topic, r, want)
				}
			}
		})
	}
}

func assertTrace(t *testing.T, topic string, r *kgo.Record, want []string) {
	t.Helper()
	var got, wanted []string
	for _, h := range r.Headers {
		if h.Key == headerParent || h.Key == headerState {
			got = append(got, h.Key, string(h.Value))
		}
	}
	for i := 0; i < len(want); i += 2 {
		if want[i] != "other" {
			wanted = append(wanted, want[i], want[i+1])
		}
	}
	if strings.Join(got, "|") != strings.Join(wanted, "|") {
		t.Errorf("%s: trace context %q, want %q", topic, got, wanted)
	}
}

// Every run is a span that says how many and where, is linked to the recorded traces of its events, and says nothing of
// what is in them.
func TestRunsAreSpans(t *testing.T) {
	s := newStage(t, newFake(t), 1, 1)
	s.produce(
		traced(event("secret-1"), headerParent, recordedTrace, headerState, "congo=t61rcWkgMzE"),
		traced(event("secret-2"), headerParent, recordedTrace, headerState, "congo=t61rcWkgMzE"),
		traced(event("secret-3"), headerParent, unrecordedTrace),
		traced(event("secret-4"), headerParent, "00-1-2-01"),
		traced([]byte("secret-5"), headerParent, strings.Replace(recordedTrace, "-4b", "-7b", 1)),
		traced(event("secret-6")),
	)
	o := s.options()
	var spans *tracetest.SpanRecorder
	o.ExitAtEnd = true
	o.Tracer, spans = recorder(t)
	if err := s.consumer(o).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var links []string
	sums := map[string]int64{}
	for _, span := range spans.Ended() {
		if span.Name() != "process "+s.input() || span.SpanKind() != trace.SpanKindConsumer || span.Parent().IsValid() {
			t.Errorf("span %q, kind %v, parent %v", span.Name(), span.SpanKind(), span.Parent())
		}
		if len(span.Events()) != 1 || span.Events()[0].Time.Before(span.StartTime()) || span.EndTime().Before(span.Events()[0].Time) {
			t.Errorf("from %v to %v, scored %v", span.StartTime(), span.EndTime(), span.Events())
		}
		for _, l := range span.Links() {
			links = append(links, l.SpanContext.TraceID().String()[:4]+" "+l.SpanContext.TraceState().String())
		}
		texts := map[string]string{}
		for _, a := range span.Attributes() {
			texts[string(a.Key)] = a.Value.String()
			if strings.Contains(a.Value.String(), "secret") {
				t.Errorf("%s holds payload", a.Key)
			}
			if !strings.HasPrefix(string(a.Key), "messaging.destination") {
				sums[string(a.Key)] += a.Value.AsInt64()
			}
		}
		for name, want := range map[string]string{
			"messaging.system": "kafka", "messaging.operation.type": "process", "messaging.operation.name": "process",
			"messaging.destination.name": s.input(), "messaging.destination.partition.id": "0",
			"messaging.consumer.group.name": s.name, "messaging.client.id": "fraudstream",
		} {
			if texts[name] != want {
				t.Errorf("%s = %q, want %q", name, texts[name], want)
			}
		}
	}
	if got, want := strings.Join(links, "|"), "4bf9 congo=t61rcWkgMzE|7bf9 "; got != want {
		t.Errorf("links %q, want %q", got, want)
	}
	if sums["messaging.batch.message_count"] != 6 || sums["fraudstream.decisions"] != 5 || sums["fraudstream.dead_letters"] != 1 {
		t.Errorf("sums %v", sums)
	}
}

// Links are bounded, a run that is scored again has those of the second time, and one that fails says so.
func TestLinksOfOneRun(t *testing.T) {
	p, w := scoringPartition(t), &run{}
	var spans *tracetest.SpanRecorder
	p.c.o.Tracer, spans = recorder(t)
	var chunk []traceContext
	for i := range 2 * maxLinks {
		chunk = append(chunk, traceContext{parent: fmt.Appendf(nil, "00-%032x-00f067aa0ba902b7-01", i+1)})
	}
	w.link(chunk)
	if len(w.links) != maxLinks {
		t.Fatalf("%d links, want %d", len(w.links), maxLinks)
	}
	w.clearOutput()
	w.link(chunk[:3])
	p.trace(&w.receipt, nil)
	if n := len(spans.Ended()); n != 0 {
		t.Fatalf("%d spans of a run without events", n)
	}
	w.tally.consumed = 3
	p.trace(&w.receipt, kafka.NotEnoughReplicas)
	p.trace(&w.receipt, errors.New("connection reset"))
	for i, label := range []string{"19", "network"} {
		span := spans.Ended()[i]
		found := ""
		for _, a := range span.Attributes() {
			if a.Key == "error.type" {
				found = a.Value.AsString()
			}
		}
		if len(span.Links()) != 3 || span.Status().Code != codes.Error || found != label {
			t.Errorf("%d links, status %v, error.type %q", len(span.Links()), span.Status(), found)
		}
	}
}

func TestSampled(t *testing.T) {
	for flags, want := range map[string]bool{
		"00": false, "01": true, "02": false, "03": true, "09": true, "0a": false, "0b": true, "0f": true, "fe": false,
		"0": false, "0G": false, "0-": false, "0A": false, "0B": false,
	} {
		if got := (traceContext{parent: []byte(recordedTrace[:53] + flags)}).sampled(); got != want {
			t.Errorf("flags %q: sampled %v", flags, got)
		}
	}
}

// BenchmarkTracing is BenchmarkLoop without and with a tracer, 1000 events with one recorded trace each: off costs what
// the loop cost before there was any tracing.
func BenchmarkTracing(b *testing.B) {
	for _, on := range []bool{false, true} {
		b.Run(map[bool]string{false: "off", true: "on"}[on], func(b *testing.B) {
			p, w := scoringPartition(b), fetchedRun(b, 1000, recordbatch.None)
			if on {
				p.c.o.Tracer = sdk.NewTracerProvider().Tracer("benchmark")
			}
			b.ReportAllocs()
			for b.Loop() {
				w.clearOutput()
				if err := p.score(w); err != nil {
					b.Fatal(err)
				}
				p.trace(&w.receipt, nil)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
		})
	}
}

package consumer

import (
	"fmt"
	"strings"
	"testing"

	"fraudstream/consumer/recordbatch"
)

// fetchedRun is a run as the fetcher hands it on: one batch of n events of about 700 bytes, with headers.
func fetchedRun(tb testing.TB, n int, codec recordbatch.Codec) *run {
	tb.Helper()
	b := recordbatch.Builder{Codec: codec}
	var h recordbatch.Headers
	h.AddText("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	padding := strings.Repeat("x", 600)
	for i := range n {
		value := fmt.Appendf(nil, `{"transaction_id":"t-%d","income":%d.25,"debt":%d.5,"note":%q}`, i, 20000+i, i, padding)
		b.Append(1_790_000_000_000, fmt.Appendf(nil, "card-%d", i%100), value, h)
	}
	var batch recordbatch.Batch
	if _, _, err := recordbatch.Next(b.Finish(recordbatch.Producer{ID: -1}, -1), &batch); err != nil {
		tb.Fatal(err)
	}
	return &run{batches: []recordbatch.Batch{batch}, receipt: receipt{next: batch.NextOffset()}}
}

func scoringPartition(tb testing.TB) *partition {
	tb.Helper()
	c := New(Options{Group: "g", Input: "in", Output: "out", DeadLetter: "dlq"}, testScorer(tb))
	p := c.newPartition(0, 0)
	p.routes.output, p.routes.deadLetter = route{same: true}, route{partitions: 1}
	p.writer.output, p.writer.letters, p.writer.codec = "out", "dlq", recordbatch.LZ4
	return p
}

// From fetched bytes to the encoded batch of decisions nothing is allocated once the buffers have grown.
func TestLoopDoesNotAllocate(t *testing.T) {
	for _, codec := range []recordbatch.Codec{recordbatch.None, recordbatch.LZ4} {
		p, w := scoringPartition(t), fetchedRun(t, 1000, codec)
		if allocs := testing.AllocsPerRun(20, func() {
			w.clearOutput()
			if err := p.score(w); err != nil {
				t.Fatal(err)
			}
			for _, o := range w.out[:w.used] {
				o.batch.Finish(recordbatch.Producer{ID: 1}, 0)
			}
		}); allocs > mostAllocations {
			t.Errorf("%v: %v allocations for 1000 events", codec, allocs)
		}
		if n := len(w.tally.decided); n != 1000 {
			t.Fatalf("%d decisions", n)
		}
	}
}

// BenchmarkLoop is one event from fetched bytes to the encoded, compressed batch of decisions.
func BenchmarkLoop(b *testing.B) {
	p, w := scoringPartition(b), fetchedRun(b, 1000, recordbatch.None)
	b.ReportAllocs()
	for b.Loop() {
		w.clearOutput()
		if err := p.score(w); err != nil {
			b.Fatal(err)
		}
		for _, o := range w.out[:w.used] {
			o.batch.Finish(recordbatch.Producer{ID: 1}, 0)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/event")
}

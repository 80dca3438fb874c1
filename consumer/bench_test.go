package consumer

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/consumer/recordbatch"
)

// BenchmarkStream is Run with ExitAtEnd on Apache Kafka (FRAUDSTREAM_KAFKA=host:port): 4 partitions of 700-byte
// events, FRAUDSTREAM_EVENTS of them (default 300,000). The CPU seconds are those of this process, which during the
// measured time does nothing but consume. On the in-process broker the figures would be the broker's.
func BenchmarkStream(b *testing.B) {
	if os.Getenv("FRAUDSTREAM_KAFKA") == "" {
		b.Skip("skipped: FRAUDSTREAM_KAFKA names no Apache Kafka to measure against")
	}
	n := 300_000
	if text := os.Getenv("FRAUDSTREAM_EVENTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	for _, codec := range []recordbatch.Codec{recordbatch.None, recordbatch.LZ4} {
		b.Run(codec.String(), func(b *testing.B) { benchmarkStream(b, n, codec) })
	}
}

func benchmarkStream(b *testing.B, n int, codec recordbatch.Codec) {
	var rate, cpu []float64
	for b.Loop() {
		b.StopTimer()
		s := newStage(b, &broker{bootstrap: os.Getenv("FRAUDSTREAM_KAFKA"), real: true}, 4, 4)
		s.fill(n)
		o := s.options()
		o.Uncompressed = codec == recordbatch.None
		b.StartTimer()
		took, used := s.consumeAll(o)
		b.StopTimer()
		rate = append(rate, float64(n)/took.Seconds())
		cpu = append(cpu, used.Seconds()/float64(n)*1e6)
		if got := s.countOf(s.output()); got != int64(n) {
			b.Fatalf("%d decisions of %d events", got, n)
		}
		s.client.Close()
		b.StartTimer()
	}
	b.ReportMetric(median(rate), "events/s")
	b.ReportMetric(median(cpu), "client-cpu-s/Mevent")
}

// consumeAll runs a consumer up to the end, and tells the time and the CPU time that it took.
func (s *stage) consumeAll(o Options) (took, used time.Duration) {
	s.t.Helper()
	o.ExitAtEnd, o.Log = true, slog.New(slog.DiscardHandler)
	c := New(o, testScorer(s.t))
	begun, before := time.Now(), processCPU()
	if err := c.Run(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return time.Since(begun), processCPU() - before
}

// fill produces n events of about 700 bytes.
func (s *stage) fill(n int) {
	client := s.newClient(kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer client.Close()
	for i := range n {
		client.Produce(s.t.Context(), s.padded(i), nil)
	}
	if err := client.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// padding makes an event of a payment's usual size.
var padding = strings.Repeat("x", 600)

// padded is event i, of about 700 bytes.
func (s *stage) padded(i int) *kgo.Record {
	id := fmt.Sprintf("t-%07d", i)
	return &kgo.Record{
		Topic: s.input(), Partition: int32(i % 4), Key: []byte(id),
		Value: fmt.Appendf(nil, `{"transaction_id":"%s","income":%d.25,"debt":%d.5,"note":"%s"}`, id, 20000+i%60000, i%9000, padding),
	}
}

func median(v []float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	return sorted[len(sorted)/2]
}

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
		o.ExitAtEnd, o.Uncompressed = true, codec == recordbatch.None
		o.Log = slog.New(slog.DiscardHandler)
		c := New(o, testScorer(b))
		b.StartTimer()
		begun, used := time.Now(), processCPU()
		if err := c.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
		rate = append(rate, float64(n)/time.Since(begun).Seconds())
		cpu = append(cpu, (processCPU()-used).Seconds()/float64(n)*1e6)
		b.StopTimer()
		if got := s.countOf(s.output()); got != int64(n) {
			b.Fatalf("%d decisions of %d events", got, n)
		}
		s.client.Close()
		b.StartTimer()
	}
	b.ReportMetric(median(rate), "events/s")
	b.ReportMetric(median(cpu), "client-cpu-s/Mevent")
}

// fill produces n events of about 700 bytes.
func (s *stage) fill(n int) {
	client := s.newClient(kgo.ProducerBatchCompression(kgo.NoCompression()))
	defer client.Close()
	padding := strings.Repeat("x", 600)
	for i := range n {
		id := fmt.Sprintf("t-%07d", i)
		client.Produce(s.t.Context(), &kgo.Record{
			Topic: s.input(), Partition: int32(i % 4), Key: []byte(id),
			Value: fmt.Appendf(nil, `{"transaction_id":%q,"income":%d.25,"debt":%d.5,"note":%q}`, id, 20000+i%60000, i%9000, padding),
		}, nil)
	}
	if err := client.Flush(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func median(v []float64) float64 {
	sorted := slices.Sorted(slices.Values(v))
	return sorted[len(sorted)/2]
}

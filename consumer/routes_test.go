package consumer

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The values are those of Kafka's own UtilsTest for its default partitioner.
func TestMurmur2(t *testing.T) {
	for text, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := int32(murmur2([]byte(text))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", text, got, want)
		}
	}
}

// With another number of partitions a decision goes where Kafka's own producers would send its key.
func outputByKeyWhereCountsDiffer(t *testing.T, b *broker) {
	s := newStage(t, b, 2, 5)
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic("any")
	want := map[string]int32{}
	for i := range 60 {
		key := fmt.Sprintf("card-%d", i)
		want[key] = int32(partitioner.Partition(&kgo.Record{Key: []byte(key)}, 5))
		s.produce(&kgo.Record{Key: []byte(key), Value: event(key), Partition: int32(i % 2)})
	}
	s.produce(&kgo.Record{Value: event("keyless"), Partition: 1})
	want[""] = 1
	o := s.options()
	o.ExitAtEnd = true
	if err := s.consumer(o).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	records := s.read(s.output())
	if len(records) != 61 {
		t.Errorf("%d decisions", len(records))
	}
	for _, r := range records {
		if r.Partition != want[string(r.Key)] {
			t.Errorf("%q in partition %d, want %d", r.Key, r.Partition, want[string(r.Key)])
		}
	}
}

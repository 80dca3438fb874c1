package consumer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/consumer/recordbatch"
)

// What a partition asks for depends on how many there are and on how much comes of a byte.
func TestPortion(t *testing.T) {
	for _, c := range []struct {
		budget     int64 // MiB
		partitions int
		growth     int64 // thousandths
		largest    int   // MiB
		ask        int32 // KiB
		reserve    int64 // KiB
	}{
		{256, 4, 0, 0, 1024, 3072},
		{256, 4, 9000, 0, 1024, 9216},
		{256, 12, 9000, 0, 758, 6826}, // an even share is 6.7 MiB
		{128, 120, 0, 0, 113, 341},
		{128, 120, 0, 8, 113, 24576}, // one batch of 8 MiB is on its way
		{128, 12, 9000, 8, 379, 40960},
		{16, 1000, 0, 0, 4, 12}, // never less than makes sense
	} {
		m := newMemory(c.budget << 20)
		m.divide(c.partitions)
		ask, reserve, err := m.portion(c.growth, c.largest<<20)
		if err != nil || ask>>10 != c.ask || reserve>>10 != c.reserve {
			t.Errorf("%+v: %d KiB of %d KiB, %v", c, ask>>10, reserve>>10, err)
		}
	}
	m := newMemory(64 << 20)
	_, _, err := m.portion(0, 8<<20)
	if tooSmall, ok := errors.AsType[*budgetError](err); !ok || !strings.Contains(err.Error(), "set memory.budget to 77 MiB or more") {
		t.Fatalf("8 MiB within 64: %v", err)
	} else if _, _, err := newMemory(tooSmall.need+1<<20).portion(0, 8<<20); err != nil {
		t.Errorf("and within what was asked for: %v", err)
	}
}

// All partitions together never hold more than half of the room while they wait for events, so that one large batch always
// comes through.
func TestRoomForTheLargest(t *testing.T) {
	for _, partitions := range []int{1, 12, 120, 400} {
		m := newMemory(64 << 20)
		m.divide(partitions)
		held := int64(0)
		for range partitions {
			_, reserve, err := m.portion(5000, 0)
			if err != nil {
				t.Fatal(err)
			}
			held += reserve
		}
		if _, largest, err := m.portion(5000, 6<<20); err != nil || held+largest > m.runs {
			t.Errorf("%d partitions hold %d KiB and the largest wants %d of %d, %v", partitions, held>>10, largest>>10, m.runs>>10, err)
		}
	}
}

// Who takes when nothing is left waits, shows why, and goes on when something is given back. What a run was is used again.
func TestTakeWaits(t *testing.T) {
	m, s := newMemory(MinMemory), newState("in", 0, 0)
	first, second := &run{}, &run{}
	if err := m.take(t.Context(), first, m.runs, s); err != nil {
		t.Fatal(err)
	}
	first.wire = make([]byte, 1<<20)
	taken := make(chan error)
	go func() { taken <- m.take(t.Context(), second, 2<<20, s) }()
	for s.paused.Load() == nil {
		select {
		case err := <-taken:
			t.Fatalf("taken, though nothing is left: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	if reason := *s.paused.Load(); reason != noMemory {
		t.Errorf("paused for %s", reason)
	}
	m.give(first)
	if err := <-taken; err != nil || s.paused.Load() != nil || second.held != 2<<20 {
		t.Errorf("%v, paused %v, holds %d", err, s.paused.Load() != nil, second.held)
	}
	if first.held != 0 || first.wire != nil {
		t.Error("the first run still has its memory")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.take(ctx, first, m.runs, s); err == nil {
		t.Error("taken after the end")
	}
}

// What a run takes up is learned from one that is large enough to tell, not from a few events in the memory of many.
func TestLearn(t *testing.T) {
	p, w := scoringPartition(t), fetchedRun(t, 100, recordbatch.None)
	if err := p.score(w); err != nil {
		t.Fatal(err)
	}
	w.wire = make([]byte, 200)
	p.learn(w)
	if n := p.growth.Load(); n != 0 {
		t.Errorf("a run of 200 bytes teaches %d", n)
	}
	w.wire = make([]byte, 75_000) // about what 100 events of the kind are
	p.learn(w)
	if n := p.growth.Load(); n < 1500 || n > 4000 {
		t.Errorf("a decision for each event teaches %d", n)
	}
	before := p.growth.Load()
	w.used = 0
	p.learn(w)
	if n := p.growth.Load(); n != before*7/8 {
		t.Errorf("no decision teaches %d after %d", n, before)
	}
}

// A run that becomes larger than was reserved takes more while there is more.
func TestCover(t *testing.T) {
	m := newMemory(MinMemory)
	w := &run{}
	if err := m.take(t.Context(), w, 1<<20, nil); err != nil {
		t.Fatal(err)
	}
	w.wire = make([]byte, 3<<20)
	if !m.cover(w) || w.held != 3<<20 {
		t.Errorf("holds %d", w.held)
	}
	w.wire = make([]byte, m.runs+1)
	if m.cover(w) || w.held != 3<<20 {
		t.Errorf("more than there is: holds %d", w.held)
	}
	m.drop(w)
	if !m.room.TryAcquire(m.runs) {
		t.Error("not all of it came back")
	}
}

// sendPacked sends events as one batch, with the compression of the client's options.
func (s *stage) sendPacked(prefix string, n int, padding string, opts ...kgo.Opt) []string {
	s.t.Helper()
	client := s.newClient(append([]kgo.Opt{kgo.ProducerBatchMaxBytes(12 << 20), kgo.BrokerMaxWriteBytes(16 << 20), kgo.ProducerLinger(time.Second)}, opts...)...)
	defer client.Close()
	var ids []string
	var records []*kgo.Record
	for i := range n {
		ids = append(ids, fmt.Sprintf("%s-%06d", prefix, i))
		value := fmt.Appendf(nil, `{"transaction_id":%q,"income":1,"debt":2,"pad":%q}`, ids[i], padding)
		records = append(records, &kgo.Record{Topic: s.input(), Value: value})
	}
	if err := client.ProduceSync(s.t.Context(), records...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
	return ids
}

// A batch of eight megabytes comes through where the budget has room for it, and where it has not the partition stands
// still before it and says what would help.
func TestLargeBatch(t *testing.T) {
	t.Parallel()
	for name, budget := range map[string]int64{"room": 96 << 20, "no room": MinMemory} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, newFake(t, kfake.BrokerConfigs(map[string]string{"message.max.bytes": "16777216"})), 1, 1)
			registry := prometheus.NewRegistry()
			o := s.options()
			o.Memory, o.Metrics = budget, NewMetrics(registry)
			sent := s.sendPacked("a", 9, strings.Repeat("x", 900<<10), kgo.ProducerBatchCompression(kgo.NoCompression()))
			c := s.consumer(o)
			stop := s.start(c)
			if name == "no room" {
				s.await("the pause", func() bool {
					_, series := metric(t, registry, "fraudstream_partition_paused", "reason", noMemory)
					return series == 1
				})
				s.await("the line", func() bool {
					return strings.Contains(s.logs.String(), "is too large for the memory budget of 16 MiB: set memory.budget to")
				})
				stop()
				return
			}
			s.await("all decisions", func() bool { return s.count(s.output()) == int64(len(sent)) })
			stop()
			s.assertOnce(sent, s.decisionIDs())
			if !c.memory.room.TryAcquire(c.memory.runs) {
				t.Error("some of the budget is still held")
			}
		})
	}
}

// A batch of a few kilobytes that stands for a great many events is decided piece by piece.
func TestBombOfEvents(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	o := s.options()
	o.Memory = MinMemory
	sent := s.sendPacked("a", 30_000, "", kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	stop := s.start(s.consumer(o))
	s.await("all decisions", func() bool { return s.count(s.output()) >= int64(len(sent)) })
	stop()
	s.assertOnce(sent, s.decisionIDs())
	if n := strings.Count(s.logs.String(), errNoRoom.Error()); n == 0 {
		t.Error("the batch was decided at once")
	}
}

// A batch that no ordinary desk has room for is decided on the large one, and one that has no room there either is held
// for corrupt.
func TestLargeDesk(t *testing.T) {
	c := New(Options{Group: "g", Input: "in", Output: "out", DeadLetter: "dlq", Memory: MinMemory}, testScorer(t))
	p := c.newPartition(0, 0)
	p.routes.output, p.routes.deadLetter = route{same: true}, route{partitions: 1}
	p.writer.output, p.writer.letters = "out", "dlq"
	for size, fits := range map[int]bool{c.memory.ordinary: true, c.memory.large: false} {
		b := recordbatch.Builder{Codec: recordbatch.LZ4}
		for i := range 4 {
			b.Append(1, nil, fmt.Appendf(nil, `{"transaction_id":"t-%d","income":1,"debt":2,"pad":%q}`, i, strings.Repeat("x", size/4)), recordbatch.Headers{})
		}
		var batch recordbatch.Batch
		if _, _, err := recordbatch.Next(b.Finish(recordbatch.Producer{ID: -1}, -1), &batch); err != nil {
			t.Fatal(err)
		}
		w := &run{batches: []recordbatch.Batch{batch}, receipt: receipt{next: batch.NextOffset()}}
		err := p.score(w)
		if _, tooLarge := errors.AsType[*recordbatch.TooLargeError](err); fits != (err == nil) || !fits && (!tooLarge || !isCorrupt(err) || !strings.Contains(err.Error(), "set memory.budget to 256 MiB")) {
			t.Errorf("%d bytes: %v", size, err)
		}
		if fits && w.tally.consumed != 4 {
			t.Errorf("%d events of 4", w.tally.consumed)
		}
	}
	if len(c.memory.lane) != 1 {
		t.Error("the permit for the large desk is gone")
	}
	tooLarge := &recordbatch.TooLargeError{Offset: 7, Codec: recordbatch.Zstd, Limit: maxUnpacked}
	if err := newMemory(4 * maxUnpacked).explained(tooLarge); !isCorrupt(err) || !strings.Contains(err.Error(), "no memory.budget lets one become more than 64 MiB") {
		t.Errorf("with the largest desk: %v", err)
	}
	if err := newMemory(0).explained(io.EOF); err.Error() != io.EOF.Error() {
		t.Errorf("another error becomes %v", err)
	}
}

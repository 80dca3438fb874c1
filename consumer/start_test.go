package consumer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func exitAtEnd(t *testing.T, b *broker) {
	s := newStage(t, b, 4, 4)
	sent := s.sendEvents("a", 2000, 3) // the fourth partition stays empty
	o := s.options()
	o.ExitAtEnd = true
	ended := make(chan error, 2)
	for range 2 {
		go func() { ended <- s.consumer(o).Run(t.Context()) }()
	}
	for range 2 {
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(40 * time.Second):
			t.Fatalf("no end\n%s", s.logs.tail())
		}
	}
	s.assertOnce(sent, s.decisionIDs())
	if !s.groupAtEnd() {
		t.Error("the end is not committed")
	}
}

func startHoldsOnlyWithoutOffset(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	s.sendEvents("early", 10, 1)
	o := s.options()
	o.Start = Start{Latest: true}
	stop := s.start(s.consumer(o))
	s.await("the committed start", s.groupAtEnd)
	stop()
	if !strings.Contains(s.logs.String(), "records_ahead=0") {
		t.Errorf("the start is not logged: %s", s.logs.tail())
	}
	sent := s.sendEvents("late", 10, 1)
	o.Start = Start{} // the group has an offset now
	stop = s.start(s.consumer(o))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(sent, s.decisionIDs())
}

func startAtTime(t *testing.T, b *broker) {
	s := newStage(t, b, 2, 2)
	noon := time.Now().Add(-time.Hour).Truncate(time.Second)
	s.produce( // in one batch, so that the start lies within it
		&kgo.Record{Value: event("old"), Timestamp: noon.Add(-time.Second)},
		&kgo.Record{Value: event("new"), Timestamp: noon},
	)
	s.produce(&kgo.Record{Value: event("other"), Timestamp: noon.Add(-time.Hour), Partition: 1})
	o := s.options()
	o.Start, o.ExitAtEnd = Start{Time: noon}, true
	if err := s.consumer(o).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.assertOnce([]string{"new"}, s.decisionIDs())
}

func offsetOutOfRange(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	s.sendEvents("gone", 30, 1)
	stop := s.start(s.consumer(s.options()))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.sendEvents("missed", 50, 1)
	s.deleteRecords(80)
	left := s.sendEvents("left", 20, 1)
	registry := prometheus.NewRegistry()
	o := s.options()
	o.Metrics = NewMetrics(registry)
	stop = s.start(s.consumer(o))
	s.await("the end of the lag", s.groupAtEnd)
	if n, _ := metric(t, registry, "fraudstream_offsets_skipped_total", "topic", s.input(), "partition", "0"); n != 50 {
		t.Errorf("offsets_skipped_total = %v, want 50", n)
	}
	stop()
	if lost, copies := s.compare(append(s.ids("gone", 30), left...), s.decisionIDs()); lost+copies > 0 {
		t.Errorf("lost=%d duplicated=%d", lost, copies)
	}
	if !strings.Contains(s.logs.String(), "records_lost=50") {
		t.Error("the gap is not logged")
	}
}

func (s *stage) ids(prefix string, n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("%s-%06d", prefix, i))
	}
	return ids
}

func (s *stage) deleteRecords(before int64) {
	s.t.Helper()
	req := kmsg.NewPtrDeleteRecordsRequest()
	req.TimeoutMillis = 5000
	topic := kmsg.NewDeleteRecordsRequestTopic()
	topic.Topic = s.input()
	partition := kmsg.NewDeleteRecordsRequestTopicPartition()
	partition.Offset = before
	topic.Partitions = append(topic.Partitions, partition)
	req.Topics = append(req.Topics, topic)
	for _, shard := range s.client.RequestSharded(s.t.Context(), req) {
		if shard.Err != nil {
			s.t.Fatal(shard.Err)
		}
		if code := shard.Resp.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
			s.t.Fatalf("delete records: %v", kerr.ErrorForCode(code))
		}
	}
}

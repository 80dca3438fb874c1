package consumer

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"fraudstream/consumer/recordbatch"
)

// A leader that answers without records though there are some, up to the offset end, stalls a partition; it does so here
// until a request of a kind comes after the first such answer.
func stall(s *stage, until kmsg.Key, end int64) {
	var stalled, over atomic.Bool
	s.b.fake.ControlKey(int16(until), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.b.fake.KeepControl()
		if stalled.Load() {
			over.Store(true)
		}
		return nil, nil, false
	})
	s.b.fake.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.b.fake.KeepControl()
		req := r.(*kmsg.FetchRequest)
		if !isOurs(r, s) || req.Topics[0].Topic != s.input() || over.Load() {
			return nil, nil, false
		}
		stalled.Store(true)
		time.Sleep(5 * time.Millisecond)
		res := req.ResponseKind().(*kmsg.FetchResponse)
		res.Topics = []kmsg.FetchResponseTopic{{Topic: req.Topics[0].Topic, Partitions: []kmsg.FetchResponseTopicPartition{{
			Partition: req.Topics[0].Partitions[0].Partition, HighWatermark: end, LastStableOffset: end, PreferredReadReplica: -1,
		}}}}
		return res, nil, true
	})
}

// The watchdog starts the pipeline again, and where that does not help the generation, with either delivery. The monitor
// keeps what it has counted: in the same pipeline's memory, or from the snapshot, behind which it is shown the events again.
func TestWatchdogStartsAStalledPartitionAgain(t *testing.T) {
	for _, c := range []struct {
		name        string
		until       kmsg.Key
		generations float64
		exactly     bool
	}{
		{"pipeline", kmsg.InitProducerID, 1, false}, // each pipeline has a producer of its own
		{"generation", kmsg.JoinGroup, 2, false},
		{"pipeline, exactly once", kmsg.InitProducerID, 1, true},
		{"generation, exactly once", kmsg.JoinGroup, 2, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newFake(t)
			b.exactly = c.exactly
			s := newStage(t, b, 1, 1)
			registry := prometheus.NewRegistry()
			var log adderLog
			o := s.monitored(&log, 1)
			o.Metrics = NewMetrics(registry)
			consumer := s.consumer(o)
			consumer.timing.stall = time.Second
			stop := s.start(consumer)
			s.await("readiness", consumer.Ready)
			sent := s.sendEvents("a", tickOf+20, 1) // a tick with its snapshot, and a part of the next
			s.await("the first decisions", s.groupAtEnd)
			stall(s, c.until, 3*tickOf)
			sent = append(sent, s.sendEvents("b", 2*tickOf-20, 1)...)
			s.await("the end of the lag", s.groupAtEnd)
			stop()
			s.assertOnce(sent, s.decisionIDs())
			s.assertAlerts(3*tickOf, 1, false)
			// A machine without a free core may let the watchdog strike once more: so these are the least.
			if want := int(c.generations) - 1; log.restored < want || log.repeated < 20*want {
				t.Errorf("the monitor was restored %d times and shown %d events again", log.restored, log.repeated)
			}
			pipelines, _ := metric(t, registry, "fraudstream_retries_total", "operation", "pipeline", "code", "stalled")
			generations, _ := metric(t, registry, "fraudstream_retries_total", "operation", "generation", "code", "stalled")
			if pipelines < 1 || generations < c.generations-1 {
				t.Errorf("%v pipelines and %v generations count as stalled", pipelines, generations)
			}
			if n, _ := metric(t, registry, "fraudstream_rebalances_total"); n < c.generations {
				t.Errorf("%v generations", n)
			}
			if !strings.Contains(s.logs.String(), "no progress though there are events to read") {
				t.Error("nothing is logged")
			}
		})
	}
}

// A partition that knows why it stands still is left alone.
func TestWatchdogLeavesAPauseAlone(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	o, registry := s.alerted()
	s.produceRaw(brokenBatch())
	c := s.consumer(o)
	c.timing.stall = time.Second // within which it must have found out why
	s.start(c)
	s.awaitPause(registry, corruptBatch)
	time.Sleep(2500 * time.Millisecond)
	if n, _ := metric(t, registry, "fraudstream_rebalances_total"); n != 1 {
		t.Errorf("%v generations of a partition that is paused", n)
	}
}

// What makes the connections and the leaders suspect: the answers of brokers that do not lead, do not know the topic or
// are away, and a broken network. Anything else leaves the pool alone.
func TestWhatResetsThePool(t *testing.T) {
	for err, stale := range map[error]bool{
		kafka.UnknownTopicOrPartition: true, kafka.NotLeaderForPartition: true, kafka.BrokerNotAvailable: true,
		errStalled: true, errCut{}: true,
		kafka.NotEnoughReplicas: false, kafka.TopicAuthorizationFailed: false, kafka.LeaderNotAvailable: false,
		&recordbatch.CorruptError{}: false,
	} {
		if _, got := classify(err); got != stale {
			t.Errorf("%v: %v", err, got)
		}
	}
}

type errCut struct{}

func (errCut) Error() string { return "unexpected EOF" }

// Users rely on ten seconds for new partitions, with the periods that they have.
func TestPartitionAddedIsReadInTime(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	c := New(s.options(), testScorer(t))
	s.start(c)
	s.sendEvents("a", 10, 1)
	s.await("the first decisions", func() bool { return s.count(s.output()) >= 10 })
	s.grow(s.input(), 3)
	begun := time.Now()
	s.sendEvents("b", 30, 3)
	s.await("the decisions of the new partitions", func() bool { return s.count(s.output()) >= 40 })
	took := time.Since(begun)
	if took > 5*promised {
		t.Errorf("new partitions were read after %v", took)
	}
	t.Logf("new partitions were read after %v", took)
}

package consumer

import (
	"encoding/binary"
	"hash/crc32"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"fraudstream/consumer/kafkatest"
	"fraudstream/consumer/recordbatch"
	"fraudstream/scoring"
)

// A broker that is stopped and started again while the stream runs costs time, and nothing else.
func TestBrokerRestartOnApacheKafka(t *testing.T) {
	cluster := kafkatest.Start(t, 1)
	s := newStage(t, &broker{bootstrap: cluster.Bootstrap(), real: true}, 4, 4)
	c := s.consumer(s.options())
	stop := s.start(c)
	sent := s.sendEvents("before", 5000, 4)
	s.await("the first decisions", func() bool { return s.countOf(s.output()) > 0 })
	cluster.Restart(t)
	sent = append(sent, s.sendEvents("after", 5000, 4)...)
	s.await("the end of the lag", s.groupAtEnd)
	if !c.Healthy() || !c.Ready() {
		t.Errorf("healthy %v, ready %v", c.Healthy(), c.Ready())
	}
	stop()
	lost, copies := s.compare(sent, s.decisionIDs())
	if lost > 0 {
		t.Errorf("lost=%d of %d\n%s", lost, len(sent), s.logs.tail())
	}
	t.Logf("one restart, %d events: lost=%d duplicated=%d", len(sent), lost, copies)
}

func partitionAdded(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	stop := s.start(s.consumer(s.options()))
	sent := s.sendEvents("a", 50, 1)
	s.await("the first decisions", func() bool { return s.count(s.output()) >= 50 })
	s.grow(s.input(), 3)
	sent = append(sent, s.sendEvents("b", 60, 3)...)
	s.await("the decisions of the new partitions", func() bool { return s.count(s.output()) >= 110 })
	stop()
	s.assertOnce(sent, s.decisionIDs())
}

// grow gives a topic more partitions.
func (s *stage) grow(name string, partitions int32) {
	s.t.Helper()
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis = 5000
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = name, partitions
	req.Topics = append(req.Topics, topic)
	if res, err := req.RequestWith(s.t.Context(), s.client); err != nil || res.Topics[0].ErrorCode != 0 {
		s.t.Fatalf("add partitions: %v %+v", err, res)
	}
	s.await("the leaders of the new partitions", func() bool { return s.leaders(name) == partitions })
	s.client.Close()
	s.client = s.newClient() // which knows of the new partitions
}

// leaders is the number of a topic's partitions that have one.
func (s *stage) leaders(name string) (n int32) {
	s.t.Helper()
	req := kmsg.NewPtrMetadataRequest()
	topic := kmsg.NewMetadataRequestTopic()
	topic.Topic = &name
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(s.t.Context(), s.client)
	if err != nil || len(res.Topics) != 1 {
		s.t.Fatalf("metadata of %s: %v", name, err)
	}
	for _, p := range res.Topics[0].Partitions {
		if p.ErrorCode == 0 && p.Leader >= 0 {
			n++
		}
	}
	return n
}

// An output that answers slowly holds up the fetching, within bounds, and not the group.
func TestSlowOutputHoldsUpFetching(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	s := newStage(t, b, 1, 1)
	registry := prometheus.NewRegistry()
	o := s.options()
	o.Metrics = NewMetrics(registry)
	c := s.consumer(o)
	stop := s.start(c)
	s.await("readiness", c.Ready)
	var beats atomic.Int64
	b.fake.ControlKey(int16(kmsg.Heartbeat), func(kmsg.Request) (kmsg.Response, error, bool) {
		b.fake.KeepControl()
		beats.Add(1)
		return nil, nil, false
	})
	// The in-process broker serves one connection's requests in order and the others meanwhile.
	slow := make(chan struct{})
	b.fake.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
		if !isOurs(r, s) {
			return nil, nil, false
		}
		b.fake.SleepControl(func() { <-slow })
		return nil, nil, false
	})
	sent := s.sendEvents("a", 200, 1)
	s.await("lag", func() bool {
		lag, _ := metric(t, registry, "fraudstream_consumer_lag_records")
		return lag == 200
	})
	before := beats.Load()
	s.await("heartbeats while the output is slow", func() bool { return beats.Load() > before+10 })
	if n, _ := metric(t, registry, "fraudstream_rebalances_total"); n != 1 {
		t.Errorf("%v generations while the output was slow", n)
	}
	if n, _ := metric(t, registry, "fraudstream_events_consumed_total"); n != 0 {
		t.Errorf("%v events count as consumed, and none is acknowledged", n)
	}
	close(slow)
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(sent, s.decisionIDs())
}

// While a fault lasts there is one line about it in ten seconds, however often it is tried.
func TestOneLineWhileAFaultLasts(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	s := newStage(t, b, 4, 4)
	s.sendEvents("a", 40, 4)
	handle := b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: s.output(), Count: -1})
	registry := prometheus.NewRegistry()
	o := s.options()
	o.Metrics = NewMetrics(registry)
	stop := s.start(s.consumer(o))
	s.await("many attempts", func() bool { return handle.Hits() > 40 })
	if n := strings.Count(s.logs.String(), "produce fails"); n != 1 {
		t.Errorf("%d lines", n)
	}
	if _, series := metric(t, registry, "fraudstream_partition_paused", "reason", "produce"); series != 4 {
		t.Errorf("%d partitions are shown as paused", series)
	}
	handle.Remove()
	s.await("the end of the lag", s.groupAtEnd)
	if _, series := metric(t, registry, "fraudstream_partition_paused"); series != 0 {
		t.Errorf("%d partitions are still shown as paused", series)
	}
	stop()
}

// A batch with a sound CRC and broken records, as a faulty disk or producer leaves it: what is before it is decided,
// it is never passed over, and the other partition goes on.
func TestBatchThatIsNoRecords(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	s := newStage(t, b, 2, 2)
	registry := prometheus.NewRegistry()
	o := s.options()
	o.Metrics = NewMetrics(registry)
	before := s.sendEvents("before", 20, 2)
	s.produceRaw(brokenBatch())
	s.sendEvents("after", 20, 2)
	stop := s.start(s.consumer(o))
	s.await("the pause", func() bool {
		_, series := metric(t, registry, "fraudstream_partition_paused", "reason", "corrupt_batch", "partition", "0")
		return series == 1
	})
	s.await("the other partition", func() bool { return s.ends(s.output())[1] == 20 })
	stop()
	decided := s.decisionIDs()
	for _, id := range before {
		if decided[id] != 1 {
			t.Errorf("%s is decided %d times", id, decided[id])
		}
	}
	if len(decided) != 30 {
		t.Errorf("%d decisions, want 20 before the batch and 10 of the other partition", len(decided))
	}
	if !strings.Contains(s.logs.String(), "corrupt record batch at offset 10") {
		t.Errorf("the log does not name the batch: %s", s.logs.tail())
	}
}

// brokenBatch says that it holds two records and holds one.
func brokenBatch() []byte {
	var b recordbatch.Builder
	b.Append(1, nil, event("broken"), recordbatch.Headers{})
	encoded := b.Finish(recordbatch.Producer{ID: -1, Epoch: -1}, -1)
	binary.BigEndian.PutUint32(encoded[23:], 1)
	binary.BigEndian.PutUint32(encoded[57:], 2)
	binary.BigEndian.PutUint32(encoded[17:], crc32.Checksum(encoded[21:], crc32.MakeTable(crc32.Castagnoli)))
	return encoded
}

func (s *stage) produceRaw(batch []byte) {
	s.t.Helper()
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis, req.Version = -1, 5000, 8
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic = s.input()
	p := kmsg.NewProduceRequestTopicPartition()
	p.Records = batch
	topic.Partitions = append(topic.Partitions, p)
	req.Topics = append(req.Topics, topic)
	client := s.newClient(kgo.MaxVersions(kversion.V2_4_0()))
	res, err := req.RequestWith(s.t.Context(), client.Broker(0))
	if err != nil || res.Topics[0].Partitions[0].ErrorCode != 0 {
		s.t.Fatalf("produce: %v %+v", err, res)
	}
}

// A process that cannot get a producer because of the broker is alive.
func TestHealthDoesNotDependOnTheBroker(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	s := newStage(t, b, 1, 1)
	c := s.consumer(s.options())
	s.start(c)
	s.sendEvents("warm", 1, 1) // the test's own client has its producer id from here on
	s.await("a decision", func() bool { return s.countOf(s.output()) == 1 })
	b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Count: -1})
	b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: s.output(), Err: kerr.UnknownProducerID, Count: -1})
	s.sendEvents("a", 10, 1)
	var first int64
	s.await("a first failure", func() bool {
		first = time.Now().UnixNano()
		return strings.Contains(s.logs.String(), "init_producer fails")
	})
	s.await("a turn after it", onlyPartition(c, func(p *state) bool { return p.turned.Load() > first }))
	c.o.Metrics.partitions()[0].turned.Store(time.Now().Add(-time.Minute).UnixNano())
	s.await("health after the next attempt", c.Healthy)
}

// The series say what the contract promises, by name.
func TestMetricNames(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	w := &receipt{model: "m@1"}
	w.tally.skipped[scoring.SkipWhere] = 1
	w.tally.refuse("bad_json")
	w.tally.decided = []decided{{score: .5, stamp: time.Now().UnixMilli()}, {score: .1, stamp: 1}}
	w.fetchedAt = time.Now()
	w.features = []string{"amount", "country"}
	w.tally.miss([]scoring.Missing{{Absent: 1}, {}})
	w.tally.miss([]scoring.Missing{{Absent: 2, Null: 1}, {}})
	m.count(w)
	m.commits.WithLabelValues("ok").Inc()
	m.retries.WithLabelValues("fetch", "6").Inc()
	m.offsetsSkipped.WithLabelValues("in", "0").Inc()
	s := newState("in", 0, 0)
	s.pause("fetch")
	m.add(s)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, f := range families {
		labels := ""
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels += " " + l.GetName()
		}
		got[f.GetName()+labels] = true
	}
	for _, want := range []string{
		"fraudstream_events_consumed_total", "fraudstream_events_skipped_total reason", "fraudstream_decisions_total decision model",
		"fraudstream_dead_letters_total code", "fraudstream_score", "fraudstream_event_to_decision_seconds",
		"fraudstream_consumer_lag_records partition topic", "fraudstream_consumer_lag_seconds",
		"fraudstream_partition_paused partition reason topic", "fraudstream_partition_progress_timestamp_seconds partition topic",
		"fraudstream_commits_total result", "fraudstream_rebalances_total", "fraudstream_retries_total code operation",
		"fraudstream_offsets_skipped_total partition topic", "fraudstream_missing_fields_total feature kind",
	} {
		if !got[want] {
			t.Errorf("no series %q in %v", want, got)
		}
	}
	for kind, want := range map[string]float64{"absent": 3, "null": 1} {
		if n, _ := metric(t, registry, "fraudstream_missing_fields_total", "feature", "amount", "kind", kind); n != want {
			t.Errorf("%v fields are %s, want %v", n, kind, want)
		}
	}
	if n, _ := metric(t, registry, "fraudstream_event_to_decision_seconds"); n != 1 {
		t.Errorf("%v latencies: a record over ten minutes old is to be left out", n)
	}
}

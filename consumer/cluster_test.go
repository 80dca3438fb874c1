package consumer

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"fraudstream/consumer/kafkatest"
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
	s.await("the first decisions", func() bool { return s.countOf(s.output()) >= 50 })
	req := kmsg.NewPtrCreatePartitionsRequest()
	req.TimeoutMillis = 5000
	topic := kmsg.NewCreatePartitionsRequestTopic()
	topic.Topic, topic.Count = s.input(), 3
	req.Topics = append(req.Topics, topic)
	if res, err := req.RequestWith(t.Context(), s.client); err != nil || res.Topics[0].ErrorCode != 0 {
		t.Fatalf("add partitions: %v %+v", err, res)
	}
	s.client.Close()
	s.client = s.newClient() // which knows of the new partitions
	sent = append(sent, s.sendEvents("b", 60, 3)...)
	s.await("the decisions of the new partitions", func() bool { return s.countOf(s.output()) >= 110 })
	stop()
	s.assertOnce(sent, s.decisionIDs())
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
	time.Sleep(2500 * time.Millisecond) // longer than the session of two seconds
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

// The series say what the contract promises, by name.
func TestMetricNames(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := NewMetrics(registry)
	w := &run{model: "m@1"}
	w.tally.skipped = 1
	w.tally.refuse("bad_json")
	w.tally.decided = []decided{{score: .5, stamp: time.Now().UnixMilli()}, {score: .1, stamp: 1}}
	w.fetchedAt = time.Now()
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
		"fraudstream_offsets_skipped_total partition topic",
	} {
		if !got[want] {
			t.Errorf("no series %q in %v", want, got)
		}
	}
	if n, _ := metric(t, registry, "fraudstream_event_to_decision_seconds"); n != 1 {
		t.Errorf("%v latencies: a record over ten minutes old is to be left out", n)
	}
}

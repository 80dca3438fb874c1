package consumer

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"fraudstream/consumer/recordbatch"
)

// gapAlerts are the alerts about offsets, repeated ones left out.
func (s *stage) gapAlerts() (all []gapAlert) {
	s.t.Helper()
	seen := map[string]bool{}
	for _, r := range s.read(s.alerts()) {
		if header(r, "ce_type") != gapType || seen[header(r, "ce_id")] {
			continue
		}
		seen[header(r, "ce_id")] = true
		var a gapAlert
		if err := json.Unmarshal(r.Value, &a); err != nil {
			s.t.Fatalf("%s: %v", r.Value, err)
		}
		all = append(all, a)
	}
	return all
}

func (s *stage) assertGaps(want ...gapAlert) {
	s.t.Helper()
	if got := s.gapAlerts(); !slices.Equal(got, want) {
		s.t.Errorf("alerts are %+v\nwant %+v\n%s", got, want, s.logs.tail())
	}
}

// alerted are options with a topic for alerts, and a registry.
func (s *stage) alerted() (Options, *prometheus.Registry) {
	s.create(s.alerts(), 1)
	o, registry := s.options(), prometheus.NewRegistry()
	o.Alerts, o.Metrics = s.alerts(), NewMetrics(registry)
	return o, registry
}

// overtaken is a partition whose events 0 to 29 are decided, 30 to 79 are gone and 80 to 99 are left.
func (s *stage) overtaken() (decided, left []string) {
	s.t.Helper()
	decided = s.sendEvents("decided", 30, 1)
	stop := s.start(s.consumer(s.options()))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.sendEvents("gone", 50, 1)
	s.deleteRecords(80)
	return decided, s.sendEvents("left", 20, 1)
}

func resetEarliest(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	decided, left := s.overtaken()
	o, registry := s.alerted()
	stop := s.start(s.consumer(o))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(append(decided, left...), s.decisionIDs())
	s.assertGaps(gapAlert{"offset", "skipped", outOfRange, "0", 30, 80, 50})
	s.assertSkipped(registry, 50)
}

func resetLatest(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	decided, _ := s.overtaken()
	o, registry := s.alerted()
	o.Reset = ResetLatest
	stop := s.start(s.consumer(o))
	s.await("the end of the lag", s.groupAtEnd)
	decided = append(decided, s.sendEvents("new", 10, 1)...)
	s.await("the new events", func() bool { return s.count(s.output()) == 40 })
	stop()
	s.assertOnce(decided, s.decisionIDs())
	s.assertGaps(gapAlert{"offset", "skipped", outOfRange, "0", 30, 100, 70})
	s.assertSkipped(registry, 70)
}

func resetStop(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	decided, left := s.overtaken()
	o, registry := s.alerted()
	o.Reset = ResetStop
	stop := s.start(s.consumer(o))
	s.awaitPause(registry, outOfRange)
	s.assertGaps(gapAlert{"offset", "paused", outOfRange, "0", 30, 30, 0})
	if n := s.count(s.output()); n != 30 {
		t.Errorf("%d decisions while the partition stands still", n)
	}
	s.skip(90)
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(append(decided, left[10:]...), s.decisionIDs())
	s.assertGaps(gapAlert{"offset", "paused", outOfRange, "0", 30, 30, 0}, gapAlert{"offset", "skipped", outOfRange, "0", 30, 90, 60})
	s.assertSkipped(registry, 60)
}

// refuseOffsets answers so many fetches of the input at offset 30 with error 1, though the offset is there.
func (s *stage) refuseOffsets(times int64) {
	var left atomic.Int64
	left.Store(times)
	s.b.fake.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.b.fake.KeepControl()
		req := r.(*kmsg.FetchRequest)
		if len(req.Topics) != 1 || req.Topics[0].Topic != s.input() || req.Topics[0].Partitions[0].FetchOffset != 30 || left.Add(-1) < 0 {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.FetchResponse)
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic = s.input()
		p := kmsg.NewFetchResponseTopicPartition()
		p.ErrorCode = 1
		topic.Partitions = append(topic.Partitions, p)
		res.Topics = append(res.Topics, topic)
		return res, nil, true
	})
}

// A partition that stands says so until the alert is noted, however often its pipeline starts again, and then no more.
func TestPauseIsToldOnce(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	o, _ := s.alerted()
	c := s.consumer(o)
	defer c.transport.CloseIdleConnections()
	p := c.newPartition(0, 30)
	p.routes.alerts.partitions = 1
	said := func(f *fetcher, w *run) bool {
		handOn, err := f.stand(t.Context(), w, corruptBatch, errContradiction)
		if err != nil {
			t.Fatal(err)
		}
		return handOn
	}
	pipeline := func() *fetcher { return &fetcher{p: p, next: 30, stoodAt: -1} }
	first, w := pipeline(), &run{}
	if !said(first, w) || said(first, &run{}) {
		t.Error("a pipeline tells it once")
	}
	if !said(pipeline(), w) {
		t.Error("the run was lost with its pipeline, and the next one does not tell it")
	}
	p.carryGap(w)
	if said(pipeline(), &run{}) {
		t.Error("it is told though its alert is noted")
	}
	p.rewind(30, 0)
	if !said(pipeline(), &run{}) {
		t.Error("the topic was made anew, the same offset is another event, and it is not told")
	}
}

// holdBackStable gives the input another last stable offset than the broker has.
func (s *stage) holdBackStable(at int64) {
	s.b.fake.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.b.fake.KeepControl()
		req := r.(*kmsg.ListOffsetsRequest)
		if req.IsolationLevel != readCommitted || req.Topics[0].Topic != s.input() || req.Topics[0].Partitions[0].Timestamp != kafka.LastOffset {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.ListOffsetsResponse)
		topic := kmsg.NewListOffsetsResponseTopic()
		topic.Topic = s.input()
		p := kmsg.NewListOffsetsResponseTopicPartition()
		p.Offset = at
		topic.Partitions = append(topic.Partitions, p)
		res.Topics = append(res.Topics, topic)
		return res, nil, true
	})
}

// A broker that calls an offset out of range which it has is asked again, whatever the policy: nothing is decided twice,
// nothing is passed over. If it stays with that, the partition stands and says so.
func TestOffsetRefusedAgainstTheLog(t *testing.T) {
	for name, c := range map[string]struct {
		exactly bool
		times   int64
		reset   Reset
		stale   bool // the last stable offset lies behind, too
	}{
		"once":                 {false, 1, ResetEarliest, false},
		"once, latest":         {false, 1, ResetLatest, false},
		"once, exactly":        {true, 1, ResetEarliest, false},
		"once, stale":          {false, 1, ResetEarliest, true},
		"once, latest, stale":  {true, 1, ResetLatest, true},
		"always":               {false, 1 << 40, ResetEarliest, false},
		"always, latest":       {false, 1 << 40, ResetLatest, false},
		"always, exactly once": {true, 1 << 40, ResetEarliest, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFake(t)
			b.exactly = c.exactly
			s := newStage(t, b, 1, 1)
			sent := s.sendEvents("decided", 30, 1)
			stop := s.start(s.consumer(s.options()))
			s.await("the end of the lag", s.groupAtEnd)
			stop()
			rest := s.sendEvents("rest", 20, 1)
			s.refuseOffsets(c.times)
			if c.stale {
				s.holdBackStable(10)
			}
			o, registry := s.alerted()
			o.Reset = c.reset
			stop = s.start(s.consumer(o))
			if c.times > 1 {
				s.awaitPause(registry, outOfRange)
				s.assertGaps(gapAlert{"offset", "paused", outOfRange, "0", 30, 30, 0})
			} else {
				s.await("the end of the lag", s.groupAtEnd)
				sent = append(sent, rest...)
				s.assertGaps()
			}
			stop()
			s.assertOnce(sent, s.decisionIDs())
			s.assertSkipped(registry, 0)
		})
	}
}

// A scan waits such an answer out, and ends with it where it stays.
func TestScanOfRefusedOffset(t *testing.T) {
	for name, times := range map[string]int64{"once": 1, "always": 1 << 40} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, newFake(t), 1, 1)
			s.sendEvents("a", 40, 1)
			s.refuseOffsets(times)
			n, c := 0, s.consumer(s.options())
			defer c.transport.CloseIdleConnections()
			err := c.scanning(s.input(), 0, 30, 40).run(t.Context(), func(*recordbatch.Record) error { n++; return nil })
			if times == 1 && (err != nil || n != 10) || times > 1 && !errors.Is(err, errContradiction) {
				t.Errorf("%d records, %v", n, err)
			}
		})
	}
}

// A topic that was deleted and made anew has offsets that mean other events.
func topicMadeAnew(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	decided := s.sendEvents("old", 50, 1)
	stop := s.start(s.consumer(s.options()))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	o, registry := s.alerted()
	c := s.consumer(o)
	// A commit far past the end is what such a group is left with.
	if err := c.commitMarks(t.Context(), s.name, nobody(), s.input(), map[int32]mark{0: {offset: 5000}}); err != nil {
		t.Fatal(err)
	}
	stop = s.start(c)
	s.await("the decisions of what is there", func() bool { return s.count(s.output()) >= 100 })
	stop()
	lost, copies := s.compare(decided, s.decisionIDs())
	if lost != 0 || copies != 50 {
		t.Errorf("lost=%d duplicated=%d; what is there is decided again", lost, copies)
	}
	s.assertSkipped(registry, 0)
	if !strings.Contains(s.logs.String(), "next=0") {
		t.Error("the log does not say where it goes on")
	}
}

func (s *stage) awaitPause(registry *prometheus.Registry, reason string) {
	s.t.Helper()
	s.await("the pause and its alert", func() bool {
		_, series := metric(s.t, registry, "fraudstream_partition_paused", "reason", reason, "partition", "0")
		return series == 1 && s.countOf(s.alerts()) > 0
	})
}

func (s *stage) assertSkipped(registry *prometheus.Registry, want float64) {
	s.t.Helper()
	if n, _ := metric(s.t, registry, "fraudstream_offsets_skipped_total", "topic", s.input(), "partition", "0"); n != want {
		s.t.Errorf("offsets_skipped_total = %v, want %v", n, want)
	}
}

// skip names the offset as the command does: in a process of its own.
func (s *stage) skip(to int64) {
	s.t.Helper()
	if _, err := s.consumer(s.options()).Skip(s.t.Context(), 0, to); err != nil {
		s.t.Fatal(err)
	}
}

// A batch that stays corrupt stops its partition until somebody names the offset behind it, and only there.
func corruptBatchIsSkipped(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	var wire corrupter
	wire.on.Store(true)
	o, registry := s.alerted()
	o.Dial = wire.dial
	sent := s.sendEvents("before", 10, 1)
	s.produce(&kgo.Record{Value: event("corrupt-me")})
	sent = append(sent, s.sendEvents("between", 5, 1)...)
	s.produce(&kgo.Record{Value: event("corrupt-me-not")}) // is met later, and nobody has named it
	after := s.sendEvents("after", 5, 1)
	stop := s.start(s.consumer(o))
	s.awaitPause(registry, corruptBatch)
	s.assertGaps(gapAlert{"offset", "paused", corruptBatch, "0", 10, 10, 0})
	s.skip(11)
	s.await("the second pause", func() bool { return len(s.gapAlerts()) == 3 })
	s.assertOnce(sent, s.decisionIDs())
	s.skip(17)
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(append(sent, after...), s.decisionIDs())
	s.assertGaps(
		gapAlert{"offset", "paused", corruptBatch, "0", 10, 10, 0}, gapAlert{"offset", "skipped", corruptBatch, "0", 10, 11, 1},
		gapAlert{"offset", "paused", corruptBatch, "0", 16, 16, 0}, gapAlert{"offset", "skipped", corruptBatch, "0", 16, 17, 1})
	s.assertSkipped(registry, 2)
}

// So does a batch whose checksum is right and whose records are not.
func TestBatchThatIsNoRecordsIsSkipped(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	o, registry := s.alerted()
	sent := s.sendEvents("before", 10, 1)
	s.produceRaw(brokenBatch())
	end := s.ends(s.input())[0]
	sent = append(sent, s.sendEvents("after", 10, 1)...)
	stop := s.start(s.consumer(o))
	s.awaitPause(registry, corruptBatch)
	s.skip(end)
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(sent, s.decisionIDs())
	s.assertGaps(gapAlert{"offset", "paused", corruptBatch, "0", 10, 10, 0}, gapAlert{"offset", "skipped", corruptBatch, "0", 10, end, end - 10})
}

func TestSkippable(t *testing.T) {
	for _, c := range []struct {
		at, to, first, end int64
		want               string
	}{
		{10, 11, 0, 20, ""},
		{10, 20, 0, 20, ""},
		{10, 21, 0, 20, "holds 0 to 20"},
		{10, 4, 5, 20, "holds 5 to 20"},
		{10, 10, 0, 20, "already"},
		{10, 9, 0, 20, "decided already"},
		{3, 5, 5, 20, ""},
		{30, 5, 0, 20, ""}, // the log has been cut under the group
	} {
		err := skippable(c.at, c.to, c.first, c.end)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// What was named for one place lets nothing be passed over elsewhere.
func TestSkipNeedsAnOffset(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	s.sendEvents("a", 3, 1)
	for _, partition := range []int32{-1, 1} {
		if _, err := s.consumer(s.options()).Skip(t.Context(), partition, 1); err == nil || !strings.Contains(err.Error(), "no partition") {
			t.Errorf("partition %d: %v", partition, err)
		}
	}
	if _, err := s.consumer(s.options()).Skip(t.Context(), 0, 1); err == nil || !strings.Contains(err.Error(), "no offset") {
		t.Errorf("a group that has read nothing: %v", err)
	}
}

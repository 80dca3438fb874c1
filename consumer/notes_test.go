package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The state of the monitor moves with the partition: members come and go in good order.
func monitorMovesWithItsPartition(t *testing.T, b *broker) {
	s := newStage(t, b, 4, 4)
	var log adderLog
	o := s.monitored(&log, 4)
	sent := s.sendEvents("a", 1000, 4)
	stopFirst := s.start(s.consumer(o))
	s.await("a first decision", func() bool { return s.countOf(s.output()) > 0 })
	for round := range 3 {
		second := s.consumer(o)
		stop := s.start(second)
		s.await("the second member", second.Ready)
		sent = append(sent, s.sendEvents(fmt.Sprintf("r%d", round), 1300, 4)...)
		s.await("the decisions of both", func() bool { return s.count(s.output()) >= int64(len(sent)) })
		stop()
	}
	stopFirst()
	s.assertOnce(sent, s.decisionIDs())
	s.assertAlerts(len(sent)/4, 4, false)
	if t.Failed() {
		t.Log(s.logs.tail())
	}
	if log.restored < 4 {
		t.Errorf("%d snapshots restored", log.restored)
	}
	if got := s.count(s.ticks()); got != 4*int64(len(sent)/4/tickOf) {
		t.Errorf("%d ticks for the pool", got)
	}
}

// A crash leaves a snapshot that lies before or behind the committed offset; the next owner sees each event once.
func monitorSurvivesCrashes(t *testing.T, b *broker) {
	s := newStage(t, b, 4, 4)
	var log adderLog
	o := s.monitored(&log, 4)
	var sent []string
	send := func(name string, n int) { sent = append(sent, s.sendEvents(name, n, 4)...) }
	for round := range 3 {
		var net cuttableDial
		one := o
		one.Dial = net.dial
		c := s.consumer(one)
		c.timing.drain, c.timing.leave = 0, 100*time.Millisecond
		stop := s.start(c)
		for wave := range 3 {
			send(fmt.Sprintf("r%d-%d", round, wave), 4*105) // two ticks of each partition and a tenth
			s.await("the end of the lag", s.groupAtEnd)
		}
		before := s.countOf(s.output())
		send(fmt.Sprintf("r%d", round), 20000)
		s.await("something to lose", func() bool { return s.countOf(s.output()) > before })
		net.sever()
		stop()
		s.bury()
	}
	stop := s.start(s.consumer(o))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	if lost, _ := s.compare(sent, s.decisionIDs()); lost > 0 {
		t.Errorf("lost=%d of %d", lost, len(sent))
	}
	s.assertAlerts(len(sent)/4, 4, !b.exactly)
	if log.restored == 0 || log.repeated == 0 {
		t.Errorf("%d snapshots restored, %d events observed again: nothing was put to the test", log.restored, log.repeated)
	}
	t.Logf("%d snapshots restored, %d events observed again", log.restored, log.repeated)
}

// Events between the snapshot and the committed offset are shown again, and neither decided nor counted again.
func TestObservedAgainButNotDecidedAgain(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	s := newStage(t, b, 1, 1)
	var log adderLog
	o := s.monitored(&log, 1)
	s.sendEvents("a", 3*tickOf+20, 1)
	// The drain's snapshot is refused, so that the one of the third tick is the last.
	stop := s.start(s.consumer(o))
	s.await("the end of the lag", s.groupAtEnd)
	refuse := b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: s.state(), Err: kerr.MessageTooLarge, Count: -1})
	stop()
	refuse.Remove()
	if !strings.Contains(s.logs.String(), "over the size limit of its topic and left out") {
		t.Errorf("nothing is said of the snapshot that was refused: %s", s.logs.tail())
	}
	s.sendEvents("b", tickOf, 1)
	stop = s.start(s.consumer(o))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertAlerts(4*tickOf+20, 1, false)
	if log.repeated != 20 || s.count(s.output()) != 4*tickOf+20 {
		t.Errorf("%d events observed again, %d decisions of %d events", log.repeated, s.count(s.output()), 4*tickOf+20)
	}
}

// A snapshot ahead of the committed offset: the events up to it are decided, and the monitor is not told.
func TestDecidedAgainButNotObservedAgain(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	s := newStage(t, b, 1, 1)
	var log adderLog
	o := s.monitored(&log, 1)
	s.sendEvents("a", 3*tickOf, 1)
	snapshot, _ := json.Marshal(adderState{Next: 2*tickOf + 10, Ticks: 2, Events: 10, Sum: 10*2*tickOf + 45})
	s.produce(&kgo.Record{Topic: s.state(), Key: []byte(s.name + "/0"), Value: snapshot})
	stop := s.start(s.consumer(o))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	var alerts []string
	for _, r := range s.read(s.alerts()) {
		alerts = append(alerts, string(r.Value))
	}
	if want := []string{"partition 0 tick 3 sum 6225"}; !slices.Equal(alerts, want) || s.count(s.output()) != 3*tickOf {
		t.Errorf("alerts %q, want %q; %d decisions of %d events", alerts, want, s.count(s.output()), 3*tickOf)
	}
}

// Where the events behind the snapshot are gone, that is said, nothing is decided twice and nothing stands still.
func TestEventsBehindTheSnapshotAreGone(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	s := newStage(t, b, 1, 1)
	var log adderLog
	o := s.monitored(&log, 1)
	s.sendEvents("a", 100, 1)
	stop := s.start(s.consumer(o))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	snapshot, _ := json.Marshal(adderState{Next: 10, Events: 10})
	s.produce(&kgo.Record{Topic: s.state(), Key: []byte(s.name + "/0"), Value: snapshot})
	s.deleteRecords(70)
	stop = s.start(s.consumer(o))
	s.await("the rest", func() bool { return s.countOf(s.alerts()) > 0 || strings.Contains(s.logs.String(), "events_lost=60") })
	s.sendEvents("b", 10, 1)
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	if log.repeated != 30 || s.count(s.output()) != 110 {
		t.Errorf("%d events observed again, %d decisions", log.repeated, s.count(s.output()))
	}
	if !strings.Contains(s.logs.String(), "events_lost=60") {
		t.Errorf("the log does not tell of the 60 events: %s", s.logs.tail())
	}
}

// Offsets mean other events where the topic was made anew, or where the group reads another one: a monitor that waited
// for those of the snapshot would be blind.
func TestSnapshotOfOtherEvents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		next    int64
		headers []kgo.RecordHeader
		said    string
	}{
		"made anew":     {5000, nil, "ahead of its topic"},
		"another topic": {tickOf, []kgo.RecordHeader{{Key: headerInput, Value: []byte("orders")}}, "no drift snapshot yet"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, newFake(t), 1, 1)
			var log adderLog
			o := s.monitored(&log, 1)
			snapshot, _ := json.Marshal(adderState{Next: c.next})
			s.produce(&kgo.Record{Topic: s.state(), Key: []byte(s.name + "/0"), Value: snapshot, Headers: c.headers})
			s.sendEvents("a", 3*tickOf, 1)
			stop := s.start(s.consumer(o))
			s.await("the end of the lag", s.groupAtEnd)
			stop()
			s.assertAlerts(3*tickOf, 1, false)
			if !strings.Contains(s.logs.String(), c.said) {
				t.Errorf("the log does not say %q: %s", c.said, s.logs.tail())
			}
			for _, r := range s.read(s.state()) {
				if r.Offset > 0 && header(r, headerInput) != s.input() {
					t.Errorf("a snapshot says %q of its topic", header(r, headerInput))
				}
			}
		})
	}
}

// forgetful is a monitor that notes whether its state was asked for before it had one.
type forgetful struct {
	witness
	restored, drained atomic.Bool
}

func (f *forgetful) Restore([]byte) (int64, error) { f.restored.Store(true); return 0, nil }
func (f *forgetful) Drain() Notes                  { f.drained.Store(true); return Notes{} }

// A generation may end while the monitor waits for its snapshot. What it would hand over then is no state of the
// partition, and would take the place of the one that it has.
func TestMonitorWithoutItsMemoryHandsNothingOver(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	o := s.monitored(&adderLog{}, 1)
	monitor := &forgetful{}
	o.Observer = func(int32, int32) PartitionObserver { return monitor }
	s.produce(&kgo.Record{Topic: s.state(), Key: []byte(s.name + "/0"), Value: []byte(`{"Next":3}`)})
	s.sendEvents("a", 10, 1)
	waiting, once := make(chan struct{}), sync.Once{}
	s.b.fake.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.b.fake.KeepControl()
		req := r.(*kmsg.FetchRequest)
		if !isOurs(r, s) || req.Topics[0].Topic != s.state() || !strings.Contains(s.logs.String(), "msg=generation") {
			return nil, nil, false // of the checks before the start
		}
		once.Do(func() { close(waiting) })
		return nil, errLost, true
	})
	stop := s.start(s.consumer(o))
	<-waiting
	stop()
	if monitor.restored.Load() || monitor.drained.Load() {
		t.Errorf("restored %v, asked for its state %v", monitor.restored.Load(), monitor.drained.Load())
	}
}

// A snapshot that cannot be used costs the monitor its memory, which is said, and nothing else.
func TestSnapshotOfNoUse(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	s := newStage(t, b, 1, 1)
	log := adderLog{refusal: errors.New("counted against another baseline")}
	o := s.monitored(&log, 1)
	s.produce(&kgo.Record{Topic: s.state(), Key: []byte(s.name + "/0"), Value: []byte(`{"Next":3}`)})
	s.sendEvents("a", tickOf, 1)
	stop := s.start(s.consumer(o))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertAlerts(tickOf, 1, false)
	if !strings.Contains(s.logs.String(), "cannot be used") || !strings.Contains(s.logs.String(), "another baseline") {
		t.Errorf("the log does not say why: %s", s.logs.tail())
	}
}

// A state topic that cannot be read holds a partition up for its deadline and no longer.
func TestSnapshotThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	s := newStage(t, b, 1, 1)
	c := s.consumer(s.monitored(&adderLog{}, 1))
	defer c.transport.CloseIdleConnections()
	c.timing.restore = 300 * time.Millisecond
	s.produce(&kgo.Record{Topic: s.state(), Key: []byte(s.name + "/0"), Value: []byte(`{"Next":3}`)})
	b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: s.state(), Err: kerr.NotLeaderForPartition, Count: -1})
	p := c.newPartition(0, 7)
	p.openObserver(1)
	began := time.Now()
	p.restore(t.Context())
	if took := time.Since(began); took > 5*c.timing.restore || p.observed != 7 {
		t.Errorf("after %v the monitor begins at %d, want 7 after at most %v", took, p.observed, 5*c.timing.restore)
	}
	if !strings.Contains(s.logs.String(), "could not be read") {
		t.Errorf("nothing is said: %s", s.logs.tail())
	}
}

// Alerts and snapshots are there before the offset passes their events, and a pipeline that starts again sends what was
// not acknowledged.
func TestNotesAreThereBeforeTheOffset(t *testing.T) {
	t.Parallel()
	for _, topic := range []string{"alerts", "state", "ticks"} {
		t.Run(topic, func(t *testing.T) {
			t.Parallel()
			b := newFake(t)
			s := newStage(t, b, 1, 1)
			var log adderLog
			o := s.monitored(&log, 1)
			refuse := b.fake.Fault(kfake.Fault{
				Keys: []kmsg.Key{kmsg.Produce}, Topic: s.name + "." + topic, Err: kerr.UnknownProducerID, Count: -1,
			})
			s.sendEvents("a", 4*tickOf, 1)
			stop := s.start(s.consumer(o))
			s.await("some refusals", func() bool { return refuse.Hits() > 3 })
			if at := s.committed(); at > 0 {
				t.Errorf("offset %d is committed", at)
			}
			refuse.Remove()
			s.await("the end of the lag", s.groupAtEnd)
			stop()
			s.assertAlerts(4*tickOf, 1, true)
		})
	}
}

// committed is the group's offset in partition 0; -1 where it has none.
func (s *stage) committed() int64 {
	s.t.Helper()
	c := s.consumer(s.options())
	defer c.transport.CloseIdleConnections()
	marks, err := c.committedBy(context.Background(), c.o.Group, c.o.Input, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return marks[0].offset
}

// The last record of a key is found though the topic is long, compacted, and full of others.
func TestLastSnapshotOfALongTopic(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	s := newStage(t, b, 1, 1)
	s.create(s.state(), 1, "cleanup.policy", "compact")
	c := s.consumer(s.monitored(&adderLog{}, 1))
	defer c.transport.CloseIdleConnections()
	mine, other := []byte(s.name+"/0"), []byte(s.name+"/1")
	find := func() string {
		t.Helper()
		p := c.newPartition(0, 0)
		value, err := p.lastSnapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return string(value)
	}
	if got := find(); got != "" {
		t.Errorf("found %q in an empty topic", got)
	}
	put := func(key, value []byte, copies int) {
		var records []*kgo.Record
		for range copies {
			records = append(records, &kgo.Record{Topic: s.state(), Key: key, Value: value})
		}
		s.produce(records...)
	}
	put(other, []byte("not mine"), 300)
	if got := find(); got != "" {
		t.Errorf("found %q where there is none", got)
	}
	put(mine, []byte("old"), 1)
	put(mine, []byte("last"), 1)
	if got := find(); got != "last" {
		t.Errorf("found %q at the end", got)
	}
	put(other, slices.Repeat([]byte("x"), 20_000), 5000) // 100 MB, of which little is fetched at a time
	if got := find(); got != "last" {
		t.Errorf("found %q far back", got)
	}
	put(mine, nil, 1)
	if got := find(); got != "" {
		t.Errorf("found %q though it was deleted", got)
	}
}

// A consumer without a model decides nothing and shows its observer the records.
func TestConsumerWithoutAModel(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	s := newStage(t, b, 1, 1)
	w := &witness{}
	s.produce(&kgo.Record{Key: []byte("g/3"), Value: []byte("a tick"), Timestamp: time.UnixMilli(1234)},
		&kgo.Record{Key: []byte("g/4"), Value: []byte("another")})
	o := Options{
		Brokers: s.options().Brokers, Group: s.name + ".pool", Input: s.input(), Log: s.options().Log,
		Observer: func(int32, int32) PartitionObserver { return w },
	}
	c := s.consumer(o)
	c.scorer.Store(nil)
	stop := s.start(c)
	s.await("both records", func() bool { w.mu.Lock(); defer w.mu.Unlock(); return len(w.seen) == 2 })
	stop()
	if first := w.seen[0]; string(first.Key) != "g/3" || string(first.Value) != "a tick" || first.Time != 1234e6 || w.next != 2 {
		t.Errorf("seen %+v, next %d", first, w.next)
	}
	if n := s.count(s.output()); n != 0 {
		t.Errorf("%d decisions", n)
	}
	if w.seen[0].Score != 0 && !math.IsNaN(w.seen[0].Score) {
		t.Errorf("score %v", w.seen[0].Score)
	}
}

// clockwork is a monitor whose intervals end by the clock alone.
type clockwork struct {
	witness
	calls int
}

func (c *clockwork) CloseTick(time.Time) Notes {
	if c.calls++; c.calls != 2 {
		return Notes{}
	}
	return Notes{Alerts: []Alert{{ID: "a/open", Key: "amount", Value: []byte("by the clock")}}, Snapshot: []byte("state")}
}

// What the clock ends is published though no event comes, and moves no offset.
func TestNotesWithoutEvents(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	o := s.monitored(&adderLog{}, 1)
	o.Observer = func(int32, int32) PartitionObserver { return &clockwork{} }
	stop := s.start(s.consumer(o))
	s.await("the alert and the snapshot", func() bool { return s.count(s.alerts()) == 1 && s.count(s.state()) == 1 })
	stop()
	if at := s.committed(); at != 0 {
		t.Errorf("offset %d is committed", at)
	}
	if r := s.read(s.alerts())[0]; string(r.Value) != "by the clock" || header(r, "ce_type") != alertType {
		t.Errorf("alert %q of type %q", r.Value, header(r, "ce_type"))
	}
}

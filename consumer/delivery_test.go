package consumer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func membersComeAndGo(t *testing.T, b *broker) {
	s := newStage(t, b, 4, 4)
	sent := s.sendEvents("a", 4000, 4)
	stopFirst := s.start(s.consumer(s.options()))
	s.await("a first decision", func() bool { return s.countOf(s.output()) > 0 })
	for round := range 3 {
		stop := s.start(s.consumer(s.options()))
		sent = append(sent, s.sendEvents(fmt.Sprintf("r%d", round), 1000, 4)...)
		s.await("the second member", func() bool { return s.count(s.output()) >= int64(len(sent)) })
		stop()
	}
	stopFirst()
	s.assertOnce(sent, s.decisionIDs())
}

// A crash is a network that is cut for good: nothing is drained, committed or left in good order.
func crashLosesNothing(t *testing.T, b *broker) {
	s := newStage(t, b, 4, 4)
	var sent []string
	for round := range 2 {
		var net cuttableDial
		o := s.options()
		o.Dial = net.dial
		c := s.consumer(o)
		c.timing.drain, c.timing.leave = 0, 100*time.Millisecond
		sent = append(sent, s.sendEvents(fmt.Sprintf("r%d", round), 20000, 4)...)
		before := s.countOf(s.output())
		stop := s.start(c)
		s.await("something to lose", func() bool { return s.countOf(s.output()) > before })
		net.sever()
		stop()
		s.bury()
	}
	stop := s.start(s.consumer(s.options()))
	s.await("the end of the lag", func() bool { return s.groupAtEnd() })
	stop()
	lost, copies := s.compare(sent, s.decisionIDs())
	if lost > 0 || b.exactly && copies > 0 {
		t.Errorf("lost=%d duplicated=%d of %d\n%s", lost, copies, len(sent), s.logs.tail())
	}
	t.Logf("2 crashes, %d events: lost=%d duplicated=%d", len(sent), lost, copies)
}

// bury tells the group that all of its members are dead, so that nobody need wait for their sessions to end. On Apache
// Kafka that is waited for.
func (s *stage) bury() {
	s.t.Helper()
	if s.b.real {
		return
	}
	ask := kmsg.NewPtrDescribeGroupsRequest()
	ask.Groups = []string{s.name}
	group, err := ask.RequestWith(s.t.Context(), s.client)
	if err != nil {
		s.t.Fatal(err)
	}
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = s.name
	for _, m := range group.Groups[0].Members {
		one := kmsg.NewLeaveGroupRequestMember()
		one.MemberID = m.MemberID
		leave.Members = append(leave.Members, one)
	}
	if _, err := leave.RequestWith(s.t.Context(), s.client); err != nil {
		s.t.Fatal(err)
	}
}

// groupAtEnd tells whether the committed offsets have come to the ends.
func (s *stage) groupAtEnd() bool {
	ends := s.ends(s.input())
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group = s.name
	one := kmsg.NewOffsetFetchRequestTopic()
	one.Topic = s.input()
	for p := range ends {
		one.Partitions = append(one.Partitions, p)
	}
	req.Topics = append(req.Topics, one)
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = s.name
	topic := kmsg.NewOffsetFetchRequestGroupTopic()
	topic.Topic, topic.Partitions = one.Topic, one.Partitions
	group.Topics = append(group.Topics, topic)
	req.Groups = append(req.Groups, group)
	res, err := req.RequestWith(s.t.Context(), s.client)
	if err != nil || len(res.Groups) != 1 || len(res.Groups[0].Topics) != 1 {
		return false
	}
	for _, p := range res.Groups[0].Topics[0].Partitions {
		if p.Offset < ends[p.Partition] {
			return false
		}
	}
	return true
}

func abortedTransactionsAreNotScored(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	writers := []*kgo.Client{
		s.newClient(kgo.TransactionalID(s.name+"-a"), kgo.DefaultProduceTopic(s.input())),
		s.newClient(kgo.TransactionalID(s.name+"-b"), kgo.DefaultProduceTopic(s.input())),
	}
	var committed []string
	for round := range 6 { // two writers' transactions interleave, every other one is aborted
		for _, w := range writers {
			if err := w.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 20 {
			for n, w := range writers {
				id := fmt.Sprintf("w%d-%d-%02d", n, round, i)
				if (round+n)%2 == 0 {
					committed = append(committed, id)
				}
				if err := w.ProduceSync(t.Context(), &kgo.Record{Value: event(id)}).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
		}
		committed = append(committed, s.sendEvents(fmt.Sprintf("plain%d", round), 3, 1)...)
		for n, w := range writers {
			if err := w.EndTransaction(t.Context(), kgo.TransactionEndTry((round+n)%2 == 0)); err != nil {
				t.Fatal(err)
			}
		}
	}
	stop := s.start(s.consumer(s.options()))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(committed, s.decisionIDs())
}

// corrupter flips a byte of every response that holds a marker text, while it is on.
type corrupter struct {
	on   atomic.Bool
	hits atomic.Int64
}

type corruptConn struct {
	net.Conn
	c *corrupter
}

func (c *corrupter) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	return &corruptConn{conn, c}, err
}

func (c *corruptConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.c.on.Load() {
		if at := strings.Index(string(p[:n]), "corrupt-me"); at >= 0 {
			p[at] ^= 0x20
			c.c.hits.Add(1)
		}
	}
	return n, err
}

func corruptBatchIsNeverScored(t *testing.T, b *broker) {
	s := newStage(t, b, 2, 2)
	var wire corrupter
	wire.on.Store(true)
	o := s.options()
	registry := prometheus.NewRegistry()
	o.Metrics, o.Dial = NewMetrics(registry), wire.dial
	sent := s.sendEvents("before", 10, 2)
	s.produce(&kgo.Record{Value: event("corrupt-me"), Partition: 0})
	sent = append(sent, "corrupt-me")
	sent = append(sent, s.sendEvents("after", 10, 2)...)
	stop := s.start(s.consumer(o))
	s.await("the pause", func() bool {
		_, series := metric(t, registry, "fraudstream_partition_paused", "reason", "corrupt_batch", "partition", "0")
		return series == 1
	})
	s.await("the neighbours", func() bool { return s.count(s.output()) == 5+10 })
	decided := s.decisionIDs()
	if decided["corrupt-me"] != 0 || decided["Corrupt-me"] != 0 {
		t.Error("a corrupt batch was scored")
	}
	if !strings.Contains(s.logs.String(), "CRC-32C") {
		t.Errorf("the log does not name the CRC: %s", s.logs.tail())
	}
	wire.on.Store(false)
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(sent, s.decisionIDs())
	if wire.hits.Load() < 2 {
		t.Errorf("only %d fetches were corrupted", wire.hits.Load())
	}
}

// Whatever the broker answers for a while, nothing is lost; and since the producer is idempotent, where the broker
// wrote a batch and then said that it had failed, there is one copy.
func TestBrokerErrorsAreWaitedOut(t *testing.T) {
	for _, fault := range []struct {
		key kmsg.Key
		err *kerr.Error
	}{
		{kmsg.Produce, kerr.NotEnoughReplicas},
		{kmsg.Produce, kerr.NotEnoughReplicasAfterAppend},
		{kmsg.Produce, kerr.RequestTimedOut},
		{kmsg.Produce, kerr.NotLeaderForPartition},
		{kmsg.Produce, kerr.UnknownTopicOrPartition},
		{kmsg.Produce, kerr.TopicAuthorizationFailed},
		{kmsg.Produce, kerr.KafkaStorageError},
		{kmsg.Produce, kerr.UnknownServerError},
		{kmsg.Fetch, kerr.NotLeaderForPartition},
		{kmsg.Fetch, kerr.LeaderNotAvailable},
		{kmsg.Fetch, kerr.FencedLeaderEpoch},
		{kmsg.Fetch, kerr.TopicAuthorizationFailed},
		{kmsg.InitProducerID, kerr.CoordinatorLoadInProgress},
		{kmsg.OffsetCommit, kerr.CoordinatorNotAvailable},
		{kmsg.OffsetCommit, kerr.GroupAuthorizationFailed},
		{kmsg.ListOffsets, kerr.NotLeaderForPartition},
		{kmsg.JoinGroup, kerr.CoordinatorLoadInProgress},
		{kmsg.FindCoordinator, kerr.CoordinatorNotAvailable},
	} {
		t.Run(fault.key.Name()+"/"+fault.err.Message, func(t *testing.T) {
			t.Parallel()
			b := newFake(t)
			s := newStage(t, b, 2, 2)
			c := s.consumer(s.options())
			sent := s.sendEvents("a", 200, 2)
			if fault.key != kmsg.Produce && fault.key != kmsg.Fetch {
				b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{fault.key}, Err: fault.err, Count: 4})
			}
			stop := s.start(c)
			s.await("the first decisions", func() bool { return s.count(s.output()) >= 200 })
			handle := b.fake.Fault(kfake.Fault{
				Keys: []kmsg.Key{fault.key}, Err: fault.err, Count: 4,
				When: func(r kmsg.Request) bool { return isOurs(r, s) },
			})
			sent = append(sent, s.sendEvents("b", 200, 2)...)
			s.await("the end of the lag", s.groupAtEnd)
			stop()
			if (fault.key == kmsg.Produce || fault.key == kmsg.Fetch) && handle.Hits() == 0 {
				t.Error("the fault was never met")
			}
			s.assertOnce(sent, s.decisionIDs())
		})
	}
}

// isOurs leaves the test's own producing and reading alone.
func isOurs(r kmsg.Request, s *stage) bool {
	switch r := r.(type) {
	case *kmsg.ProduceRequest:
		return r.Topics[0].Topic == s.output()
	case *kmsg.FetchRequest:
		return r.Version == fetchVersion
	}
	return false
}

func TestRefusedProducerStartsAnew(t *testing.T) {
	for _, code := range []*kerr.Error{
		kerr.OutOfOrderSequenceNumber, kerr.InvalidProducerEpoch, kerr.UnknownProducerID, kerr.InvalidProducerIDMapping,
	} {
		t.Run(code.Message, func(t *testing.T) {
			t.Parallel()
			b := newFake(t)
			s := newStage(t, b, 2, 2)
			b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: s.output(), Err: code, Count: 6})
			sent := s.sendEvents("a", 500, 2)
			stop := s.start(s.consumer(s.options()))
			s.await("the end of the lag", s.groupAtEnd)
			stop()
			s.assertOnce(sent, s.decisionIDs())
			if n := strings.Count(s.logs.String(), "msg=generation"); n != 1 {
				t.Errorf("%d generations: a refused producer must not end one", n)
			}
		})
	}
}

func TestLeaderMoves(t *testing.T) {
	t.Parallel()
	b := newFake(t, kfake.NumBrokers(3))
	s := newStage(t, b, 3, 3)
	stop := s.start(s.consumer(s.options()))
	var sent []string
	for round := range 8 {
		sent = append(sent, s.sendEvents(fmt.Sprintf("r%d", round), 300, 3)...)
		for p := range int32(3) {
			for _, topic := range []string{s.input(), s.output()} {
				if err := b.fake.MoveTopicPartition(topic, p, rand.Int32N(3)); err != nil {
					t.Fatal(err)
				}
			}
		}
		b.fake.RehashCoordinators()
	}
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	lost, copies := s.compare(sent, s.decisionIDs())
	if lost > 0 || copies > 0 { // what could not be committed is remembered by the process
		t.Errorf("8 moves, %d events: lost=%d duplicated=%d\n%s", len(sent), lost, copies, s.logs.tail())
	}
}

func networkIsCutForAWhile(t *testing.T, b *broker) {
	s := newStage(t, b, 2, 2)
	var net cuttableDial
	registry := prometheus.NewRegistry()
	o := s.options()
	o.Dial, o.Metrics = net.dial, NewMetrics(registry)
	c := s.consumer(o)
	stop := s.start(c)
	sent := s.sendEvents("a", 300, 2)
	s.await("the first decisions", func() bool { return s.count(s.output()) >= 300 })
	net.sever()
	sent = append(sent, s.sendEvents("b", 300, 2)...)
	s.await("a word about it", func() bool { return strings.Contains(s.logs.String(), "retrying") })
	if !c.Healthy() {
		t.Error("health depends on the broker")
	}
	s.bury()
	net.mend()
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	lost, copies := s.compare(sent, s.decisionIDs())
	if lost > 0 || copies > 0 {
		t.Errorf("lost=%d duplicated=%d\n%s", lost, copies, s.logs.tail())
	}
	if n, _ := metric(t, registry, "fraudstream_retries_total", "code", "network"); n == 0 {
		t.Error("no retry was counted")
	}
}

func orderPerPartition(t *testing.T, b *broker) {
	s := newStage(t, b, 3, 3)
	s.sendEvents("a", 3000, 3)
	stop := s.start(s.consumer(s.options()))
	s.await("all decisions", func() bool { return s.count(s.output()) >= 3000 })
	stop()
	last := map[int32]string{}
	for _, r := range s.read(s.output()) {
		if key := string(r.Key); key <= last[r.Partition] {
			t.Fatalf("partition %d: %s after %s", r.Partition, key, last[r.Partition])
		} else {
			last[r.Partition] = key
		}
	}
}

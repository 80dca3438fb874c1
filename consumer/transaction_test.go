package consumer

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// exactStage is a stage whose consumers write in transactions.
func exactStage(t *testing.T, partitions int32) *stage {
	t.Helper()
	b := newFake(t)
	b.exactly = true
	return newStage(t, b, partitions, partitions)
}

// Whatever a coordinator or a leader answers within a transaction, each event is decided once, and only the three codes
// that speak of the group end the generation.
func TestTransactionAnswers(t *testing.T) {
	passing := []*kerr.Error{
		kerr.CoordinatorLoadInProgress, kerr.CoordinatorNotAvailable, kerr.NotCoordinator, kerr.ConcurrentTransactions,
		kerr.RequestTimedOut, kerr.UnknownServerError, kerr.TransactionalIDAuthorizationFailed,
	}
	restarting := []*kerr.Error{
		kerr.OutOfOrderSequenceNumber, kerr.InvalidProducerEpoch, kerr.InvalidTxnState, kerr.InvalidProducerIDMapping,
		kerr.UnknownProducerID, kerr.FencedInstanceID, kerr.ProducerFenced,
	}
	leaving := []*kerr.Error{kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.RebalanceInProgress}
	keys := []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn}
	for _, key := range keys {
		for _, code := range slices.Concat(passing, restarting) {
			t.Run(key.Name()+"/"+code.Message, func(t *testing.T) { answerOnce(t, key, code, 1) })
		}
	}
	for _, code := range leaving {
		t.Run(code.Message, func(t *testing.T) { answerOnce(t, kmsg.TxnOffsetCommit, code, 2) })
	}
}

// answerOnce lets some requests of a kind fail in the middle of a stream.
func answerOnce(t *testing.T, key kmsg.Key, code *kerr.Error, generations int) {
	t.Parallel()
	s := exactStage(t, 2)
	registry := prometheus.NewRegistry()
	o := s.options()
	o.Metrics, o.CommitInterval = NewMetrics(registry), 10*time.Millisecond
	stop := s.start(s.consumer(o))
	sent := s.sendEvents("a", 200, 2)
	s.await("the first decisions", s.groupAtEnd)
	handle := s.b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: code, Count: 3, When: func(r kmsg.Request) bool {
		return key != kmsg.Produce || isOurs(r, s)
	}})
	sent = append(sent, s.sendEvents("b", 200, 2)...)
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(sent, s.decisionIDs())
	if handle.Hits() == 0 {
		t.Error("the fault was never met")
	}
	if n := strings.Count(s.logs.String(), "msg=generation"); n < generations || generations == 1 && n > 1 {
		t.Errorf("%d generations, want %d\n%s", n, generations, s.logs.tail())
	}
	if n, _ := metric(t, registry, "fraudstream_events_consumed_total"); n != 400 {
		t.Errorf("%v events are counted, 400 were sent", n)
	}
	if n, _ := metric(t, registry, "fraudstream_transactions_total", "result", "committed"); n < 2 {
		t.Errorf("%v transactions are counted as committed", n)
	}
}

func TestRemedies(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]remedy{
		"22 25 27": rejoin, "45 47 48 49 59 82 90": restart, "3 5 6 7 8 14 15 16 19 20 51 56 -1 29 30 53 74": repeat,
	} {
		for code := range strings.FieldsSeq(text) {
			var n int16
			_, _ = fmt.Sscan(code, &n)
			err := fmt.Errorf("produce: %w", kafkaError(n))
			if got := remedyFor(err); got != want {
				t.Errorf("remedy for %d: %d, want %d", n, got, want)
			}
		}
	}
	if remedyFor(errors.New("connection reset")) != repeat {
		t.Error("a network error is not repeated")
	}
}

// lossyDial loses every third request of one kind, or the answer to it.
type lossyDial struct {
	key    protocol.ApiKey
	answer bool // the broker has heard the request
	every  int64
	seen   atomic.Int64
	lost   atomic.Int64
	off    atomic.Bool
}

func (d *lossyDial) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &lossyConn{Conn: conn, d: d}, nil
}

type lossyConn struct {
	net.Conn
	d    *lossyDial
	mute atomic.Bool
}

var errLost = errors.New("lost on the way")

func (c *lossyConn) Write(b []byte) (int, error) {
	if !c.d.off.Load() && len(b) >= 8 && int(binary.BigEndian.Uint32(b)) >= len(b)-4 &&
		protocol.ApiKey(binary.BigEndian.Uint16(b[4:])) == c.d.key && c.d.seen.Add(1)%c.d.every == 0 {
		c.d.lost.Add(1)
		if !c.d.answer {
			_ = c.Close()
			return 0, errLost
		}
		c.mute.Store(true)
	}
	return c.Conn.Write(b)
}

func (c *lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.mute.Load() {
		_ = c.Close()
		return 0, errLost
	}
	return n, err
}

// The network may fail in each request of a transaction, before the broker has heard it and after.
func TestTransactionAnswersLost(t *testing.T) {
	for _, key := range []protocol.ApiKey{
		protocol.InitProducerId, protocol.OffsetFetch, protocol.AddPartitionsToTxn, protocol.Produce, protocol.AddOffsetsToTxn,
		protocol.TxnOffsetCommit, protocol.EndTxn, protocol.FindCoordinator,
	} {
		for _, answer := range []bool{false, true} {
			t.Run(fmt.Sprintf("%v/heard=%v", key, answer), func(t *testing.T) {
				t.Parallel()
				s := exactStage(t, 2)
				net := &lossyDial{key: key, answer: answer, every: 3}
				o := s.options()
				o.Dial, o.CommitInterval = net.dial, 5*time.Millisecond
				var sent []string
				for round := range 4 {
					sent = append(sent, s.sendEvents(fmt.Sprintf("r%d", round), 300, 2)...)
					stop := s.start(s.consumer(o))
					s.await("the end of the lag", s.groupAtEnd)
					stop()
					s.bury() // who could not find the coordinator, to leave
				}
				s.assertOnce(sent, s.decisionIDs())
				if net.lost.Load() == 0 {
					t.Error("nothing was lost")
				}
			})
		}
	}
}

// A commit whose answers are all lost is given up, and has got through: the next fence finds its name beside the offset.
// Nothing of it is decided, told to the monitor or counted again.
func TestCommitWithoutAnswer(t *testing.T) {
	t.Parallel()
	s := exactStage(t, 1)
	net := &lossyDial{key: protocol.EndTxn, answer: true, every: 1}
	registry := prometheus.NewRegistry()
	o := s.monitored(&adderLog{}, 1)
	o.Dial, o.Metrics = net.dial, NewMetrics(registry)
	net.off.Store(true)
	c := s.consumer(o)
	c.timing.overdue = 200 * time.Millisecond
	stop := s.start(c)
	sent := s.sendEvents("a", 120, 1)
	s.await("the first commit", s.groupAtEnd)
	net.off.Store(false)
	sent = append(sent, s.sendEvents("b", 130, 1)...)
	s.await("a commit that got through", func() bool {
		return strings.Contains(s.logs.String(), "a commit without an answer has got through")
	})
	net.off.Store(true)
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(sent, s.decisionIDs())
	s.assertAlerts(250, 1, false)
	if n, _ := metric(t, registry, "fraudstream_events_consumed_total"); n != 250 {
		t.Errorf("%v events are counted, 250 were sent", n)
	}
	if n := strings.Count(s.logs.String(), "msg=generation"); n != 1 {
		t.Errorf("%d generations", n)
	}
}

// A position must be read after the fence: a commit that was under way when the group was joined moves it.
func TestFenceComesBeforeThePosition(t *testing.T) {
	t.Parallel()
	s := exactStage(t, 1)
	sent := s.sendEvents("a", 50, 1)
	var mu sync.Mutex
	var order []string
	for _, key := range []kmsg.Key{kmsg.InitProducerID, kmsg.OffsetFetch, kmsg.OffsetCommit, kmsg.TxnOffsetCommit, kmsg.Fetch} {
		s.b.fake.ControlKey(int16(key), func(r kmsg.Request) (kmsg.Response, error, bool) {
			s.b.fake.KeepControl()
			mu.Lock()
			defer mu.Unlock()
			switch r := r.(type) {
			case *kmsg.InitProducerIDRequest:
				if !strings.HasSuffix(*r.TransactionalID, "preflight") {
					order = append(order, "fence "+*r.TransactionalID)
				}
				if r.TransactionTimeoutMillis != 30_000 {
					t.Errorf("the coordinator may wait %d ms for %s, 30 s are promised", r.TransactionTimeoutMillis, *r.TransactionalID)
				}
			case *kmsg.OffsetFetchRequest:
				if r.Version == 5 { // of the client; the group's own is of version 1
					order = append(order, "position")
				}
			case *kmsg.FetchRequest:
				if r.Version == fetchVersion && r.MaxWaitMillis > 0 {
					order = append(order, "fetch")
				}
			case *kmsg.TxnOffsetCommitRequest:
				order = append(order, fmt.Sprintf("commit %d", r.Topics[0].Partitions[0].Offset))
				if r.Generation < 0 || r.MemberID == "" {
					t.Error("a commit without a generation")
				}
			case *kmsg.OffsetCommitRequest:
				t.Error("a commit outside of any transaction")
			}
			return nil, nil, false
		})
	}
	stop := s.start(s.consumer(s.options()))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(sent, s.decisionIDs())
	mu.Lock()
	defer mu.Unlock()
	var last []string // what comes before the first fetch
	for _, step := range order {
		if step == "fetch" {
			break
		}
		last = append(last, step)
	}
	want := []string{"fence " + s.name + "/" + s.input() + "/0", "position", "commit 0"}
	if len(last) < 3 || !slices.Equal(last[len(last)-3:], want) {
		t.Errorf("before the first fetch came %q, want %q at the end", last, want)
	}
}

// Many events are committed before the interval ends.
func TestCommitByCount(t *testing.T) {
	t.Parallel()
	s := exactStage(t, 1)
	registry := prometheus.NewRegistry()
	o := s.options()
	o.CommitInterval, o.CommitEvents, o.Metrics = time.Hour, 500, NewMetrics(registry)
	c := s.consumer(o)
	stop := s.start(c)
	sent := s.sendEvents("a", 100, 1)
	s.await("the position", func() bool { n, _ := metric(t, registry, "fraudstream_commits_total"); return n >= 1 })
	for round := range 4 {
		sent = append(sent, s.sendEvents(fmt.Sprintf("r%d", round), 500, 1)...)
	}
	s.await("commits by count", func() bool { n, _ := metric(t, registry, "fraudstream_events_consumed_total"); return n >= 1500 })
	stop() // the rest is committed by the drain
	s.assertOnce(sent, s.decisionIDs())
}

func kafkaError(code int16) error { return kafka.Error(code) }

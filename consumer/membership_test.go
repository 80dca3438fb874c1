package consumer

import (
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// coordinator is the broker that looks after the stage's group.
func (s *stage) coordinator() int32 {
	s.t.Helper()
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.CoordinatorKey, req.CoordinatorKeys = s.name, []string{s.name}
	res, err := req.RequestWith(s.t.Context(), s.client)
	if err != nil || len(res.Coordinators) != 1 {
		s.t.Fatalf("coordinators %v: %v", res, err)
	}
	return res.Coordinators[0].NodeID
}

// moveCoordinator has another broker look after the group.
func (s *stage) moveCoordinator() {
	s.t.Helper()
	for before := s.coordinator(); s.coordinator() == before; {
		s.b.fake.RehashCoordinators()
	}
}

// The last commit gets through where the generation's own connection leads to a broker that is the coordinator no more:
// what this process has decided nobody decides again.
func TestLastCommitFindsTheCoordinator(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t, kfake.NumBrokers(3), kfake.GroupMaxSessionTimeout(10*time.Minute)), 2, 2)
	o := s.options()
	o.CommitInterval = time.Hour
	c := s.consumer(o)
	c.timing.heartbeat = time.Hour // the move is found out by the commit, and by nothing before it
	c.timing.session, c.timing.rebalance = 5*time.Minute, 5*time.Minute
	stop := s.start(c)
	sent := s.sendEvents("a", 300, 2)
	s.await("the decisions", func() bool { return s.count(s.output()) >= 300 })
	s.moveCoordinator()
	stop()
	if !s.groupAtEnd() {
		t.Errorf("the offsets are not committed\n%s", s.logs.tail())
	}
	stop = s.start(s.consumer(s.options()))
	sent = append(sent, s.sendEvents("b", 100, 2)...)
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(sent, s.decisionIDs())
}

// A last commit that the coordinator refuses because the generation is over is not tried again: the offset belongs to
// somebody else by then.
func TestLastCommitOfAnOldGeneration(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	o := s.options()
	o.CommitInterval = time.Hour
	stop := s.start(s.consumer(o))
	s.sendEvents("a", 100, 1)
	s.await("the decisions", func() bool { return s.count(s.output()) >= 100 })
	refused := s.b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.IllegalGeneration, Count: -1})
	stop()
	if n := refused.Hits(); n != 1 {
		t.Errorf("%d attempts to commit", n)
	}
}

// A member whose attempt to join again fails is forgotten by kafka-go, and would be waited for until its session ends:
// here for longer than the test.
func TestForgottenMemberLeaves(t *testing.T) {
	t.Parallel()
	for name, exactly := range map[string]bool{"at least once": false, "exactly once": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFake(t, kfake.NumBrokers(3), kfake.GroupMaxSessionTimeout(10*time.Minute))
			b.exactly = exactly
			s := newStage(t, b, 2, 2)
			c := s.consumer(s.options())
			c.timing.session, c.timing.rebalance = 5*time.Minute, 5*time.Minute
			stop := s.start(c)
			sent := s.sendEvents("a", 100, 2)
			s.await("the first decisions", func() bool { return s.countOf(s.output()) >= 100 })
			for _, key := range []kmsg.Key{kmsg.JoinGroup, kmsg.LeaveGroup} {
				b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: kerr.CoordinatorLoadInProgress, Count: 2})
			}
			s.moveCoordinator()
			s.await("another generation", func() bool { return strings.Count(s.logs.String(), "msg=generation") >= 2 })
			sent = append(sent, s.sendEvents("b", 100, 2)...)
			s.await("the end of the lag", s.groupAtEnd)
			stop()
			s.assertOnce(sent, s.decisionIDs())
		})
	}
}

// A member whose leaving the coordinator cannot take when the process ends is taken out all the same.
func TestLeavingIsRepeated(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	stop := s.start(s.consumer(s.options()))
	s.sendEvents("a", 10, 1)
	s.await("the end of the lag", s.groupAtEnd)
	s.b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.LeaveGroup}, Err: kerr.NotCoordinator, Count: 3})
	stop()
	if g := s.b.fake.GroupInfo(s.name); g != nil && len(g.Members) > 0 || !strings.Contains(s.logs.String(), "left the group") {
		t.Errorf("the group has members: %+v\n%s", g, s.logs.tail())
	}
}

// A group that could not be left is not said to be left.
func TestLeavingIsRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	stop := s.start(s.consumer(s.options()))
	s.sendEvents("a", 10, 1)
	s.await("the end of the lag", s.groupAtEnd)
	s.b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.LeaveGroup}, Err: kerr.GroupAuthorizationFailed, Count: -1})
	stop()
	if text := s.logs.String(); strings.Contains(text, "left the group") || !strings.Contains(text, "the group could not be left") {
		t.Error(s.logs.tail())
	}
}

// An answer about committed offsets that leaves the partition out is no reason to start by policy: the group may have an
// offset, and everything before it is decided.
func TestOffsetsLeftOutOfAnAnswer(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	stop := s.start(s.consumer(s.options()))
	sent := s.sendEvents("a", 100, 1)
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	var cut atomic.Int64
	s.b.fake.ControlKey(int16(kmsg.OffsetFetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.b.fake.KeepControl()
		if req := r.(*kmsg.OffsetFetchRequest); req.Group != s.name || cut.Add(1) > 3 {
			return nil, nil, false
		}
		return r.ResponseKind(), nil, true // names no topic
	})
	stop = s.start(s.consumer(s.options()))
	sent = append(sent, s.sendEvents("b", 10, 1)...)
	s.await("the rest", func() bool { return s.count(s.output()) >= 110 })
	stop()
	s.assertOnce(sent, s.decisionIDs())
	if n := cut.Load(); n < 4 {
		t.Errorf("%d questions", n)
	}
}

// An answer to a commit that leaves the partition out is no success.
func TestCommitLeftOutOfAnAnswer(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	c := s.consumer(s.options())
	defer c.transport.CloseIdleConnections()
	s.b.fake.ControlKey(int16(kmsg.OffsetCommit), func(r kmsg.Request) (kmsg.Response, error, bool) {
		return r.ResponseKind(), nil, true
	})
	marks := map[int32]mark{0: {5, "text"}}
	if err := c.commitMarks(t.Context(), s.name, nobody(), s.input(), marks); !errors.Is(err, errUnanswered) {
		t.Errorf("%v", err)
	}
	if err := c.commitMarks(t.Context(), s.name, nobody(), s.input(), marks); err != nil {
		t.Fatal(err)
	}
	got, err := c.committedBy(t.Context(), s.name, s.input(), 0)
	if err != nil || got[0] != marks[0] {
		t.Errorf("%v, %v", got, err)
	}
}

// Where a partition begins that had no offset is committed before anything of it is read. The policy, asked again after
// events were decided, would begin behind those that were not.
func TestStartIsCommittedBeforeAnythingIsRead(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	s.sendEvents("old", 10, 1)
	o := s.options()
	o.Start.Latest = true
	refused := s.b.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.NotCoordinator, Count: -1})
	stop := s.start(s.consumer(o))
	s.await("some refusals", func() bool { return refused.Hits() > 3 })
	sent := s.sendEvents("new", 50, 1)
	if n := refused.Hits(); n > 0 {
		s.await("more refusals", func() bool { return refused.Hits() > n+2 })
	}
	if n := s.countOf(s.output()); n > 0 {
		t.Errorf("%d decisions before the start was committed", n)
	}
	refused.Remove()
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(sent, s.decisionIDs())
}

// A broker that takes connections and answers nothing must not hold up the end.
func TestEndsThoughTheBrokerIsMute(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	s := &stage{t: t, b: &broker{bootstrap: listener.Addr().String()}, name: "mute", logs: &logBuffer{}}
	stop := s.start(s.consumer(s.options()))
	s.await("the broker's name in the log", func() bool {
		return strings.Contains(s.logs.String(), "unreachable") && strings.Contains(s.logs.String(), s.b.bootstrap)
	})
	begun := time.Now()
	stop()
	if took := time.Since(begun); took > 5*promised {
		t.Errorf("the end took %v", took)
	}
}

// Nor must one that falls silent when the group was joined and events are under way.
func TestEndsThoughTheBrokerFallsSilent(t *testing.T) {
	for name, exactly := range map[string]bool{"at least once": false, "exactly once": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFake(t)
			b.exactly = exactly
			s := newStage(t, b, 1, 1)
			o := s.options()
			o.CommitInterval = time.Hour
			c := s.consumer(o)
			c.timing.drain, c.timing.leave = time.Second/2, time.Second
			stop := s.start(c)
			s.sendEvents("a", 100, 1)
			s.await("decisions that are under way", func() bool { return s.countOf(s.output()) > 0 })
			release := make(chan struct{})
			b.fake.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
				<-release // the broker answers one request after the other
				return nil, nil, false
			})
			begun := time.Now()
			stop()
			took := time.Since(begun)
			close(release)
			if took > 5*c.timing.leave {
				t.Errorf("it took %v to leave", took)
			}
		})
	}
}

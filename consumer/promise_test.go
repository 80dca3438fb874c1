package consumer

import (
	"context"
	"testing"
	"time"
)

// promised is what a user may count on: so long does it take at most until a process that was asked to stop is gone, and
// until a partition that was added is read.
const promised = 10 * time.Second

// What a user relies on: a generation that ends is drained within half of the time after which the group gives its member up, a
// process leaves within 10 seconds, and no reader of committed records waits longer than 30 seconds for a dead one.
func TestPeriods(t *testing.T) {
	c := New(Options{Group: "g", Input: "in", Output: "out", DeadLetter: "dlq"}, testScorer(t))
	if p := c.timing; 2*p.drain > min(p.session, p.rebalance) {
		t.Errorf("the drain may take %v of a session of %v and a rebalance of %v", p.drain, p.session, p.rebalance)
	}
	if p := c.timing; p.heartbeat != time.Second || p.leave >= promised || p.transaction != 30*time.Second || p.overdue >= p.transaction {
		t.Errorf("the periods are %+v", p)
	}
}

// With the periods of the product, not those of a test, a new partition is found and a process leaves with work under way.
// What it took is said; a loaded machine gets five times of what is promised.
func leavesAndFindsInTime(t *testing.T, b *broker) {
	s := newStage(t, b, 2, 2)
	c := New(s.options(), testScorer(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	sent := s.sendEvents("a", 20, 2)
	s.await("the first decisions", func() bool { return len(s.decisionIDs()) == len(sent) })
	grown := time.Now()
	s.grow(s.input(), 3)
	sent = append(sent, s.sendEvents("b", 3, 3)...)
	s.await("the decisions of the new partition", func() bool { return len(s.decisionIDs()) == len(sent) })
	found := time.Since(grown)
	s.sendEvents("under way", 20_000, 3)
	asked := time.Now()
	cancel()
	err := <-ended
	left := time.Since(asked)
	t.Logf("a new partition was read after %v, the group left and Run over after %v; %v are promised", found.Round(time.Millisecond), left.Round(time.Millisecond), promised)
	if err != nil || max(found, left) > 5*promised {
		t.Errorf("read after %v, left after %v: %v", found, left, err)
	}
	if late := max(found, left); late > promised {
		t.Logf("LATE: %v, on a machine that is loaded as it may be", late)
	}
}

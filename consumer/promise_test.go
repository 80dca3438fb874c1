package consumer

import (
	"testing"
	"time"
)

// What a user relies on: a generation that ends is drained within half of the time after which the group gives its member up, a
// process leaves within 10 seconds, and no reader of committed records waits longer than 30 seconds for a dead one.
func TestPeriods(t *testing.T) {
	c := New(Options{Group: "g", Input: "in", Output: "out", DeadLetter: "dlq"}, testScorer(t))
	if p := c.timing; 2*p.drain > min(p.session, p.rebalance) {
		t.Errorf("the drain may take %v of a session of %v and a rebalance of %v", p.drain, p.session, p.rebalance)
	}
	if p := c.timing; p.heartbeat != time.Second || p.leave >= 10*time.Second || p.transaction != 30*time.Second || p.overdue >= p.transaction {
		t.Errorf("the periods are %+v", p)
	}
}

package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// playKill kills the second worker while payments come as fast as they can, and waits until the first one has taken
// over and caught up. Then a new worker takes the dead one's place. SIGKILL cannot be caught: it is what an
// exhausted host, an impatient supervisor or a power failure does.
func (s *show) playKill(ctx context.Context, t tempo) error {
	s.screen.Scene("🔪", "kill", "A burst of payments, and SIGKILL for worker 2 in the middle of it: no drain, no goodbye.")
	if err := s.settleGroup(ctx, t, 2, "before the kill"); err != nil || ctx.Err() != nil {
		return err
	}
	s.reader.EndSample() // the outage is told in its own words
	if err := s.burst(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	victim := s.workers[1]
	s.workers = s.workers[:1]
	victim.Kill()
	s.screen.Note("%s is dead, %s payments were under way", victim.name, thousands(s.ledger.Counts(false).Lost))
	if err := s.awaitRecovery(ctx, t, time.Now()); err != nil || ctx.Err() != nil {
		return err
	}
	if err := s.startWorker(); err != nil {
		return err
	}
	if err := s.settleGroup(ctx, t, 2, "after the restart"); err != nil || ctx.Err() != nil {
		return err
	}
	s.screen.Note("%s has taken the dead one's place", s.workers[1].name)
	return nil
}

// awaitRecovery waits until the group has found itself again without the dead worker, and nothing is late any
// more. Caught up means that no more payments wait than a tenth of a second brings, or than fifty. There will
// always be a few under way.
func (s *show) awaitRecovery(ctx context.Context, t tempo, killed time.Time) error {
	if err := s.settleGroup(ctx, t, 1, "after the kill"); err != nil || ctx.Err() != nil {
		return err
	}
	s.screen.Note("%s reads all partitions, %.1f s after the kill", s.workers[0].name, time.Since(killed).Seconds())
	caughtUp := func() bool { return float64(s.ledger.Counts(false).Lost) < max(t.rate/10, 50) }
	if done, err := s.sendUntil(ctx, t, caughtUp); err != nil || !done {
		return err
	}
	s.screen.Note("caught up %.1f s after the kill; answered twice so far: %s", time.Since(killed).Seconds(),
		thousands(s.ledger.Counts(false).Duplicated))
	return nil
}

// burst sends as fast as Kafka takes it until every partition has had a hundred of the burst's decisions, and then a
// thousand payments more, so that either worker is in the middle of its work when it returns. It gives up after three
// seconds or 50,000 payments: more than that may not fit into what the broker keeps. A worker that has nothing
// to do dies without a trace, so what is killed must be busy.
func (s *show) burst(ctx context.Context) error {
	before := s.reader.Positions(output)
	started := func() bool {
		now := s.reader.Positions(output)
		for p := range now {
			if now[p] < before[p]+100 {
				return false
			}
		}
		return true
	}
	sent := 0
	for end := time.Now().Add(3 * time.Second); !started() && time.Now().Before(end) && ctx.Err() == nil; {
		for range 250 {
			if sent++; sent <= 50_000 {
				s.sendPayment()
			}
		}
		if err := s.check(); err != nil {
			return err
		}
		time.Sleep(time.Millisecond)
	}
	for range 1000 {
		s.sendPayment()
	}
	return nil
}

// settleGroup keeps sending until the group is at rest with that many members, all partitions taken. It asks the
// broker, which decides who is in the group and who has which partition. A group takes a few seconds to find
// itself: the broker waits for the heartbeat of the dead member, then all others join anew.
func (s *show) settleGroup(ctx context.Context, t tempo, members int, when string) error {
	settled := func() bool {
		g := s.cluster.GroupInfo(group)
		return g != nil && g.State == "Stable" && len(g.Members) == members && assigned(g) == partitions
	}
	if done, err := s.sendUntil(ctx, t, settled); err != nil || done || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%s the group did not come to rest with %d workers within %v", when, members, t.recovery)
}

// assigned is the number of partitions that the members have between them.
func assigned(g *kfake.GroupInfo) int {
	n := 0
	for i := range g.Members {
		n += g.Members[i].NumAssigned()
	}
	return n
}

package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// A tempo is how long the scenes last and how fast the payments come.
type tempo struct {
	calm, drift, poison time.Duration // length of a scene
	aftermath           time.Duration // between the recovery and the end, at least
	rate                float64       // payments in a second
	status              time.Duration // between two status lines
	recovery            time.Duration // at most this for the group to find itself again
	quiet               time.Duration // at the end, what has not been answered after this much silence is lost
}

func (s *show) tempo() tempo {
	if s.options.Fast {
		return tempo{
			calm: 800 * time.Millisecond, drift: 800 * time.Millisecond, poison: 4 * time.Second,
			aftermath: 300 * time.Millisecond, rate: 2000, status: time.Second, recovery: 20 * time.Second,
			quiet: 6 * time.Second,
		}
	}
	part := func(share float64) time.Duration { return time.Duration(share * float64(s.options.For)) }
	t := tempo{
		calm: part(.24), drift: part(.24), poison: max(part(.12), 3*time.Second), aftermath: 2 * time.Second,
		rate: 300, status: 250 * time.Millisecond, recovery: 30 * time.Second,
		quiet: 12 * time.Second,
	}
	if s.options.Plain {
		t.status = 3 * time.Second
	}
	return t
}

// play plays the scenes, and goes on until the time is over. It ends without an error when ctx ends.
func (s *show) play(ctx context.Context) error {
	t := s.tempo()
	for _, scene := range []func(context.Context, tempo) error{
		s.playCalm, s.playDrift, s.playPoison, s.playKill, s.playAftermath,
	} {
		if err := scene(ctx, t); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
	}
	return nil
}

// introduce says what has been started, while it starts.
func (s *show) introduce() error {
	model, err := describeBundle()
	if err != nil {
		return err
	}
	s.screen.Scene("💳", "fraudstream", "Kafka in this process: "+input+" → "+output+", "+deadLetter)
	s.screen.Note("model %s", model)
	s.screen.Note("two workers, one group, %d partitions; payments of seed %d", partitions, s.options.Seed)
	return nil
}

func (s *show) playCalm(ctx context.Context, t tempo) error {
	if err := s.send(ctx, t, 10*time.Second, func() bool { return s.reader.First() > 0 }); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return nil
	}
	if s.reader.First() == 0 {
		return fmt.Errorf("no decision within 10 s; %w", s.workers[0].failure("is still silent"))
	}
	if err := s.offerCurl(ctx); err != nil {
		return err
	}
	return s.send(ctx, t, t.calm, nil)
}

// offerCurl shows how to ask the first worker over HTTP, if that works.
func (s *show) offerCurl(ctx context.Context) error {
	tx := s.payments.Next()
	event := tx.AppendJSON(nil)
	path := filepath.Join(s.dir, "event.json")
	if err := os.WriteFile(path, append(event, '\n'), 0o644); err != nil {
		return err
	}
	if predicts(ctx, s.workers[0].listen, event) {
		s.screen.Note("meanwhile, from another terminal:")
		s.screen.Line("       curl -s http://%s/predict -d @%s", s.workers[0].listen, path)
		s.screen.Line("       curl -s http://%s/metrics | grep fraudstream_", s.workers[0].listen)
	}
	return nil
}

func (s *show) playDrift(ctx context.Context, t tempo) error {
	s.screen.Scene("⚡", "drift", "A gateway upstream now sends cents for euros: web amounts are a hundred times too high.")
	before, known := amountPSI(ctx, s.workers)
	blocked := s.reader.Verdicts()
	s.drifting = true
	end := time.Now().Add(t.drift)
	shown := before
	for ctx.Err() == nil && time.Now().Before(end) {
		if err := s.send(ctx, t, min(2*time.Second, time.Until(end)), nil); err != nil {
			return err
		}
		now, ok := amountPSI(ctx, s.workers)
		if ok && now > shown+.05 {
			s.screen.Note("drift gauge of the amount, PSI: %.3f (before: %s)", now, figure(before, known))
			shown = now
		}
	}
	s.drifting = false
	s.screen.Note("blocked %s of the payments meanwhile, %s before", shareSince(blocked, s.reader.Verdicts(), "block"),
		shareSince(nil, blocked, "block"))
	s.screen.Note("the gateway is mended")
	return nil
}

func (s *show) playPoison(ctx context.Context, t tempo) error {
	s.screen.Scene("☠", "poison", "Five events that nobody can score. Each goes to "+deadLetter+"; its neighbours are scored.")
	end := time.Now().Add(t.poison)
	for i := range poisons {
		s.sendPoison(&poisons[i])
		told := false
		tell := func() bool {
			l, ok := s.reader.Letter(poisons[i].code)
			if ok && !told {
				told = true
				s.screen.Note("%-35s %-13s %s/%d/%d", poisons[i].fault, s.screen.paint(yellow, fmt.Sprintf("%-13s", l.code)),
					input, l.partition, l.offset)
			}
			return ok
		}
		if err := s.send(ctx, t, t.poison, tell); err != nil || ctx.Err() != nil {
			return err
		}
		if !told {
			s.screen.Note("%-35s no dead letter with the code %s", poisons[i].fault, poisons[i].code)
		}
		if !s.options.Fast { // so that a person can read
			if err := s.send(ctx, t, min(time.Second, time.Until(end)), nil); err != nil || ctx.Err() != nil {
				return err
			}
		}
	}
	if s.options.Fast {
		return nil
	}
	return s.send(ctx, t, time.Until(end), nil)
}

// playKill kills the second worker while payments come as fast as they can, and waits until the first one has taken
// over and caught up. Then a new worker takes the dead one's place.
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
	victim.Kill()
	killed := time.Now()
	s.workers = slices.Delete(s.workers, 1, 2)
	waiting := s.ledger.Counts(false).Lost
	s.screen.Note("%s is dead, %s payments were under way", victim.name, thousands(waiting))
	if err := s.settleGroup(ctx, t, 1, "after the kill"); err != nil || ctx.Err() != nil {
		return err
	}
	s.screen.Note("%s reads all partitions, %.1f s after the kill", s.workers[0].name, time.Since(killed).Seconds())
	caughtUp := func() bool { return float64(s.ledger.Counts(false).Lost) < max(t.rate/10, 50) }
	if err := s.send(ctx, t, t.recovery, caughtUp); err != nil || ctx.Err() != nil {
		return err
	}
	s.screen.Note("caught up %.1f s after the kill; decided twice so far: %s", time.Since(killed).Seconds(),
		thousands(s.ledger.Counts(false).Duplicated))
	if err := s.startWorker(""); err != nil {
		return err
	}
	if err := s.settleGroup(ctx, t, 2, "after the restart"); err != nil || ctx.Err() != nil {
		return err
	}
	s.screen.Note("%s has taken the dead one's place", s.workers[1].name)
	return nil
}

// burst sends as fast as Kafka takes it until every partition has had a hundred of the burst's decisions, so that
// either worker is in the middle of a batch when it returns. It gives up after three seconds or 50,000 payments: more
// than that may not fit into what the broker keeps.
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
	return nil
}

// settleGroup keeps sending until the group is at rest with that many members, all partitions taken.
func (s *show) settleGroup(ctx context.Context, t tempo, members int, when string) error {
	settled := func() bool {
		g := s.cluster.GroupInfo(group)
		return g != nil && g.State == "Stable" && len(g.Members) == members && assigned(g) == partitions
	}
	if err := s.send(ctx, t, t.recovery, settled); err != nil || ctx.Err() != nil {
		return err
	}
	if !settled() {
		return fmt.Errorf("%s the group did not come to rest with %d workers within %v", when, members, t.recovery)
	}
	return nil
}

func assigned(g *kfake.GroupInfo) int {
	n := 0
	for i := range g.Members {
		n += g.Members[i].NumAssigned()
	}
	return n
}

func (s *show) playAftermath(ctx context.Context, t tempo) error {
	s.screen.Scene("🌤", "and on", "Payments go on as before.")
	left := t.aftermath
	if !s.options.Fast {
		left = max(left, s.options.For-time.Since(s.began))
	}
	return s.send(ctx, t, left, nil)
}

// figure is a number for people, where there is one.
func figure(x float64, known bool) string {
	if !known {
		return "not yet"
	}
	return fmt.Sprintf("%.3f", x)
}

// shareSince is the share of one verdict among the decisions between two counts.
func shareSince(before, after map[string]int64, verdict string) string {
	var all int64
	for v, n := range after {
		all += n - before[v]
	}
	if all == 0 {
		return "0.0 %"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(after[verdict]-before[verdict])/float64(all))
}

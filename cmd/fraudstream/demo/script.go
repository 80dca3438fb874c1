package demo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The show is a script of five scenes. Each sends payments all the while: sending is what time is made of here, and a
// scene waits for something (a first decision, a dead letter, a group at rest) by sending until it has happened.

// A tempo is how long the scenes last and how fast the payments come. The durations of scenes are what they
// last at least; the waiting for what must happen comes on top, up to recovery.
type tempo struct {
	calm, drift, poison time.Duration // length of a scene
	alarm               time.Duration // that the drift goes on beyond its scene, if there is no alarm yet
	aftermath           time.Duration // between the recovery and the end, at least
	rate                float64       // payments in a second
	status              time.Duration // between two status lines
	recovery            time.Duration // what has not happened after this long will not
	quiet               time.Duration // at the end, what has not been answered after this much silence is lost
}

// tempo is short for tests: there, nothing is waited for but what must happen. For people, the scenes share the length
// of the show, and the rest is left to the recovery and the time after it.
func (s *show) tempo() tempo {
	if s.options.Fast {
		return tempo{
			calm: 800 * time.Millisecond, drift: 800 * time.Millisecond, alarm: 8 * time.Second,
			aftermath: 300 * time.Millisecond, rate: 2000, status: time.Second, recovery: time.Minute, quiet: 6 * time.Second,
		}
	}
	part := func(share float64) time.Duration { return time.Duration(share * float64(s.options.For)) }
	t := tempo{
		calm: part(.3), drift: part(.3), alarm: 20 * time.Second,
		poison: max(part(.1), 3*time.Second), aftermath: 2 * time.Second,
		rate: 300, status: 250 * time.Millisecond, recovery: time.Minute, quiet: 12 * time.Second,
	}
	if s.options.Plain {
		t.status = 3 * time.Second
	}
	return t
}

// play plays the scenes, and goes on until the time is over. It ends without an error when ctx ends. Scenes are
// played in this order because each needs the one before: there is a second worker to kill only after the calm.
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
	s.screen.heading("💳", "fraudstream", "Kafka in this process: "+input+" → "+output+", "+deadLetter)
	s.screen.Note("model %s", model)
	s.screen.Note("two workers, one group, %d partitions; payments of seed %d", partitions, s.options.Seed)
	s.screen.Note("drift is judged every %d payments here, in place of 10 s, against the same hour of the week", tickEvents)
	return nil
}

// playCalm waits for the first decision, lets a second worker join and shows an ordinary day. Payments are sent before
// any worker is there: the group begins at the earliest record, so none of them is missed. The second worker comes
// later, because two that join at once may keep each other from the first decision for a second.
func (s *show) playCalm(ctx context.Context, t tempo) error {
	answered, err := s.sendUntil(ctx, t, func() bool { return s.reader.First() > 0 })
	if err != nil || ctx.Err() != nil {
		return err
	}
	if !answered {
		return fmt.Errorf("no decision within %v; %w", t.recovery, s.workers[0].failure("is still silent"))
	}
	if err := s.startWorker(); err != nil {
		return err
	}
	if err := s.offerCurl(ctx); err != nil {
		return err
	}
	return s.sendFor(ctx, t, t.calm)
}

// offerCurl shows how to ask for a prediction over HTTP, if that works: by way of the console's address, from where the
// first worker is asked, which will not be killed. The event lies in a file, since it is longer than a line. Where the door does not answer
// in time nothing is said of it: a line that does not work is worse than none.
func (s *show) offerCurl(ctx context.Context) error {
	tx := s.nextPayment()
	event := tx.AppendJSON(nil)
	path := filepath.Join(s.dir, "event.json")
	if err := os.WriteFile(path, append(event, '\n'), 0o644); err != nil {
		return err
	}
	if predicts(ctx, s.overview.address, event) {
		ask := fmt.Sprintf("curl -s %spredict -d @%s", s.overview.URL(), path)
		s.screen.Line("   %s meanwhile, from another terminal:", s.screen.paint(cyan, s.screen.either("▸", ">"))) // the console has a place for it
		s.screen.Line("       %s", ask)
		s.screen.Line("       curl -s %smetrics | grep fraudstream_", s.overview.URL())
		s.overview.Offer(ask)
	}
	return nil
}

// playDrift changes what the payments look like and shows what the workers' monitors make of it. The alarm comes by the
// alerts topic, and the reader shows it; the gauge is the workers', and moves only when one of their ticks ends; the
// share of blocked payments is the reader's own count.
func (s *show) playDrift(ctx context.Context, t tempo) error {
	s.screen.Scene("⚡", "drift", "A gateway upstream now sends cents for euros: web amounts are a hundred times too high.")
	before, known := amountPSI(ctx, s.workers)
	blocked := s.reader.Verdicts()
	alarms := s.reader.Alarms("amount")
	s.drifting = true
	end := time.Now().Add(t.drift)
	shown := before
	for ctx.Err() == nil && time.Now().Before(end) {
		if err := s.sendFor(ctx, t, min(2*time.Second, time.Until(end))); err != nil {
			return err
		}
		now, ok := amountPSI(ctx, s.workers)
		if ok && now > shown+.05 {
			s.screen.Note("drift gauge of the amount, PSI: %.3f (before: %s)", now, figure(before, known))
			shown = now
		}
	}
	alarmed, err := s.send(ctx, t, t.alarm, func() bool { return s.reader.Alarms("amount") > alarms })
	if err != nil {
		return err
	}
	if !alarmed && ctx.Err() == nil {
		s.screen.Note("no drift alarm for the amount so far")
	}
	s.drifting = false
	s.screen.Note("blocked %s of the payments meanwhile, %s before", shareSince(blocked, s.reader.Verdicts(), "block"),
		shareSince(nil, blocked, "block"))
	s.screen.Note("the gateway is mended")
	return nil
}

// playAftermath shows that nothing of all this has left a trace, for the rest of the time.
func (s *show) playAftermath(ctx context.Context, t tempo) error {
	s.screen.Scene("🌤", "and on", "Payments go on as before.")
	left := t.aftermath
	if !s.options.Fast {
		left = max(left, s.options.For-time.Since(s.began))
	}
	return s.sendFor(ctx, t, left)
}

package demo

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// A Summary is what the reader found: Decided + DeadLetter = Sent + Duplicated − Lost.
//
// A healthy show has Lost and Strange at 0 and as many DeadLetter as Poison; Duplicated is about what a worker
// decides in 200 ms, if it was killed at work.
type Summary struct {
	Sent, Decided, DeadLetter, Lost, Duplicated int64

	Strange       int64         // records of no event that was sent; Run returns an error where there are any
	Poison        int           // events among Sent that were meant to be dead letters
	FirstDecision time.Duration // from the call of Run
}

// Line is the summary as programs read it. Its words and their order are stable; a script may cut it at spaces
// and equals signs.
func (s Summary) Line() string {
	return fmt.Sprintf("sent=%d decided=%d dead_letter=%d lost=%d duplicated=%d",
		s.Sent, s.Decided, s.DeadLetter, s.Lost, s.Duplicated)
}

// lastRecord is how long the reader may take, once the workers are gone, to read what they wrote last.
const lastRecord = 5 * time.Second

// drain waits until every event has been accounted for, lets the workers finish and reads what they wrote last.
// The workers are asked all at once, since each of them waits for its own last commit.
func (s *show) drain() error {
	if err := s.awaitLastEvent(s.tempo().quiet); err != nil {
		return err
	}
	began := time.Now()
	drained := make(chan error, len(s.workers))
	for _, w := range s.workers {
		go func() { drained <- w.Drain() }()
	}
	for range s.workers {
		if err := <-drained; err != nil {
			return err
		}
	}
	s.screen.Note("SIGTERM: the workers have drained and left within %.2f s", time.Since(began).Seconds())
	for deadline := time.Now().Add(lastRecord); !s.reader.CaughtUp(s.cluster); time.Sleep(beat) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the reader did not reach the ends of %s and %s", output, deadLetter)
		}
	}
	return nil
}

// awaitLastEvent returns when nothing is waiting for a decision any more, or when for some time nothing has moved:
// what is missing then is lost. An event is late while the counts still move, however long it takes; only
// silence makes it lost.
func (s *show) awaitLastEvent(quiet time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), quiet)
	defer cancel()
	if err := s.client.Flush(ctx); err != nil {
		return fmt.Errorf("in-process Kafka did not take the last events: %w", err)
	}
	last, moved := s.ledger.Counts(false), time.Now()
	for last.Lost > 0 && time.Since(moved) < quiet {
		if err := s.check(); err != nil {
			return err
		}
		time.Sleep(beat)
		if now := s.ledger.Counts(false); now != last {
			last, moved = now, time.Now()
		}
	}
	return nil
}

// sumUp shows what was found, the line for programs last. After a drain without error the counts are final: the workers
// are gone, and the reader is at the ends of its topics.
func (s *show) sumUp(early bool) Summary {
	c := s.ledger.Counts(true)
	summary := Summary{
		Sent: c.Sent, Decided: c.Decided, DeadLetter: c.DeadLetter, Lost: c.Lost, Duplicated: c.Duplicated,
		Strange: c.Strange, Poison: s.poisoned, FirstDecision: s.reader.First(),
	}
	verdicts := s.reader.Verdicts()
	title := "what the reader found"
	if early {
		title = "ended early: " + title
	}
	s.screen.Scene("🧾", title, "An independent client read both topics back and matched them with what was sent.")
	row := func(colour, name string, n int64, text string) {
		s.screen.Line("   %-12s %s  %s", name, s.screen.paint(colour, fmt.Sprintf("%9s", thousands(n))), text)
	}
	row(bold, "sent", c.Sent, fmt.Sprintf("payments, %d of them poison", s.poisoned))
	row(bold, "decided", c.Decided, fmt.Sprintf("approve %s, review %s, block %s", shareSince(nil, verdicts, "approve"),
		shareSince(nil, verdicts, "review"), shareSince(nil, verdicts, "block")))
	row(bold, "dead letters", c.DeadLetter, strings.Join(s.reader.Codes(), ", "))
	if c.Lost == 0 {
		row(green, "lost", 0, "every event has its decision or its dead letter")
	} else {
		row(red, "lost", c.Lost, "events without a decision or a dead letter")
	}
	twice := "answers beyond an event's first, under the same decision id"
	if c.Duplicated == 0 {
		twice = "no event has a second answer"
	}
	row(bold, "duplicated", c.Duplicated, twice)
	if first := summary.FirstDecision; first > 0 {
		s.screen.Line("   %-12s %7.2f s  sent to decided: p50 %s, p99 %s (before the kill)", "first after",
			first.Seconds(), milliseconds(s.reader.Latency(.5)), milliseconds(s.reader.Latency(.99)))
	}
	s.screen.Line("\n   Next: point it at your Kafka.")
	s.screen.Line("     fraudstream run --brokers localhost:9092 --input transactions --output decisions \\")
	s.screen.Line("       --dead-letter transactions.dlq --group fraudstream --model ./bundle\n")
	s.screen.Line("%s", summary.Line())
	return summary
}

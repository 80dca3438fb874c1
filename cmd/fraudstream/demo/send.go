package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/cmd/fraudstream/demo/cards"
)

// beat is the time between two looks at the clock.
const beat = 5 * time.Millisecond

// sendFor sends payments at the tempo's rate for a time, or until ctx ends. A limit that has passed already
// sends nothing.
func (s *show) sendFor(ctx context.Context, t tempo, limit time.Duration) error {
	_, err := s.send(ctx, t, limit, func() bool { return false })
	return err
}

// sendUntil sends payments at the tempo's rate until done says so, which it returns, or until ctx ends or patience.
func (s *show) sendUntil(ctx context.Context, t tempo, done func() bool) (bool, error) {
	return s.send(ctx, t, t.recovery, done)
}

// send tells whether done was what ended it. It looks at the clock at every beat and sends what is due by then, so that
// the rate holds on average however late a beat may come.
func (s *show) send(ctx context.Context, t tempo, limit time.Duration, done func() bool) (bool, error) {
	clock := time.NewTicker(beat)
	defer clock.Stop()
	start, sent := time.Now(), 0
	for {
		if done() {
			return true, nil
		}
		if time.Since(start) >= limit {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-clock.C:
		}
		for due := int(t.rate * time.Since(start).Seconds()); sent < due; sent++ {
			s.sendPayment()
		}
		if err := s.check(); err != nil {
			return false, err
		}
		if time.Since(s.lastShown) >= t.status {
			s.showStatus()
		}
	}
}

// nextPayment draws a payment of the coming week.
func (s *show) nextPayment() cards.Transaction {
	tx := s.payments.Next()
	tx.Time += s.ahead.Milliseconds()
	return tx
}

// untilComingWeek is how many weeks the generator's first Monday must be put off to lie ahead: whole ones, so that every
// payment keeps its hour of the week.
func untilComingWeek(now time.Time) time.Duration {
	const week = 7 * 24 * time.Hour
	past := now.Sub(cards.Start)
	if past < 0 {
		return 0
	}
	return (past/week + 1) * week
}

// sendPayment sends the next payment of the generator. Payments of a card stay in order: the card is the key.
// The ledger gets digests of id and value, so that it need not keep the bytes.
func (s *show) sendPayment() {
	tx := s.nextPayment()
	if s.drifting {
		drifted(&tx)
	}
	value := tx.AppendJSON(nil)
	s.produce(tx.AppendCard(nil), value, entry{id: digest(tx.AppendID(nil)), value: digest(value), tx: tx})
}

// sendPoison sends one broken event. Its id is not booked: a decision about it would be a decision about nothing.
func (s *show) sendPoison(p *poison) {
	tx := s.nextPayment()
	value := p.spoil(tx.AppendJSON(nil))
	s.poisoned++
	s.produce(tx.AppendCard(nil), value, entry{value: digest(value), tx: tx})
}

// produce hands an event to the producer, which works on its own. The event counts as sent when the broker has said
// where it is: an event that Kafka never took cannot be lost by those who read from Kafka. The answer comes on
// a goroutine of the client, and the first failure is kept for check, which the playing goroutine calls at
// every beat.
func (s *show) produce(key, value []byte, e entry) {
	e.at = time.Now()
	record := &kgo.Record{Key: key, Value: value}
	s.client.Produce(context.Background(), record, func(r *kgo.Record, err error) {
		if err != nil {
			select {
			case s.refused <- fmt.Errorf("in-process Kafka did not take an event: %w", err):
			default:
			}
			return
		}
		s.ledger.Sent(r.Partition, r.Offset, e)
	})
}

// check tells whether the show can go on: Kafka takes events, and no worker has ended by itself. A worker that
// was killed or told to end is no failure.
func (s *show) check() error {
	select {
	case err := <-s.refused:
		return err
	default:
	}
	for _, w := range s.workers {
		if err := w.Failed(); err != nil {
			return err
		}
	}
	return nil
}

// showStatus writes how things are, in one line. lag is what was sent and has no answer yet, by the ledger and
// not by the offsets that the group has committed.
func (s *show) showStatus() {
	c, verdicts := s.ledger.Counts(false), s.reader.Verdicts()
	rate := float64(c.Sent-s.lastSent) / time.Since(s.lastShown).Seconds()
	s.lastShown, s.lastSent = time.Now(), c.Sent
	s.screen.Status(fmt.Sprintf("%3.0f s  %.0f/s  lag %s  decided %s  review %s  block %s  dead letters %d",
		time.Since(s.began).Seconds(), rate, thousands(c.Lost), thousands(c.Decided),
		shareSince(nil, verdicts, "review"), shareSince(nil, verdicts, "block"), c.DeadLetter))
}

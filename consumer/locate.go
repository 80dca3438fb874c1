package consumer

import (
	"context"
	"log/slog"
)

// identify obtains what a pipeline writes under: an idempotent producer or, for exactly-once delivery, a transaction,
// for which it also finds the offset to go on at. Whatever fails here is tried again from its beginning, and so under
// a newer identity.
func (p *partition) identify(ctx context.Context) (*producer, error) {
	pr := &producer{p: p, sequences: map[target]int32{}, tries: p.c.retrying("produce", p.state.name(), p.state)}
	var err error
	if !p.c.o.ExactlyOnce {
		pr.id, err = p.c.initProducer(ctx)
		return pr, err
	}
	if pr.transaction, err = p.newTransaction(ctx); err != nil {
		return nil, err
	}
	pr.id = pr.transaction.producer
	return pr, p.locate(ctx, pr.transaction)
}

// locate finds where to go on, now that no transaction of an earlier owner can move the offset any more. Where the
// group has none the partition starts by policy, and where the position was out of range it goes on elsewhere; both are
// committed before anything is read.
func (p *partition) locate(ctx context.Context, t *transaction) error {
	marks, err := p.c.committedBy(ctx, p.c.o.Group, p.c.o.Input, p.id)
	if err != nil {
		return err
	}
	at := marks[p.id]
	p.resolve(at.text)
	next := at.offset
	switch {
	case p.moved:
		next = p.state.next.Load()
	case next < 0:
		if next, err = p.c.startOffset(ctx, p.id); err != nil {
			return err
		}
	}
	t.offset = next
	if next != at.offset {
		t.begin()
		if err := t.commit(ctx); err != nil {
			t.giveUp(ctx, err)
			return err
		}
	}
	p.moved = false
	p.goOn(next)
	return nil
}

// goOn sets the position. What is before it was published, by this process or another. The monitor is taken to have
// seen as much the first time only: afterwards it may be ahead, since what it was shown of an aborted transaction it
// keeps.
func (p *partition) goOn(next int64) {
	if !p.located {
		p.observed, p.located = next, true // until the monitor's snapshot says otherwise
	}
	p.state.next.Store(next)
	p.published = max(p.published, next)
}

// resolve settles the transaction whose commit had no answer, if it is the last that was committed. If it is not, its
// events are decided again, and what the monitor said goes with them.
func (p *partition) resolve(last string) {
	t := p.unsure
	if t == nil {
		return
	}
	if p.unsure = nil; t.text() != last {
		p.c.o.Metrics.transactions.WithLabelValues("aborted").Inc()
		return
	}
	p.c.o.Log.Debug("a commit without an answer has got through", slog.String("partition", p.state.name()))
	t.committed()
}

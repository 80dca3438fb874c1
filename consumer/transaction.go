package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
)

// errOverdue gives a transaction up before its coordinator does.
var errOverdue = errors.New("the transaction takes too long")

// settling is the first pause after error 51: most markers are written by then.
const settling = 2 * time.Millisecond

// A transaction gathers what one partition writes between two commits: decisions, dead letters, the monitor's notes and
// the offset, so that all of it counts or none. It is closed, then open from the first add or take on, then closed
// again by commit; whatever fails in between breaks it, and only another one, under a newer epoch, goes on.
//
// The same transaction value serves one commit after the other, as long as none fails. The publisher alone uses it.
type transaction struct {
	transactional
	p        *partition
	open     bool
	ending   bool            // a commit was sent and has had no answer
	begun    time.Time       // when open
	enrolled map[target]bool // what belongs to the open transaction
	offset   int64           // that will be committed
	events   int             // in the open transaction
	receipts []receipt       // of the runs in the open transaction
	spare    []tally         // of receipts before, to be used again
	number   int             // of the open transaction, under this epoch
	due      *time.Timer     // fires when the open transaction is to be committed
}

// transactionalID names a partition's transactions: one for each input partition of a group. Whoever is given the
// partition takes it over, and so fences whoever had the partition before.
func (c *Consumer) transactionalID(partition int32) string {
	return c.transactionalPrefix() + itoa(partition)
}

// transactionalPrefix is what access is granted to.
func (c *Consumer) transactionalPrefix() string { return c.o.Group + "/" + c.o.Input + "/" }

// newTransaction fences the partition's id. The committed offset may be asked for afterwards, and not before.
func (p *partition) newTransaction(ctx context.Context) (*transaction, error) {
	t := &transaction{
		p: p, transactional: p.c.newTransactional(p.c.transactionalID(p.id), p.c.o.Group),
		enrolled: map[target]bool{}, due: time.NewTimer(time.Hour),
	}
	t.due.Stop()
	attempt, cancel := context.WithTimeout(ctx, p.c.timing.request)
	defer cancel()
	return t, t.fence(attempt, p.c.timing.transaction)
}

// begin starts the clock: the coordinator's begins when it hears of the transaction, so not before this one.
func (t *transaction) begin() {
	if !t.open {
		t.open, t.begun = true, time.Now()
		t.number++
		t.due.Reset(t.c.o.CommitInterval)
	}
}

// add makes sure that what is to be written belongs to the transaction, before it is written.
func (t *transaction) add(ctx context.Context, targets ...target) error {
	fresh := slices.DeleteFunc(targets, func(at target) bool { return t.enrolled[at] })
	if len(fresh) == 0 {
		return nil
	}
	t.begin()
	if err := t.try(ctx, "add_partitions", func(ctx context.Context) error { return t.enroll(ctx, fresh) }); err != nil {
		return err
	}
	for _, at := range fresh {
		t.enrolled[at] = true
	}
	return nil
}

// take adds a run whose records are written, and commits if there are many. A run that wrote nothing and moves no
// offset needs no transaction.
func (t *transaction) take(ctx context.Context, w *run) error {
	if !t.open && w.next <= t.offset {
		t.p.settle(&w.receipt)
		return nil
	}
	t.begin()
	t.offset = max(t.offset, w.next)
	t.events += w.tally.consumed
	t.receipts = append(t.receipts, w.receipt)
	w.tally, w.links = tally{}, nil
	if n := len(t.spare); n > 0 {
		w.tally, t.spare = t.spare[n-1], t.spare[:n-1]
	}
	if t.events >= t.c.o.CommitEvents {
		return t.commit(ctx)
	}
	return nil
}

// commit ends the open transaction, and what is in it counts: the group's offsets join it, the offset is written in the
// name of the generation's member, which is what keeps a process out that the group has given up, and the coordinator
// is told. From that last request on the outcome is the coordinator's, so that ending is set before it is sent.
func (t *transaction) commit(ctx context.Context) error {
	if !t.open {
		return nil
	}
	if err := t.try(ctx, "add_offsets", t.addOffsets); err != nil {
		return err
	}
	marks := map[int32]mark{t.p.id: {offset: t.offset, text: t.text()}}
	err := t.try(ctx, "commit", func(ctx context.Context) error {
		return t.commitOffsets(ctx, t.p.member, t.c.o.Input, marks)
	})
	if err != nil {
		t.c.o.Metrics.commits.WithLabelValues("error").Inc()
		return err
	}
	t.ending = true
	err = t.try(ctx, "end_transaction", func(ctx context.Context) error { return t.end(ctx, true) })
	if err != nil {
		return err
	}
	t.committed()
	return nil
}

// text names the transaction by producer, epoch and number, of which no other has the same, beside the offset that it
// commits. Where the answer to a commit is lost, the text that is found there afterwards tells what became of it.
func (t *transaction) text() string {
	return fmt.Sprintf("%d/%d/%d", t.producer.ID, t.producer.Epoch, t.number)
}

// committed settles what was in the transaction and closes it. The tallies of its runs are kept for runs to come, so
// that no memory is made for each commit.
func (t *transaction) committed() {
	t.c.o.Metrics.transactions.WithLabelValues("committed").Inc()
	t.c.o.Metrics.commits.WithLabelValues("ok").Inc()
	for i := range t.receipts {
		t.p.settle(&t.receipts[i])
		if t.receipts[i].tally.reset(); len(t.spare) < runsPerPartition {
			t.spare = append(t.spare, t.receipts[i].tally)
		}
	}
	t.due.Stop()
	clear(t.enrolled)
	clear(t.receipts)
	t.open, t.ending, t.events, t.receipts = false, false, 0, t.receipts[:0]
}

// giveUp leaves a transaction that cannot be committed, and aborts it if it may still be open, so that readers need not
// wait for its end. Its own failure is of no interest: whoever has the partition next fences, and that aborts it too.
// Only a commit that was asked for and not confirmed is left alone: it may have been heard, and the next fence will
// tell.
func (t *transaction) giveUp(ctx context.Context, cause error) {
	t.due.Stop()
	switch {
	case !t.open:
		return
	case t.ending:
		t.p.unsure = t
		return
	case isFence(cause) || remedyFor(cause) == rejoin:
		t.c.o.Metrics.transactions.WithLabelValues("fenced").Inc()
	default:
		t.c.o.Metrics.transactions.WithLabelValues("aborted").Inc()
	}
	for i := range t.receipts {
		t.p.trace(&t.receipts[i], cause)
	}
	if isFence(cause) {
		return
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.c.timing.abort)
	defer cancel()
	_ = t.end(last, false)
}

// overdue tells whether the transaction has been open for so long that its coordinator might abort it soon.
func (t *transaction) overdue() bool { return t.open && time.Since(t.begun) > t.c.timing.overdue }

// try sends a request until it succeeds, cannot succeed, or the transaction is overdue. What 51 asks for is patience of
// another measure than a fault: the markers of the transaction before take some milliseconds.
func (t *transaction) try(ctx context.Context, operation string, request func(context.Context) error) error {
	err := request(ctx)
	if err == nil {
		return nil
	}
	tries := t.c.retrying(operation, t.p.state.name(), t.p.state)
	for pause := settling; err != nil; err = request(ctx) {
		t.c.o.Log.Debug("transaction", "operation", operation, "partition", t.p.state.name(), "error", err)
		switch {
		case remedyFor(err) != repeat:
			return fmt.Errorf("%s: %w", operation, err)
		case t.overdue():
			return fmt.Errorf("%s: %w: %w", operation, errOverdue, err)
		case errors.Is(err, kafka.ConcurrentTransactions):
			t.c.o.Metrics.retries.WithLabelValues(operation, strconv.Itoa(int(kafka.ConcurrentTransactions))).Inc()
			if err := sleep(ctx, pause); err != nil {
				return err
			}
			pause = min(2*pause, 100*time.Millisecond)
			continue
		}
		if err := tries.wait(ctx, err); err != nil {
			return err
		}
	}
	tries.done()
	return nil
}

package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"fraudstream/consumer/recordbatch"
)

// A transactor writes records to one topic and marks of a group as one: either all are there or none. It is for
// commands that must be able to die at any time and be run again. Its transactional id is fenced when it is made, so
// that an older process under the same id can write nothing any more, and what it had left open is aborted.
type transactor struct {
	transactional
	sequences map[target]int32
}

// transactionTimeout is how long a transaction of a process that was killed may hold up the readers of its topics;
// brokers look every ten seconds.
const transactionTimeout = 10 * time.Second

// errFenced says that another process has taken over.
var errFenced = errors.New("another process has begun the same work, and this one ends")

// newTransactor fences the id. Nothing may be read of the group's marks before.
func (c *Consumer) newTransactor(ctx context.Context, id, group string) (*transactor, error) {
	t := &transactor{transactional: c.newTransactional(id, group), sequences: map[target]int32{}}
	err := t.until(ctx, "init_producer", func(ctx context.Context) error { return t.fence(ctx, transactionTimeout) })
	return t, err
}

// until repeats one request until it succeeds or cannot. A command, unlike the stream, ends when it is fenced or lacks
// a right, with words that name what it lacks; it has no other partition to go on with.
func (t *transactor) until(ctx context.Context, operation string, try func(context.Context) error) error {
	tries := t.c.retrying(operation, "transaction "+t.id, nil)
	for {
		attempt, cancel := context.WithTimeout(ctx, t.c.timing.request)
		err := try(attempt)
		cancel()
		switch {
		case err == nil:
			return nil
		case isFence(err):
			return fmt.Errorf("%w (%w)", errFenced, err)
		case errors.Is(err, kafka.TransactionalIDAuthorizationFailed):
			return denied("transactional id "+t.id, "writing")
		case errors.Is(err, kafka.GroupAuthorizationFailed):
			return denied("group "+t.group, "committing")
		case isDenied(err), errors.Is(err, errTooLarge), isFatal(err):
			return err
		}
		if err := tries.wait(ctx, err); err != nil {
			return err
		}
	}
}

// isFatal tells those after which this transaction cannot go on.
func isFatal(err error) bool {
	return errors.Is(err, kafka.OutOfOrderSequenceNumber) || errors.Is(err, kafka.InvalidTransactionState) ||
		errors.Is(err, kafka.UnknownProducerId)
}

// commit writes the batches and the marks of one topic of the group as one, or nothing: after an error nothing of it is
// to be seen by a reader of committed records, unless the answer to the commit itself was lost.
func (t *transactor) commit(ctx context.Context, batches map[target]*recordbatch.Builder, topic string, marks map[int32]mark) error {
	if err := t.write(ctx, batches); err != nil {
		return t.abort(ctx, err)
	}
	if err := t.mark(ctx, topic, marks); err != nil {
		return t.abort(ctx, err)
	}
	return t.finish(ctx, true)
}

// write enrolls all that is to be written in one request and sends the batches one after the other. A sequence is
// counted on only when the broker has the batch; one that failed ends the transaction, and with it this producer.
func (t *transactor) write(ctx context.Context, batches map[target]*recordbatch.Builder) error {
	if len(batches) == 0 {
		return nil
	}
	if err := t.until(ctx, "add_partitions", func(ctx context.Context) error { return t.enroll(ctx, slices.Collect(maps.Keys(batches))) }); err != nil {
		return err
	}
	for at, batch := range batches {
		encoded := batch.Finish(t.producer, t.sequences[at])
		if err := t.until(ctx, "produce", func(ctx context.Context) error { return t.send(ctx, at, encoded) }); err != nil {
			return err
		}
		t.sequences[at] = (t.sequences[at] + int32(batch.Count())) & (1<<31 - 1)
	}
	return nil
}

// send makes one attempt to have a batch written. That the broker has it already is a success.
func (t *transactor) send(ctx context.Context, at target, batch []byte) error {
	res, err := t.c.roundTrip(ctx, 0, &produceRequest{
		client: t.c.o.ClientID, transaction: t.id, topic: at.topic, partition: at.partition, wait: t.c.timing.request, batch: batch,
	})
	if err != nil {
		return err
	}
	switch code := res.(*produceResponse).code; code {
	case 0, kafka.DuplicateSequenceNumber:
		return nil
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge:
		return errTooLarge
	default:
		return code
	}
}

// mark commits the marks inside the transaction. The group has no members, so there is no generation to name; a process
// that was replaced is kept out by its producer's epoch.
func (t *transactor) mark(ctx context.Context, topic string, marks map[int32]mark) error {
	if err := t.until(ctx, "add_offsets", t.addOffsets); err != nil {
		return err
	}
	return t.until(ctx, "commit", func(ctx context.Context) error {
		return t.commitOffsets(ctx, nobody(), topic, marks)
	})
}

// finish commits the transaction, or aborts it.
func (t *transactor) finish(ctx context.Context, commit bool) error {
	return t.until(ctx, "end_transaction", func(ctx context.Context) error { return t.end(ctx, commit) })
}

// abort ends a transaction that has failed, also where that was because of ctx, so that no reader has to wait for its
// timeout. Its own failure is of no interest: the next process under this id aborts what is open.
func (t *transactor) abort(ctx context.Context, cause error) error {
	if !errors.Is(cause, errFenced) {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), t.c.timing.abort)
		defer cancel()
		_ = t.finish(last, false)
	}
	return cause
}

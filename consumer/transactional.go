package consumer

import (
	"context"
	"time"

	"github.com/segmentio/kafka-go"

	"fraudstream/consumer/recordbatch"
)

// A transactional is the identity under which transactions are written, with their requests to the coordinators: one
// attempt each, and the code that came back as the error. Who sends them decides what is tried again. One goroutine at
// a time uses it.
type transactional struct {
	c        *Consumer
	id       string // transactional id
	group    string // whose offsets are committed
	producer recordbatch.Producer

	transactions coordinator // of the id
	offsets      coordinator // of the group
}

// newTransactional returns an identity that has still to be fenced.
func (c *Consumer) newTransactional(id, group string) transactional {
	return transactional{
		c: c, id: id, group: group,
		transactions: coordinator{c: c, of: id, kind: kafka.CoordinatorKeyTypeTransaction},
		offsets:      coordinator{c: c, of: group, kind: kafka.CoordinatorKeyTypeConsumer},
	}
}

// fence obtains a producer with a new epoch. From then on the coordinator refuses whoever had the id before, and what
// that one had left open is aborted: with error 51, again and again, until that is done.
func (t *transactional) fence(ctx context.Context, timeout time.Duration) error {
	res, err := t.c.client.InitProducerID(ctx, &kafka.InitProducerIDRequest{
		TransactionalID: t.id, ProducerID: -1, ProducerEpoch: -1, TransactionTimeoutMs: int(timeout.Milliseconds()),
	})
	if err != nil {
		return err
	}
	if res.Error == nil {
		t.producer = recordbatch.Producer{
			ID: int64(res.Producer.ProducerID), Epoch: int16(res.Producer.ProducerEpoch), Transactional: true,
		}
	}
	return res.Error
}

// enroll tells the coordinator which partitions belong to the transaction, which begins with the first of them.
func (t *transactional) enroll(ctx context.Context, targets []target) error {
	return t.transactions.ask(ctx, t.encodeAddPartitions(targets), func(in cursor) error {
		return parseAddPartitions(in, targets)
	})
}

// addOffsets tells the coordinator that the group's offsets belong to the transaction.
func (t *transactional) addOffsets(ctx context.Context) error {
	return t.transactions.ask(ctx, t.encodeAddOffsets(), parseCode)
}

// member is who commits offsets. A coordinator takes them of nobody but the members of the group's generation; a group
// without members has generation -1.
type member struct {
	generation int
	id         string
}

// commitOffsets writes marks as offsets of the group; they hold when the transaction is committed.
func (t *transactional) commitOffsets(ctx context.Context, by member, topic string, marks map[int32]mark) error {
	return t.offsets.ask(ctx, t.encodeOffsets(by, topic, marks), func(in cursor) error {
		return parseOffsets(in, topic, marks)
	})
}

// end commits the transaction or aborts it. The answer to a commit comes before its markers are written; one that is
// repeated is answered in the same way, so that it may be repeated when the answer is lost.
func (t *transactional) end(ctx context.Context, commit bool) error {
	return t.transactions.ask(ctx, t.encodeEnd(commit), parseCode)
}

package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"fraudstream/consumer/recordbatch"
)

// errNewProducer starts a pipeline anew with another producer id: the broker no longer takes this one's sequence.
var errNewProducer = errors.New("the broker refuses the producer's sequence")

// errTooLarge says that a batch is over the topic's limit.
var errTooLarge = errors.New("batch over the topic's size limit")

// producer publishes one partition's runs, idempotently, and in transactions where each event is to count exactly once:
// the broker keeps one copy of a batch however often it is sent. It has one request in flight, so that the order of the
// batches is that of their sequences. Its identity lives as long as a pipeline and is never taken up again, since a
// broker that has forgotten a producer accepts any sequence.
type producer struct {
	p         *partition
	id        recordbatch.Producer
	sequences map[target]int32 // of the next record for each partition written to
	tries     *retry
	late      []*outgoing // one letter each: decisions of this run that their topic does not take

	transaction *transaction // nil: at least once
}

// target is a partition of a topic that is written to. Sequences are counted for each, and each is enrolled in a
// transaction by itself.
type target struct {
	topic     string
	partition int32
}

// newProducer obtains an identity, and finds out how the topics written are divided.
func (p *partition) newProducer(ctx context.Context) (*producer, error) {
	tries := p.c.retrying("init_producer", p.state.name(), p.state)
	for {
		p.state.turn() // there is no loop yet that could
		err := p.findRoutes(ctx)
		if err == nil {
			var pr *producer
			if pr, err = p.identify(ctx); err == nil {
				tries.done()
				return pr, nil
			}
		}
		if remedyFor(err) == rejoin {
			return nil, err
		}
		if err := tries.wait(ctx, err); err != nil {
			return nil, err
		}
	}
}

// initProducer obtains an idempotent producer's id and epoch. It has no transactional id, and so nothing that a fence
// could stop: after a crash its batches stand, and the next owner decides the same events again.
func (c *Consumer) initProducer(ctx context.Context) (recordbatch.Producer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.request)
	defer cancel()
	res, err := c.client.InitProducerID(ctx, &kafka.InitProducerIDRequest{
		ProducerID: -1, ProducerEpoch: -1, TransactionTimeoutMs: 30_000,
	})
	if err != nil {
		return recordbatch.Producer{}, err
	}
	if res.Error != nil {
		return recordbatch.Producer{}, res.Error
	}
	return recordbatch.Producer{ID: int64(res.Producer.ProducerID), Epoch: int16(res.Producer.ProducerEpoch)}, nil
}

// codec is what batches are compressed with: LZ4 costs this side less than the bytes that it saves, and the broker
// much less.
func (c *Consumer) codec() recordbatch.Codec {
	if c.o.Uncompressed {
		return recordbatch.None
	}
	return recordbatch.LZ4
}

// findRoutes counts the partitions of everything that is written. A topic that is divided as the input is keeps its
// partitions, so that order per key holds end to end; any other is divided by key.
func (p *partition) findRoutes(ctx context.Context) error {
	input, err := p.c.partitions(ctx, p.c.o.Input)
	if err != nil {
		return aboutTopic(p.c.o.Input, toRead, err)
	}
	if int(p.id) >= input {
		return kafka.UnknownTopicOrPartition // what is known of the topic is older than the assignment
	}
	o := &p.c.o
	for topic, r := range map[string]*route{
		o.Output: &p.routes.output, o.DeadLetter: &p.routes.deadLetter,
		o.Alerts: &p.routes.alerts, o.State: &p.routes.state, o.Ticks: &p.routes.ticks,
	} {
		if topic == "" {
			continue
		}
		n, err := p.c.partitions(ctx, topic)
		if err != nil {
			return aboutTopic(topic, toWrite, err)
		}
		*r = route{same: n == input, partitions: int32(n)}
	}
	p.writer.output, p.writer.letters = o.Output, o.DeadLetter
	p.writer.codec, p.writer.connector = p.c.codec(), p.c.o.Group
	p.writer.mode, p.writer.redactor = o.LetterMode, p.c.redactor
	return nil
}

// run publishes run after run. Only when the broker has acknowledged all of one, or its transaction is committed, does
// the partition's offset move and is the run counted. A transaction is committed when its interval is over, and at the
// end of the runs, which is how a drain leaves nothing open; whatever ends this early gives the open one up.
func (pr *producer) run(ctx context.Context, scored <-chan *run, free chan<- *run) (err error) {
	var due <-chan time.Time
	if t := pr.transaction; t != nil {
		due = t.due.C
		defer func() { t.giveUp(ctx, err) }()
	}
	for {
		select {
		case w, ok := <-scored:
			if !ok {
				return pr.commit(ctx)
			}
			if err := pr.write(ctx, w); err != nil {
				return err
			}
			if !w.aside { // its bytes are with the broker, even if they do not count yet
				pr.p.c.memory.give(w)
				free <- w
			}
		case <-due:
			if err := pr.commit(ctx); err != nil {
				return err
			}
		}
	}
}

// write sends all of a run: the decisions first, since one that its topic does not take becomes a dead letter, and dead
// letters stand in the order of their events.
func (pr *producer) write(ctx context.Context, w *run) error {
	if err := pr.enroll(ctx, w.out[:w.used]...); err != nil {
		return err
	}
	if err := pr.publishAll(ctx, w); err != nil {
		pr.p.trace(&w.receipt, err)
		return err
	}
	if pr.transaction != nil {
		return pr.transaction.take(ctx, w)
	}
	pr.p.settle(&w.receipt)
	return nil
}

// publishAll sends the batches of a run in three rows: decisions, then everything else, into which the decisions that
// have become letters are sorted, then the letters that found no batch to be sorted into.
func (pr *producer) publishAll(ctx context.Context, w *run) error {
	pr.late = pr.late[:0]
	for _, o := range w.out[:w.used] {
		if o.cargo != ofDecisions {
			continue
		}
		if err := pr.publish(ctx, w, o); err != nil {
			return err
		}
	}
	for _, o := range w.out[:w.used] {
		if o.cargo == ofDecisions {
			continue
		}
		o, err := pr.withLate(o)
		if err != nil {
			return err
		}
		if err := pr.publish(ctx, w, o); err != nil {
			return err
		}
	}
	for _, o := range pr.late {
		if err := pr.publish(ctx, w, o); err != nil {
			return err
		}
	}
	return nil
}

// enroll makes what is about to be written part of the transaction, if there are transactions.
func (pr *producer) enroll(ctx context.Context, all ...*outgoing) error {
	if pr.transaction == nil {
		return nil
	}
	targets := make([]target, 0, len(all))
	for _, o := range all {
		if at := (target{o.topic, o.partition}); o.batch.Count() > 0 && !slices.Contains(targets, at) {
			targets = append(targets, at)
		}
	}
	return pr.transaction.add(ctx, targets...)
}

// commit ends the open transaction, if there are transactions. At least once the offsets are committed by the
// generation, for all partitions together.
func (pr *producer) commit(ctx context.Context) error {
	if pr.transaction == nil {
		return nil
	}
	return pr.transaction.commit(ctx)
}

// settle moves the offset past a run that counts from now on, and only now tells anybody of it: metrics, people and
// traces see no event twice, whatever has to be sent again.
func (p *partition) settle(r *receipt) {
	p.state.advance(r)
	p.state.resume()
	if r.notes > 0 {
		p.notes.acked.Store(r.notes)
	}
	p.c.o.Metrics.count(r)
	p.c.o.Metrics.countGap(p.state, r.gap)
	p.exhibit(r)
	p.trace(r, nil)
}

// publish sends one batch until the broker has it. A batch over the topic's limit is cut in two, down to one record.
func (pr *producer) publish(ctx context.Context, w *run, o *outgoing) error {
	if o.batch.Count() == 0 {
		return nil
	}
	if err := pr.enroll(ctx, o); err != nil { // it may be a part of one, to go elsewhere
		return err
	}
	batch := o.batch.Finish(pr.id, pr.sequences[target{o.topic, o.partition}])
	err := pr.deliver(ctx, o, batch)
	switch {
	case !errors.Is(err, errTooLarge):
		return err
	case o.batch.Count() > 1:
		return pr.publishHalves(ctx, w, o, batch)
	case o.cargo == ofLetters:
		return pr.publishLess(ctx, o, batch)
	case o.cargo == ofMonitor:
		pr.leaveOut(o)
		return nil
	}
	return pr.becomeLetter(w, o)
}

// deliver sends a batch, and counts the sequence on when the broker has it. One that is refused takes none of it.
func (pr *producer) deliver(ctx context.Context, o *outgoing, batch []byte) error {
	if err := pr.send(ctx, o, batch); err != nil {
		return err
	}
	at := target{o.topic, o.partition}
	pr.sequences[at] = (pr.sequences[at] + int32(o.batch.Count())) & (1<<31 - 1)
	return nil
}

// rerouteAfter is the number of times that a partition may be unknown before the pipeline starts again. The pauses
// before make about two seconds, in which a topic that has only moved is known again.
const rerouteAfter = 10

// send repeats the same bytes under the same sequence until there is an answer that decides. After an error of the
// network the batch may be there or not, and the connection may still be writing its buffer: hence the same bytes,
// under the same sequence, from a buffer that is not used for anything else afterwards.
func (pr *producer) send(ctx context.Context, o *outgoing, batch []byte) error {
	c := pr.p.c
	for {
		res, err := c.roundTrip(ctx, 0, &produceRequest{
			client: c.o.ClientID, transaction: pr.transactionalID(), topic: o.topic, partition: o.partition,
			wait: c.timing.request, batch: batch,
		})
		if err != nil {
			o.tainted = true
		} else {
			err = produceError(res.(*produceResponse).code)
		}
		switch {
		case err == nil:
			pr.tries.done()
			return nil
		case errors.Is(err, errTooLarge), errors.Is(err, errNewProducer):
			return err
		case errors.Is(err, kafka.UnknownTopicOrPartition) && pr.tries.attempts >= rerouteAfter:
			return err // the topic may have been made anew with other partitions
		case pr.transaction != nil && pr.transaction.overdue():
			return fmt.Errorf("produce: %w: %w", errOverdue, err)
		}
		pr.tries.writes = o.topic
		if err := pr.tries.wait(ctx, err); err != nil {
			return err
		}
	}
}

// transactionalID is what every request to write carries where there are transactions: without it the leader would take
// a batch outside of any, and no fence would keep it out.
func (pr *producer) transactionalID() string {
	if pr.transaction == nil {
		return ""
	}
	return pr.transaction.id
}

// produceError sorts the answers to a produce request: those that are as good as success, those that only a new
// producer or a smaller batch mends, and the rest, which is waited out.
func produceError(code kafka.Error) error {
	switch code {
	case 0, kafka.DuplicateSequenceNumber:
		return nil
	case kafka.MessageSizeTooLarge, kafka.RecordListTooLarge:
		return errTooLarge
	}
	if remedyFor(code) == restart {
		return fmt.Errorf("%w: %w", errNewProducer, code)
	}
	return code
}

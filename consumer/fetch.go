package consumer

import (
	"context"
	"errors"

	"github.com/segmentio/kafka-go"

	"fraudstream/consumer/recordbatch"
)

// errRewound starts a pipeline anew, because its position was out of range.
var errRewound = errors.New("position out of range")

// fetcher turns a partition's log into runs of batches worth scoring. It has one request under way, and none while it has
// no run to fill or no memory for what might come: that is all there is of backpressure. The position only moves past what
// is in a run, or is of no concern to a reader of committed records.
type fetcher struct {
	p     *partition
	next  int64 // offset of the next record that is wanted
	end   int64 // where to stop; -1: never
	tries *retry

	stoodAt int64 // the offset before which this pipeline has said that it stands; -1: none

	ask     int32 // bytes of batches that the next request asks for
	largest int   // bytes of the largest response of late; 0: none was larger than what was asked for
}

// run fetches until ctx ends or the end is reached. It takes an empty run from free and hands it on filled.
func (f *fetcher) run(ctx context.Context, free <-chan *run, fetched chan<- *run) error {
	defer close(fetched)
	for f.end < 0 || f.next < f.end {
		var w *run
		select {
		case w = <-free:
		case <-ctx.Done():
			return nil
		}
		if err := f.fill(ctx, w); err != nil {
			return unlessDone(ctx, err)
		}
		select {
		case fetched <- w:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// fill fetches until w has something: batches to score, or only an offset to move past markers and aborted records. What
// keeps it from that is one of four:
//
//   - The response is larger than what was reserved: nothing of it was read, and it is asked for again with room for it.
//   - The position is out of range (1): the policy says where to go on, or the partition stands.
//   - A batch is corrupt: what came before it is handed on, and it is fetched again, since the wire may have done it. After
//     three attempts the partition stands before it, and each further one asks whether somebody has named another offset.
//   - Anything else is waited out.
func (f *fetcher) fill(ctx context.Context, w *run) error {
	if damaged := f.p.damaged; damaged != nil {
		f.p.damaged = nil
		if handOn, err := f.stand(ctx, w, corruptBatch, damaged); handOn || err != nil {
			return err
		}
	}
	for {
		res, err := f.fetch(ctx, w)
		if err != nil {
			w.wire = nil // the connection may still be reading into it
			w.reset(f.next)
		} else {
			w.wire = res.buf
			err = f.admit(w, res)
		}
		if large, ok := errors.AsType[*oversizeError](err); ok {
			f.largest = large.size // nothing of it was read; there will be room for it
			f.p.c.memory.drop(w)
			continue
		}
		switch {
		case errors.Is(err, kafka.OffsetOutOfRange):
			if handOn, err := f.outOfRange(ctx, w); handOn || err != nil {
				return err
			}
		case w.next > w.first && err == nil, w.next > w.first && isCorrupt(err):
			f.next = w.next // a corrupt batch further on is met again by the next fetch
			f.tries.done()
			return nil
		case err != nil:
			if isCorrupt(err) && f.tries.attempts >= pausedAfter {
				if handOn, err := f.stand(ctx, w, corruptBatch, err); handOn || err != nil {
					return err
				}
			}
			if err := f.tries.wait(ctx, err); err != nil {
				return err
			}
		default:
			f.tries.done()
			f.p.state.idle(f.next, res.lastStable)
			f.shrink(w)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// fetch asks for what follows the position, when there is memory for it. The size of the largest response of late is kept,
// and sinks by an eighth with each request: a batch over what was asked for comes whole, and others like it may follow.
func (f *fetcher) fetch(ctx context.Context, w *run) (*fetchResponse, error) {
	if err := f.reserve(ctx, w); err != nil {
		return nil, err
	}
	c := f.p.c
	answer, err := c.roundTrip(ctx, c.timing.fetchWait, &fetchRequest{
		client: c.o.ClientID, topic: c.o.Input, partition: f.p.id, offset: f.next, wait: c.timing.fetchWait,
		maxBytes: f.ask, room: max(int(f.ask), f.largest) + fetchSlack, buf: w.wire,
	})
	if err != nil {
		return nil, err
	}
	res := answer.(*fetchResponse)
	if f.largest -= f.largest / 8; f.largest < int(f.ask) { // it is forgotten in time
		f.largest = 0
	}
	if len(res.buf) > int(f.ask) {
		f.largest = max(f.largest, len(res.buf))
	}
	return res, nil
}

// shrink gives back what is reserved beyond the partition's share: where there is nothing to read, a large batch of the
// past must not keep others waiting.
func (f *fetcher) shrink(w *run) {
	if f.largest = 0; w.held > f.p.c.memory.each.Load() {
		f.p.c.memory.drop(w)
	}
}

// reserve takes memory for w out of the budget, unless it holds some already: a run that came back without events
// keeps what it has for the next request, as far as shrink lets it.
func (f *fetcher) reserve(ctx context.Context, w *run) (err error) {
	if w.held > 0 {
		return nil
	}
	m := f.p.c.memory
	var need int64
	if f.ask, need, err = m.portion(f.p.growth.Load(), f.largest); err != nil {
		return err
	}
	return m.take(ctx, w, need, f.p.state)
}

// admit puts the batches that count into w, up to the first corrupt one, whose error it returns. Batches before the position
// are passed over: the broker begins with the one that holds it, and compaction may have left nothing of that behind it.
func (f *fetcher) admit(w *run, res *fetchResponse) error {
	w.reset(f.next)
	if res.code != 0 {
		return res.code
	}
	filter := newAbortedFilter(res.aborted)
	for rest := res.records; ; {
		var b recordbatch.Batch
		var ok bool
		var err error
		if rest, ok, err = recordbatch.Next(rest, &b); err != nil || !ok {
			return err
		}
		if f.end >= 0 && b.BaseOffset >= f.end {
			return nil
		}
		if b.NextOffset() <= f.next {
			continue
		}
		counts, err := filter.passes(&b)
		if err != nil {
			return err
		}
		if counts {
			f.p.state.see(res.lastStable, b.FirstTimestamp)
			w.batches, w.stamp = append(w.batches, b), b.MaxTimestamp
		}
		w.next = b.NextOffset()
	}
}

// isCorrupt tells that a batch cannot be read: its bytes are not sound, or it would become too large when it is
// decompressed. The partition comes to stand before either, since more attempts mend only what the wire has done.
func isCorrupt(err error) bool {
	var corrupt *recordbatch.CorruptError
	return errors.As(err, &corrupt)
}

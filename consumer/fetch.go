package consumer

import (
	"context"
	"errors"

	"github.com/segmentio/kafka-go"

	"fraudstream/consumer/recordbatch"
)

// fetchBytes is what one fetch asks of a partition: large enough that a request costs little per event, small enough
// that a hundred partitions fit into memory.
const fetchBytes = 1 << 20

// errRewound starts a pipeline anew, because its position was out of range.
var errRewound = errors.New("position out of range")

// fetcher turns a partition's log into runs of batches worth scoring.
type fetcher struct {
	p     *partition
	next  int64
	end   int64 // where to stop; -1: never
	tries *retry
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

// fill fetches until w has something: batches to score, or only an offset to move past markers and aborted records.
func (f *fetcher) fill(ctx context.Context, w *run) error {
	if damaged := f.p.damaged; damaged != nil {
		f.p.damaged = nil
		if handOn, err := f.stand(ctx, w, corruptBatch, damaged); handOn || err != nil {
			return err
		}
	}
	for {
		res, err := f.fetch(ctx, w.wire)
		if err != nil {
			w.wire = nil // the connection may still be reading into it
			w.reset(f.next)
		} else {
			w.wire = res.buf
			err = f.admit(w, res)
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
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (f *fetcher) fetch(ctx context.Context, buf []byte) (*fetchResponse, error) {
	c := f.p.c
	res, err := c.roundTrip(ctx, c.timing.fetchWait, &fetchRequest{
		client: c.o.ClientID, topic: c.o.Input, partition: f.p.id, offset: f.next,
		wait: c.timing.fetchWait, maxBytes: fetchBytes, buf: buf,
	})
	if err != nil {
		return nil, err
	}
	return res.(*fetchResponse), nil
}

// admit puts the batches that count into w, up to the first corrupt one, whose error it returns.
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

func isCorrupt(err error) bool {
	var corrupt *recordbatch.CorruptError
	return errors.As(err, &corrupt)
}

package consumer

import (
	"bytes"
	"context"
	"errors"
	"log/slog"

	"github.com/segmentio/kafka-go"

	"fraudstream/consumer/recordbatch"
)

// restore gives the monitor its last snapshot, and so finds out which event it is to be shown next. Whatever fails
// here costs the monitor its memory and is said; the decisions go on. It is called once in an assignment, when the
// position is known, by which the snapshot is judged, and before the first fetch. The partition waits 5 s for it at
// most.
func (p *partition) restore(ctx context.Context) {
	if p.observer == nil || p.c.o.State == "" {
		return
	}
	log := p.c.o.Log.With(slog.String("partition", p.state.name()))
	limited, cancel := context.WithTimeout(ctx, p.c.timing.restore)
	defer cancel()
	snapshot, err := p.lastSnapshot(limited)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		attributes := []any{slog.String("topic", p.c.o.State), slog.Any("error", err)}
		log.Warn("the drift snapshot could not be read, the monitor starts anew", append(attributes, p.c.advice("restore", "", err)...)...)
		return
	}
	if snapshot == nil {
		log.Info("no drift snapshot yet, the monitor starts anew", slog.String("topic", p.c.o.State))
		return
	}
	next, err := p.observer.Restore(snapshot)
	if err != nil {
		log.Warn("the drift snapshot cannot be used, the monitor starts anew", slog.Any("error", err))
		return
	}
	p.observed = p.c.reachable(limited, p, next)
	log.Info("drift monitor restored", slog.Int64("snapshot", next), slog.Int64("observe_from", p.observed),
		slog.Int64("decide_from", p.published))
}

// reachable is the first event from next on that can still be shown to the monitor. For one before the committed offset
// the broker is asked what is left. One after it must be there, too: else the topic was made anew, its offsets mean
// other events, and a monitor that waited for the old ones would see nothing for as long as they had taken.
func (c *Consumer) reachable(ctx context.Context, p *partition, next int64) int64 {
	if next >= p.published {
		end, err := c.listOffsets(ctx, c.o.Input, kafka.LastOffset, p.id)
		if err != nil || next <= end[p.id] {
			return next
		}
		c.o.Log.Warn("the drift snapshot is ahead of its topic, which was made anew; the monitor goes on at its first event",
			slog.String("partition", p.state.name()), slog.Int64("snapshot", next), slog.Int64("end", end[p.id]))
		return p.published
	}
	first, err := c.listOffsets(ctx, c.o.Input, kafka.FirstOffset, p.id)
	if err != nil {
		return next // the fetcher will find out
	}
	from := min(max(next, first[p.id]), p.published)
	if from > next {
		c.sayUnseen(p.state.name(), next, from)
	}
	return from
}

// sayUnseen tells of events that were decided before a crash, and that are gone before the monitor could count them.
func (c *Consumer) sayUnseen(partition string, from, to int64) {
	c.o.Log.Warn("events behind the drift snapshot are gone, the monitor goes on without their counts",
		slog.String("partition", partition), slog.Int64("from", from), slog.Int64("to", to), slog.Int64("events_lost", to-from))
}

// lastSnapshot reads the last record of the partition's key on the state topic; nil where there is none, or where it
// was deleted. It looks at the end of the topic first and goes back in growing steps: a snapshot is written at each
// tick, so it is near the end, and only a partition that has no snapshot has all of the topic read. The steps are 256
// offsets at first and eight times as many each time. Snapshots are written by the partition's number and not by the
// hash of their key, so there is one place to look.
func (p *partition) lastSnapshot(ctx context.Context) ([]byte, error) {
	c, key := p.c, p.key()
	count, err := c.partitions(ctx, c.o.State)
	if err != nil {
		return nil, aboutTopic(c.o.State, toRead, err)
	}
	at := p.id % int32(count)
	first, err := c.listOffsets(ctx, c.o.State, kafka.FirstOffset, at)
	if err != nil {
		return nil, err
	}
	end, err := c.listOffsets(ctx, c.o.State, kafka.LastOffset, at)
	if err != nil {
		return nil, err
	}
	p.state.turn()
	for upper, step := end[at], int64(256); upper > first[at]; step *= 8 {
		lower := max(first[at], upper-step)
		value, found, err := c.lastOfKey(ctx, at, lower, upper, key)
		if found || err != nil {
			return value, err
		}
		upper = lower
	}
	return nil, nil
}

// A search looks through a range of one partition of the state topic for the last record of a key. The value is a
// copy: fetched batches and the arena are written over by the next ones.
type search struct {
	key      []byte
	input    string // the topic that the snapshot must have been taken on
	from, to int64  // what has still to be read
	value    []byte // of the last record of the key so far
	found    bool
	unpack   recordbatch.Decompressor
	arena    []byte
}

// lastOfKey reads the records from one offset up to another and returns the value of the key's last one, with whether
// there is one at all: a deleted snapshot is found, and has no value. Compaction may have taken any of the records.
func (c *Consumer) lastOfKey(ctx context.Context, partition int32, from, to int64, key []byte) ([]byte, bool, error) {
	s := search{key: key, input: c.o.Input, from: from, to: to, unpack: recordbatch.Decompressor{Limit: c.memory.large}}
	tries := c.retrying("restore", c.o.State+"/"+itoa(partition), nil)
	var buf []byte
	for s.from < s.to {
		res, err := c.fetchState(ctx, partition, s.from, buf)
		if err != nil {
			_, large := errors.AsType[*oversizeError](err) // and it will be when it is asked for again
			if buf = nil; large || tries.wait(ctx, err) != nil {
				return nil, false, err
			}
			continue
		}
		buf = res.buf
		before := s.from
		if err := s.read(res.records, newAbortedFilter(res.aborted)); err != nil {
			return nil, false, c.memory.explained(err)
		}
		if s.from == before {
			break // nothing is left up to the end
		}
	}
	return s.value, s.found, nil
}

// read looks through fetched batches for the last value of the key, and moves the position past them. A snapshot of a
// transaction that was aborted tells of events that are decided again.
func (s *search) read(batches []byte, committed abortedFilter) error {
	for {
		var b recordbatch.Batch
		rest, ok, err := recordbatch.Next(batches, &b)
		if err != nil || !ok {
			return err
		}
		batches, s.from = rest, max(s.from, b.NextOffset())
		counts, err := committed.passes(&b)
		if err != nil {
			return err
		}
		if !counts {
			continue
		}
		if s.arena, err = s.unpack.Append(s.arena[:0], &b); err != nil {
			return err
		}
		var r recordbatch.Record
		for records := b.Records(s.arena); ; {
			if ok, err := records.Next(&r); err != nil {
				return err
			} else if !ok {
				break
			}
			if r.Offset < s.to && bytes.Equal(r.Key, s.key) && s.ofInput(r.Headers) {
				s.value, s.found = bytes.Clone(r.Value), true
			}
		}
	}
}

// ofInput tells whether a snapshot speaks of the offsets of our input; one that does not say so does.
func (s *search) ofInput(h recordbatch.Headers) bool {
	for key, value := range h.All() {
		if string(key) == headerInput {
			return string(value) == s.input
		}
	}
	return true
}

// fetchState fetches once. There is something before the end that was asked for, or it was compacted away: so the
// broker is not to wait for more. A response takes up no more than a decompressed batch may, whatever size it says it has.
func (c *Consumer) fetchState(ctx context.Context, partition int32, from int64, buf []byte) (*fetchResponse, error) {
	res, err := c.roundTrip(ctx, 0, &fetchRequest{
		client: c.o.ClientID, topic: c.o.State, partition: partition, offset: from, maxBytes: fetchBytes, buf: buf,
		room: c.memory.large + fetchSlack,
	})
	if err != nil {
		return nil, err
	}
	fetched := res.(*fetchResponse)
	if fetched.code != 0 {
		return nil, fetched.code
	}
	return fetched, nil
}

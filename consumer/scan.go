package consumer

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"

	"fraudstream/consumer/recordbatch"
)

// A scan reads the committed records of one partition from one offset up to another, in order, for commands that look
// at what is there. It has nothing of a pipeline's haste: one request at a time, and a copy of nothing.
type scan struct {
	c         *Consumer
	topic     string
	partition int32
	from, to  int64
	fetch     int32 // bytes that one request asks for; the first batch comes whole
	unpack    recordbatch.Decompressor
	arena     []byte
}

// errEnough ends a scan early. Whoever looks at the records returns it, and to the caller of run it is no error.
var errEnough = errors.New("enough was read")

// scanning prepares a scan of the offsets from one up to another, the latter not included. A batch may become as
// large when it is decompressed as one of the stream may.
func (c *Consumer) scanning(topic string, partition int32, from, to int64) *scan {
	return &scan{
		c: c, topic: topic, partition: partition, from: from, to: to, fetch: fetchBytes,
		unpack: recordbatch.Decompressor{Limit: c.memory.large},
	}
}

// run shows each record, which is valid until the next. What the log has lost, to retention or compaction, is passed
// over. Faults of the cluster are waited out; a corrupt batch is fetched a few times and then is an error.
func (s *scan) run(ctx context.Context, each func(*recordbatch.Record) error) error {
	tries := s.c.retrying("fetch", s.topic+"/"+itoa(s.partition), nil)
	for idle := 0; s.from < s.to; {
		before := s.from
		err := s.step(ctx, each)
		if errors.Is(err, kafka.OffsetOutOfRange) {
			if err = s.skip(ctx); err == nil {
				continue
			}
		}
		if stop, ok := errors.AsType[*stopError](err); ok {
			if errors.Is(stop.err, errEnough) {
				return nil
			}
			return stop.err
		}
		switch {
		case isDenied(err):
			return denied("topic "+s.topic, "reading")
		case (isCorrupt(err) || errors.Is(err, errContradiction)) && tries.attempts >= pausedAfter:
			return err
		case err != nil:
			if err := tries.wait(ctx, err); err != nil {
				return err
			}
			continue
		}
		tries.done()
		if idle++; s.from > before {
			idle = 0
		}
		if idle > 3 {
			return nil // the log ends before the offset that was promised: its last records are gone
		}
	}
	return nil
}

// stopError is what whoever looks at the records returned; it is no fault of the cluster, whatever is inside.
// Unmarked, the Kafka code of a write that failed there would be taken for one of the read, and waited out.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }

// step fetches once and shows what came, of committed records alone. The position moves with every record shown, so that a
// step that fails half-way shows none of them twice.
func (s *scan) step(ctx context.Context, each func(*recordbatch.Record) error) error {
	const wait = 100 * time.Millisecond
	answer, err := s.c.roundTrip(ctx, wait, &fetchRequest{
		client: s.c.o.ClientID, topic: s.topic, partition: s.partition, offset: s.from, wait: wait, maxBytes: s.fetch,
	})
	if err != nil {
		return err
	}
	res := answer.(*fetchResponse)
	if res.code != 0 {
		return res.code
	}
	filter := newAbortedFilter(res.aborted)
	for rest := res.records; s.from < s.to; {
		var b recordbatch.Batch
		var ok bool
		if rest, ok, err = recordbatch.Next(rest, &b); err != nil || !ok {
			return err
		}
		counts, err := filter.passes(&b)
		if err != nil {
			return err
		}
		if counts {
			if err := s.show(&b, each); err != nil {
				return err
			}
		}
		s.from = max(s.from, b.NextOffset())
	}
	return nil
}

// show shows the records of one batch that are in the range. It reuses one arena, so a record dies with the next batch.
func (s *scan) show(b *recordbatch.Batch, each func(*recordbatch.Record) error) (err error) {
	if s.arena, err = s.unpack.Append(s.arena[:0], b); err != nil {
		return s.c.memory.explained(err)
	}
	var r recordbatch.Record
	for records := b.Records(s.arena); ; {
		ok, err := records.Next(&r)
		if err != nil || !ok {
			return err
		}
		if r.Offset < s.from || r.Offset >= s.to {
			continue
		}
		if err := each(&r); err != nil {
			return &stopError{err}
		}
		s.from = r.Offset + 1
	}
}

// skip goes on at the first record that is left, after error 1 (offset out of range). Where the offset is past the end the
// topic was made anew, and there is nothing to scan. Where it is neither, the broker contradicts itself and is asked again.
func (s *scan) skip(ctx context.Context) error {
	first, err := s.c.listOffsets(ctx, s.topic, kafka.FirstOffset, s.partition)
	if err != nil {
		return err
	}
	if first[s.partition] <= s.from {
		end, err := s.c.listOffsetsAs(ctx, readUncommitted, s.topic, kafka.LastOffset, s.partition)
		if err != nil {
			return err
		}
		if s.from <= end[s.partition] {
			s.c.resetPool()
			return errContradiction
		}
		s.from = s.to
		return nil
	}
	s.c.o.Log.Debug("records are gone", slog.String("topic", s.topic), slog.Int64("from", s.from), slog.Int64("to", first[s.partition]))
	s.from = first[s.partition]
	return nil
}

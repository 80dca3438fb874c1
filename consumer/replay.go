package consumer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"

	"fraudstream/consumer/deadletter"
	"fraudstream/consumer/recordbatch"
)

// Replay says which dead letters go back to the input topic, and how fast.
type Replay struct {
	Filter   deadletter.Filter
	Rate     float64        // letters a second; 0: as fast as the brokers take them
	DryRun   bool           // only count
	Progress func(Replayed) // called after each transaction, if not nil

	chunk int64 // letters in one transaction; tests make it small
}

// Replayed counts what has become of the letters.
type Replayed struct {
	Total    int64 `json:"total"`    // offsets to look at, from which the others are picked: what a progress bar counts to
	Looked   int64 `json:"looked"`   // of Total
	Replayed int64 `json:"replayed"` // or that would be, in a dry run
	Before   int64 `json:"before"`   // replayed by an earlier command
	Gone     int64 `json:"gone"`     // the letter holds no event, and the input topic no longer has it
	Foreign  int64 `json:"foreign"`  // of another input topic, or of nobody knows where
}

// replayChunk is the number of letters in one transaction, at most.
const replayChunk = 500

// replayBytes is what a transaction may hold for one partition, at most: within what brokers take as one batch unless they
// are told otherwise.
const replayBytes = 512 << 10

// replayOverhead is what a record takes beside its event and the name of its first topic, at most: the headers that
// [replayHeaders] adds, and lengths.
const replayOverhead = 256

// Replay writes dead letters to the input topic, to the partition that each came from, with the headers that name its
// origin: its decision will carry the id that it would have had. It goes up to what is there when it begins.
//
// # Why nothing is replayed twice
//
// The letters of a chunk, and the note that they have been replayed, are one transaction, so a process that is killed
// has done both or neither, and the next one goes on where it was. The note is kept with the offsets of the group
// NAME.dlq-replay, see [deadletter.Progress]; the transactional id of the same name lets only the last process that was
// started write. Readers of the input must read committed records, as the stream here does: one that does not sees the
// letters of an aborted chunk as well.
func (c *Consumer) Replay(ctx context.Context, o Replay) (Replayed, error) {
	defer c.transport.CloseIdleConnections()
	if o.chunk == 0 {
		o.chunk = replayChunk
	}
	r := &replay{c: c, o: o, group: c.o.Group + ".dlq-replay", began: time.Now()}
	if !o.DryRun {
		var err error
		if r.transactor, err = c.newTransactor(ctx, r.group, r.group); err != nil {
			return r.done, c.explained(err)
		}
	}
	all, err := c.reaches(ctx, o.Filter)
	if err != nil {
		return r.done, err
	}
	if r.inputs, err = c.partitions(ctx, c.o.Input); err != nil {
		return r.done, c.explainedTopic(c.o.Input, err)
	}
	if r.room, err = c.replayRoom(ctx); err != nil {
		return r.done, c.explained(err)
	}
	for _, part := range all {
		r.done.Total += part.to - part.from
	}
	for _, part := range all {
		if err := r.partition(ctx, part); err != nil || r.full() {
			return r.done, err
		}
	}
	return r.done, nil
}

// replay is one replay under way.
type replay struct {
	c          *Consumer
	o          Replay
	group      string
	transactor *transactor
	inputs     int // partitions of the input
	room       int // bytes of a batch, before it is compressed
	began      time.Time
	done       Replayed

	batches map[target]*recordbatch.Builder
	chunk   Replayed // what came of the letters that are not committed yet
}

// full tells whether as many letters have been replayed as the filter allows, or would have been in a dry run. Those
// that are in the chunk count.
func (r *replay) full() bool {
	return r.o.Filter.Limit > 0 && r.done.Replayed+r.chunk.Replayed >= int64(r.o.Filter.Limit)
}

// partition replays one partition of the dead letters.
func (r *replay) partition(ctx context.Context, part reach) error {
	marks, err := r.c.committedBy(ctx, r.group, r.c.o.DeadLetter, part.partition)
	if err != nil {
		return r.c.explainedGroup(r.group, err)
	}
	progress, err := deadletter.ParseProgress(marks[part.partition].text)
	if err != nil {
		return fmt.Errorf("group %s, %s/%d: %w", r.group, r.c.o.DeadLetter, part.partition, err)
	}
	from := part.from // of the chunk
	flush := func(to int64) error {
		err := r.flush(ctx, part, &progress, from, to)
		from = to
		return err
	}
	r.batches = map[target]*recordbatch.Builder{}
	end := part.to
	err = r.c.scanning(r.c.o.DeadLetter, part.partition, part.from, part.to).run(ctx, func(record *recordbatch.Record) error {
		l := deadletter.Parse(part.partition, record)
		fate, err := r.fate(ctx, &l, &progress)
		if err != nil {
			return err
		}
		if fate == &r.chunk.Replayed && r.crowded(&l) {
			if err := flush(l.Offset); err != nil {
				return err
			}
		}
		if fate != nil {
			*fate++
		}
		if fate == &r.chunk.Replayed && !r.o.DryRun {
			r.put(&l)
		}
		if r.full() {
			end = l.Offset + 1
			return errEnough
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flush(end)
}

// replayRoom is what one batch may hold: no more than the input topic takes, where this user may see that. A single letter
// that is larger is sent all the same, since compressed it may be small enough.
func (c *Consumer) replayRoom(ctx context.Context) (int, error) {
	all, err := c.settingsOf(ctx, []string{c.o.Input})
	if limit, ok := all[c.o.Input].number("max.message.bytes"); ok {
		return min(limit, replayBytes), err
	}
	return replayBytes, err
}

// crowded tells whether the chunk has no room for another letter, which holds its whole event by now. At a rate a
// chunk is half a second's letters, so that they come evenly and not five hundred at a time.
func (r *replay) crowded(l *deadletter.Letter) bool {
	limit := r.o.chunk
	if r.o.Rate > 0 {
		limit = min(limit, max(int64(r.o.Rate/2), 1))
	}
	if r.chunk.Replayed >= limit {
		return true
	}
	size := len(l.Key) + len(l.Value) + len(l.Headers.Raw) + len(l.Source.Topic) + replayOverhead
	for _, b := range r.batches {
		if b.Size()+size > r.room {
			return true
		}
	}
	return false
}

// fate tells what becomes of a letter, as the counter of the chunk that it adds to; nil where the filter leaves it
// out. One that is replayed holds its event afterwards. Whatever can be told by the letter alone comes first, since
// to fetch an event takes a request.
func (r *replay) fate(ctx context.Context, l *deadletter.Letter, progress *deadletter.Progress) (*int64, error) {
	switch {
	case !r.o.Filter.Picks(l):
		return nil, nil
	case progress.Has(l.Code, l.Offset):
		return &r.chunk.Before, nil
	case !l.Source.Known(), l.Source.Topic != r.c.o.Input:
		return &r.chunk.Foreign, nil
	case l.Mode == deadletter.Raw:
		return &r.chunk.Replayed, nil
	}
	found, err := r.fetchOriginal(ctx, l)
	if !found {
		return &r.chunk.Gone, err
	}
	return &r.chunk.Replayed, err
}

// put writes one letter into the chunk. The record has the time of the replay as its timestamp, by which retention
// and time index go; that of the event travels in a header, from which the stream takes it.
func (r *replay) put(l *deadletter.Letter) {
	at := target{r.c.o.Input, l.Source.Partition}
	if int(at.partition) >= r.inputs {
		at.partition %= int32(r.inputs) // the topic was made anew with fewer
	}
	if r.batches[at] == nil {
		r.batches[at] = &recordbatch.Builder{Codec: r.c.codec()}
	}
	r.batches[at].Append(time.Now().UnixMilli(), l.Key, l.Value, replayHeaders(l))
}

// fetchOriginal reads the event of a letter that does not hold it. One request brings one batch. An event that the
// log no longer has is not found, and that is no error.
func (r *replay) fetchOriginal(ctx context.Context, l *deadletter.Letter) (found bool, err error) {
	if int(l.Source.Partition) >= r.inputs {
		return false, nil
	}
	s := r.c.scanning(l.Source.Topic, l.Source.Partition, l.Source.Offset, l.Source.Offset+1)
	s.fetch = 1
	err = s.run(ctx, func(record *recordbatch.Record) error {
		found = true
		l.Key, l.Value = record.Key, record.Value
		l.Headers = record.Headers
		return errEnough
	})
	return found, err
}

// replayHeaders are the event's own, and where and when it was first read.
func replayHeaders(l *deadletter.Letter) recordbatch.Headers {
	var h recordbatch.Headers
	for key, value := range l.Headers.All() {
		if !deadletter.IsErrorHeader(key) {
			h.Add(string(key), value)
		}
	}
	h.AddText(deadletter.HeaderTopic, l.Source.Topic)
	h.AddText(deadletter.HeaderPartition, strconv.Itoa(int(l.Source.Partition)))
	h.AddText(deadletter.HeaderOffset, strconv.FormatInt(l.Source.Offset, 10))
	if l.Stamp > 0 {
		h.AddText(deadletter.HeaderTimestamp, strconv.FormatInt(l.Stamp, 10))
	}
	return h
}

// flush commits the chunk, which reaches from one offset of the dead letters up to another, and keeps to the rate.
// The rate is that since the beginning, so that what a slow commit has cost is caught up with.
func (r *replay) flush(ctx context.Context, part reach, progress *deadletter.Progress, from, to int64) error {
	if to > from && !r.o.DryRun {
		if err := r.commit(ctx, part, progress, from, to); err != nil {
			return err
		}
	}
	r.done.Looked += to - from
	r.done.Replayed += r.chunk.Replayed
	r.done.Before += r.chunk.Before
	r.done.Gone += r.chunk.Gone
	r.done.Foreign += r.chunk.Foreign
	r.chunk, r.batches = Replayed{}, map[target]*recordbatch.Builder{}
	if r.o.Progress != nil {
		r.o.Progress(r.done)
	}
	if r.o.Rate <= 0 || r.o.DryRun {
		return nil
	}
	due := r.began.Add(time.Duration(float64(r.done.Replayed) / r.o.Rate * float64(time.Second)))
	return sleep(ctx, max(time.Until(due), 0))
}

// commit writes letters and progress in one transaction. A progress whose text no broker would take is refused before
// anything is written.
func (r *replay) commit(ctx context.Context, part reach, progress *deadletter.Progress, from, to int64) error {
	after := progress.Clone()
	after.Add(r.o.Filter.Codes, from, to, part.start)
	text := after.String()
	if len(text) > deadletter.MaxText {
		return errors.New("too many replays with different filters have left gaps: replay once without --code, --since and --until")
	}
	err := r.transactor.commit(ctx, r.batches, r.c.o.DeadLetter, map[int32]mark{part.partition: {after.End(part.start), text}})
	if errors.Is(err, errTooLarge) {
		return fmt.Errorf("%s/%d, offsets %d to %d: a letter is over max.message.bytes of %s; raise that, or leave its code out",
			r.c.o.DeadLetter, part.partition, from, to, r.c.o.Input)
	}
	if isDenied(err) {
		return denied("topic "+r.c.o.Input, "writing")
	}
	if err != nil {
		return r.c.explained(err)
	}
	*progress = after
	return nil
}

// isUnknown tells that a topic is not there.
func isUnknown(err error) bool { return errors.Is(err, kafka.UnknownTopicOrPartition) }

package consumer

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"fraudstream/consumer/deadletter"
	"fraudstream/consumer/recordbatch"
	"fraudstream/scoring"
)

// publishHalves cuts a refused batch in two. Nothing of it was written, so its sequence is free. Each half goes the
// way of a whole batch and may be cut again, so that in the end only the records at fault are alone.
func (pr *producer) publishHalves(ctx context.Context, w *run, o *outgoing, batch []byte) error {
	records, err := decode(batch)
	if err != nil {
		return err
	}
	half := len(records) / 2
	for _, part := range []struct {
		records []recordbatch.Record
		inputs  []int64
	}{{records[:half], o.inputs[:half]}, {records[half:], o.inputs[half:]}} {
		piece := &outgoing{topic: o.topic, partition: o.partition, cargo: o.cargo, inputs: part.inputs}
		piece.batch.Codec = o.batch.Codec
		for _, r := range part.records {
			piece.batch.Append(r.Timestamp, r.Key, r.Value, r.Headers)
		}
		if err := pr.publish(ctx, w, piece); err != nil {
			return err
		}
	}
	return nil
}

// becomeLetter gives up a decision that no record of the output can hold: its event becomes a dead letter, which is
// written with the others of the run.
func (pr *producer) becomeLetter(w *run, o *outgoing) error {
	r, err := pr.p.find(w, o.inputs[0])
	if err != nil {
		return err
	}
	origin, _, _ := pr.p.readHeaders(&r)
	fault := &scoring.EventError{
		Code: scoring.OutputTooLarge, Message: "the decision is over the size limit of topic " + o.topic,
	}
	// A writer of its own: the loop is using the partition's for the next run.
	c := pr.p.c
	letter := writer{
		letters: c.o.DeadLetter, codec: o.batch.Codec, connector: c.o.Group, mode: c.o.LetterMode, redactor: c.redactor,
	}
	scratch := &run{}
	letter.deadLetter(scratch, pr.p.routes.deadLetter.of(pr.p.id, r.Key), &r, origin, fault, time.Now().UnixMilli())
	w.tally.undecide(o.inputs[0], fault.Code)
	w.tally.keep(pr.p.id, o.inputs[0], fault, c.shown, r.Value)
	pr.late = append(pr.late, scratch.out[0])
	return nil
}

// withLate puts those letters into a batch of letters whose events come before its last one, in the order of the events.
// Where there is none to put, which is nearly always, it returns the batch as it is.
func (pr *producer) withLate(o *outgoing) (*outgoing, error) {
	if o.cargo != ofLetters || o.batch.Count() == 0 {
		return o, nil
	}
	var mine []*outgoing
	pr.late = slices.DeleteFunc(pr.late, func(l *outgoing) bool {
		fits := l.partition == o.partition && l.inputs[0] < o.inputs[len(o.inputs)-1]
		if fits {
			mine = append(mine, l)
		}
		return fits
	})
	if len(mine) == 0 {
		return o, nil
	}
	return merged(append(mine, o), pr.id)
}

// merged is a batch with the letters of all of them in the order of their events.
func merged(all []*outgoing, id recordbatch.Producer) (*outgoing, error) {
	type letter struct {
		recordbatch.Record
		input int64
	}
	var letters []letter
	for _, from := range all {
		records, err := decode(from.batch.Finish(id, 0)) // only to be read here: it is never sent
		if err != nil {
			return nil, err
		}
		for i, r := range records {
			letters = append(letters, letter{r, from.inputs[i]})
		}
	}
	slices.SortFunc(letters, func(a, b letter) int { return cmp.Compare(a.input, b.input) })
	m := &outgoing{topic: all[0].topic, partition: all[0].partition, cargo: ofLetters}
	m.batch.Codec = all[0].batch.Codec
	for _, l := range letters {
		m.batch.Append(l.Timestamp, l.Key, l.Value, l.Headers)
		m.inputs = append(m.inputs, l.input)
	}
	return m, nil
}

// publishLess writes a dead letter that is over the limit of its topic with less and less of its event, until it fits: the
// headers tell where the event is, and a replay fetches it from there. Where not even those fit, the partition stands, and
// all is tried again: what was passed over without a letter would be gone without a word.
func (pr *producer) publishLess(ctx context.Context, o *outgoing, batch []byte) error {
	records, err := decode(batch)
	if err != nil {
		return err
	}
	for {
		size := len(batch)
		for _, less := range lessAndLess(&records[0]) {
			stub := &outgoing{topic: o.topic, partition: o.partition, cargo: ofLetters, inputs: o.inputs}
			stub.batch.Append(less.Timestamp, less.Key, less.Value, less.Headers)
			encoded := stub.batch.Finish(pr.id, pr.sequences[target{o.topic, o.partition}])
			size = len(encoded)
			err := pr.deliver(ctx, stub, encoded)
			if err == nil {
				pr.p.c.o.Log.Warn("dead letter over the size limit, written without its value", slog.String("topic", o.topic),
					slog.String("source", pr.p.state.name()), slog.Int64("offset", o.inputs[0]), slog.Bool("with_key", less.Key != nil))
			}
			if !errors.Is(err, errTooLarge) {
				return err
			}
		}
		if err := pr.standBefore(ctx, &letterError{topic: o.topic, size: size}); err != nil {
			return err
		}
		if err := pr.deliver(ctx, o, batch); !errors.Is(err, errTooLarge) { // nothing was written, so its sequence is free
			return err
		}
	}
}

// lessAndLess are the forms of a dead letter with less in them than it has: without the event's value, then without its
// key and its headers too. There is none of a letter that holds nothing of its event.
func lessAndLess(r *recordbatch.Record) (forms []recordbatch.Record) {
	var kept, bare recordbatch.Headers
	for key, value := range r.Headers.All() {
		if string(key) == deadletter.HeaderValue {
			continue
		}
		kept.Add(string(key), value)
		if deadletter.IsErrorHeader(key) {
			bare.Add(string(key), value)
		}
	}
	ofEvent := kept.Count > bare.Count
	kept.AddText(deadletter.HeaderValue, deadletter.Reference.HeaderText())
	bare.AddText(deadletter.HeaderValue, deadletter.Reference.HeaderText())
	if r.Value != nil {
		forms = append(forms, recordbatch.Record{Timestamp: r.Timestamp, Key: r.Key, Headers: kept})
	}
	if r.Key != nil || ofEvent {
		forms = append(forms, recordbatch.Record{Timestamp: r.Timestamp, Headers: bare})
	}
	return forms
}

// letterTooLarge is the reason of a pause before an event that no record of the dead letters can even name.
const letterTooLarge = "letter_too_large"

// letterError says that a topic takes no letter of an event at all.
type letterError struct {
	topic string
	size  int // of the least that there is to say, in bytes
}

func (e *letterError) Error() string {
	return fmt.Sprintf("topic %s takes no dead letter, not even one of %d bytes without its event: raise max.message.bytes of the topic", e.topic, e.size)
}

func (e *letterError) Unwrap() error { return kafka.MessageSizeTooLarge }

// standBefore shows the partition as paused, and waits a moment. A transaction is given up before its coordinator does so,
// and begins anew with the partition still paused.
func (pr *producer) standBefore(ctx context.Context, err *letterError) error {
	if pr.transaction != nil && pr.transaction.overdue() {
		return fmt.Errorf("produce: %w: %w", errOverdue, err)
	}
	return pr.tries.wait(ctx, err)
}

// leaveOut gives up what the monitor had to say where it is over the limit of its topic: the stream must not stand
// still for it. It counts as acknowledged with its run, and so is not sent again.
func (pr *producer) leaveOut(o *outgoing) {
	c := pr.p.c
	c.quiet.warn("aside"+o.topic, "a record of the drift monitor is over the size limit of its topic and left out; raise max.message.bytes",
		slog.String("topic", o.topic), slog.String("source", pr.p.state.name()), slog.Int("bytes", o.batch.Size()))
}

// find reads the input record with the given offset again from the run's batches. Decompressed records are not kept
// for it, since hardly any run needs them. The large desk does it again, which has room for any batch that was
// scored.
func (p *partition) find(w *run, offset int64) (recordbatch.Record, error) {
	for i := range w.batches {
		b := &w.batches[i]
		if offset < b.BaseOffset || offset >= b.NextOffset() {
			continue
		}
		if b.Codec() == recordbatch.None {
			return findIn(b, b.Payload, offset)
		}
		payload, done, err := p.c.memory.unpackLarge(b)
		defer done()
		if err != nil {
			return recordbatch.Record{}, err
		}
		r, err := findIn(b, payload, offset)
		r.Key, r.Value, r.Headers.Raw = bytes.Clone(r.Key), bytes.Clone(r.Value), bytes.Clone(r.Headers.Raw) // the next to unpack writes over it
		return r, err
	}
	return recordbatch.Record{}, missing(offset)
}

// findIn is find in one batch, decompressed.
func findIn(b *recordbatch.Batch, payload []byte, offset int64) (r recordbatch.Record, err error) {
	for records := b.Records(payload); ; {
		if ok, err := records.Next(&r); err != nil || !ok {
			return recordbatch.Record{}, errors.Join(missing(offset), err)
		}
		if r.Offset == offset {
			return r, nil
		}
	}
}

// missing is a fault of this program: what came of a run names an offset that is in none of its batches.
func missing(offset int64) error { return fmt.Errorf("offset %d is not in the run", offset) }

// decode reads back the records of a batch of our own.
func decode(batch []byte) ([]recordbatch.Record, error) {
	var b recordbatch.Batch
	if _, _, err := recordbatch.Next(batch, &b); err != nil {
		return nil, err
	}
	unpack := recordbatch.Decompressor{Limit: maxResponse}
	payload, err := unpack.Append(nil, &b)
	if err != nil {
		return nil, err
	}
	var all []recordbatch.Record
	for records := b.Records(payload); ; {
		var r recordbatch.Record
		ok, err := records.Next(&r)
		if err != nil {
			return nil, err
		}
		if !ok {
			return all, nil
		}
		all = append(all, r)
	}
}

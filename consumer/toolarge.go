package consumer

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"fraudstream/consumer/deadletter"
	"fraudstream/consumer/recordbatch"
	"fraudstream/scoring"
)

// publishHalves cuts a refused batch in two. Nothing of it was written, so its sequence is free.
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

// publishStub writes a dead letter without its value where even that is over the limit of its topic: the headers tell
// where the event is.
func (pr *producer) publishStub(ctx context.Context, w *run, o *outgoing, batch []byte) error {
	records, err := decode(batch)
	if err != nil {
		return err
	}
	r := records[0]
	if r.Value == nil {
		return pr.tries.wait(ctx, kafka.MessageSizeTooLarge) // nothing is left to leave out: start again, and wait
	}
	pr.p.c.o.Log.Warn("dead letter over the size limit, written without its value", slog.String("topic", o.topic),
		slog.String("source", pr.p.state.name()), slog.Int64("offset", o.inputs[0]))
	stub := &outgoing{topic: o.topic, partition: o.partition, cargo: ofLetters, inputs: o.inputs}
	var headers recordbatch.Headers
	for key, value := range r.Headers.All() {
		if string(key) != deadletter.HeaderValue {
			headers.Add(string(key), value)
		}
	}
	headers.AddText(deadletter.HeaderValue, deadletter.Reference.HeaderText())
	stub.batch.Append(r.Timestamp, r.Key, nil, headers)
	return pr.publish(ctx, w, stub)
}

// leaveOut gives up what the monitor had to say where it is over the limit of its topic: the stream must not stand
// still for it.
func (pr *producer) leaveOut(o *outgoing) {
	c := pr.p.c
	c.quiet.warn("aside"+o.topic, "a record of the drift monitor is over the size limit of its topic and left out; raise max.message.bytes",
		slog.String("topic", o.topic), slog.String("source", pr.p.state.name()), slog.Int("bytes", o.batch.Size()))
}

// find reads the input record with the given offset again from the run's batches.
func (p *partition) find(w *run, offset int64) (recordbatch.Record, error) {
	unpack := recordbatch.Decompressor{Limit: p.c.memory.large}
	for i := range w.batches {
		b := &w.batches[i]
		if offset < b.BaseOffset || offset >= b.NextOffset() {
			continue
		}
		payload, err := unpack.Append(nil, b)
		if err != nil {
			return recordbatch.Record{}, err
		}
		records := b.Records(payload)
		for {
			var r recordbatch.Record
			if ok, err := records.Next(&r); err != nil || !ok {
				break
			}
			if r.Offset == offset {
				return r, nil
			}
		}
	}
	return recordbatch.Record{}, fmt.Errorf("offset %d is not in the run", offset)
}

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

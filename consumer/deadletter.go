package consumer

import (
	"bytes"
	"regexp"
	"strconv"

	"fraudstream/consumer/deadletter"
	"fraudstream/consumer/recordbatch"
	"fraudstream/scoring"
)

// deadLetter writes what was wrong with a record and where it came from, and as much of the record as the mode of the
// dead letters allows. The error text holds no payload. A replayed event that fails again keeps its first origin. The
// loop calls it for what could not be scored; the publisher does, with a writer of its own, for a decision that its
// topic does not take. now is the timestamp of the letter, Unix milliseconds.
func (w *writer) deadLetter(run *run, partition int32, r *recordbatch.Record, origin scoring.Origin, e *scoring.EventError, now int64) {
	key, value := r.Key, r.Value
	switch w.mode {
	case deadletter.Redacted:
		key, value = w.redactor.Key(key), w.redactor.Value(value)
	case deadletter.Reference:
		key, value = nil, nil
	}
	w.errorHeaders(r, origin, e)
	w.append(run, w.letters, partition, ofLetters, r, key, value, now)
}

// errorHeaders sets w.headers: first the event's own, as far as they may be seen, then those that Kafka Connect gives
// its dead letters (KIP-298), so that tools for those read ours as well, then what Connect has no header for. Topic,
// partition and offset are the origin's, which for a replayed event is where it was first read. Stage, class and
// exception are the same for every letter. The record's timestamp, Unix milliseconds, is left out where the record
// has none.
func (w *writer) errorHeaders(r *recordbatch.Record, origin scoring.Origin, e *scoring.EventError) {
	w.keepHeaders(r.Headers)
	h := &w.headers
	h.AddText(deadletter.HeaderTopic, origin.Topic)
	h.AddText(deadletter.HeaderPartition, strconv.Itoa(int(origin.Partition)))
	h.AddText(deadletter.HeaderOffset, strconv.FormatInt(origin.Offset, 10))
	h.AddText(deadletter.HeaderConnector, w.connector)
	h.AddText(deadletter.HeaderTask, strconv.Itoa(int(origin.Partition)))
	h.AddText(deadletter.HeaderStage, "TRANSFORMATION")
	h.AddText(deadletter.HeaderClass, "fraudstream/scoring.Scorer")
	h.AddText(deadletter.HeaderException, "fraudstream/scoring.EventError")
	h.AddText(deadletter.HeaderMessage, e.Error())
	h.AddText(deadletter.HeaderCode, string(e.Code))
	if e.Field != "" {
		h.AddText(deadletter.HeaderField, e.Field)
	}
	if r.Timestamp > 0 {
		h.AddText(deadletter.HeaderTimestamp, strconv.FormatInt(r.Timestamp, 10))
	}
	if text := w.mode.HeaderText(); text != "" {
		h.AddText(deadletter.HeaderValue, text)
	}
}

// keepHeaders copies the headers of a record, without those of an earlier failure. Where the value is not to be seen,
// neither are headers that hold who knows what: only the id of the trace and the kind of content stay.
func (w *writer) keepHeaders(from recordbatch.Headers) {
	whole := w.mode == deadletter.Raw
	for key := range from.All() {
		whole = whole && !deadletter.IsErrorHeader(key)
	}
	if whole {
		w.headers.CopyOf(from)
		return
	}
	w.headers.Count, w.headers.Raw = 0, w.headers.Raw[:0]
	for key, value := range from.All() {
		if deadletter.IsErrorHeader(key) {
			continue
		}
		if w.mode != deadletter.Raw {
			if value = harmless(string(key), value); value == nil {
				continue
			}
		}
		w.headers.Add(string(key), value)
	}
}

// harmless is what of a header cannot hold anything of a payment: a trace parent of the form of W3C Trace Context, and a
// media type without its parameters. A trace state is free text of whoever wrote it. Nil: nothing.
func harmless(key string, value []byte) []byte {
	switch key {
	case headerParent:
		if wellFormedParent.Match(value) {
			return value
		}
	case "content-type":
		media, _, _ := bytes.Cut(value, []byte(";"))
		if media = bytes.TrimSpace(media); mediaType.Match(media) {
			return media
		}
	}
	return nil
}

// The forms of those two. Here a media type has no digits, which costs a few that are registered: those of a card
// must not pass for one.
var (
	wellFormedParent = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)
	mediaType        = regexp.MustCompile(`^[a-zA-Z]+/[a-zA-Z][a-zA-Z.+-]*$`)
)

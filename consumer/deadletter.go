package consumer

import (
	"strconv"
	"strings"

	"fraudstream/consumer/recordbatch"
	"fraudstream/scoring"
)

// The headers of a dead letter: Kafka Connect's names, as text, so that the tools that know them work; and two of our
// own with what is stable across versions.
const (
	connectPrefix   = "__connect.errors."
	headerTopic     = connectPrefix + "topic"
	headerPartition = connectPrefix + "partition"
	headerOffset    = connectPrefix + "offset"
	headerConnector = connectPrefix + "connector.name"
	headerTask      = connectPrefix + "task.id"
	headerStage     = connectPrefix + "stage"
	headerClass     = connectPrefix + "class.name"
	headerException = connectPrefix + "exception.class.name"
	headerMessage   = connectPrefix + "exception.message"

	ownPrefix   = "fraudstream.error."
	headerCode  = ownPrefix + "code"
	headerField = ownPrefix + "field"
)

// deadLetter writes the record as it came, key, value and headers, with what was wrong and where it came from. The
// error text holds no payload. A replayed event that fails again keeps its first origin.
func (w *writer) deadLetter(run *run, partition int32, r *recordbatch.Record, origin scoring.Origin, e *scoring.EventError, now int64) {
	w.errorHeaders(r, origin, e)
	w.append(run, w.letters, partition, ofLetters, r, r.Key, r.Value, now)
}

func (w *writer) errorHeaders(r *recordbatch.Record, origin scoring.Origin, e *scoring.EventError) {
	w.keepHeaders(r.Headers)
	h := &w.headers
	h.AddText(headerTopic, origin.Topic)
	h.AddText(headerPartition, strconv.Itoa(int(origin.Partition)))
	h.AddText(headerOffset, strconv.FormatInt(origin.Offset, 10))
	h.AddText(headerConnector, w.connector)
	h.AddText(headerTask, strconv.Itoa(int(origin.Partition)))
	h.AddText(headerStage, "TRANSFORMATION")
	h.AddText(headerClass, "fraudstream/scoring.Scorer")
	h.AddText(headerException, "fraudstream/scoring.EventError")
	h.AddText(headerMessage, e.Error())
	h.AddText(headerCode, string(e.Code))
	if e.Field != "" {
		h.AddText(headerField, e.Field)
	}
}

// keepHeaders copies the headers of a record, without those of an earlier failure.
func (w *writer) keepHeaders(from recordbatch.Headers) {
	failedBefore := false
	for key := range from.All() {
		failedBefore = failedBefore || isErrorHeader(key)
	}
	if !failedBefore {
		w.headers.CopyOf(from)
		return
	}
	w.headers.Count, w.headers.Raw = 0, w.headers.Raw[:0]
	for key, value := range from.All() {
		if !isErrorHeader(key) {
			w.headers.Add(string(key), value)
		}
	}
}

func isErrorHeader(key []byte) bool {
	return strings.HasPrefix(string(key), connectPrefix) || strings.HasPrefix(string(key), ownPrefix)
}

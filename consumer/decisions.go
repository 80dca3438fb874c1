package consumer

import (
	"encoding/binary"
	"math"
	"strconv"

	"fraudstream/consumer/deadletter"
	"fraudstream/consumer/recordbatch"
	"fraudstream/scoring"
)

// writer encodes decisions and dead letters into the batches of a run. It belongs to one partition's loop; its
// scratch is used again for every record.
type writer struct {
	output, letters string // topics
	codec           recordbatch.Codec
	connector       string // name of the consumer group, as Kafka Connect names its connector
	mode            deadletter.Mode
	redactor        *deadletter.Redactor

	common  recordbatch.Headers    // headers that are the same for every decision of a model
	verdict [3]recordbatch.Headers // and for each verdict
	headers recordbatch.Headers    // scratch
	value   []byte                 // scratch
	id      []byte                 // scratch
}

// decisionType is the CloudEvents type of a decision.
const decisionType = "fraudstream.decision.v1"

// use prepares the headers that a model's decisions have in common: CloudEvents in binary mode, where model and
// decision are extension attributes, so that a reader can route without parsing the value.
func (w *writer) use(input, model string) {
	w.common = recordbatch.Headers{}
	w.common.AddText("ce_specversion", "1.0")
	w.common.AddText("ce_type", decisionType)
	w.common.AddText("ce_source", "/fraudstream/"+input)
	w.common.AddText("content-type", "application/json")
	w.common.AddText("ce_model", model)
	for v := range w.verdict {
		w.verdict[v] = recordbatch.Headers{}
		w.verdict[v].AddText("ce_decision", scoring.Verdict(v).String())
	}
}

// decision writes d for the record r: its key, its trace, and the time of scoring as timestamp, so that the
// value itself holds no wall clock and a replay gives the same bytes.
func (w *writer) decision(run *run, partition int32, r *recordbatch.Record, d *scoring.Decision, trace traceContext, now int64) {
	w.value = d.AppendJSON(w.value[:0])
	w.id = d.AppendID(w.id[:0])
	w.headers.CopyOf(w.common)
	w.headers.Raw = append(w.headers.Raw, w.verdict[d.Verdict].Raw...)
	w.headers.Count++
	w.headers.Add("ce_id", w.id)
	if trace.parent != nil {
		w.headers.Add(headerParent, trace.parent)
	}
	if trace.state != nil {
		w.headers.Add(headerState, trace.state)
	}
	w.append(run, w.output, partition, ofDecisions, r, r.Key, w.value, now)
}

// append adds one record with the headers in w.headers. Its size is an estimate, before compression, with 32 bytes
// for lengths, attributes and the differences of offset and timestamp; batchBytes leaves room for what it misses.
func (w *writer) append(run *run, topic string, partition int32, c cargo, r *recordbatch.Record, key, value []byte, now int64) {
	size := len(key) + len(value) + len(w.headers.Raw) + 32
	o := run.outputFor(topic, partition, c, size, w.codec)
	o.batch.Append(now, key, value, w.headers)
	o.inputs = append(o.inputs, r.Offset)
}

// longestTopic is the length of the longest name that Kafka allows a topic, in bytes.
const longestTopic = 249

// readHeaders finds in a record's headers what travels on: the trace, and the origin of a replayed dead letter, whose
// decision keeps the id that it would have had. Such an event also keeps the timestamp of its first record, which may
// be its time. Beside them it finds what the headers say of the value.
func (p *partition) readHeaders(r *recordbatch.Record) (scoring.Origin, scoring.Content, traceContext) {
	origin := scoring.Origin{Topic: p.c.o.Input, Partition: p.id, Offset: r.Offset}
	if r.Headers.Count == 0 {
		return origin, scoring.Untold, traceContext{}
	}
	var trace traceContext
	var mediaType, specVersion []byte
	replay, stamp := scoring.Origin{Partition: -1, Offset: -1}, int64(0)
	for key, value := range r.Headers.All() {
		switch string(key) {
		case headerParent:
			trace.parent = value
		case headerState:
			trace.state = value
		case "content-type":
			mediaType = value
		case "ce_specversion":
			specVersion = value
		case deadletter.HeaderTopic:
			if len(value) <= longestTopic { // or its dead letter could become too large to be written at all
				replay.Topic = string(value)
			}
		case deadletter.HeaderPartition:
			if n, err := strconv.ParseInt(string(value), 10, 32); err == nil {
				replay.Partition = int32(n)
			}
		case deadletter.HeaderOffset:
			if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
				replay.Offset = n
			}
		case deadletter.HeaderTimestamp:
			if n, err := strconv.ParseInt(string(value), 10, 64); err == nil {
				stamp = n
			}
		}
	}
	if replay.Topic != "" && replay.Partition >= 0 && replay.Offset >= 0 {
		origin = replay
		if stamp > 0 {
			r.Timestamp = stamp
		}
	}
	return origin, scoring.ContentOf(mediaType, specVersion), trace
}

// observe tells the monitor of the chunk. Events that it has been told of before, because the pipeline started again,
// are left out, and so are values that were no JSON: there is nothing to see in them.
func (p *partition) observe() {
	if p.observer == nil {
		return
	}
	p.seen = p.seen[:0]
	repeated := p.silent()
	for i := range p.batch.Results {
		result, offset := &p.batch.Results[i], p.records[i].Offset
		if offset < p.observed || result.Outcome == scoring.Skipped || result.X == nil {
			continue
		}
		o := Observation{Offset: offset, Time: result.Time, X: result.X, Score: result.Decision.Score, Feature: -1, Repeated: repeated}
		if result.Outcome == scoring.Refused {
			o.Score, o.Code, o.Feature = math.NaN(), result.Err.Code, result.Feature
		}
		p.seen = append(p.seen, o)
	}
	p.tell()
}

// show shows the records to the observer of a consumer that decides nothing.
func (p *partition) show() {
	p.seen = p.seen[:0]
	for i := range p.records[:p.filled] {
		r := &p.records[i]
		if r.Offset >= p.observed {
			p.seen = append(p.seen, Observation{Offset: r.Offset, Time: r.Timestamp * 1e6, Key: r.Key, Value: r.Value, Feature: -1})
		}
	}
	p.tell()
}

// tell hands what was seen to the observer. A chunk that ends before what was observed is kept from it.
func (p *partition) tell() {
	if next := p.records[p.filled-1].Offset + 1; next > p.observed {
		p.observer.ObserveBatch(p.seen, next)
		p.observed = next
	}
}

// routes say to which partition of each topic written a record goes.
type routes struct{ output, deadLetter, alerts, state, ticks route }

// route keeps the input's partitioning where the topics have equally many partitions, so that order per key holds
// from end to end; else it is by the key, as Kafka's own producers do it.
type route struct {
	same       bool
	partitions int32
}

// of is the partition for an event of an input partition. One without a key goes by that partition, so that it stays
// among its neighbours.
func (r route) of(input int32, key []byte) int32 {
	switch {
	case r.same:
		return input
	case key == nil:
		return input % r.partitions
	}
	return r.byKey(key)
}

// byKey is the partition that Kafka's own producers choose for a key.
func (r route) byKey(key []byte) int32 { return int32(murmur2(key)&math.MaxInt32) % r.partitions }

// murmur2 is the hash of Kafka's default partitioner (MurmurHash2, 32 bits, with the seed that Kafka chose).
func murmur2(data []byte) uint32 {
	const m, seed = 0x5bd1e995, 0x9747b28c
	h := uint32(seed) ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := binary.LittleEndian.Uint32(data) * m
		h = h*m ^ (k^k>>24)*m
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(data[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

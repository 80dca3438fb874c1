package consumer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"pgregory.net/rapid"

	"fraudstream/consumer/recordbatch"
)

// packed compresses the records of a batch as other producers do.
func packed(t interface{ Fatal(...any) }, batch []byte, codec recordbatch.Codec) []byte {
	var payload bytes.Buffer
	var w io.WriteCloser
	switch records := batch[61:]; codec {
	case recordbatch.Gzip:
		w = gzip.NewWriter(&payload)
	case recordbatch.Zstd:
		w, _ = zstd.NewWriter(&payload)
	case recordbatch.Snappy:
		payload.Write(snappy.Encode(nil, records))
	default:
		return batch // the builder's own
	}
	if w != nil {
		_, _ = w.Write(batch[61:])
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	out := append(bytes.Clone(batch[:61]), payload.Bytes()...)
	binary.BigEndian.PutUint32(out[8:], uint32(len(out)-12))
	binary.BigEndian.PutUint16(out[21:], binary.BigEndian.Uint16(out[21:])|uint16(codec))
	binary.BigEndian.PutUint32(out[17:], crc32.Checksum(out[21:], crc32.MakeTable(crc32.Castagnoli)))
	return out
}

// drawLog draws a log as compaction leaves it: batches of every codec with gaps between and within them, some of them
// in transactions, some without records.
func drawLog(t *rapid.T) []byte {
	field := rapid.OneOf(rapid.Just[[]byte](nil), rapid.SliceOfN(rapid.Byte(), 0, 50))
	var log []byte
	base := rapid.Int64Range(0, 1000).Draw(t, "base")
	for range rapid.IntRange(1, 6).Draw(t, "batches") {
		codec := rapid.SampledFrom([]recordbatch.Codec{
			recordbatch.None, recordbatch.Gzip, recordbatch.Snappy, recordbatch.LZ4, recordbatch.Zstd,
		}).Draw(t, "codec")
		var b recordbatch.Builder
		if codec == recordbatch.LZ4 {
			b.Codec = codec
		}
		place := int32(-1)
		for range rapid.IntRange(0, 5).Draw(t, "records") {
			place += rapid.Int32Range(1, 3).Draw(t, "place")
			var h recordbatch.Headers
			for range rapid.IntRange(0, 2).Draw(t, "headers") {
				h.Add(rapid.StringN(0, 5, -1).Draw(t, "name"), field.Draw(t, "header"))
			}
			b.AppendAt(place, rapid.Int64Range(-1, 1<<40).Draw(t, "timestamp"), field.Draw(t, "key"), field.Draw(t, "value"), h)
		}
		last := max(place, 0) + rapid.Int32Range(0, 3).Draw(t, "tail")
		p := recordbatch.Producer{ID: rapid.Int64Range(-1, 3).Draw(t, "producer"), Transactional: rapid.Bool().Draw(t, "transactional")}
		encoded := b.FinishAt(recordbatch.Position{Base: base, Last: last}, p, 7)
		if b.Count() > 0 {
			encoded = packed(t, encoded, codec)
		}
		log = append(log, encoded...)
		base += int64(last) + 1 + rapid.Int64Range(0, 3).Draw(t, "gap")
	}
	return log
}

// byLibrary reads a log as the library does and writes it anew.
func byLibrary(t interface{ Fatal(...any) }, r *fetchRequest, log []byte) []byte {
	var set protocol.RecordSet
	prefixed := append(binary.BigEndian.AppendUint32(nil, uint32(len(log))), log...)
	if _, err := set.ReadFrom(bytes.NewReader(prefixed)); err != nil {
		t.Fatal(err)
	}
	out, err := r.rewrite(nil, set.Records)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// walk describes the records of a log from an offset on, with what the filter of aborted transactions looks at.
func walk(t interface{ Fatal(...any) }, log []byte, from int64) (records []string, next int64) {
	unpack := recordbatch.Decompressor{Limit: 1 << 20}
	for rest := log; ; {
		var b recordbatch.Batch
		var ok bool
		var err error
		if rest, ok, err = recordbatch.Next(rest, &b); err != nil {
			t.Fatal(err)
		}
		if !ok {
			return records, next
		}
		payload, err := unpack.Append(nil, &b)
		if err != nil {
			t.Fatal(err)
		}
		next = b.NextOffset()
		for all := b.Records(payload); ; {
			var r recordbatch.Record
			ok, err := all.Next(&r)
			if err != nil {
				t.Fatal(err)
			}
			if !ok {
				break
			}
			if r.Offset >= from {
				records = append(records, fmt.Sprintf("%d %d %q %q %v %q of %d in %v %v", r.Offset, r.Timestamp, r.Key, r.Value,
					r.Headers.Count, r.Headers.Raw, b.ProducerID, b.Transactional(), b.Control()))
			}
		}
	}
}

// What the library has read and this package has written anew holds the same records as the log, and the offset that it
// ends at lies behind the one that was asked for, and never behind a record that was not seen.
func TestRewriteKeepsEverything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := drawLog(t)
		var first recordbatch.Batch
		if _, _, err := recordbatch.Next(log, &first); err != nil {
			t.Fatal(err)
		}
		from := rapid.Int64Range(first.BaseOffset, first.NextOffset()-1).Draw(t, "from")
		want, end := walk(t, log, from)
		got, next := walk(t, byLibrary(t, &fetchRequest{offset: from}, log), from)
		if strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Fatalf("records\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if next <= from || next > end {
			t.Fatalf("from %d the next offset is %d, and the log ends at %d", from, next, end)
		}
	})
}

// Errors of the library are told apart: what is of the network or the cluster is waited out, and before anything else the
// partition stands still.
func TestErrorsOfTheLibrary(t *testing.T) {
	r := &fetchRequest{offset: 7}
	for _, passing := range []error{io.EOF, io.ErrUnexpectedEOF, protocol.NewErrNoTopic("t"), protocol.NewErrNoLeader("t", 1)} {
		if err := r.libraryError(passing); isCorrupt(err) {
			t.Errorf("%v is held for a corrupt batch", passing)
		}
	}
	log := packed(t, brokenBatch(), recordbatch.Gzip)
	log[80] ^= 1
	var set protocol.RecordSet
	_, err := set.ReadFrom(bytes.NewReader(append(binary.BigEndian.AppendUint32(nil, uint32(len(log))), log...)))
	if err := r.libraryError(err); !isCorrupt(err) || !strings.Contains(err.Error(), "offset 7") {
		t.Errorf("a flipped bit gives %v", err)
	}
	var old recordbatch.Builder
	old.Append(1, nil, nil, recordbatch.Headers{})
	set.Records = &protocol.RecordStream{Records: []protocol.RecordReader{&protocol.MessageSet{}}}
	if _, err := r.rewrite(nil, set.Records); !isCorrupt(err) {
		t.Errorf("an old message format gives %v", err)
	}
}

// compacted is a log with all that compaction and transactions leave behind, the transactions that were aborted, and what
// of it counts. It ends at offset 56, behind its last record.
func compacted() (log []byte, aborted []abortedTransaction, ids []string) {
	add := func(at recordbatch.Position, p recordbatch.Producer, places ...int32) {
		var b recordbatch.Builder
		for _, place := range places {
			id := fmt.Sprintf("at-%d", at.Base+int64(place))
			b.AppendAt(place, 1_790_000_000_000, nil, event(id), recordbatch.Headers{})
			if p.ID != 7 {
				ids = append(ids, id)
			}
		}
		log = append(log, b.FinishAt(at, p, 0)...)
	}
	mark := func(base int64, p recordbatch.Producer, commit byte) {
		var b recordbatch.Builder
		b.Append(1_790_000_000_000, []byte{0, 0, 0, commit}, make([]byte, 6), recordbatch.Headers{})
		log = append(log, b.FinishAt(recordbatch.Position{Base: base, Control: true}, p, -1)...)
	}
	none := recordbatch.Producer{ID: -1, Epoch: -1}
	failed, sound := recordbatch.Producer{ID: 7, Transactional: true}, recordbatch.Producer{ID: 8, Transactional: true}
	add(recordbatch.Position{Base: 0, Last: 9}, none, 0, 3)
	add(recordbatch.Position{Base: 20, Last: 4}, none)
	add(recordbatch.Position{Base: 30, Last: 2}, none, 2)
	add(recordbatch.Position{Base: 40, Last: 1}, failed, 0, 1)
	mark(42, failed, 0)
	add(recordbatch.Position{Base: 43, Last: 0}, sound, 0)
	mark(44, sound, 1)
	add(recordbatch.Position{Base: 50, Last: 5}, none, 0)
	return log, []abortedTransaction{{7, 40}}, ids
}

// serveLog answers fetches of the stage's input from a log of the test's own, as a broker does: from the batch on that
// holds the offset.
func (s *stage) serveLog(log []byte, aborted []abortedTransaction, end int64) {
	s.b.fake.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.b.fake.KeepControl()
		req := r.(*kmsg.FetchRequest)
		if len(req.Topics) != 1 || req.Topics[0].Topic != s.input() {
			return nil, nil, false
		}
		res := req.ResponseKind().(*kmsg.FetchResponse)
		topic := kmsg.NewFetchResponseTopic()
		topic.Topic = s.input()
		p := kmsg.NewFetchResponseTopicPartition()
		p.HighWatermark, p.LastStableOffset, p.LogStartOffset = end, end, 0
		for _, a := range aborted {
			one := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
			one.ProducerID, one.FirstOffset = a.producer, a.first
			p.AbortedTransactions = append(p.AbortedTransactions, one)
		}
		var b recordbatch.Batch
		for rest := log; len(rest) > 0; {
			after, _, err := recordbatch.Next(rest, &b)
			if err != nil || b.NextOffset() > req.Topics[0].Partitions[0].FetchOffset {
				p.RecordBatches = rest
				break
			}
			rest = after
		}
		topic.Partitions = append(topic.Partitions, p)
		res.Topics = append(res.Topics, topic)
		return res, nil, true
	})
}

// A compacted log with transactions is read to its end, gaps and all, whichever way the requests go.
func TestCompactedLog(t *testing.T) {
	t.Parallel()
	for name, library := range map[string]bool{"own": false, "library": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, newFake(t), 1, 1)
			log, aborted, ids := compacted()
			s.serveLog(log, aborted, 56)
			o := s.options()
			o.LibraryProtocol = library
			c := s.consumer(o)
			stop := s.start(c)
			s.await("the end of the log", func() bool {
				all := c.o.Metrics.partitions()
				return len(all) == 1 && all[0].next.Load() == 56
			})
			stop()
			s.assertOnce(ids, s.decisionIDs())
		})
	}
}

// A broker of Kafka 2.2, which knows neither Fetch 11 nor Produce 8, is spoken to in its own versions.
func TestOlderBroker(t *testing.T) {
	t.Parallel()
	b := newFake(t, kfake.MaxVersions(kversion.V2_2_0()))
	s := newStage(t, b, 2, 2)
	registry := prometheus.NewRegistry()
	o := s.options()
	o.Metrics = NewMetrics(registry)
	sent := s.sendEvents("a", 100, 2)
	stop := s.start(s.consumer(o))
	s.await("all decisions", func() bool { return s.count(s.output()) >= 100 })
	stop()
	s.assertOnce(sent, s.decisionIDs())
	if n, _ := metric(t, registry, "fraudstream_library_protocol"); n != 0 {
		t.Error("the library is used, and need not be")
	}
}

// A broker whose answers to our own requests cannot be read is met by the library, which is said once and shown.
func TestFallback(t *testing.T) {
	t.Parallel()
	b := newFake(t)
	s := newStage(t, b, 1, 1)
	registry := prometheus.NewRegistry()
	o := s.options()
	o.Metrics = NewMetrics(registry)
	c := s.consumer(o)
	b.fake.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		b.fake.KeepControl()
		if c.dialect.library.Load() {
			return nil, nil, false
		}
		res := r.ResponseKind().(*kmsg.FetchResponse)
		res.ErrorCode = 35 // unsupported version
		return res, nil, true
	})
	sent := s.sendEvents("a", 50, 1)
	stop := s.start(c)
	s.await("all decisions", func() bool { return s.count(s.output()) >= 50 })
	stop()
	s.assertOnce(sent, s.decisionIDs())
	if n, _ := metric(t, registry, "fraudstream_library_protocol"); n != 1 {
		t.Error("the metric does not show the library")
	}
	if n := strings.Count(s.logs.String(), "going on by the types of the Kafka library"); n != 1 {
		t.Errorf("%d lines about it", n)
	}
}

// One answer that cannot be read is the fault of a wire, and changes nothing.
func TestOneBadAnswerIsNoDialect(t *testing.T) {
	c := New(Options{}, nil)
	bad := &dialectError{"cut short"}
	for range 5 {
		c.judge(nil, bad)
		c.judge(nil, errors.Join(bad, io.EOF))
		c.judge(&fetchResponse{}, nil)
	}
	if c.dialect.library.Load() {
		t.Error("the library is used")
	}
}

package consumer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"fraudstream/consumer/recordbatch"
)

// answer encodes a fetch response of one partition as a broker does, from the correlation id on.
func answer(t interface{ Fatal(...any) }, version int16, topCode, code int16, aborted []abortedTransaction, log []byte) []byte {
	res := kmsg.NewPtrFetchResponse()
	res.Version, res.ThrottleMillis, res.SessionID, res.ErrorCode = version, 70, 80, topCode
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.ErrorCode, p.HighWatermark, p.LastStableOffset, p.LogStartOffset = 3, code, 99, 98, 2
	p.PreferredReadReplica, p.RecordBatches = -1, log
	for _, a := range aborted {
		one := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
		one.ProducerID, one.FirstOffset = a.producer, a.first
		p.AbortedTransactions = append(p.AbortedTransactions, one)
	}
	topic := kmsg.NewFetchResponseTopic()
	topic.Topic, topic.Partitions = "in", append(topic.Partitions, p)
	res.Topics = append(res.Topics, topic)
	if res.IsFlexible() {
		t.Fatal("the newest version that is spoken has no tagged fields")
	}
	return res.AppendTo(binary.BigEndian.AppendUint32(nil, correlation))
}

// assertSame demands that an answer is the same whether the library's types have read it or ours.
func assertSame(t testing.TB, buf []byte, version int16) {
	t.Helper()
	own, ownErr := parseFetch(buf, version)
	library, libraryErr := parseByLibrary(buf, version)
	if (ownErr == nil) != (libraryErr == nil) {
		t.Fatalf("version %d: ours says %v, the library %v", version, ownErr, libraryErr)
	}
	if ownErr == nil && (own.code != library.code || own.lastStable != library.lastStable || own.logStart != library.logStart ||
		!slices.Equal(own.aborted, library.aborted) || !bytes.Equal(own.records, library.records)) {
		t.Fatalf("version %d: ours reads %+v, the library %+v", version, own, library)
	}
}

// Both ways make the same of every answer: the code, the offsets, what was aborted, and each byte of the batches,
// whatever these hold.
func FuzzLibraryAnswer(f *testing.F) {
	log, aborted, _ := compacted()
	f.Add(uint8(0), int16(0), int16(0), uint8(0), []byte{})
	f.Add(uint8(3), int16(0), int16(1), uint8(1), []byte{})
	f.Add(uint8(7), int16(6), int16(0), uint8(0), log)
	f.Add(uint8(7), int16(0), int16(0), uint8(3), log[:len(log)-5])
	for version := range uint8(fetchVersion - fetchOldest + 1) {
		f.Add(version, int16(0), int16(0), uint8(len(aborted)), log)
	}
	f.Fuzz(func(t *testing.T, version uint8, topCode, code int16, aborted uint8, log []byte) {
		v := fetchOldest + int16(version)%(fetchVersion-fetchOldest+1)
		if v < 7 {
			topCode = 0
		}
		if len(log) > 0 && len(log) <= 17 {
			return // less than the head of a batch: no broker sends it alone, and the library calls it an error
		}
		transactions := make([]abortedTransaction, aborted)
		for i := range transactions {
			transactions[i] = abortedTransaction{int64(i), int64(i) * 7}
		}
		buf := answer(t, v, topCode, code, transactions, log)
		assertSame(t, buf, v)
	})
}

// An answer that ends early is none, wherever that is; the library's way says so, too.
func TestLibraryAnswerCutShort(t *testing.T) {
	log, aborted, _ := compacted()
	whole := answer(t, fetchVersion, 0, 0, aborted, log)
	for n := 4; n < len(whole); n++ {
		if res, err := parseByLibrary(whole[:n:n], fetchVersion); err == nil || !isDialect(err) {
			t.Fatalf("%d bytes of %d pass for an answer: %+v, %v", n, len(whole), res, err)
		}
	}
}

// An answer whose list says that it is two thousand million long costs no memory, whichever list that is.
func TestLibraryAnswerWithLyingLengths(t *testing.T) {
	log, aborted, _ := compacted()
	for version := int16(fetchOldest); version <= fetchVersion; version++ {
		for _, code := range []int16{0, 6} {
			if version < 7 && code != 0 {
				continue
			}
			whole := answer(t, version, code, 0, aborted, log)
			for at := 8; at+4 < len(whole)-len(log); at++ {
				lying := bytes.Clone(whole)
				copy(lying[at:], "\x7f\xff\xff\xff")
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, _ = parseByLibrary(lying, version)
				if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 1<<20 {
					t.Fatalf("version %d, code %d: %d bytes for the length at %d", version, code, after.TotalAlloc-before.TotalAlloc, at)
				}
			}
		}
	}
}

// By the library, too, a batch is decompressed within the budget: one that stands for more pauses its partition,
// which names the setting that helps, and one that fits is decided with the larger one.
func TestBombByLibrary(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	registry := prometheus.NewRegistry()
	o := s.options()
	o.LibraryProtocol, o.Memory, o.Metrics = true, MinMemory, NewMetrics(registry)
	sent := s.sendPacked("a", 5, strings.Repeat("x", 900<<10), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	stop := s.start(s.consumer(o))
	s.await("the pause", func() bool {
		_, series := metric(t, registry, "fraudstream_partition_paused", "reason", corruptBatch)
		return series == 1
	})
	s.await("what helps", func() bool {
		return strings.Contains(s.logs.String(), "decompresses to more than 4194304 bytes: set memory.budget to 256 MiB")
	})
	stop()
	o.Memory = 64 << 20
	stop = s.start(s.consumer(o))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(sent, s.decisionIDs())
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
			s.await("the end of the log", onlyPartition(c, func(p *state) bool { return p.next.Load() == 56 }))
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
		c.judge(nil, bad)
		c.judge(nil, bad)
		c.judge(&produceResponse{code: kafka.NotLeaderForPartition}, nil) // a code is read like any answer
	}
	if c.dialect.library.Load() {
		t.Error("the library is used")
	}
}

package consumer

import (
	"bytes"
	"encoding/binary"
	"io"
	"runtime"
	"testing"

	"github.com/segmentio/kafka-go/protocol"
	"github.com/twmb/franz-go/pkg/kmsg"

	"fraudstream/consumer/recordbatch"
)

// frame is what a connection carries before a request or response of franz-go's encoder.
func frame(correlation uint32, body []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(4+len(body)))
	b = binary.BigEndian.AppendUint32(b, correlation)
	return append(b, body...)
}

// duplex answers every request with the same bytes.
type duplex struct {
	bytes.Buffer // requests
	answer       *bytes.Reader
}

func (d *duplex) Read(p []byte) (int, error) { return d.answer.Read(p) }

// fetchAnswer is a Fetch response as franz-go encodes it.
func fetchAnswer(version int16) *kmsg.FetchResponse {
	res := kmsg.NewPtrFetchResponse()
	res.Version = version
	topic := kmsg.NewFetchResponseTopic()
	topic.Topic = "in"
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.HighWatermark, p.LastStableOffset, p.LogStartOffset = 3, 100, 90, 7
	for i := range int64(2) {
		a := kmsg.NewFetchResponseTopicPartitionAbortedTransaction()
		a.ProducerID, a.FirstOffset = 40+i, 50+i
		p.AbortedTransactions = append(p.AbortedTransactions, a)
	}
	p.RecordBatches = []byte("records")
	topic.Partitions = append(topic.Partitions, p)
	res.Topics = append(res.Topics, topic)
	return res
}

// Each version that is spoken is understood by franz-go's encoder and decoder, which know all of them.
func TestFetchOnTheWire(t *testing.T) {
	for version := int16(fetchOldest); version <= fetchVersion; version++ {
		d := &duplex{answer: bytes.NewReader(frame(correlation, fetchAnswer(version).AppendTo(nil)))}
		r := &fetchRequest{client: "me", topic: "in", partition: 3, offset: 42, maxBytes: 1000, wait: 500e6}
		r.Required(map[protocol.ApiKey]int16{protocol.Fetch: version})
		m, err := r.RawExchange(d)
		if err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		res := m.(*fetchResponse)
		start := int64(7)
		if version < 5 {
			start = -1
		}
		if res.code != 0 || res.lastStable != 90 || res.logStart != start || string(res.records) != "records" ||
			len(res.aborted) != 2 || res.aborted[1] != (abortedTransaction{41, 51}) {
			t.Errorf("version %d: response %+v", version, res)
		}
		sent := d.Bytes()
		if int(binary.BigEndian.Uint32(sent)) != len(sent)-4 {
			t.Errorf("version %d: size %d of %d bytes", version, binary.BigEndian.Uint32(sent), len(sent))
		}
		req := kmsg.NewPtrFetchRequest()
		req.Version = version
		if err := req.ReadFrom(sent[4+8+2+2:]); err != nil { // size; key, version, correlation; client id
			t.Fatalf("version %d: %v", version, err)
		}
		p := req.Topics[0].Partitions[0]
		if req.IsolationLevel != 1 || req.MaxWaitMillis != 500 || req.MinBytes != 1 || req.Topics[0].Topic != "in" ||
			p.Partition != 3 || p.FetchOffset != 42 || p.PartitionMaxBytes != 1000 {
			t.Errorf("version %d: request %+v", version, req)
		}
	}
}

func TestProduceOnTheWire(t *testing.T) {
	for version := int16(produceOldest); version <= produceVersion; version++ {
		res := kmsg.NewPtrProduceResponse()
		res.Version = version
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic = "out"
		p := kmsg.NewProduceResponseTopicPartition()
		p.Partition, p.ErrorCode, p.BaseOffset = 2, 19, 77
		topic.Partitions = append(topic.Partitions, p)
		res.Topics = append(res.Topics, topic)
		d := &duplex{answer: bytes.NewReader(frame(correlation, res.AppendTo(nil)))}
		r := &produceRequest{client: "me", topic: "out", partition: 2, wait: 1e9, batch: []byte("batch")}
		r.Required(map[protocol.ApiKey]int16{protocol.Produce: version})
		m, err := r.RawExchange(d)
		if err != nil || m.(*produceResponse).code != 19 || m.(*produceResponse).baseOffset != 77 {
			t.Fatalf("version %d: %+v %v", version, m, err)
		}
		req := kmsg.NewPtrProduceRequest()
		req.Version = version
		if err := req.ReadFrom(d.Bytes()[4+8+2+2:]); err != nil {
			t.Fatalf("version %d: %v", version, err)
		}
		if req.Acks != -1 || req.TransactionID != nil || req.Topics[0].Partitions[0].Partition != 2 || string(req.Topics[0].Partitions[0].Records) != "batch" {
			t.Errorf("version %d: request %+v", version, req)
		}
	}
}

// A broker that knows none of our versions is told apart from one that cannot be reached.
func TestUnspokenVersions(t *testing.T) {
	for _, version := range []int16{0, fetchOldest - 1, fetchVersion + 1} {
		r := &fetchRequest{}
		r.Required(map[protocol.ApiKey]int16{protocol.Fetch: version})
		if _, err := r.RawExchange(&duplex{}); !isDialect(err) {
			t.Errorf("Fetch %d: %v", version, err)
		}
	}
	r := &produceRequest{}
	r.Required(nil) // the broker names no version of it
	if _, err := r.RawExchange(&duplex{}); !isDialect(err) {
		t.Errorf("Produce: %v", err)
	}
}

// A response that ends early, or belongs to another request, is an error and never a short read.
func TestBrokenResponses(t *testing.T) {
	whole := fetchAnswer(fetchVersion).AppendTo(nil)
	for n := range whole {
		if _, err := parseFetch(frame(correlation, whole[:n])[4:], fetchVersion); err == nil && n < len(whole)-1 {
			t.Fatalf("%d of %d bytes: no error", n, len(whole))
		}
	}
	for name, answer := range map[string][]byte{
		"other request": frame(correlation+1, whole), "huge": {0x7f, 0xff, 0xff, 0xff}, "negative": {0xff, 0xff, 0xff, 0xff}, "cut": frame(correlation, whole)[:30],
	} {
		if _, err := readWithin(bytes.NewReader(answer), nil, 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// An answer that can only be small is given no more memory than that, whatever size it says it has.
func TestSizeThatLies(t *testing.T) {
	size := binary.BigEndian.AppendUint32(nil, maxResponse)
	produce := &produceRequest{version: produceVersion}
	coordinator := &coordinatorRequest{data: requestHeader(protocol.EndTxn, endTransactionVersion, "me")}
	for name, ask := range map[string]func(io.ReadWriter) (protocol.Message, error){"produce": produce.RawExchange, "coordinator": coordinator.RawExchange} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := ask(&duplex{answer: bytes.NewReader(size)}); !isDialect(err) {
			t.Errorf("%s: %v", name, err)
		}
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 8*smallResponse {
			t.Errorf("%s: %d bytes for an answer that has none", name, after.TotalAlloc-before.TotalAlloc)
		}
	}
}

func FuzzFetchResponse(f *testing.F) {
	for version := int16(fetchOldest); version <= fetchVersion; version++ {
		f.Add(frame(correlation, fetchAnswer(version).AppendTo(nil))[4:], version)
	}
	f.Fuzz(func(t *testing.T, data []byte, version int16) {
		if len(data) < 4 {
			return
		}
		res, err := parseFetch(data, version)
		if err != nil || res.code != 0 {
			return
		}
		filter := newAbortedFilter(res.aborted)
		for rest := res.records; ; {
			var b recordbatch.Batch
			var ok bool
			if rest, ok, err = recordbatch.Next(rest, &b); err != nil || !ok {
				return
			}
			_, _ = filter.passes(&b)
		}
	})
}

package consumer

import (
	"bytes"
	"encoding/binary"
	"testing"

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
func fetchAnswer() *kmsg.FetchResponse {
	res := kmsg.NewPtrFetchResponse()
	res.Version = fetchVersion
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

func TestFetchOnTheWire(t *testing.T) {
	d := &duplex{answer: bytes.NewReader(frame(correlation, fetchAnswer().AppendTo(nil)))}
	m, err := (&fetchRequest{client: "me", topic: "in", partition: 3, offset: 42, maxBytes: 1000, wait: 500e6}).RawExchange(d)
	if err != nil {
		t.Fatal(err)
	}
	res := m.(*fetchResponse)
	if res.code != 0 || res.lastStable != 90 || res.logStart != 7 || string(res.records) != "records" ||
		len(res.aborted) != 2 || res.aborted[1] != (abortedTransaction{41, 51}) {
		t.Errorf("response %+v", res)
	}
	sent := d.Bytes()
	if int(binary.BigEndian.Uint32(sent)) != len(sent)-4 {
		t.Errorf("size %d of %d bytes", binary.BigEndian.Uint32(sent), len(sent))
	}
	req := kmsg.NewPtrFetchRequest()
	req.Version = fetchVersion
	if err := req.ReadFrom(sent[4+8+2+2:]); err != nil { // size; key, version, correlation; client id
		t.Fatal(err)
	}
	if req.IsolationLevel != 1 || req.MaxWaitMillis != 500 || req.MinBytes != 1 || req.Topics[0].Topic != "in" ||
		req.Topics[0].Partitions[0].Partition != 3 || req.Topics[0].Partitions[0].FetchOffset != 42 ||
		req.Topics[0].Partitions[0].PartitionMaxBytes != 1000 {
		t.Errorf("request %+v", req)
	}
}

func TestProduceOnTheWire(t *testing.T) {
	res := kmsg.NewPtrProduceResponse()
	res.Version = produceVersion
	topic := kmsg.NewProduceResponseTopic()
	topic.Topic = "out"
	p := kmsg.NewProduceResponseTopicPartition()
	p.Partition, p.ErrorCode, p.BaseOffset = 2, 19, 77
	topic.Partitions = append(topic.Partitions, p)
	res.Topics = append(res.Topics, topic)
	d := &duplex{answer: bytes.NewReader(frame(correlation, res.AppendTo(nil)))}
	m, err := (&produceRequest{client: "me", topic: "out", partition: 2, wait: 1e9, batch: []byte("batch")}).RawExchange(d)
	if err != nil || m.(*produceResponse).code != 19 || m.(*produceResponse).baseOffset != 77 {
		t.Fatalf("%+v %v", m, err)
	}
	req := kmsg.NewPtrProduceRequest()
	req.Version = produceVersion
	if err := req.ReadFrom(d.Bytes()[4+8+2+2:]); err != nil {
		t.Fatal(err)
	}
	if req.Acks != -1 || req.TransactionID != nil || req.Topics[0].Partitions[0].Partition != 2 || string(req.Topics[0].Partitions[0].Records) != "batch" {
		t.Errorf("request %+v", req)
	}
}

// A response that ends early, or belongs to another request, is an error and never a short read.
func TestBrokenResponses(t *testing.T) {
	whole := fetchAnswer().AppendTo(nil)
	for n := range whole {
		if _, err := parseFetch(frame(correlation, whole[:n])[4:]); err == nil && n < len(whole)-1 {
			t.Fatalf("%d of %d bytes: no error", n, len(whole))
		}
	}
	for name, answer := range map[string][]byte{
		"other request": frame(correlation+1, whole), "huge": {0x7f, 0xff, 0xff, 0xff}, "negative": {0xff, 0xff, 0xff, 0xff}, "cut": frame(correlation, whole)[:30],
	} {
		if _, err := readResponse(bytes.NewReader(answer), nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzFetchResponse(f *testing.F) {
	f.Add(frame(correlation, fetchAnswer().AppendTo(nil))[4:])
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 4 {
			return
		}
		res, err := parseFetch(data)
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

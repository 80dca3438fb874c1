package consumer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// The two requests of the hot path are written and read here, over the connections of kafka-go's Transport: the
// library's own types copy every record and do not check what they read. Both are of versions that every broker since
// Kafka 2.4 speaks.
const (
	fetchVersion   = 11
	produceVersion = 8
)

// maxResponse bounds what a broker may send as one response. A partition's share is bounded by the request, but the
// first batch comes whole whatever its size.
const maxResponse = 128 << 20

// correlation is the id in a request that its response must repeat; a connection has one request in flight.
const correlation = 1

// fetchRequest asks the leader of one partition for batches from offset on (Fetch, version 11, read committed).
type fetchRequest struct {
	client    string
	topic     string
	partition int32
	offset    int64
	wait      time.Duration
	maxBytes  int32
	buf       []byte // the response is read into it, or into a larger one
}

// fetchResponse is what the leader answered for the partition. The views lie in buf.
type fetchResponse struct {
	code       kafka.Error
	lastStable int64 // offset that a reader of committed records can reach
	logStart   int64
	aborted    []abortedTransaction
	records    []byte
	buf        []byte
}

// abortedTransaction is one producer's aborted transaction among the fetched batches: from the offset first up to the
// producer's next abort marker.
type abortedTransaction struct{ producer, first int64 }

func (r *fetchRequest) ApiKey() protocol.ApiKey  { return protocol.Fetch }
func (r *fetchResponse) ApiKey() protocol.ApiKey { return protocol.Fetch }

// Broker routes the request to the partition's leader.
func (r *fetchRequest) Broker(c protocol.Cluster) (protocol.Broker, error) {
	return leader(c, r.topic, r.partition)
}

// Required makes the Transport hand over the connection.
func (r *fetchRequest) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange writes the request and reads the response.
func (r *fetchRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if _, err := rw.Write(r.encode()); err != nil {
		return nil, err
	}
	buf, err := readResponse(rw, r.buf)
	if err != nil {
		return nil, err
	}
	return parseFetch(buf)
}

func (r *fetchRequest) encode() []byte {
	b := requestHeader(protocol.Fetch, fetchVersion, r.client)
	b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // replica id -1: a consumer
	b = binary.BigEndian.AppendUint32(b, uint32(r.wait.Milliseconds()))
	b = binary.BigEndian.AppendUint32(b, 1) // answer as soon as there is anything
	b = binary.BigEndian.AppendUint32(b, uint32(r.maxBytes))
	b = append(b, 1)                                 // read committed
	b = binary.BigEndian.AppendUint32(b, 0)          // no fetch session
	b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // session epoch -1
	b = binary.BigEndian.AppendUint32(b, 1)
	b = appendString(b, r.topic)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(r.partition))
	b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // leader epoch -1: unknown
	b = binary.BigEndian.AppendUint64(b, uint64(r.offset))
	b = binary.BigEndian.AppendUint64(b, ^uint64(0)) // log start -1: a consumer
	b = binary.BigEndian.AppendUint32(b, uint32(r.maxBytes))
	b = binary.BigEndian.AppendUint32(b, 0) // forgotten topics
	b = appendString(b, "")                 // rack
	return sized(b)
}

func parseFetch(buf []byte) (*fetchResponse, error) {
	in := cursor{data: buf[4:]}
	in.int32() // throttle
	res := &fetchResponse{buf: buf, code: kafka.Error(in.int16())}
	in.int32() // session
	if res.code != 0 {
		return res, nil
	}
	if in.int32() != 1 {
		return nil, errors.New("fetch response without the topic")
	}
	in.take(int(in.int16()))
	if in.int32() != 1 {
		return nil, errors.New("fetch response without the partition")
	}
	in.int32()
	res.code = kafka.Error(in.int16())
	in.int64() // high watermark
	res.lastStable = in.int64()
	res.logStart = in.int64()
	for range max(in.int32(), 0) {
		if in.short {
			break
		}
		res.aborted = append(res.aborted, abortedTransaction{producer: in.int64(), first: in.int64()})
	}
	in.int32() // preferred replica
	res.records = in.take(max(int(in.int32()), 0))
	if in.short {
		return nil, errors.New("fetch response cut short")
	}
	return res, nil
}

// produceRequest sends one encoded batch to the leader of one partition (Produce, version 8, acks=all).
type produceRequest struct {
	client      string
	transaction string // transactional id; empty: none
	topic       string
	partition   int32
	wait        time.Duration
	batch       []byte // empty asks for nothing but whether writing is allowed
}

// produceResponse is the leader's answer for the batch.
type produceResponse struct {
	code       kafka.Error
	baseOffset int64
}

func (r *produceRequest) ApiKey() protocol.ApiKey  { return protocol.Produce }
func (r *produceResponse) ApiKey() protocol.ApiKey { return protocol.Produce }

// Broker routes the request to the partition's leader.
func (r *produceRequest) Broker(c protocol.Cluster) (protocol.Broker, error) {
	return leader(c, r.topic, r.partition)
}

// Required makes the Transport hand over the connection.
func (r *produceRequest) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange writes header and batch, then reads the response.
func (r *produceRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	b := requestHeader(protocol.Produce, produceVersion, r.client)
	if r.transaction == "" {
		b = binary.BigEndian.AppendUint16(b, ^uint16(0))
	} else {
		b = appendString(b, r.transaction)
	}
	b = binary.BigEndian.AppendUint16(b, ^uint16(0)) // acks: all
	b = binary.BigEndian.AppendUint32(b, uint32(r.wait.Milliseconds()))
	b = binary.BigEndian.AppendUint32(b, 1)
	b = appendString(b, r.topic)
	b = binary.BigEndian.AppendUint32(b, 1)
	b = binary.BigEndian.AppendUint32(b, uint32(r.partition))
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.batch)))
	binary.BigEndian.PutUint32(b, uint32(len(b)-4+len(r.batch)))
	if _, err := rw.Write(b); err != nil {
		return nil, err
	}
	if _, err := rw.Write(r.batch); err != nil {
		return nil, err
	}
	buf, err := readResponse(rw, nil)
	if err != nil {
		return nil, err
	}
	return parseProduce(buf)
}

func parseProduce(buf []byte) (*produceResponse, error) {
	in := cursor{data: buf[4:]}
	if in.int32() != 1 {
		return nil, errors.New("produce response without the topic")
	}
	in.take(int(in.int16()))
	if in.int32() != 1 {
		return nil, errors.New("produce response without the partition")
	}
	in.int32()
	res := &produceResponse{code: kafka.Error(in.int16()), baseOffset: in.int64()}
	if in.short {
		return nil, errors.New("produce response cut short")
	}
	return res, nil
}

// leader finds the broker that leads a partition. Where the metadata do not tell, the error is the code that a broker
// would answer, so that there is one way to say it.
func leader(c protocol.Cluster, topic string, partition int32) (protocol.Broker, error) {
	p, ok := c.Topics[topic].Partitions[partition]
	if !ok {
		return protocol.Broker{}, kafka.UnknownTopicOrPartition
	}
	b, ok := c.Brokers[p.Leader]
	if !ok {
		return protocol.Broker{}, kafka.LeaderNotAvailable
	}
	return b, nil
}

// requestHeader begins a request; its first four bytes are for the size.
func requestHeader(key protocol.ApiKey, version int16, client string) []byte {
	b := make([]byte, 4, 160)
	b = binary.BigEndian.AppendUint16(b, uint16(key))
	b = binary.BigEndian.AppendUint16(b, uint16(version))
	b = binary.BigEndian.AppendUint32(b, correlation)
	return appendString(b, client)
}

func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

func sized(b []byte) []byte {
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// readResponse reads one response, from its correlation id on, into buf or a larger buffer.
func readResponse(r io.Reader, buf []byte) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:])))
	if size < 4 || size > maxResponse {
		return nil, fmt.Errorf("response of %d bytes", size)
	}
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, err
	}
	if id := binary.BigEndian.Uint32(buf); id != correlation {
		return nil, fmt.Errorf("response to request %d", id)
	}
	return buf, nil
}

// cursor reads big-endian fields; past the end it yields zeros and sets short.
type cursor struct {
	data  []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.data) {
		c.short = true
		c.data = nil
		return nil
	}
	head := c.data[:n:n]
	c.data = c.data[n:]
	return head
}

func (c *cursor) int16() int16 {
	if b := c.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) int32() int32 {
	if b := c.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *cursor) int64() int64 {
	if b := c.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

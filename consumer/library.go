package consumer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"
)

// dialect says how the requests of the hot path are written: by this package or, because somebody has said so or the
// broker does not understand ours, by the types of kafka-go. A process that has fallen back stays with the library until
// it ends; whether the broker has changed its mind is not worth a failed request now and then.
type dialect struct {
	library    atomic.Bool
	unreadable atomic.Int32 // answers in a row that could not be read
}

// unreadableLimit is the number of unreadable answers in a row, of whichever partitions, that are held for the broker's
// way of speaking and not for a fault on the wire.
const unreadableLimit = 3

// judge counts what came of a request of ours, and falls back to the library where the broker does not speak like us.
func (c *Consumer) judge(res kafka.Response, err error) {
	switch r := res.(type) {
	case *fetchResponse:
		err = errors.Join(err, codeOf(r.code))
	case *produceResponse:
		err = errors.Join(err, codeOf(r.code))
	}
	switch {
	case !isDialect(err):
		if res != nil { // a code is an answer, too, and was read
			c.dialect.unreadable.Store(0)
		}
	case c.dialect.unreadable.Add(1) >= unreadableLimit:
		c.useLibrary(err)
	}
}

// codeOf is the error of a code, nil for none.
func codeOf(code kafka.Error) error {
	if code == 0 {
		return nil
	}
	return code
}

// useLibrary switches over, and says so once. cause is nil where the options ask for it.
func (c *Consumer) useLibrary(cause error) {
	if !c.dialect.library.CompareAndSwap(false, true) {
		return
	}
	c.o.Metrics.library.Set(1)
	if cause == nil {
		c.o.Log.Info("reading and writing by the types of the Kafka library, as configured")
		return
	}
	c.o.Log.Warn("the broker does not speak Fetch and Produce as this program does, going on by the types of the Kafka library",
		slog.Any("error", cause))
}

// exchange sends a request in the way that is in force. Behind either way stand the same types, so nobody else knows.
func (c *Consumer) exchange(ctx context.Context, req kafka.Request) (kafka.Response, error) {
	switch r := req.(type) {
	case *fetchRequest:
		if c.dialect.library.Load() {
			return r.byLibrary(ctx, c.transport, c.client.Addr)
		}
	case *produceRequest:
		if c.dialect.library.Load() {
			return r.byLibrary(ctx, c.transport, c.client.Addr)
		}
	default:
		return c.transport.RoundTrip(ctx, c.client.Addr, req)
	}
	res, err := c.transport.RoundTrip(ctx, c.client.Addr, req)
	c.judge(res, err)
	return res, err
}

// byLibrary asks with kafka-go's own types: they write the request, in whichever version they have agreed on with the
// broker, and read the answer up to the record batches. Those are left as the broker has sent them.
//
// The library's types would read the batches, too, but they decompress each before anybody can ask how large it will be, and
// without bound: a batch of a few kilobytes may stand for gigabytes. They give up the batch's last offset and its number of
// records as well, and with them the proof that nothing is missing. So from the batches on both ways are one, and the memory
// budget, the checksums and the filter of aborted transactions hold in either.
func (r *fetchRequest) byLibrary(ctx context.Context, t *kafka.Transport, addr net.Addr) (*fetchResponse, error) {
	answer, err := t.RoundTrip(ctx, addr, &libraryFetch{r})
	if err != nil {
		return nil, err
	}
	return answer.(*fetchResponse), nil
}

// libraryFetch is a fetchRequest that the library's types write and read.
type libraryFetch struct{ *fetchRequest }

// RawExchange writes the request and reads the response, of which no more is taken in than there is room for.
func (r *libraryFetch) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if err := protocol.WriteRequest(rw, r.version, correlation, r.client, r.request()); err != nil {
		return nil, err
	}
	buf, err := readWithin(rw, r.buf, r.room)
	if err != nil {
		return nil, err
	}
	return parseByLibrary(buf, r.version)
}

// request is the library's form of the request: as a reader of committed records, without a fetch session.
func (r *fetchRequest) request() *fetch.Request {
	return &fetch.Request{
		ReplicaID: -1, MaxWaitTime: int32(r.wait.Milliseconds()), MinBytes: 1, MaxBytes: r.maxBytes, IsolationLevel: 1,
		SessionEpoch: -1,
		Topics: []fetch.RequestTopic{{Topic: r.topic, Partitions: []fetch.RequestPartition{{
			Partition: r.partition, CurrentLeaderEpoch: -1, FetchOffset: r.offset, LogStartOffset: -1, PartitionMaxBytes: r.maxBytes,
		}}}},
	}
}

// parseByLibrary reads a response, from its correlation id on. The library makes room for a list by the length that stands
// before it, so the lists are walked through first, by our own reader: one that says it is longer than it is, or an answer
// about more than was asked for, never comes before the library. Nor does one with a code, behind which nothing counts.
func parseByLibrary(buf []byte, version int16) (*fetchResponse, error) {
	if own, err := parseFetch(buf, version); err != nil || own.code != 0 {
		return own, err
	}
	in := &sparingReader{size: binary.BigEndian.AppendUint32(nil, uint32(len(buf))), rest: buf}
	_, answer, err := protocol.ReadResponse(in, protocol.Fetch, version)
	if err != nil && !errors.Is(err, errBatches) {
		return nil, &dialectError{"fetch response: " + err.Error()}
	}
	res := answer.(*fetch.Response)
	out := &fetchResponse{code: kafka.Error(res.ErrorCode), logStart: -1, buf: buf}
	if out.code != 0 {
		return out, nil
	}
	if len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
		return nil, &dialectError{"fetch response without the partition"}
	}
	p := &res.Topics[0].Partitions[0]
	out.code, out.lastStable = kafka.Error(p.ErrorCode), p.LastStableOffset
	if version >= 5 {
		out.logStart = p.LogStartOffset
	}
	for _, a := range p.AbortedTransactions {
		out.aborted = append(out.aborted, abortedTransaction{a.ProducerID, a.FirstOffset})
	}
	stated := int32(binary.BigEndian.Uint32(buf[len(buf)-len(in.batches)-4:])) // the size that stands before the batches
	if int(max(stated, 0)) != len(in.batches) {
		return nil, &dialectError{"fetch response cut short"} // the library takes a list that ends early for a whole one
	}
	out.records = in.batches
	return out, nil
}

// A sparingReader is a response in memory that ends where its record batches begin. The library looks at the version of a
// batch, by Peek, before it reads the first byte of it, and at nothing else in this way: so that is where they begin. They
// are the last field of an answer about one partition.
type sparingReader struct {
	size    []byte // of the response, which comes before it
	rest    []byte
	batches []byte // a view; nil until they are reached
}

// errBatches is what the library is told instead of the first batch.
var errBatches = errors.New("the record batches are read elsewhere")

func (in *sparingReader) Read(p []byte) (n int, err error) {
	from := &in.size
	if len(in.size) == 0 {
		from = &in.rest
	}
	if len(*from) == 0 {
		return 0, io.EOF
	}
	n = copy(p, *from)
	*from = (*from)[n:]
	return n, nil
}

// Peek is called at the first batch.
func (in *sparingReader) Peek(int) ([]byte, error) {
	in.batches = in.rest
	return nil, errBatches
}

// Discard passes over what the library does not want any more.
func (in *sparingReader) Discard(n int) (int, error) {
	n = min(n, len(in.rest))
	in.rest = in.rest[n:]
	return n, nil
}

// routeError is the code that a broker would answer where the library does not know the leader; nil where it does.
func routeError(err error) error {
	switch {
	case errors.Is(err, protocol.ErrNoTopic), errors.Is(err, protocol.ErrNoPartition):
		return kafka.UnknownTopicOrPartition
	case errors.Is(err, protocol.ErrNoLeader):
		return kafka.LeaderNotAvailable
	}
	return nil
}

// byLibrary sends the batch, which the library carries as it is, with kafka-go's own request. The library may still be
// writing it when the call has been given up, as may ours.
//
// It also reads the answer, off the connection, and trusts the lengths in it, as it does in every answer about the group,
// the metadata and the offsets. Only Fetch, and what this package reads by itself, are safe from a broker that lies.
func (r *produceRequest) byLibrary(ctx context.Context, t *kafka.Transport, addr net.Addr) (*produceResponse, error) {
	size := binary.BigEndian.AppendUint32(nil, uint32(len(r.batch)))
	answer, err := t.RoundTrip(ctx, addr, &rawproduce.Request{
		TransactionalID: r.transaction, Acks: -1, Timeout: int32(r.wait.Milliseconds()),
		Topics: []rawproduce.RequestTopic{{Topic: r.topic, Partitions: []rawproduce.RequestPartition{{
			Partition: r.partition,
			RecordSet: protocol.RawRecordSet{Reader: io.MultiReader(bytes.NewReader(size), bytes.NewReader(r.batch))},
		}}}},
	})
	if err != nil {
		if route := routeError(err); route != nil {
			err = route
		}
		return nil, err
	}
	res := answer.(*produce.Response)
	i := slices.IndexFunc(res.Topics, func(t produce.ResponseTopic) bool { return t.Topic == r.topic })
	if i < 0 || len(res.Topics[i].Partitions) != 1 {
		return nil, &dialectError{"produce response without the partition"}
	}
	p := &res.Topics[i].Partitions[0]
	return &produceResponse{code: kafka.Error(p.ErrorCode), baseOffset: p.BaseOffset}, nil
}

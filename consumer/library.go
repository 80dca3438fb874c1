package consumer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/fetch"
	"github.com/segmentio/kafka-go/protocol/produce"
	"github.com/segmentio/kafka-go/protocol/rawproduce"

	"fraudstream/consumer/recordbatch"
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
	case err == nil:
		c.dialect.unreadable.Store(0)
	case isDialect(err) && c.dialect.unreadable.Add(1) >= unreadableLimit:
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
		c.o.Log.Info("reading and writing by the types of the Kafka library, as configured: slower, and it checks less")
		return
	}
	c.o.Log.Warn("the broker does not speak Fetch and Produce as this program does, going on by the types of the Kafka library: "+
		"slower, and it checks less", slog.Any("error", cause))
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

// byLibrary asks with kafka-go's own request and writes the answer anew as the batches that it was read from, so that
// whoever reads it meets one form. What the library does not tell is lost, and that is why it is the second choice:
//
//   - It gives the records of a batch and not the batch's last offset. Between two batches nothing is lost by that. Where
//     compaction has left nothing at the end of the last batch of an answer, the offset goes on one by one until the
//     broker gives the next batch.
//   - Of a batch that holds fewer records than it says, it gives those and no error. Brokers of Apache Kafka refuse such
//     batches, so only a damaged log whose checksum was made anew can hold one.
//   - It gives the producer's timestamp also where the topic keeps the time of the append.
//   - It decompresses a batch before anybody can ask how large it will be.
func (r *fetchRequest) byLibrary(ctx context.Context, t *kafka.Transport, addr net.Addr) (*fetchResponse, error) {
	answer, err := t.RoundTrip(ctx, addr, &fetch.Request{
		ReplicaID: -1, MaxWaitTime: int32(r.wait.Milliseconds()), MinBytes: 1, MaxBytes: r.maxBytes, IsolationLevel: 1,
		SessionEpoch: -1,
		Topics: []fetch.RequestTopic{{Topic: r.topic, Partitions: []fetch.RequestPartition{{
			Partition: r.partition, CurrentLeaderEpoch: -1, FetchOffset: r.offset, LogStartOffset: -1, PartitionMaxBytes: r.maxBytes,
		}}}},
	})
	if err != nil {
		return nil, r.libraryError(err)
	}
	res := answer.(*fetch.Response)
	if res.ErrorCode != 0 {
		return &fetchResponse{code: kafka.Error(res.ErrorCode), buf: r.buf}, nil
	}
	if len(res.Topics) != 1 || len(res.Topics[0].Partitions) != 1 {
		return nil, &dialectError{"fetch response without the partition"}
	}
	p := &res.Topics[0].Partitions[0]
	out := &fetchResponse{code: kafka.Error(p.ErrorCode), lastStable: p.LastStableOffset, logStart: p.LogStartOffset}
	for _, a := range p.AbortedTransactions {
		out.aborted = append(out.aborted, abortedTransaction{a.ProducerID, a.FirstOffset})
	}
	out.buf, err = r.rewrite(r.buf[:0], p.RecordSet.Records)
	out.records = out.buf
	return out, err
}

// rewrite appends the batches that the library has read.
func (r *fetchRequest) rewrite(buf []byte, set protocol.RecordReader) ([]byte, error) {
	if set == nil {
		return buf, nil
	}
	stream, ok := set.(*protocol.RecordStream)
	if !ok {
		return buf, &dialectError{fmt.Sprintf("records as %T", set)}
	}
	var b recordbatch.Builder
	for i, one := range stream.Records {
		last := i == len(stream.Records)-1
		var err error
		switch batch := one.(type) {
		case *protocol.RecordBatch:
			buf, err = r.rewriteBatch(buf, &b, batch, recordbatch.Position{Base: batch.BaseOffset}, last)
		case *protocol.ControlBatch:
			same := protocol.RecordBatch(*batch)
			buf, err = r.rewriteBatch(buf, &b, &same, recordbatch.Position{Base: batch.BaseOffset, Control: true}, last)
		default:
			err = &recordbatch.CorruptError{Offset: r.offset, Detail: "message format before 2, only 2 is read"}
		}
		if err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// rewriteBatch appends one batch. The last one of an answer reaches to the offset that was asked for at least: the broker
// begins with the batch that holds this offset, so where no record of it is left, there is none.
func (r *fetchRequest) rewriteBatch(buf []byte, b *recordbatch.Builder, batch *protocol.RecordBatch, at recordbatch.Position, last bool) ([]byte, error) {
	b.Reset()
	for {
		record, err := batch.ReadRecord()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return buf, err
		}
		at.Last = int32(record.Offset - at.Base)
		if err := appendRecord(b, at.Last, record); err != nil {
			return buf, err
		}
	}
	if last {
		at.Last = max(at.Last, int32(min(r.offset-at.Base, 1<<31-1)))
	}
	producer := recordbatch.Producer{
		ID: batch.ProducerID, Epoch: batch.ProducerEpoch, Transactional: batch.Attributes.Transactional(),
	}
	return append(buf, b.FinishAt(at, producer, batch.BaseSequence)...), nil
}

// appendRecord copies one record out of the library's pages, and gives them back.
func appendRecord(b *recordbatch.Builder, place int32, record *protocol.Record) error {
	key, err := readField(record.Key)
	if err != nil {
		return err
	}
	value, err := readField(record.Value)
	if err != nil {
		return err
	}
	var h recordbatch.Headers
	for _, one := range record.Headers {
		h.Add(one.Key, one.Value)
	}
	b.AppendAt(place, record.Time.UnixMilli(), key, value, h)
	return nil
}

// readField reads a key or a value; nil for null.
func readField(field protocol.Bytes) ([]byte, error) {
	if field == nil {
		return nil, nil
	}
	defer func() { _ = field.Close() }()
	return protocol.ReadAll(field)
}

// libraryError gives an error of the library the meaning that ours would have. It has no type of its own for a batch that
// cannot be read, so whatever is neither of the network nor of the cluster is held for one: the partition then stands
// still before it, and says so.
func (r *fetchRequest) libraryError(err error) error {
	if err := routeError(err); err != nil {
		return err
	}
	var network net.Error
	var code kafka.Error
	switch {
	case errors.As(err, &network), errors.As(err, &code), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	detail := err.Error()
	if strings.HasPrefix(detail, "crc32") {
		detail = "CRC-32C is wrong: " + detail
	}
	return &recordbatch.CorruptError{Offset: r.offset, Detail: detail}
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

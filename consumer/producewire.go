package consumer

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// The versions of Produce that are spoken: from the first that carries transactions (Kafka 0.11). Up to the newest the
// request has not changed, nor have those fields of the answer that are read.
const (
	produceOldest  = 3
	produceVersion = 8
)

// produceRequest sends one encoded batch to the leader of one partition, which answers when all replicas in sync have it
// (acks=all). On the wire (API key 0):
//
//	transactional id, or null | acks 2 | longest wait 4, ms | topics: name, partitions: number 4 | size 4, batch
type produceRequest struct {
	client      string
	transaction string // transactional id; empty: none
	topic       string
	partition   int32
	wait        time.Duration // that the leader may wait for its replicas
	batch       []byte        // empty asks for nothing but whether writing is allowed

	version int16 // that the broker's connection has agreed on
}

// produceResponse is the leader's answer for the batch. Of the wire
//
//	topics: name, partitions: number 4 | code 2 | base offset 8 | append time 8 | 5: log start 8 | 8: errors by record | throttled 4
//
// only code and base offset are read: an error that names one record of a batch (KIP-467) says nothing that the code does
// not, since what is written here was encoded here.
type produceResponse struct {
	code       kafka.Error
	baseOffset int64 // of the batch's first record
}

func (r *produceRequest) ApiKey() protocol.ApiKey  { return protocol.Produce }
func (r *produceResponse) ApiKey() protocol.ApiKey { return protocol.Produce }

// Broker routes the request to the partition's leader.
func (r *produceRequest) Broker(c protocol.Cluster) (protocol.Broker, error) {
	return leader(c, r.topic, r.partition)
}

// Required makes the Transport hand over the connection, and learns what its broker speaks.
func (r *produceRequest) Required(negotiated map[protocol.ApiKey]int16) bool {
	r.version = negotiated[protocol.Produce]
	return true
}

// RawExchange writes header and batch, then reads the response.
func (r *produceRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	version, err := spoken(protocol.Produce, r.version, produceOldest, produceVersion)
	if err != nil {
		return nil, err
	}
	b := requestHeader(protocol.Produce, version, r.client)
	if r.transaction == "" {
		b = binary.BigEndian.AppendUint16(b, ^uint16(0))
	} else {
		b = appendString(b, r.transaction)
	}
	b = binary.BigEndian.AppendUint16(b, ^uint16(0)) // acks: all
	b = binary.BigEndian.AppendUint32(b, uint32(r.wait.Milliseconds()))
	b = appendTarget(b, r.topic, r.partition)
	b = binary.BigEndian.AppendUint32(b, uint32(len(r.batch)))
	binary.BigEndian.PutUint32(b, uint32(len(b)-4+len(r.batch)))
	if _, err := rw.Write(b); err != nil {
		return nil, err
	}
	if _, err := rw.Write(r.batch); err != nil {
		return nil, err
	}
	buf, err := readSmall(rw)
	if err != nil {
		return nil, err
	}
	return parseProduce(buf)
}

// parseProduce reads a response, from its correlation id on.
func parseProduce(buf []byte) (*produceResponse, error) {
	in := cursor{data: buf[4:]}
	code, err := in.target()
	if err != nil {
		return nil, err
	}
	res := &produceResponse{code: code, baseOffset: in.int64()}
	if in.short {
		return nil, &dialectError{"produce response cut short"}
	}
	return res, nil
}

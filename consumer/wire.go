package consumer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// The requests of the hot path are written and read by this package, over the connections of kafka-go's Transport: the
// library's own types copy every record and do not check what they read. fetchwire.go and producewire.go hold the two
// requests, and library.go does the same with the library's types where ours are not understood. What all of them share
// stands here: the frame of a request and a response, and the cursor that reads one.
//
// Every request on the wire is preceded by its size, 4 bytes, and then a header: what is asked (the API key) and in
// which version, 2 bytes each, a correlation id that the response repeats, and the client's name.

// maxResponse bounds what a broker may send as one response, in bytes. A partition's share is bounded by the request,
// but the first batch comes whole whatever its size.
const maxResponse = 128 << 20

// smallResponse bounds an answer that holds no batches, in bytes: codes and names, for as many partitions as one request
// is about. It is not in the memory budget.
const smallResponse = 1 << 20

// correlation is the id in a request that its response must repeat; a connection has one request in flight.
const correlation = 1

// A dialectError says that a broker does not speak these requests as we do: it knows no version of them that we know,
// or its answer cannot be read. It is no fault of the network, and where it lasts the library's types are used instead.
type dialectError struct{ detail string }

func (e *dialectError) Error() string { return "the broker's answer is not understood: " + e.detail }

// isDialect tells an answer that we cannot read, and the code by which a broker says that it cannot read us.
func isDialect(err error) bool {
	var foreign *dialectError
	return errors.As(err, &foreign) || errors.Is(err, kafka.UnsupportedVersion)
}

// spoken is the version to ask in: the newest that both sides know. lowest and newest are ours; negotiated is what the
// Transport has agreed on with the broker for its own types, which know none that is newer than ours.
func spoken(key protocol.ApiKey, negotiated, lowest, newest int16) (int16, error) {
	if negotiated < lowest || negotiated > newest {
		return 0, &dialectError{fmt.Sprintf("it speaks %v in version %d, and %d to %d are understood", key, negotiated, lowest, newest)}
	}
	return negotiated, nil
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

// appendString writes a string behind its length, 2 bytes.
func appendString(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(s)))
	return append(b, s...)
}

// appendTarget writes the lists of topics and of partitions of a request that is about one partition, up to the fields
// of that partition.
func appendTarget(b []byte, topic string, partition int32) []byte {
	b = binary.BigEndian.AppendUint32(b, 1)
	b = appendString(b, topic)
	b = binary.BigEndian.AppendUint32(b, 1)
	return binary.BigEndian.AppendUint32(b, uint32(partition))
}

// sized fills in the size of a request that is complete.
func sized(b []byte) []byte {
	binary.BigEndian.PutUint32(b, uint32(len(b)-4))
	return b
}

// An oversizeError says that a response is larger than there was room for. Nothing of it was read, and so the
// connection is of no use any more.
type oversizeError struct{ size int }

func (e *oversizeError) Error() string { return fmt.Sprintf("response of %d bytes", e.size) }

// readSmall reads one response that holds no batches, from its correlation id on. A larger one is none: its size is a lie,
// or the wire has changed it.
func readSmall(r io.Reader) ([]byte, error) {
	buf, err := readWithin(r, nil, smallResponse)
	if large, ok := errors.AsType[*oversizeError](err); ok {
		return nil, &dialectError{large.Error()}
	}
	return buf, err
}

// readWithin reads one response, from its correlation id on, into buf or a larger buffer, where the response takes up no
// more than room bytes; of a larger one it reads nothing, so that whoever asked can make room first. A room of 0 is
// maxResponse.
func readWithin(r io.Reader, buf []byte, room int) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	size := int(int32(binary.BigEndian.Uint32(head[:])))
	switch {
	case size < 4 || size > maxResponse:
		return nil, &dialectError{fmt.Sprintf("response of %d bytes", size)}
	case room > 0 && size > room:
		return nil, &oversizeError{size}
	}
	if cap(buf) < size {
		buf = make([]byte, size)
	}
	buf = buf[:size]
	if _, err := io.ReadFull(r, buf); err != nil {
		return nil, err
	}
	if id := binary.BigEndian.Uint32(buf); id != correlation {
		return nil, &dialectError{fmt.Sprintf("response to request %d", id)}
	}
	return buf, nil
}

// cursor reads big-endian fields; past the end it yields zeros and sets short.
type cursor struct {
	data  []byte
	short bool
}

// take cuts the next n bytes off, as a view.
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

// target reads the same lists in the answer, up to the partition's error code, which is the first of its fields. An
// answer about anything but one partition is none to what was asked.
func (c *cursor) target() (kafka.Error, error) {
	if c.int32() != 1 {
		return 0, &dialectError{"response without the topic"}
	}
	c.take(int(c.int16()))
	if c.int32() != 1 {
		return 0, &dialectError{"response without the partition"}
	}
	c.int32()
	return kafka.Error(c.int16()), nil
}

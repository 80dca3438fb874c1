package consumer

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// The versions of Fetch that are spoken. The oldest is the first whose answers tell a reader of committed records which
// transactions were aborted (Kafka 0.11); the newest has been spoken by every broker since Kafka 2.3.
const (
	fetchOldest  = 4
	fetchVersion = 11
)

// fetchRequest asks the leader of one partition for batches from offset on, as a reader of committed records. On the wire
// (API key 1), with the version from which a field is there:
//
//	replica id 4 | longest wait 4, ms | fewest bytes 4 | most bytes 4 | isolation level 1 | 7: session id 4, epoch 4 |
//	topics: name, partitions: number 4 | 9: leader epoch 4 | offset 8 | 5: log start 8 | most bytes 4 |
//	7: forgotten topics | 11: rack
//
// A fetch session (KIP-227) would spare a list of partitions, and a request names one. The leader epoch (KIP-320) finds
// out that a log was cut; here an offset out of range does. Reading from a replica nearby (KIP-392) needs a rack.
type fetchRequest struct {
	client    string
	topic     string
	partition int32
	offset    int64
	wait      time.Duration // that the broker may hold the request while there is nothing
	maxBytes  int32         // of batches, except that the first one comes whole whatever its size
	room      int           // bytes that the response may take up; 0: maxResponse
	buf       []byte        // the response is read into it, or into a larger one

	version int16 // that the broker's connection has agreed on
}

// fetchResponse is what the leader answered for the partition. The views lie in buf. On the wire, behind the correlation
// id, with the version from which a field is there:
//
//	throttled 4, ms | 7: code 2, session id 4 | topics: name, partitions: number 4 | code 2 | high watermark 8 |
//	last stable offset 8 | 5: log start 8 | aborted: producer id 8, first offset 8 | 11: preferred replica 4 | size 4, batches
//
// The high watermark is as far as replicas have come; a reader of committed records comes to the last stable offset, which
// stands before the first transaction that is still open (KIP-98).
type fetchResponse struct {
	code       kafka.Error
	lastStable int64 // offset that a reader of committed records can reach
	logStart   int64 // offset of the first record that is left; -1 where the version does not tell
	aborted    []abortedTransaction
	records    []byte // whole batches, and perhaps the beginning of one more
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

// Required makes the Transport hand over the connection, and learns what its broker speaks.
func (r *fetchRequest) Required(negotiated map[protocol.ApiKey]int16) bool {
	r.version = negotiated[protocol.Fetch]
	return true
}

// RawExchange writes the request and reads the response.
func (r *fetchRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	version, err := spoken(protocol.Fetch, r.version, fetchOldest, fetchVersion)
	if err != nil {
		return nil, err
	}
	if _, err := rw.Write(r.encode(version)); err != nil {
		return nil, err
	}
	buf, err := readWithin(rw, r.buf, r.room)
	if err != nil {
		return nil, err
	}
	return parseFetch(buf, version)
}

// encode writes the request. What came with later versions is of no use here and says so: no fetch session, no leader
// epoch, no rack.
func (r *fetchRequest) encode(version int16) []byte {
	b := requestHeader(protocol.Fetch, version, r.client)
	b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // replica id -1: a consumer
	b = binary.BigEndian.AppendUint32(b, uint32(r.wait.Milliseconds()))
	b = binary.BigEndian.AppendUint32(b, 1) // answer as soon as there is anything
	b = binary.BigEndian.AppendUint32(b, uint32(r.maxBytes))
	b = append(b, 1) // read committed
	if version >= 7 {
		b = binary.BigEndian.AppendUint32(b, 0)          // no fetch session
		b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // session epoch -1
	}
	b = appendTarget(b, r.topic, r.partition)
	if version >= 9 {
		b = binary.BigEndian.AppendUint32(b, ^uint32(0)) // leader epoch -1: unknown
	}
	b = binary.BigEndian.AppendUint64(b, uint64(r.offset))
	if version >= 5 {
		b = binary.BigEndian.AppendUint64(b, ^uint64(0)) // log start -1: a consumer
	}
	b = binary.BigEndian.AppendUint32(b, uint32(r.maxBytes))
	if version >= 7 {
		b = binary.BigEndian.AppendUint32(b, 0) // forgotten topics
	}
	if version >= 11 {
		b = appendString(b, "") // rack
	}
	return sized(b)
}

// parseFetch reads a response of the given version, from its correlation id on. A code before the topics is one of the whole
// request, and then nothing else is in the answer. A list whose length lies costs no memory: each element must be there.
func parseFetch(buf []byte, version int16) (*fetchResponse, error) {
	in := cursor{data: buf[4:]}
	in.int32() // throttle
	res := &fetchResponse{buf: buf, logStart: -1}
	if version >= 7 {
		res.code = kafka.Error(in.int16())
		in.int32() // session
	}
	if res.code != 0 {
		return res, nil
	}
	var err error
	if res.code, err = in.target(); err != nil {
		return nil, err
	}
	in.int64() // high watermark
	res.lastStable = in.int64()
	if version >= 5 {
		res.logStart = in.int64()
	}
	for range max(in.int32(), 0) {
		if in.short {
			break
		}
		res.aborted = append(res.aborted, abortedTransaction{producer: in.int64(), first: in.int64()})
	}
	if version >= 11 {
		in.int32() // preferred replica
	}
	res.records = in.take(max(int(in.int32()), 0))
	if in.short {
		return nil, &dialectError{"fetch response cut short"}
	}
	return res, nil
}

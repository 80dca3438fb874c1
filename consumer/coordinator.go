package consumer

import (
	"context"
	"encoding/binary"
	"errors"
	"io"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

// A coordinator is the broker that answers for a transactional id or for a group. It is looked up once and remembered
// for as long as it answers as such, which kafka-go does not do: with a transaction every 100 ms for each partition
// every other request would be the question who it is. One goroutine at a time uses it.
type coordinator struct {
	c     *Consumer
	of    string // transactional id, or group
	kind  kafka.CoordinatorKeyType
	node  int32 // broker id
	known bool
}

// ask sends an encoded request and has its answer parsed. Whatever is not an answer of the coordinator to its own
// client, be it 14, 15 or 16, a broken connection or a deadline, has it looked up again with the next request: once too
// often costs little, and to stay with a broker that has lost the role costs the transaction. Only 51 tells that it is
// at work.
func (at *coordinator) ask(ctx context.Context, data []byte, parse func(cursor) error) error {
	if err := at.find(ctx); err != nil {
		return err
	}
	res, err := at.c.roundTrip(ctx, 0, &coordinatorRequest{node: at.node, data: data})
	if err == nil {
		err = parse(cursor{data: res.(*coordinatorResponse).body})
	}
	at.known = err == nil || errors.Is(err, kafka.ConcurrentTransactions)
	return err
}

// find looks the coordinator up, unless it is known.
func (at *coordinator) find(ctx context.Context) error {
	if at.known {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, at.c.timing.request)
	defer cancel()
	res, err := at.c.client.FindCoordinator(ctx, &kafka.FindCoordinatorRequest{Key: at.of, KeyType: at.kind})
	if err != nil {
		return err
	}
	if res.Error != nil {
		return res.Error
	}
	at.node, at.known = int32(res.Coordinator.NodeID), true
	return nil
}

// coordinatorRequest is a request to one broker by its id, encoded.
type coordinatorRequest struct {
	node int32  // broker id
	data []byte // from the size on; the connection may be writing it after the call is given up, so it is not used again
}

// coordinatorResponse is the answer, without size and correlation id.
type coordinatorResponse struct {
	key  protocol.ApiKey
	body []byte
}

// ApiKey says what is asked: it is the first field of the request, behind the size.
func (r *coordinatorRequest) ApiKey() protocol.ApiKey {
	return protocol.ApiKey(binary.BigEndian.Uint16(r.data[4:]))
}

// ApiKey repeats what was asked.
func (r *coordinatorResponse) ApiKey() protocol.ApiKey { return r.key }

// Broker routes the request to the coordinator.
func (r *coordinatorRequest) Broker(protocol.Cluster) (protocol.Broker, error) {
	return protocol.Broker{ID: r.node}, nil
}

// Required makes the Transport hand over the connection.
func (r *coordinatorRequest) Required(map[protocol.ApiKey]int16) bool { return true }

// RawExchange writes the request and reads the response.
func (r *coordinatorRequest) RawExchange(rw io.ReadWriter) (protocol.Message, error) {
	if _, err := rw.Write(r.data); err != nil {
		return nil, err
	}
	buf, err := readSmall(rw)
	if err != nil {
		return nil, err
	}
	return &coordinatorResponse{key: r.ApiKey(), body: buf[4:]}, nil
}

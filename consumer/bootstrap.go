package consumer

import (
	"context"
	"net"
	"sync/atomic"
)

// A bootstrap is where the group's connections begin: any of the brokers, each time the next one.
//
// The library's ConsumerGroup asks the first address of its list that takes a connection which broker coordinates the
// group. One that takes connections and then hangs up or says nothing, such as a load balancer before a dead broker, a
// half-open way or a broker that stands still, would keep the group from ever meeting while all others are well. So the
// list it gets has one name, which stands for all.
type bootstrap struct {
	brokers []string
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	next    atomic.Uint32
}

// anyBroker is that name. It is never resolved.
const anyBroker = "any-broker:0"

// dialContext connects to the address, and for anyBroker to the next broker that takes the connection.
func (b *bootstrap) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if address != anyBroker {
		return b.dial(ctx, network, address)
	}
	var conn net.Conn
	var err error
	for range b.brokers {
		i := int(b.next.Add(1)-1) % len(b.brokers)
		if conn, err = b.dial(ctx, network, b.brokers[i]); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

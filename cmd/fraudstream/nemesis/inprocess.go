package nemesis

import (
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// shortSession is how long the in-process broker waits for a silent worker. The service asks for 10 s, and a short run
// has not the time to wait for that.
const shortSession = 3 * time.Second

// StartInProcess returns the ground of the in-process broker, which is not Kafka: it has no replicas to lose, commits
// transactions at once, and lives in the test's own process. It ends with its test. Three listeners stand for three
// brokers, so that leaders and coordinators can move. Sessions and rebalances are cut down to shortSession on their
// way in, whatever a member asks for.
func StartInProcess(t testing.TB) *Ground {
	t.Helper()
	g := &Ground{Name: "kfake", Replication: 1}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(3), kfake.GroupMinSessionTimeout(time.Second), kfake.ListenFn(g.listen),
	)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	g.Fake = cluster
	g.Brokers = strings.Join(cluster.ListenAddrs(), ",")
	g.Direct = g.Brokers
	cluster.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		join := r.(*kmsg.JoinGroupRequest)
		join.SessionTimeoutMillis = min(join.SessionTimeoutMillis, int32(shortSession.Milliseconds()))
		join.RebalanceTimeoutMillis = min(join.RebalanceTimeoutMillis, int32(shortSession.Milliseconds()))
		return nil, nil, false
	})
	return g
}

// calm waits on the in-process broker until a group is at rest, and at most a few sessions. A member that is killed
// while it waits for the others to join is never missed there, unlike on Kafka, and keeps its partitions for good; so
// members are killed only when nobody waits.
func (w *World) calm(group string) {
	if w.Ground.Fake == nil {
		return
	}
	for deadline := time.Now().Add(4 * shortSession); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if g := w.Ground.Fake.GroupInfo(group); g != nil && g.State == "Stable" {
			return
		}
	}
}

// connections are those that the in-process broker has accepted and that nobody has closed at this end.
type connections struct {
	mu  sync.Mutex
	all map[net.Conn]bool
}

// listen is net.Listen that keeps the connections, so that they can be cut.
func (g *Ground) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	return &listener{l, &g.connections}, nil
}

// listener puts what it accepts on the list.
type listener struct {
	net.Listener
	connections *connections
}

// Accept puts the connection on the list before the broker has it.
func (l *listener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	conn := &connection{accepted, l.connections}
	l.connections.mu.Lock()
	defer l.connections.mu.Unlock()
	if l.connections.all == nil {
		l.connections.all = map[net.Conn]bool{}
	}
	l.connections.all[conn] = true
	return conn, nil
}

// cut closes every connection, in the middle of whatever is on it, and returns how many stood. Those that their clients
// had closed are gone from the list: the broker closes its end of them.
func (c *connections) cut() int {
	c.mu.Lock()
	all := slices.Collect(maps.Keys(c.all))
	c.mu.Unlock()
	for _, conn := range all {
		_ = conn.Close() // the broker's end may be closed by now
	}
	return len(all)
}

// connection is one that takes itself off the list when it is closed.
type connection struct {
	net.Conn
	list *connections
}

// Close takes the connection off the list first, so that cut counts none that is being closed.
func (c *connection) Close() error {
	c.list.mu.Lock()
	delete(c.list.all, c)
	c.list.mu.Unlock()
	return c.Conn.Close()
}

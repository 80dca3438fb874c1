// Package kafkatest starts a real Apache Kafka for tests. Tests import it and what they share; the service is built
// without it.
//
// The in-process broker of the unit tests is fast, and it is not Kafka: it answers a fenced producer with other
// codes, has no replicas to lose and commits transactions at once. What the consumer promises is therefore shown
// a second time here, on one broker or three that were started from the jars of Maven Central, listen on the
// loopback address alone, and can be killed.
//
//	func TestBrokerRestart(t *testing.T) {
//		cluster := kafkatest.Start(t, 1)
//		cluster.CreateTopic(t, "transactions", 4)
//		…
//		cluster.StopNode(t, 1, true)
//		cluster.StartNode(t)
//	}
//
// [StartProxied] starts brokers that clients reach only through a [Network], which can be cut, held, slowed and made to
// change what passes; the test itself has a way around it.
//
// [StartSecure] starts one that demands TLS and a login and refuses what no ACL allows; certificates are made for each
// test by an [Authority]. StartProxied does the same for three, with Options.Secure.
//
// # Why the proxies read what passes
//
// To cut, hold or slow a connection nobody has to understand it. But what makes delivery hard is in the words: a batch that
// was written while the answer says that it was not, an answer that never came, bytes that were changed on their way or on
// a disk. No broker can be made to do that at a chosen moment, so the proxies take requests and answers apart as far as
// they must, by another client's reading of the protocol, and change those that a [Tamper] names. All else passes as it
// came, byte for byte.
//
// # Why it is behind a variable
//
// `go test ./...` needs Go and nothing else. Start skips the test unless FRAUDSTREAM_REAL_KAFKA is 1; then Java
// must be there, and Maven for the first start of a version (FRAUDSTREAM_KAFKA_VERSION, default 4.1.2). `make check`
// sets the variable where it finds both and says so where it does not.
package kafkatest

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

// startTimeout is for the first start of a version, which gets the jars; a later start takes about 6 s.
const startTimeout = 5 * time.Minute

// Cluster is a running Apache Kafka of one or three nodes, each broker and controller. It ends with its test.
type Cluster struct {
	scripts   string // the directory of kafka-up.sh and kafka-down.sh
	dir       string
	nodes     int
	port      int
	bootstrap string
	secure    bool
	proxied   bool
	session   time.Duration // of a broker with its controller; 0: 3 s
}

// Start runs brokers (1 or 3) nodes on free ports and returns when all of them answer and both coordinators are
// found. With three, topics have three replicas and min.insync.replicas 2. No topic is created on sight.
func Start(t testing.TB, brokers int) *Cluster {
	t.Helper()
	demand(t)
	c := &Cluster{scripts: scripts(t), dir: t.TempDir(), nodes: brokers, port: freePorts(t, brokers)}
	t.Cleanup(func() { c.stop(t) })
	c.bootstrap = c.StartNode(t)
	return c
}

// demand skips a test where no real Kafka is wanted.
func demand(t testing.TB) {
	t.Helper()
	if os.Getenv("FRAUDSTREAM_REAL_KAFKA") != "1" {
		t.Skip("skipped the real Apache Kafka: FRAUDSTREAM_REAL_KAFKA is not 1")
	}
}

// Bootstrap returns the addresses of all nodes, host:port, separated by commas.
func (c *Cluster) Bootstrap() string { return c.bootstrap }

// StopNode stops node i (from 1) and returns when it is gone: in good order, handing over what it leads first, or with
// kill9 as a crash does. Its data stay.
func (c *Cluster) StopNode(t testing.TB, i int, kill9 bool) {
	t.Helper()
	arguments := []string{c.dir, strconv.Itoa(i)}
	if kill9 {
		arguments = append(arguments, "--kill9")
	}
	c.script(t, "kafka-down.sh", arguments...)
}

// StartNode starts whichever nodes are down, with the data they had, and returns the bootstrap addresses when the
// whole cluster answers.
func (c *Cluster) StartNode(t testing.TB) string {
	t.Helper()
	return c.script(t, "kafka-up.sh", c.dir, strconv.Itoa(c.nodes), strconv.Itoa(c.port))
}

// Restart stops every node in good order and starts them again.
func (c *Cluster) Restart(t testing.TB) {
	t.Helper()
	c.script(t, "kafka-down.sh", c.dir)
	c.StartNode(t)
}

// CreateTopic creates a topic, replicated to every node, and returns when each partition has a leader.
func (c *Cluster) CreateTopic(t testing.TB, name string, partitions int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(strings.Split(c.bootstrap, ",")...), Transport: transport}
	created, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: name, NumPartitions: partitions, ReplicationFactor: c.nodes}},
	})
	if err == nil {
		err = created.Errors[name]
	}
	if err != nil {
		t.Fatalf("create topic %s: %v", name, err)
	}
	for !hasLeaders(ctx, client, name, partitions) {
		if ctx.Err() != nil {
			t.Fatalf("topic %s has no leaders: %v", name, ctx.Err())
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// hasLeaders tells whether the broker that is asked knows all partitions of a topic, each with a leader that is there.
func hasLeaders(ctx context.Context, client *kafka.Client, topic string, partitions int) bool {
	m, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil || len(m.Topics) != 1 || m.Topics[0].Error != nil || len(m.Topics[0].Partitions) != partitions {
		return false
	}
	for _, p := range m.Topics[0].Partitions {
		if p.Error != nil || p.Leader.Port == 0 {
			return false
		}
	}
	return true
}

// stop ends the cluster with its test, and shows the end of the brokers' logs if that has failed.
func (c *Cluster) stop(t testing.TB) {
	if t.Failed() {
		for i := 1; i <= c.nodes; i++ {
			log, _ := os.ReadFile(filepath.Join(c.dir, fmt.Sprintf("node%d.log", i)))
			lines := strings.Split(strings.TrimSpace(string(log)), "\n")
			t.Logf("node %d, last lines:\n%s", i, strings.Join(lines[max(0, len(lines)-15):], "\n"))
		}
	}
	// A test is over: nothing of it is worth the seconds that leaving in good order takes.
	c.script(t, "kafka-down.sh", c.dir, "--kill9")
}

// script runs one of the project's scripts and returns its standard output; the rest is shown if it fails. Brokers are told
// the test's process, and end with it however it ends. The context is no test's, since the script that stops a cluster runs
// when that of its test is over.
func (c *Cluster) script(t testing.TB, name string, arguments ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, filepath.Join(c.scripts, name), arguments...)
	command.Env = append(os.Environ(), "FRAUDSTREAM_KAFKA_OWNER="+strconv.Itoa(os.Getpid()))
	if c.secure {
		command.Env = append(command.Env, "FRAUDSTREAM_KAFKA_SECURE=1")
	}
	if c.proxied {
		command.Env = append(command.Env, "FRAUDSTREAM_KAFKA_PROXIED=1")
	}
	if c.session > 0 {
		command.Env = append(command.Env, fmt.Sprintf("FRAUDSTREAM_KAFKA_SESSION=%d", c.session.Milliseconds()))
	}
	var complaints bytes.Buffer
	command.Stderr = &complaints
	output, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, complaints.Bytes())
	}
	return strings.TrimSpace(string(output))
}

// scripts finds the directory .ci from wherever in the module the test runs.
func scripts(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return filepath.Join(dir, ".ci")
		}
		if dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	t.Fatalf("no go.mod above the test's directory: %v", err)
	return ""
}

// freePorts returns a base at which all ports of a cluster are free: those for clients (base to base+8), of controllers
// (base+10, …) and of the way through proxies (base+13 to base+18). Bases are twenty apart, so that two clusters do not
// overlap. It looks below the range from which the kernel gives ports to outgoing connections, so that none is lost to one.
func freePorts(t testing.TB, nodes int) int {
	t.Helper()
	for range 100 {
		base := 15_000 + 20*rand.IntN(800)
		if allFree(base, 9) && allFree(base+10, nodes) && allFree(base+13, 6) {
			return base
		}
	}
	t.Fatal("found no free ports for Kafka")
	return 0
}

// allFree tells whether nobody listens on any of so many ports on the loopback.
func allFree(first, count int) bool {
	for port := first; port < first+count; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

package kafkatest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"fraudstream/consumer/kafkatest"
)

// echo is a server that says what it hears, behind an opaque network.
func echo(t *testing.T) *kafkatest.Network {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn) // until either side ends
				conn.Close()
			}()
		}
	}()
	return kafkatest.NewNetwork(t, true, kafkatest.Route{Listen: "127.0.0.1:0", Broker: listener.Addr().String()})
}

// dial connects and says hello once, so that the connection stands.
func dial(t *testing.T, n *kafkatest.Network) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", n.Bootstrap())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := hear(conn, time.Minute); err != nil {
		t.Fatal(err)
	}
	return conn
}

// hear says a word and waits for the echo.
func hear(conn net.Conn, wait time.Duration) error {
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 5))
	return err
}

func TestCutRefuses(t *testing.T) {
	t.Parallel()
	n := echo(t)
	conn := dial(t, n)
	n.Cut()
	if err := hear(conn, time.Minute); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a connection that was cut says %v", err)
	}
	if toll := n.Toll(); toll != (kafkatest.Toll{Closed: 1}) {
		t.Errorf("cutting one connection is counted as %+v", toll)
	}
	if _, err := net.Dial("tcp", n.Bootstrap()); err == nil {
		t.Error("a network that is cut takes connections")
	}
	n.Heal(t)
	dial(t, n)
}

func TestSwallowIsSilent(t *testing.T) {
	t.Parallel()
	for _, way := range []kafkatest.Way{kafkatest.ToBroker, kafkatest.ToClient} {
		n := echo(t)
		conn := dial(t, n)
		n.Swallow(way)
		if err := hear(conn, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a half-open connection says %v", err)
		}
		if toll := n.Toll(); toll != (kafkatest.Toll{Lost: 5}) {
			t.Errorf("five bytes that are lost are counted as %+v", toll)
		}
		n.Heal(t)
		if err := hear(conn, time.Minute); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a connection that has lost bytes says %v, want it closed", err)
		}
		dial(t, n)
	}
}

func TestHoldDeliversLate(t *testing.T) {
	t.Parallel()
	n := echo(t)
	conn := dial(t, n)
	n.Hold()
	if err := hear(conn, 50*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a held connection says %v", err)
	}
	if toll := n.Toll(); toll != (kafkatest.Toll{Held: 1}) {
		t.Errorf("one frame that is held is counted as %+v", toll)
	}
	n.Heal(t)
	if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
		t.Errorf("what was held did not come: %v", err)
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	n := echo(t)
	conn := dial(t, n)
	n.Slow(20*time.Millisecond, 500) // 5 bytes: 10 ms more, each way
	began := time.Now()
	if err := hear(conn, time.Minute); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 60*time.Millisecond {
		t.Errorf("there and back took %v, want at least 60 ms", took)
	}
	if toll := n.Toll(); toll != (kafkatest.Toll{Delayed: 2}) {
		t.Errorf("there and back is counted as %+v", toll)
	}
}

// lyingListener says that it is where the proxy is.
type lyingListener struct {
	net.Listener
	address net.Addr
}

func (l lyingListener) Addr() net.Addr { return l.address }

// fake is an in-process broker with one topic, behind a network.
func fake(t *testing.T) (*kafkatest.Network, *kgo.Client) {
	t.Helper()
	var network *kafkatest.Network
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "kept"),
		kfake.ListenFn(func(kind, address string) (net.Listener, error) {
			listener, err := net.Listen(kind, address)
			if err != nil {
				return nil, err
			}
			network = kafkatest.NewNetwork(t, false, kafkatest.Route{Listen: "127.0.0.1:0", Broker: listener.Addr().String()})
			proxy, err := net.ResolveTCPAddr("tcp", network.Bootstrap())
			return lyingListener{listener, proxy}, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	// Later versions name topics by ids.
	return network, franz(t, network.Bootstrap(), kgo.MaxVersions(kversion.V3_0_0()), kgo.ConsumeTopics("kept"))
}

func TestAnswerProduce(t *testing.T) {
	t.Parallel()
	network, client := fake(t)
	for _, c := range []struct {
		code    int16
		applied bool
	}{{kerr.NotEnoughReplicas.Code, false}, {kerr.NotEnoughReplicasAfterAppend.Code, true}, {kerr.RequestTimedOut.Code, true}} {
		tamper := network.AnswerProduce("kept", c.code, c.applied, 2)
		write(t, client, 0)
		if n := tamper.Hits(); n != 2 {
			t.Errorf("code %d was answered %d times, want 2", c.code, n)
		}
	}
	if n := len(read(t, client, 3)); n != 3 {
		t.Errorf("read %d records, want 3: an idempotent producer writes none twice", n)
	}
}

// TestAppliedOrNot tells the two kinds of answer apart by what the broker has.
func TestAppliedOrNot(t *testing.T) {
	t.Parallel()
	for _, applied := range []bool{true, false} {
		network, client := fake(t)
		network.AnswerProduce("kept", kerr.InvalidRecord.Code, applied, 1)
		if err := client.ProduceSync(t.Context(), &kgo.Record{Value: []byte("refused")}).FirstErr(); !errors.Is(err, kerr.InvalidRecord) {
			t.Fatalf("the answer is %v", err)
		}
		other := franz(t, network.Bootstrap())
		if err := other.ProduceSync(t.Context(), &kgo.Record{Value: []byte("taken")}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		first := string(read(t, client, 1)[0].Value)
		if (first == "refused") != applied {
			t.Errorf("applied=%v: the first record is %q", applied, first)
		}
	}
}

func TestLoseAnswer(t *testing.T) {
	t.Parallel()
	network, client := fake(t)
	other, tamper := network.LoseAnswer(kmsg.Produce, "keen", 1), network.LoseAnswer(kmsg.Produce, "ke", 1)
	write(t, client, 0)
	if tamper.Hits() != 1 || other.Hits() != 0 {
		t.Errorf("%d answers of the topic were lost, want 1, and %d of another, want none", tamper.Hits(), other.Hits())
	}
	write(t, client, 0)
	if n := len(read(t, client, 2)); n != 2 {
		t.Errorf("read %d records, want 2", n)
	}
}

func TestCorruptFetch(t *testing.T) {
	t.Parallel()
	network, client := fake(t)
	for range 3 {
		write(t, client, 0)
	}
	tamper, other := network.CorruptFetch("kgo", "kept", 0, 1, -1), network.CorruptFetch("other", "kept", 0, 0, -1)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var records int
	var corrupt bool
	for !corrupt && ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		records += fetches.NumRecords()
		for _, e := range fetches.Errors() {
			corrupt = corrupt || !errors.Is(e.Err, context.DeadlineExceeded)
		}
	}
	if first, last := tamper.Batch(); !corrupt || first != 1 || last != 1 {
		t.Errorf("corrupt=%v after %d records, batch %d to %d, want 1 to 1", corrupt, records, first, last)
	}
	if n := other.Hits(); n != 0 {
		t.Errorf("%d batches were corrupted for a client of another name", n)
	}
	tamper.End()
	whole := franz(t, network.Bootstrap(), kgo.ConsumeTopics("kept"), kgo.MaxVersions(kversion.V3_0_0()))
	if n := len(read(t, whole, 3)); n != 3 {
		t.Errorf("read %d records after the end, want 3", n)
	}
}

// read polls until there are n records.
func read(t *testing.T, client *kgo.Client, n int) (all []*kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for len(all) < n && ctx.Err() == nil {
		all = append(all, client.PollFetches(ctx).Records()...)
	}
	if len(all) < n {
		t.Fatalf("read %d records, want %d", len(all), n)
	}
	return all
}

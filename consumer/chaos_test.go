package consumer

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// chaosFor is how long members crash, stand still and come back, and chaosEvents how many events that happens to.
const (
	chaosFor        = 4 * time.Second
	chaosPartitions = 4
	chaosEvery      = 25 * time.Millisecond // between two batches of events
	chaosBatch      = 40
)

// TestChaos lets members crash, stand still for longer than their session (a zombie, which afterwards goes on where it
// was), and leave, while commits take long at random, so that they land late. FRAUDSTREAM_SEED replays a schedule.
func TestChaos(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("FRAUDSTREAM_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	s := exactStage(t, chaosPartitions)
	hasten := slowCommits(s, rand.New(rand.NewPCG(seed, 1)))
	o := s.monitored(&adderLog{}, chaosPartitions)
	o.CommitInterval = 20 * time.Millisecond
	c := &chaos{s: s, o: o, random: rand.New(rand.NewPCG(seed, 2))}
	var sending sync.WaitGroup
	ctx, cancel := context.WithTimeout(t.Context(), chaosFor)
	defer cancel()
	var sent []string
	sending.Go(func() {
		for i := 0; sleep(ctx, chaosEvery) == nil; i++ {
			sent = append(sent, s.sendEvents(fmt.Sprintf("%05d", i), chaosBatch, chaosPartitions)...)
		}
	})
	for ctx.Err() == nil {
		c.step()
	}
	sending.Wait()
	hasten()
	c.end()
	s.bury()
	stop := s.start(s.consumer(o))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	lost, copies := s.compare(sent, s.decisionIDs())
	t.Logf("seed %d: %d events, %d crashes, %d zombies, %d left in good order: lost=%d duplicated=%d",
		seed, len(sent), c.crashes, c.zombies, c.left, lost, copies)
	if lost > 0 || copies > 0 {
		t.Errorf("lost=%d duplicated=%d, seed %d", lost, copies, seed)
	}
	s.assertAlerts(len(sent)/chaosPartitions, chaosPartitions, false)
}

// slowCommits holds up the end of some transactions, as a busy coordinator does. kafka-go knows no request that checks
// whether a commit is under way, so this is where a position that is read too early goes wrong. It returns what ends that.
func slowCommits(s *stage, random *rand.Rand) (hasten func()) {
	var mu sync.Mutex
	var fast atomic.Bool
	s.b.fake.ControlKey(int16(kmsg.EndTxn), func(kmsg.Request) (kmsg.Response, error, bool) {
		s.b.fake.KeepControl()
		mu.Lock()
		pause := time.Duration(random.IntN(200)) * time.Millisecond
		if random.IntN(8) > 0 || fast.Load() {
			pause = 0
		}
		mu.Unlock()
		if pause > 0 {
			s.b.fake.SleepControl(func() { time.Sleep(pause) })
		}
		return nil, nil, false
	})
	return func() { fast.Store(true) }
}

// chaos keeps up to three members alive.
type chaos struct {
	s                      *stage
	o                      Options
	random                 *rand.Rand
	members                []*chaosMember
	asleep                 sync.WaitGroup
	crashes, zombies, left int
}

type chaosMember struct {
	net  *freezingDial
	stop func()
}

// step does one thing to one member.
func (c *chaos) step() {
	time.Sleep(time.Duration(20+c.random.IntN(130)) * time.Millisecond)
	if len(c.members) < 2 || len(c.members) < 3 && c.random.IntN(2) == 0 {
		c.join()
		return
	}
	i := c.random.IntN(len(c.members))
	m := c.members[i]
	switch c.random.IntN(3) {
	case 0: // crashes
		c.crashes++
		m.net.sever()
		c.remove(i)
	case 1: // stands still, and comes back to a group that has gone on
		c.zombies++
		m.net.freeze()
		c.asleep.Go(func() { time.Sleep(1200 * time.Millisecond); m.net.thaw() })
	case 2:
		c.left++
		c.remove(i)
	}
}

func (c *chaos) join() {
	m := &chaosMember{net: &freezingDial{}}
	o := c.o
	o.Dial = m.net.dial
	member := c.s.consumer(o)
	member.timing.session, member.timing.rebalance = 700*time.Millisecond, 700*time.Millisecond
	member.timing.drain, member.timing.leave, member.timing.abort = 300*time.Millisecond, 300*time.Millisecond, 100*time.Millisecond
	m.stop = c.s.start(member)
	c.members = append(c.members, m)
}

func (c *chaos) remove(i int) {
	m := c.members[i]
	c.members = append(c.members[:i], c.members[i+1:]...)
	c.asleep.Go(m.stop)
}

func (c *chaos) end() {
	for len(c.members) > 0 {
		c.remove(0)
	}
	c.asleep.Wait()
}

// freezingDial is a dialer whose connections can stand still: what is written then goes out when they are thawed, as
// with a process that is stopped and continued.
type freezingDial struct {
	cuttableDial
	frozen   atomic.Pointer[chan struct{}]
	freezeAt atomic.Int32 // one more than the key of a request that freezes all when it is about to be written, once; 0: none
}

func (d *freezingDial) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.wait()
	conn, err := d.cuttableDial.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &freezingConn{conn, d}, nil
}

func (d *freezingDial) freeze() {
	ice := make(chan struct{})
	d.frozen.CompareAndSwap(nil, &ice)
}

func (d *freezingDial) thaw() {
	if ice := d.frozen.Swap(nil); ice != nil {
		close(*ice)
	}
}

func (d *freezingDial) wait() {
	if ice := d.frozen.Load(); ice != nil {
		<-*ice
	}
}

type freezingConn struct {
	net.Conn
	d *freezingDial
}

func (c *freezingConn) Write(b []byte) (int, error) {
	if at := c.d.freezeAt.Load(); at > 0 && len(b) >= 8 && int32(binary.BigEndian.Uint16(b[4:]))+1 == at && c.d.freezeAt.CompareAndSwap(at, 0) {
		c.d.freeze()
	}
	c.d.wait()
	return c.Conn.Write(b)
}

// A process that stands still in the middle of a transaction, and goes on when its partition has another owner who has
// decided the same events, commits nothing more: whichever request comes next is refused.
func TestLateCommitIsRefused(t *testing.T) {
	for _, at := range []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.Produce, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn} {
		t.Run(at.Name(), func(t *testing.T) {
			t.Parallel()
			s := exactStage(t, 1)
			o := s.options()
			registry := prometheus.NewRegistry()
			o.Metrics = NewMetrics(registry)
			var net freezingDial
			o.Dial = net.dial
			zombie := s.consumer(o)
			zombie.timing.session, zombie.timing.rebalance = 700*time.Millisecond, 700*time.Millisecond
			stopZombie := s.start(zombie)
			sent := s.sendEvents("a", 100, 1)
			s.await("the end of the lag", s.groupAtEnd)
			net.freezeAt.Store(int32(at) + 1)
			sent = append(sent, s.sendEvents("b", 100, 1)...)
			s.await("the zombie to stand still", func() bool { return net.frozen.Load() != nil })
			stop := s.start(s.consumer(s.options()))
			s.await("the new owner", s.groupAtEnd)
			net.thaw()
			sent = append(sent, s.sendEvents("c", 100, 1)...)
			s.await("the end of the lag", s.groupAtEnd)
			s.await("the zombie's return to the group", func() bool {
				n, _ := metric(t, registry, "fraudstream_rebalances_total")
				return n > 1
			})
			stop()
			stopZombie()
			s.assertOnce(sent, s.decisionIDs())
		})
	}
}

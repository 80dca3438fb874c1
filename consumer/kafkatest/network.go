package kafkatest

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// Network is what lies between clients and brokers: one [Proxy] for each broker, and what all of them do to the words that
// pass. It lets everything through until it is told otherwise. [Network.Heal] ends what it does to connections and bytes;
// what it does to words, each a [Tamper], ends after so many times or with [Tamper.End].
//
// Brokers are named by their number, from 1; a method that is given none means all.
type Network struct {
	proxies []*Proxy
	words   *tampering
}

// A Route says where a proxy listens and which broker it reaches.
type Route struct{ Listen, Broker string }

// NewNetwork starts a proxy for each route and ends them with the test. What an opaque network carries is encrypted: it
// can be cut, held and slowed, but not read.
func NewNetwork(t testing.TB, opaque bool, routes ...Route) *Network {
	t.Helper()
	n := &Network{words: &tampering{}}
	for _, r := range routes {
		p, err := newProxy(r, n.words, opaque)
		if err != nil {
			t.Fatalf("proxy %s: %v", r.Listen, err)
		}
		t.Cleanup(p.end)
		n.proxies = append(n.proxies, p)
	}
	return n
}

// Bootstrap returns the addresses of all proxies, host:port, separated by commas.
func (n *Network) Bootstrap() string {
	var all []string
	for _, p := range n.proxies {
		all = append(all, p.Address())
	}
	return strings.Join(all, ",")
}

// each does something to the proxies of the named brokers; with none to all.
func (n *Network) each(brokers []int, do func(*Proxy)) {
	if len(brokers) == 0 {
		for i := range n.proxies {
			brokers = append(brokers, i+1)
		}
	}
	for _, i := range brokers {
		do(n.proxies[i-1])
	}
}

// Cut closes every connection with a reset, so that what was under way is lost, and refuses new ones.
func (n *Network) Cut(brokers ...int) { n.each(brokers, (*Proxy).cut) }

// Swallow lets connections stand, accepts new ones, and loses what goes the given way without a word: the connection is
// half open. Healing closes those that have lost something.
func (n *Network) Swallow(way Way, brokers ...int) {
	n.each(brokers, func(p *Proxy) { p.set(func(l *link) { l.swallows |= way }) })
}

// Hold lets nothing through and loses nothing: what was sent meanwhile arrives when the network is healed, as it does
// when TCP sends again after a partition of the network.
func (n *Network) Hold(brokers ...int) {
	n.each(brokers, func(p *Proxy) { p.set(func(l *link) { l.held = true }) })
}

// Slow delays every frame, both ways, and lets so many bytes a second through each connection and way (0: any number).
// Frames of one connection wait one after the other, so that many small ones are slower than one that is as large as all of
// them. In an opaque network a frame is whatever was read at once.
func (n *Network) Slow(delay time.Duration, bytesPerSecond int, brokers ...int) {
	n.each(brokers, func(p *Proxy) { p.set(func(l *link) { l.delay, l.rate = delay, bytesPerSecond }) })
}

// Disconnect closes every connection with a reset, once; new ones are taken at once.
func (n *Network) Disconnect(brokers ...int) { n.each(brokers, (*Proxy).disconnect) }

// Heal ends what Cut, Swallow, Hold and Slow began, whichever of them it was. It fails the test where a proxy cannot have
// its port back.
func (n *Network) Heal(t testing.TB, brokers ...int) {
	t.Helper()
	n.each(brokers, func(p *Proxy) {
		if err := p.heal(); err != nil {
			t.Fatalf("proxy %s: %v", p.Address(), err)
		}
	})
}

// Toll is what has been done to connections and bytes so far, at all brokers together.
func (n *Network) Toll() (sum Toll) {
	for _, p := range n.proxies {
		p.mu.Lock()
		sum.add(p.toll)
		p.mu.Unlock()
	}
	return sum
}

// AnswerProduce answers the next requests that produce to a topic with an error code. With applied the broker gets the
// request and does what it says, and only the answer is changed, as if a replica had failed after the append; without, the
// broker never hears of it. A request that is refused is refused for all of its topics; of an answer that is changed only
// the named topic is.
func (n *Network) AnswerProduce(topic string, code int16, applied bool, times int) *Tamper {
	return n.words.add(&Tamper{key: kmsg.Produce, topic: topic, code: code, applied: applied, left: times})
}

// LoseAnswer hangs up instead of delivering the answers to the next requests of a kind: the broker has done what was asked,
// and the client cannot know. What else waits for its answer on that connection loses it, too. Only requests count whose
// topic, group or transactional id begins with a prefix; all do with the empty one, those too that name nothing.
func (n *Network) LoseAnswer(key kmsg.Key, prefix string, times int) *Tamper {
	return n.words.add(&Tamper{key: key, prefix: prefix, lose: true, applied: true, left: times})
}

// CorruptFetch flips a bit in the next fetched batches of a partition that hold the offset, so that their CRC is wrong;
// times below 0 means until [Tamper.End], which is what a batch that is corrupt on the broker's disk looks like. An offset
// below 0 means any batch. Only clients count whose name, the client id of their requests, begins with client: all do with
// the empty one.
func (n *Network) CorruptFetch(client, topic string, partition int32, offset int64, times int) *Tamper {
	return n.words.add(&Tamper{
		key: kmsg.Fetch, client: client, topic: topic, partition: partition, offset: offset, applied: true, corrupt: true, left: times,
	})
}

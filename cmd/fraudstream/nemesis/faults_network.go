package nemesis

import (
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"fraudstream/consumer/kafkatest"
)

// networkFaults happen between the workers and the brokers. Generator, witness and sampler have a way of their own.
func networkFaults() []Fault {
	return []Fault{
		networkCut("network cut for 5 s", 5*time.Second), networkCut("network cut for 60 s", time.Minute),
		halfOpen(), slowLink(), heldBack(), answersLost(),
		answeredByProxy("NOT_ENOUGH_REPLICAS", kerr.NotEnoughReplicas, false),
		answeredByProxy("NOT_ENOUGH_REPLICAS_AFTER_APPEND", kerr.NotEnoughReplicasAfterAppend, true),
		answeredByProxy("REQUEST_TIMED_OUT", kerr.RequestTimedOut, true),
	}
}

// networkCut ends every connection to every broker with a reset, and refuses new ones for so long: 5 s are less than
// a session of 10 s, and 60 s are more than the session and than the 30 s for which a coordinator keeps a transaction
// open. Generator and witness see nothing of it, so events go on coming in. Both lengths are rows of their own,
// because other code answers them: the one is waited out, the other ends with members that the group has given up.
func networkCut(name string, length time.Duration) Fault {
	return Fault{name, func(w *World) {
		network := w.Ground.Kafka.Network
		before := network.Toll()
		w.Burst(500)
		network.Cut()
		w.Sleep(length)
		w.MetAll("connections closed", network.Toll().Closed-before.Closed)
		w.MetWaiting()
		network.Heal(w.T)
	}}
}

// halfOpen lets one broker take what it is sent and be silent for 15 to 18 s, and then one that hears nothing, as
// when a firewall has forgotten the connection: only deadlines tell. The two differ in what the broker has done: in
// the first case all of it, in the second none.
func halfOpen() Fault {
	return Fault{"half-open connection", func(w *World) {
		network := w.Ground.Kafka.Network
		for _, way := range []kafkatest.Way{kafkatest.ToClient, kafkatest.ToBroker} {
			before := network.Toll()
			broker := 1 + w.Random.IntN(w.Ground.Kafka.Nodes())
			w.Burst(300)
			network.Swallow(way, broker)
			w.Sleep(w.Between(15*time.Second, 18*time.Second))
			w.MetAll("bytes lost", network.Toll().Lost-before.Lost)
			w.MetWaiting()
			network.Heal(w.T, broker)
			w.Mended()
			w.Sleep(3 * time.Second)
		}
		w.Struck(2)
	}}
}

// slowLink delays every frame by 200 ms and lets 100 kB a second through each connection. A decision takes a request at
// least, so there and back nobody has its answer within twice the delay.
func slowLink() Fault {
	return Fault{"slow link: 200 ms, 100 kB/s", func(w *World) {
		const delay = 200 * time.Millisecond
		network := w.Ground.Kafka.Network
		before := network.Toll()
		network.Slow(delay, 100_000)
		w.Sleep(w.Between(12*time.Second, 15*time.Second))
		w.MetAll("frames delayed", network.Toll().Delayed-before.Delayed)
		for _, s := range w.Subjects {
			w.Met(s, "events waiting for longer than the delay", s.Ledger.waiting(delay))
		}
		network.Heal(w.T)
	}}
}

// heldBack lets everything that was sent arrive late, longer than a session: writes and commits of members that the
// group has given up by then, in connections that are closed at the other end.
func heldBack() Fault {
	return Fault{"everything sent arrives 15 s late", func(w *World) {
		network := w.Ground.Kafka.Network
		before := network.Toll()
		was := map[*Subject]map[string]bool{}
		for _, s := range w.Subjects {
			was[s] = w.members(s)
		}
		w.Burst(500)
		network.Hold()
		w.Sleep(15 * time.Second)
		w.MetAll("frames held", network.Toll().Held-before.Held)
		w.MetWaiting()
		for _, s := range w.Subjects {
			w.Met(s, "members given up meanwhile", gone(was[s], w.members(s)))
		}
		network.Heal(w.T)
	}}
}

// answersLost lets the broker do what it is asked and loses the answer by hanging up: to writes, to each request of a
// transaction, and to commits, one to five answers of each. Each subject loses answers to each kind of request that it
// makes. Whoever takes the request for undone and does it anew under another name has done it twice.
func answersLost() Fault {
	return Fault{"answers lost after the broker has acted", func(w *World) {
		all := []kmsg.Key{kmsg.Produce, kmsg.InitProducerID}
		transactional := []kmsg.Key{kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn}
		for _, key := range all {
			w.loseAnswers(key, w.Subjects...)
		}
		w.loseAnswers(kmsg.OffsetCommit, slices.DeleteFunc(slices.Clone(w.Subjects), func(s *Subject) bool { return s.ExactlyOnce })...)
		for _, key := range transactional {
			w.loseAnswers(key, w.subject("exactly-once"))
		}
		w.Struck(len(all) + len(transactional) + 1)
	}}
}

// loseAnswers loses some answers to one kind of request of each of the subjects. Nobody needs a new producer without
// a fault, so answers to that request need not be lost. It waits until each of them has lost at least one, where it
// needs such answers; what is left of the times ends with the call.
func (w *World) loseAnswers(key kmsg.Key, subjects ...*Subject) {
	w.Burst(200)
	times := 1 + w.Random.IntN(5)
	tampers := map[*Subject]*kafkatest.Tamper{}
	for _, s := range subjects {
		prefix := s.Group // of transactional ids too
		if key == kmsg.Produce {
			prefix = s.Name + "."
		}
		tampers[s] = w.Ground.Kafka.Network.LoseAnswer(key, prefix, times)
	}
	needed := key != kmsg.InitProducerID
	for s, tamper := range tampers {
		if needed {
			w.eventually("a lost answer to "+key.Name()+" of "+s.Name, time.Minute, func() bool { return tamper.Hits() > 0 })
		}
	}
	w.Sleep(w.Between(500*time.Millisecond, 1500*time.Millisecond))
	for s, tamper := range tampers {
		tamper.End()
		if hits := tamper.Hits(); hits > 0 || needed {
			w.Met(s, "answers lost to "+key.Name(), hits)
		}
	}
	w.Mended()
}

// answeredByProxy changes the answers to what the subjects write, for 1 to 3 s. With applied the broker has written
// what the answer says that it has not, so that sending it again must not make a second copy; without, the broker
// never hears of it.
func answeredByProxy(name string, code *kerr.Error, applied bool) Fault {
	return Fault{name, func(w *World) {
		tampers := map[*Subject][]*kafkatest.Tamper{}
		for _, s := range w.Subjects {
			for _, topic := range []string{s.Topics.decisions, s.Topics.letters} {
				tampers[s] = append(tampers[s], w.Ground.Kafka.Network.AnswerProduce(topic, code.Code, applied, -1))
			}
		}
		w.Burst(500)
		w.Sleep(w.Between(time.Second, 3*time.Second))
		for s, own := range tampers {
			hits := 0
			for _, tamper := range own {
				tamper.End()
				hits += tamper.Hits()
			}
			w.Met(s, "answers", hits)
		}
	}}
}

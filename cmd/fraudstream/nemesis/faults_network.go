package nemesis

import (
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

// networkCut ends every connection to every broker, and refuses new ones.
func networkCut(name string, length time.Duration) Fault {
	return Fault{name, func(w *World) {
		w.Burst(500)
		w.Ground.Kafka.Network.Cut()
		w.Sleep(length)
		w.Ground.Kafka.Network.Heal(w.T)
	}}
}

// halfOpen lets one broker take what it is sent and be silent, and then another that hears nothing, as when a firewall has
// forgotten the connection: only deadlines tell.
func halfOpen() Fault {
	return Fault{"half-open connection", func(w *World) {
		network := w.Ground.Kafka.Network
		for _, way := range []kafkatest.Way{kafkatest.ToClient, kafkatest.ToBroker} {
			broker := 1 + w.Random.IntN(w.Ground.Kafka.Nodes())
			w.Burst(300)
			network.Swallow(way, broker)
			w.Sleep(w.Between(15*time.Second, 20*time.Second))
			network.Heal(w.T, broker)
			w.Mended()
			w.Sleep(3 * time.Second)
		}
		w.Struck(2)
	}}
}

// slowLink delays every frame by 200 ms and lets 100 kB a second through each connection.
func slowLink() Fault {
	return Fault{"slow link: 200 ms, 100 kB/s", func(w *World) {
		w.Ground.Kafka.Network.Slow(200*time.Millisecond, 100_000)
		w.Sleep(w.Between(20*time.Second, 25*time.Second))
		w.Ground.Kafka.Network.Heal(w.T)
	}}
}

// heldBack lets everything that was sent arrive late, longer than a session: writes and commits of members that the
// group has given up by then, in connections that are closed at the other end.
func heldBack() Fault {
	return Fault{"everything sent arrives 15 s late", func(w *World) {
		w.Burst(500)
		w.Ground.Kafka.Network.Hold()
		w.Sleep(15 * time.Second)
		w.Ground.Kafka.Network.Heal(w.T)
	}}
}

// answersLost lets the broker do what it is asked and loses the answer: to writes, to each request of a transaction, and
// to commits.
func answersLost() Fault {
	return Fault{"answers lost after the broker has acted", func(w *World) {
		keys := []kmsg.Key{
			kmsg.Produce, kmsg.AddPartitionsToTxn, kmsg.AddOffsetsToTxn, kmsg.TxnOffsetCommit, kmsg.EndTxn, kmsg.InitProducerID,
			kmsg.OffsetCommit,
		}
		hits := map[string]int{}
		for _, key := range keys {
			w.Burst(200)
			tamper := w.Ground.Kafka.Network.LoseAnswer(key, 1+w.Random.IntN(5))
			if key != kmsg.InitProducerID { // nobody needs a new producer without a fault
				w.eventually("a lost answer to "+key.Name(), time.Minute, func() bool { return tamper.Hits() > 0 })
			}
			w.Sleep(w.Between(500*time.Millisecond, 1500*time.Millisecond))
			tamper.End()
			hits[key.Name()] = tamper.Hits()
		}
		w.Note("answers_lost", hits)
		w.Struck(len(keys))
	}}
}

// answeredByProxy changes the answers to what the subjects write, for a few seconds. With applied the broker has written
// what the answer says that it has not.
func answeredByProxy(name string, code *kerr.Error, applied bool) Fault {
	return Fault{name, func(w *World) {
		var tampers []*kafkatest.Tamper
		for _, s := range w.Subjects {
			for _, topic := range []string{s.Topics.decisions, s.Topics.letters} {
				tampers = append(tampers, w.Ground.Kafka.Network.AnswerProduce(topic, code.Code, applied, -1))
			}
		}
		w.Burst(500)
		w.Sleep(w.Between(time.Second, 3*time.Second))
		hits := 0
		for _, tamper := range tampers {
			tamper.End()
			hits += tamper.Hits()
		}
		w.Note("answers", hits)
		if hits == 0 {
			w.T.Errorf("%s: nobody met it", name)
		}
	}}
}

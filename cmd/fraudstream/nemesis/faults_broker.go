package nemesis

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// brokerFaults happen to the brokers as processes, and to what they lead.
func brokerFaults() []Fault {
	return []Fault{brokersKilled(), twoBrokersDown(), coordinatorMoved(), leaderMoved(), tooFewReplicas()}
}

// brokersKilled is kill -9 to one broker after the other, the one that leads most first. Each comes back with its data,
// and the next goes only when all replicas are in step again. What the clients can do about it waits for the controller:
// only when the dead broker's session is over has the partition another leader. So the longest silence of each
// partition is noted beside that session.
func brokersKilled() Fault {
	return Fault{"broker SIGKILL and restart, one by one, the leader first", func(w *World) {
		session := w.Ground.Kafka.Session()
		silences := map[string][]float64{}
		for _, broker := range w.byLeadership() {
			w.awaitInStep()
			killed := time.Now()
			w.Ground.Kafka.StopNode(w.T, broker, true)
			w.Sleep(2*session + w.Between(4*time.Second, 6*time.Second))
			for name, longest := range w.silences(killed) {
				silences[name] = append(silences[name], longest...)
			}
			w.Ground.Kafka.StartNode(w.T)
			w.awaitInStep()
			w.Mended()
		}
		w.Struck(w.Ground.Kafka.Nodes())
		w.Note("broker_session_s", session.Seconds())
		w.Note("silent_s", silences)
	}}
}

// twoBrokersDown leaves one of three: nothing can be written, since two replicas must have it, and the controllers have
// no majority.
func twoBrokersDown() Fault {
	return Fault{"two of three brokers down", func(w *World) {
		order := w.Random.Perm(w.Ground.Kafka.Nodes())
		w.awaitInStep()
		for _, i := range order[:2] {
			w.Ground.Kafka.StopNode(w.T, i+1, true)
		}
		w.Sleep(w.Between(10*time.Second, 20*time.Second))
		w.Ground.Kafka.StartNode(w.T)
		w.awaitInStep()
		w.Mended()
	}}
}

// coordinatorMoved gives every partition of the topics in which groups and transactions are kept another leader, who
// reads it and is the coordinator from then on.
func coordinatorMoved() Fault {
	return Fault{"coordinator moved", func(w *World) {
		const times = 3
		for range times {
			w.Burst(300)
			w.moveLeaders("__consumer_offsets", "__transaction_state")
			w.Sleep(w.Between(time.Second, 3*time.Second))
		}
		w.Struck(times)
	}}
}

// leaderMoved gives every partition of the input and of all outputs another leader.
func leaderMoved() Fault {
	return Fault{"leader moved", func(w *World) {
		const times = 3
		topics := []string{input}
		for _, s := range w.Subjects {
			topics = append(topics, s.Topics.decisions, s.Topics.letters)
		}
		for range times {
			w.Burst(300)
			w.moveLeaders(topics...)
			w.Sleep(w.Between(time.Second, 3*time.Second))
		}
		w.Struck(times)
	}}
}

// tooFewReplicas makes the outputs demand three replicas and takes one broker away, so that the others refuse every
// write with NOT_ENOUGH_REPLICAS.
func tooFewReplicas() Fault {
	return Fault{"NOT_ENOUGH_REPLICAS, a broker short", func(w *World) {
		before := w.refused("19")
		w.awaitInStep()
		for _, s := range w.Subjects {
			w.configure(s.Topics.decisions, "min.insync.replicas", "3")
			w.configure(s.Topics.letters, "min.insync.replicas", "3")
		}
		w.Ground.Kafka.StopNode(w.T, 1+w.Random.IntN(w.Ground.Kafka.Nodes()), true)
		w.eventually("NOT_ENOUGH_REPLICAS", time.Minute, func() bool { return w.more(before, w.refused("19")) })
		w.Sleep(w.Between(2*time.Second, 6*time.Second))
		w.Ground.Kafka.StartNode(w.T)
		w.awaitInStep()
		for _, s := range w.Subjects {
			w.configure(s.Topics.decisions, "min.insync.replicas", "2")
			w.configure(s.Topics.letters, "min.insync.replicas", "2")
		}
		w.Mended()
	}}
}

// metadata asks for all topics, the internal ones too.
func (w *World) metadata() (*kmsg.MetadataResponse, error) {
	return kmsg.NewPtrMetadataRequest().RequestWith(w.T.Context(), w.run.admin)
}

// byLeadership lists the brokers, the one that leads the most partitions of the input first.
func (w *World) byLeadership() []int {
	w.T.Helper()
	leads := map[int]int{}
	m, err := w.metadata()
	if err != nil {
		w.T.Fatal(err)
	}
	for _, t := range m.Topics {
		if *t.Topic == input {
			for _, p := range t.Partitions {
				leads[int(p.Leader)]++
			}
		}
	}
	brokers := w.Random.Perm(w.Ground.Kafka.Nodes())
	for i := range brokers {
		brokers[i]++
	}
	slices.SortStableFunc(brokers, func(a, b int) int { return leads[b] - leads[a] })
	return brokers
}

// awaitInStep waits until every partition of the cluster has a leader, and every replica has what the leader has.
func (w *World) awaitInStep() {
	w.T.Helper()
	w.eventually("all replicas in step", 2*time.Minute, func() bool {
		m, err := w.metadata()
		if err != nil || len(m.Brokers) != w.Ground.Kafka.Nodes() {
			return false
		}
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				if p.Leader < 0 || len(p.ISR) != len(p.Replicas) {
					return false
				}
			}
		}
		return true
	})
}

// moveLeaders makes the next replica of every partition of the topics its leader.
func (w *World) moveLeaders(topics ...string) {
	w.T.Helper()
	m, err := w.metadata()
	if err != nil {
		w.T.Fatal(err)
	}
	assign, elect := kmsg.NewPtrAlterPartitionAssignmentsRequest(), kmsg.NewPtrElectLeadersRequest()
	leaders := map[lane]int32{}
	for _, t := range m.Topics {
		if !slices.Contains(topics, *t.Topic) {
			continue
		}
		assigned, elected := kmsg.NewAlterPartitionAssignmentsRequestTopic(), kmsg.NewElectLeadersRequestTopic()
		assigned.Topic, elected.Topic = *t.Topic, *t.Topic
		for _, p := range t.Partitions {
			next := (slices.Index(p.Replicas, p.Leader) + 1) % len(p.Replicas)
			partition := kmsg.NewAlterPartitionAssignmentsRequestTopicPartition()
			partition.Partition = p.Partition
			partition.Replicas = slices.Concat(p.Replicas[next:], p.Replicas[:next])
			assigned.Partitions = append(assigned.Partitions, partition)
			elected.Partitions = append(elected.Partitions, p.Partition)
			leaders[lane{topic: *t.Topic, out: p.Partition}] = partition.Replicas[0]
		}
		assign.Topics, elect.Topics = append(assign.Topics, assigned), append(elect.Topics, elected)
	}
	if res, err := assign.RequestWith(w.T.Context(), w.run.admin); err != nil || res.ErrorCode != 0 {
		w.T.Fatalf("other replicas first: %v %+v", err, res)
	}
	w.eventually("the new leaders", time.Minute, func() bool {
		_, _ = elect.RequestWith(w.T.Context(), w.run.admin) // whether it did something is seen in the metadata
		return w.led(leaders)
	})
}

// led tells whether partitions have these leaders.
func (w *World) led(leaders map[lane]int32) bool {
	m, err := w.metadata()
	if err != nil {
		return false
	}
	for _, t := range m.Topics {
		for _, p := range t.Partitions {
			if want, ok := leaders[lane{topic: *t.Topic, out: p.Partition}]; ok && p.Leader != want {
				return false
			}
		}
	}
	return true
}

// silences finds, for each subject and input partition, the longest time between two decisions that follow each other, from
// shortly before a moment until now: the records' times, which are those of scoring.
func (w *World) silences(since time.Time) map[string][]float64 {
	w.T.Helper()
	all := map[string][]float64{}
	for _, s := range w.Subjects {
		gaps := map[int32]time.Duration{}
		last := map[int32]time.Time{}
		now := time.Now()
		err := w.scan(s.Topics.decisions, since.Add(-3*time.Second), func(r *kgo.Record) {
			var d struct{ Source struct{ Partition int32 } }
			if json.Unmarshal(r.Value, &d) != nil {
				return // the ledger has counted it
			}
			if before, ok := last[d.Source.Partition]; ok {
				gaps[d.Source.Partition] = max(gaps[d.Source.Partition], r.Timestamp.Sub(before))
			}
			last[d.Source.Partition] = r.Timestamp
		})
		if err != nil {
			w.T.Errorf("silence of %s: %v", s.Name, err)
		}
		for p := range w.partitions(input) {
			begun, decided := last[p]
			if !decided {
				begun = since
			}
			all[s.Name] = append(all[s.Name], seconds(max(gaps[p], now.Sub(begun)))) // it may be silent still
		}
	}
	return all
}

// scan reads what a topic has from a time until now.
func (w *World) scan(topic string, from time.Time, see func(*kgo.Record)) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(w.Ground.Direct, ",")...), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AfterMilli(from.UnixMilli())),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(w.T.Context(), 20*time.Second)
	defer cancel()
	for until := time.Now(); ctx.Err() == nil; {
		fetches := client.PollFetches(ctx)
		beyond := false
		fetches.EachRecord(func(r *kgo.Record) {
			beyond = beyond || r.Timestamp.After(until)
			see(r)
		})
		if beyond {
			return nil
		}
	}
	return errors.New("nothing came in 20 s")
}

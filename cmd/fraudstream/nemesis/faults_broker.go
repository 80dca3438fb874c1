package nemesis

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// brokerFaults happen to the brokers as processes, and to what they lead. Those that stop a broker end with all of
// them up and all replicas in step.
func brokerFaults() []Fault {
	return []Fault{brokersKilled(), twoBrokersDown(), coordinatorMoved(), leaderMoved(), tooFewReplicas()}
}

// brokersKilled is kill -9 to one broker after the other, the one that leads most first. Each comes back with its
// data, and the next goes only when all replicas are in step again and everybody leads his own. What the clients can
// do about it waits for the controller: only when the dead broker's session is over has the partition another leader.
// So the silence of each partition that the dead one led is noted beside that session.
func brokersKilled() Fault {
	return Fault{"broker SIGKILL and restart, one by one, the leader first", func(w *World) {
		session := w.Ground.Kafka.Session()
		silences := map[string][]float64{}
		for _, broker := range w.byLeadership() {
			w.awaitInStep()
			w.preferLeaders()
			ends := w.Book().Ends()
			w.awaitFlow(slices.Collect(maps.Keys(ends)), ends, 30*time.Second) // the elections are no part of the silence
			led, ends := w.ledBy(broker), w.Book().Ends()
			killed := time.Now()
			w.Ground.Kafka.StopNode(w.T, broker, true)
			w.awaitFlow(led, ends, 2*session+10*time.Second)
			w.Ground.Kafka.StartNode(w.T)
			w.Mended()
			w.awaitFlow(led, ends, time.Minute) // who is silent still is so with all brokers there, too
			for s, longest := range w.silences(led, killed) {
				silences[s.Name] = append(silences[s.Name], longest...)
				w.Met(s, "partitions that the killed broker led", len(led))
				w.Met(s, "seconds of silence", int(slices.Max(append(longest, 0))))
			}
		}
		w.awaitInStep()
		w.Struck(w.Ground.Kafka.Nodes())
		w.Note("broker_session_s", session.Seconds())
		w.Note("silent_s", silences)
	}}
}

// awaitFlow returns when every subject has answered, in each of the partitions, an event that was sent after the
// given ends, or when it has had the patience for it: who is silent for longer is silent for longer. It fails
// nothing: how long they were silent is what is measured, and whether they recover is asked after the strike.
func (w *World) awaitFlow(partitions []int32, ends map[int32]int64, patience time.Duration) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); pauseFor(100 * time.Millisecond) {
		if !slices.ContainsFunc(w.Subjects, func(s *Subject) bool {
			return slices.ContainsFunc(partitions, func(p int32) bool {
				_, answered := s.Ledger.answersIn(p, ends[p]+1, 1<<40)
				return answered == 0
			})
		}) {
			return
		}
	}
}

// twoBrokersDown leaves one of three for 8 to 12 s: nothing can be written, since two replicas must have it, and the
// controllers have no majority, so nobody can be made the leader either. Only when both are back does anything go on,
// and what was sent meanwhile must be there once. Which one is left is drawn.
func twoBrokersDown() Fault {
	return Fault{"two of three brokers down", func(w *World) {
		order := w.Random.Perm(w.Ground.Kafka.Nodes())
		w.awaitInStep()
		w.Burst(300)
		for _, i := range order[:2] {
			w.Ground.Kafka.StopNode(w.T, i+1, true)
		}
		w.Sleep(w.Between(8*time.Second, 12*time.Second))
		w.MetWaiting()
		w.Ground.Kafka.StartNode(w.T)
		w.awaitInStep()
		w.Mended()
	}}
}

// coordinatorMoved gives every partition of the topics in which groups and transactions are kept another leader, who
// reads it and is the coordinator from then on. Until it has read, it answers that it is loading, and the old one
// that it is the coordinator no more: commits, heartbeats and the requests of transactions meet both.
func coordinatorMoved() Fault {
	return Fault{"coordinator moved", func(w *World) {
		const times = 3
		w.eachMoved("coordinators moved", times, w.coordinators, func() {
			w.Burst(300)
			w.moveLeaders("__consumer_offsets", "__transaction_state")
			w.Mended()
			w.Sleep(w.Between(time.Second, 3*time.Second))
		})
		w.Struck(times)
	}}
}

// leaderMoved gives every partition of the input and of all outputs another leader. Nobody dies and nothing is lost:
// the old leader says that it is none any more, and whoever goes on sending to it, or takes up a batch anew that it
// has written already, would show here.
func leaderMoved() Fault {
	return Fault{"leader moved", func(w *World) {
		const times = 3
		topics := []string{input}
		for _, s := range w.Subjects {
			topics = append(topics, s.Topics.decisions, s.Topics.letters)
		}
		w.eachMoved("partitions moved", times, w.leaders, func() {
			w.Burst(300)
			w.moveLeaders(topics...)
			w.Mended()
			w.Sleep(w.Between(time.Second, 3*time.Second))
		})
		w.Struck(times)
	}}
}

// tooFewReplicas makes the outputs demand three replicas and takes one broker away, so that the others refuse every
// write with NOT_ENOUGH_REPLICAS. It goes on until each mode of the service has counted such a refusal (code 19),
// some seconds longer, and until all replicas are back.
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
		for s, n := range w.refused("19") {
			w.Met(s, "refusals", int(n-before[s]))
		}
		w.MetWaiting()
		w.Ground.Kafka.StartNode(w.T)
		w.awaitInStep()
		for _, s := range w.Subjects {
			w.configure(s.Topics.decisions, "min.insync.replicas", "2")
			w.configure(s.Topics.letters, "min.insync.replicas", "2")
		}
		w.Mended()
	}}
}

// metadata asks one broker for all topics, the internal ones too, with leaders, replicas and those in step. What it
// knows may be a moment old, so whoever waits for a change asks again.
func (w *World) metadata() (*kmsg.MetadataResponse, error) {
	return kmsg.NewPtrMetadataRequest().RequestWith(w.T.Context(), w.run.admin)
}

// byLeadership lists the brokers, the one that leads the most partitions of the input first. Among equals the order
// is drawn, from the random numbers of the strike.
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

// ledBy lists the partitions of the input that a broker leads now, as whichever broker is asked knows it.
func (w *World) ledBy(broker int) (partitions []int32) {
	w.T.Helper()
	m, err := w.metadata()
	if err != nil {
		w.T.Fatal(err)
	}
	for _, t := range m.Topics {
		if *t.Topic != input {
			continue
		}
		for _, p := range t.Partitions {
			if int(p.Leader) == broker {
				partitions = append(partitions, p.Partition)
			}
		}
	}
	return partitions
}

// preferLeaders lets the first replica of every partition lead it, so that a broker which has come back leads again:
// else the second and third kill would strike brokers that lead nothing.
func (w *World) preferLeaders() {
	w.T.Helper()
	w.eventually("the preferred leaders", time.Minute, func() bool {
		_, _ = kmsg.NewPtrElectLeadersRequest().RequestWith(w.T.Context(), w.run.admin) // whether it did something is seen below
		m, err := w.metadata()
		if err != nil {
			return false
		}
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				if p.Leader != p.Replicas[0] {
					return false
				}
			}
		}
		return true
	})
}

// awaitInStep waits until every partition of the cluster has a leader, and every replica has what the leader has. A
// broker that is not registered yet counts as missing, even where nothing is assigned to it.
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

// moveLeaders makes the next replica of every partition of the topics its leader: it puts that one first among the
// replicas, which moves no data since they stay the same three, and asks for the election of those that stand first. It
// returns when the metadata has all of them as leaders.
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

// led tells whether partitions have these leaders. A partition that the metadata does not name hinders nothing.
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

// silences finds, for each subject and each of the input partitions, the longest time between two decisions that follow
// each other, from shortly before a moment until now: the records' times, which are those of scoring. Where none has
// followed yet the partition is silent still, and where there was none at all it has been since that moment.
func (w *World) silences(partitions []int32, since time.Time) map[*Subject][]float64 {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), 2*time.Minute)
	defer cancel()
	all := map[*Subject][]float64{}
	for _, s := range w.Subjects {
		times := map[int32][]time.Time{}
		now := time.Now()
		err := w.readAll(ctx, s.Topics.decisions, w.committedEnds(s), func(r *kgo.Record) {
			var d struct{ Source struct{ Partition int32 } }
			if r.Timestamp.Before(since.Add(-3*time.Second)) || json.Unmarshal(r.Value, &d) != nil {
				return // of another time, or no decision, which the ledger has counted
			}
			times[d.Source.Partition] = append(times[d.Source.Partition], r.Timestamp)
		}, kgo.FetchIsolationLevel(kgo.ReadCommitted()))
		if err != nil {
			w.T.Errorf("silence of %s: %v", s.Name, err)
		}
		for _, p := range partitions {
			slices.SortFunc(times[p], time.Time.Compare) // decisions of one partition may stand in several
			all[s] = append(all[s], seconds(longestGap(times[p], since, now)))
		}
	}
	return all
}

// longestGap is the longest time between two moments that follow each other, of those up to the end. Before the first
// stands the beginning, unless one is earlier.
func longestGap(moments []time.Time, begin, end time.Time) (longest time.Duration) {
	last := begin
	if len(moments) > 0 && moments[0].Before(begin) {
		last = moments[0]
	}
	for _, at := range moments {
		if at.After(end) {
			break
		}
		longest, last = max(longest, at.Sub(last)), at
	}
	return max(longest, end.Sub(last))
}

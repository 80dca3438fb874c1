package nemesis

import (
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// InProcess lists the faults for the in-process broker: those that happen to processes, and those that can be put into
// a broker's answers.
func InProcess() []Fault {
	return append(
		ProcessFaults(3, 1500, 2*shortSession),
		answered("NOT_ENOUGH_REPLICAS", kerr.NotEnoughReplicas),
		answered("NOT_ENOUGH_REPLICAS_AFTER_APPEND", kerr.NotEnoughReplicasAfterAppend),
		answered("REQUEST_TIMED_OUT", kerr.RequestTimedOut),
		leadersMoved(), coordinatorsMoved(), connectionsCut(), recordTooLarge(), abortedUpstream(),
	)
}

// answered is a code in the answers to what is written, for a few seconds. With two of the codes the broker has
// written what it says that it has not. Which of the two it is, no client can know, and one that is not idempotent
// makes a copy.
func answered(name string, code *kerr.Error) Fault {
	return Fault{name, func(w *World) {
		handles := map[*Subject]*kfake.FaultHandle{}
		for _, s := range w.Subjects {
			var faults []kfake.Fault
			for _, topic := range []string{s.Topics.decisions, s.Topics.letters} {
				faults = append(faults, kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: code, Count: -1})
			}
			handles[s] = w.Ground.Fake.Fault(faults...)
		}
		w.Burst(500)
		w.Sleep(w.Between(time.Second, 3*time.Second))
		w.eventually("an answer to each subject", 30*time.Second, func() bool {
			return !slices.ContainsFunc(slices.Collect(maps.Values(handles)), func(h *kfake.FaultHandle) bool { return h.Hits() == 0 })
		})
		for s, handle := range handles {
			handle.Remove()
			w.Met(s, "answers", handle.Hits())
		}
	}}
}

// leadersMoved gives every partition a new leader, five times, with 50 to 500 ms in between. Leaders are drawn by the
// broker and not from the seed; where the draw moves nothing that a subject uses, they are drawn again.
func leadersMoved() Fault {
	return Fault{"leader moved", func(w *World) {
		w.eachMoved("partitions moved", 5, w.leaders, func() {
			w.Ground.Fake.ShufflePartitionLeaders()
			w.Sleep(w.Between(50*time.Millisecond, 500*time.Millisecond))
		})
	}}
}

// coordinatorsMoved gives the groups and the transactional ids other coordinators, five times, by giving their names
// other hashes.
func coordinatorsMoved() Fault {
	return Fault{"coordinator moved", func(w *World) {
		w.eachMoved("coordinators moved", 5, w.coordinators, func() {
			w.Ground.Fake.RehashCoordinators()
			w.Sleep(w.Between(50*time.Millisecond, 500*time.Millisecond))
		})
	}}
}

// connectionsCut ends all connections, in the middle of whatever is on them, ten times within some seconds. The
// generator's and the witness's go, too, since the in-process broker has one way to it.
func connectionsCut() Fault {
	return Fault{"connections cut", func(w *World) {
		before := w.troubled()
		for range 10 {
			w.Burst(200)
			w.MetAll("connections closed", w.Ground.connections.cut())
			w.Sleep(w.Between(10*time.Millisecond, 400*time.Millisecond))
		}
		w.MetTrouble(before)
	}}
}

package nemesis

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"time"
)

// ProcessFaults happen to the workers and need nothing of the cluster. One kill -9 is one run of its row, so there
// are several in each strike; burst is how many events the workers are given to be in the middle of, and frozen how
// long one zombie after the other stands still.
func ProcessFaults(kills, burst int, frozen ...time.Duration) []Fault {
	return []Fault{killed(kills, burst), terminated(), comingAndGoing(), zombie(burst, frozen...), allKilled(burst)}
}

// killed is kill -9 in the middle of a batch, several times: the workers are given something to do, and one of them
// goes before it is done. Another takes its place at once; the group knows of its death when its session is over, and
// until then nobody has its partitions, so the next one goes when the group is at rest again and its victim is busy.
func killed(times, burst int) Fault {
	return Fault{"SIGKILL in mid-batch", func(w *World) {
		for range times {
			w.Burst(burst)
			w.Sleep(w.Between(0, 150*time.Millisecond))
			w.Each(func(s *Subject, random *rand.Rand) {
				w.calm(s.Group)
				victim := s.Pick(random)
				busy := w.inMidBatch(s, victim)
				victim.Kill()
				s.must(s.Replace(victim))
				w.Met(s, "events in flight", busy)
				w.Met(s, "kills in mid-batch", min(busy, 1))
			})
			w.Mended()
			w.Sleep(w.Between(500*time.Millisecond, 4*time.Second))
		}
		w.Struck(times)
	}}
}

// terminated is SIGTERM to one worker after the other, as in a rolling update: a new one starts 1 to 2 s before the
// old one is told to end. Each must drain and end with code 0 within five times the 10 s that the service promises.
// How long the slowest of each subject took, in seconds, is noted.
func terminated() Fault {
	return Fault{"SIGTERM, one worker after the other", func(w *World) {
		var mu sync.Mutex
		longest := map[string]float64{}
		w.Each(func(s *Subject, random *rand.Rand) {
			for _, worker := range s.Workers() {
				_, err := s.Start()
				s.must(err)
				pauseFor(between(random, time.Second, 2*time.Second))
				before := w.members(s)
				took, err := worker.Terminate(patienceOfDrain)
				s.must(err)
				s.Bury(worker)
				w.Met(s, "members that have left", gone(before, w.members(s)))
				mu.Lock()
				longest[s.Name] = max(longest[s.Name], seconds(took))
				mu.Unlock()
			}
		})
		w.Note("sigterm_to_exit_s", longest)
	}}
}

// comingAndGoing is a member that joins and leaves every 0.7 s, so that the group never comes to rest. It does so 14
// times, each time as a new process, and drains while the next one joins.
func comingAndGoing() Fault {
	return Fault{"a member joins and leaves every 0.7 s", func(w *World) {
		const times = 14
		w.Each(func(s *Subject, _ *rand.Rand) {
			var leaving sync.WaitGroup
			seen := w.members(s)
			for range times {
				guest, err := s.Start()
				s.must(err)
				if err != nil {
					continue
				}
				pauseFor(700 * time.Millisecond)
				now := w.members(s)
				for deadline := time.Now().Add(10 * time.Second); maps.Equal(now, seen) && time.Now().Before(deadline); now = w.members(s) {
					pauseFor(100 * time.Millisecond) // a busy machine starts no process in 0.7 s
				}
				w.Met(s, "changes of the members", min(gone(seen, now)+gone(now, seen), 1))
				seen = now
				leaving.Go(func() {
					_, err := guest.Terminate(patienceOfDrain)
					s.must(err)
					s.Bury(guest)
				})
			}
			leaving.Wait()
		})
	}}
}

// zombie is a worker that stands still, with all its connections open, until the group has gone on without it, and
// then goes on as if nothing had been: in the middle of a batch, of a transaction, of a commit. One that comes back
// within the time of its transaction finds it open, unless it was fenced; for one that comes back later the
// coordinator has aborted it. frozen are the times for which one after the other stands still.
func zombie(burst int, frozen ...time.Duration) Fault {
	return Fault{"zombie: SIGSTOP, then SIGCONT", func(w *World) {
		for _, still := range frozen {
			w.Burst(burst)
			w.Sleep(w.Between(0, 150*time.Millisecond))
			w.Each(func(s *Subject, random *rand.Rand) {
				w.calm(s.Group)
				undead := s.Pick(random)
				busy, before := w.inMidBatch(s, undead), w.members(s)
				undead.Stop()
				pauseFor(still)
				w.Met(s, "events in flight", busy)
				w.Met(s, "members given up while they stood still", gone(before, w.members(s)))
				undead.Continue()
			})
			w.Mended()
			w.Sleep(w.Between(3*time.Second, 5*time.Second)) // until the group has taken it back
		}
		w.Struck(len(frozen))
		w.Note("frozen", fmt.Sprint(frozen))
	}}
}

// allKilled is kill -9 to all members at once, while the first of them is in the middle of something. New ones start
// after up to 2 s, and find a group whose members have said nothing of their leaving: until the sessions are over
// they wait.
func allKilled(burst int) Fault {
	return Fault{"all members killed at once", func(w *World) {
		w.Burst(2 * burst)
		w.Sleep(w.Between(0, 200*time.Millisecond))
		w.Each(func(s *Subject, random *rand.Rand) {
			w.calm(s.Group)
			victims := s.Workers()
			w.Met(s, "events in flight", w.inMidBatch(s, victims[0]))
			for _, victim := range victims {
				victim.Kill()
				s.Bury(victim)
				w.Met(s, "kills", 1)
			}
			pauseFor(between(random, 0, 2*time.Second))
			for range s.size {
				_, err := s.Start()
				s.must(err)
			}
		})
	}}
}

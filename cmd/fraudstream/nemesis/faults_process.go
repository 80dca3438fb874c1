package nemesis

import (
	"math/rand/v2"
	"time"
)

// ProcessFaults happen to the workers and need nothing of the cluster.
func ProcessFaults() []Fault { return []Fault{killed(6)} }

// killed is kill -9 in the middle of a batch, several times: the workers are given something to do, and one of them goes
// before it is done. Another takes its place at once; the group knows of its death when its session is over.
func killed(times int) Fault {
	return Fault{"SIGKILL in mid-batch", func(w *World) {
		for range times {
			w.Burst(1500)
			w.Sleep(w.Between(0, 150*time.Millisecond))
			w.Each(func(s *Subject, random *rand.Rand) {
				victim := s.Pick(random)
				victim.Kill()
				if err := s.Replace(victim); err != nil {
					s.odd("%v", err)
				}
			})
			w.Mended()
			w.Sleep(w.Between(500*time.Millisecond, 4*time.Second))
		}
		w.Struck(times)
	}}
}

package nemesis

import "math/rand/v2"

// A Schedule is the order of the faults of a run, each with the seed that its strike draws from. It follows from the
// seed of the run alone.
type Schedule []scheduled

// scheduled is one fault with the seed of its random numbers, so that what it draws does not depend on what others have
// drawn.
type scheduled struct {
	fault Fault
	seed  uint64
}

// NewSchedule shuffles the faults, so many times one after the other. The longer schedule of a seed begins with the
// shorter one, so that a replay may be ended earlier; another list of faults gives another schedule.
func NewSchedule(seed uint64, faults []Fault, rounds int) Schedule {
	random := newRandom(seed)
	var s Schedule
	for range rounds {
		for _, i := range random.Perm(len(faults)) {
			s = append(s, scheduled{faults[i], random.Uint64()})
		}
	}
	return s
}

// newRandom draws by the permuted congruential generator (PCG), from the seed alone.
func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

package nemesis

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// A Fault is one way in which the day goes wrong, and one row of the table. What it draws and how long it lasts may
// differ from strike to strike; all its strikes are added up under its name.
type Fault struct {
	Name string // as the table has it

	// Strike does the harm, mends it, and returns when nothing is wrong any more. It runs on the test's goroutine.
	Strike func(w *World)
}

// World is what a fault gets: everything that it may harm, and the random numbers to draw from. A fault that draws from
// anything else cannot be replayed, and one that harms a single subject says nothing of the difference between them.
type World struct {
	T        testing.TB
	Ground   *Ground
	Subjects []*Subject // as the table has its columns
	Random   *rand.Rand // of this strike alone, so that every strike can be replayed
	run      *run
	strike   *strike
}

// Each calls harm for every subject at the same time, with random numbers that are the same for all, so that the
// subjects are harmed alike. harm must not end the test.
func (w *World) Each(harm func(s *Subject, random *rand.Rand)) {
	seed := w.Random.Uint64()
	var all sync.WaitGroup
	for _, s := range w.Subjects {
		all.Go(func() { harm(s, rand.New(rand.NewPCG(seed, 0))) })
	}
	all.Wait()
}

// Sleep lets time pass, during which events go on flowing.
func (w *World) Sleep(d time.Duration) { pauseFor(d) }

// pauseFor is Sleep for those who have no World.
func pauseFor(d time.Duration) { time.Sleep(d) }

// Between draws a duration, each between the two with equal probability.
func (w *World) Between(shortest, longest time.Duration) time.Duration {
	return between(w.Random, shortest, longest)
}

// between draws a duration from given random numbers, to the nanosecond.
func between(random *rand.Rand, shortest, longest time.Duration) time.Duration {
	return shortest + time.Duration(random.Int64N(int64(longest-shortest)+1))
}

// Burst sends n events at once, beside the steady flow, so that the workers have batches to be in the middle of.
func (w *World) Burst(n int) { w.run.generator.burst(n) }

// Struck says that the fault has struck n times, where that is not once. It is what the table's column of runs adds
// up, so it counts harms that each had to be survived, such as kills, and not how often something was met.
func (w *World) Struck(n int) { w.strike.runs = n }

// Mended says that a harm is mended, where that is not when Strike returns, or more than one was done: recovery is
// counted from each of these moments on.
func (w *World) Mended() { w.strike.mend(w.run.book) }

// Note adds a figure or a remark to the strike's lines in the results, under a name. It is written as JSON, so it has
// to be a number, a text, or a list or map of these; a later note of the same name replaces the former.
func (w *World) Note(name string, value any) { w.strike.note(name, value) }

// Unwatched calls harm while nobody asks for committed offsets: for harm that takes answers away which were given, and
// must say which before anybody misses them.
func (w *World) Unwatched(harm func()) {
	for _, s := range w.Subjects {
		s.sampler.mu.Lock()
		defer s.sampler.mu.Unlock()
	}
	harm()
}

// Book is what was sent so far.
func (w *World) Book() *Book { return w.run.book }

// Logf writes to the test's log with the time since the run began.
func (w *World) Logf(format string, args ...any) { w.run.logf(format, args...) }

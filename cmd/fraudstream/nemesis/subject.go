package nemesis

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"
)

// A Subject is what the faults happen to: a consumer group of worker processes with output topics of its own. What
// stands above mu is set before the first fault and does not change.
type Subject struct {
	Name        string
	Plain       bool // the loop that a developer would write: what it breaks is counted and does not fail the test
	ExactlyOnce bool
	Group       string
	Topics      outputs
	Ledger      *Ledger
	client      string // how its connections to the brokers name themselves, or the beginning of that
	command     func(name, listen string) (path string, arguments []string)
	environment []string
	logs        string
	size        int // workers
	addresses   *addresses
	witness     *witness
	sampler     *sampler

	mu       sync.Mutex
	live     []*Worker
	gone     []*Worker
	started  int
	restarts int      // of workers that had ended by themselves
	oddities []string // what workers did that they should not, with what they said

	expectedGaps float64 // offsets that faults have made unreadable: what the workers must have counted as passed over
}

// Start adds a worker, with a name of its own, a log of its own and a free port for its metrics. It does not wait for
// the worker to join its group.
func (s *Subject) Start() (*Worker, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.start()
}

// start does it under the lock.
func (s *Subject) start() (*Worker, error) {
	s.started++
	var listen string
	if !s.Plain {
		var err error
		if listen, err = s.addresses.free(); err != nil {
			return nil, err
		}
	}
	name := fmt.Sprintf("%s-%d", s.Name, s.started)
	path, arguments := s.command(name, listen)
	w, err := start(name, filepath.Join(s.logs, name+".log"), listen, s.environment, path, arguments...)
	if err != nil {
		return nil, err
	}
	s.live = append(s.live, w)
	return w, nil
}

// Workers are those that live, the one that was started first in front.
func (s *Subject) Workers() []*Worker {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*Worker(nil), s.live...)
}

// Pick draws one of the workers that live. It panics where none lives; faults that end workers start others in their
// place.
func (s *Subject) Pick(random *rand.Rand) *Worker {
	all := s.Workers()
	return all[random.IntN(len(all))]
}

// Bury takes a worker that has ended out of those that live. Its last figures go on being counted.
func (s *Subject) Bury(w *Worker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bury(w)
}

// bury does it under the lock, and tells whether the worker was among those that live.
func (s *Subject) bury(w *Worker) bool {
	for i, other := range s.live {
		if other == w {
			s.live = append(s.live[:i], s.live[i+1:]...)
			s.gone = append(s.gone, w)
			return true
		}
	}
	return false
}

// Replace puts a new worker in the place of one that has ended.
func (s *Subject) Replace(w *Worker) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.bury(w) {
		return nil // it has been replaced already
	}
	_, err := s.start()
	return err
}

// odd notes what a worker should not have done.
func (s *Subject) odd(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.oddities = append(s.oddities, fmt.Sprintf(format, args...))
}

// must notes an error that there should not be. Faults call it in goroutines, in which a test must not be ended.
func (s *Subject) must(err error) {
	if err != nil {
		s.odd("%v", err)
	}
}

// supervise starts workers again that end by themselves, as whatever runs them in production would, after a second,
// and asks the others for their metrics meanwhile. No fault is a reason for the service to end by itself: it tries
// again. So each time is noted, and fails the test in the end.
func (s *Subject) supervise(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(time.Second):
		}
		for _, w := range s.Workers() {
			if !w.fell() {
				w.scrape()
				continue
			}
			s.mu.Lock()
			s.restarts++
			s.mu.Unlock()
			s.odd("%s ended by itself with %v; it said last: %s", w.Name, w.command.ProcessState, w.last(3))
			s.must(s.Replace(w))
		}
	}
}

// end ends every worker, in good order, and says which did not manage that. They drain at the same time, each with
// the whole patience.
func (s *Subject) end() {
	var all sync.WaitGroup
	for _, w := range s.Workers() {
		all.Go(func() {
			_, err := w.Terminate(patienceOfDrain)
			s.must(err)
			s.Bury(w)
		})
	}
	all.Wait()
}

// destroy ends every worker at once. It waits until they have gone, and is used where nothing is expected of them any
// more.
func (s *Subject) destroy() {
	for _, w := range s.Workers() {
		w.Kill()
		s.Bury(w)
	}
}

// patienceOfDrain is five times the 10 s that the service promises to need after SIGTERM.
const patienceOfDrain = 50 * time.Second

// counted adds up a metric, with all of its labels, over every worker that ever was, as each said when it was last
// asked: so it is a lower bound of what they have counted.
func (s *Subject) counted(name string) float64 {
	s.mu.Lock()
	all := append(append([]*Worker(nil), s.live...), s.gone...)
	s.mu.Unlock()
	sum := 0.0
	for _, w := range all {
		w.mu.Lock()
		sum += total(w.figures, name)
		w.mu.Unlock()
	}
	return sum
}

package nemesis

import (
	"context"
	"slices"
	"sync"
	"time"
)

// mending is a moment from which recovery counts, with the end of what was acknowledged by then in each partition of
// the input. Events that come later do not prolong the recovery: under a steady flow some event always waits.
type mending struct {
	at   time.Time
	ends map[int32]int64
}

// mend adds a moment. The ends are taken first, so an event that is acknowledged in between is not waited for.
func (s *strike) mend(book *Book) {
	ends := book.Ends()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mendings = append(s.mendings, mending{time.Now(), ends})
}

// allMendings are the moments so far; later ones do not change what is returned.
func (s *strike) allMendings() []mending {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.mendings)
}

// stopwatch takes, for one subject, the time from each mending of a strike until everything that was acknowledged by
// then is answered. A later harm may lie in between: its time counts too, so the figures are upper bounds. One
// goroutine looks; took is read when it has ended.
type stopwatch struct {
	ledger *Ledger
	strike *strike
	took   []time.Duration // of the first mendings, as far as they are over
}

// look adds the recoveries that have ended, in the order of the mendings: an earlier one ends no later than a later
// one, since what was acknowledged by then is among what was acknowledged by the later. It asks the ledger once for
// all of them.
func (w *stopwatch) look() {
	all := w.strike.allMendings()
	if len(w.took) == len(all) {
		return
	}
	missing := w.ledger.Missing(all[len(all)-1].ends)
	for _, m := range all[len(w.took):] {
		for _, p := range missing {
			if p.offset < m.ends[p.partition] {
				return
			}
		}
		w.took = append(w.took, max(0, time.Since(m.at)))
	}
}

// watch looks twenty times a second until ctx ends, and once after that; so finely are recoveries measured.
func (w *stopwatch) watch(ctx context.Context) {
	for pause(ctx, 50*time.Millisecond) == nil {
		w.look()
	}
	w.look()
}

// startWatches starts a stopwatch for every subject; they end with ctx.
func (r *run) startWatches(ctx context.Context, current *strike) *sync.WaitGroup {
	var all sync.WaitGroup
	current.watches = map[*Subject]*stopwatch{}
	for _, s := range r.subjects {
		watch := &stopwatch{ledger: s.Ledger, strike: current}
		current.watches[s] = watch
		all.Go(func() { watch.watch(ctx) })
	}
	return &all
}

// took are a subject's recoveries in seconds, when the watches have ended.
func (s *strike) took(of *Subject) []float64 {
	var all []float64
	for _, d := range s.watches[of].took {
		all = append(all, seconds(d))
	}
	return all
}

package consumer

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"
)

// The sizes of a pipeline. Its memory is bounded by the runs: each holds one fetched response and what came of it.
// Four are one in the hands of each stage and one on the way; each further one would cost memory in every partition.
const (
	runsPerPartition = 4
	queuedRuns       = 2
)

// pipeline fetches, scores and publishes from the acknowledged offset on, until ctx ends, the end is reached or
// something fails that only a new start mends. Its order is its correctness: first the producer, which with exactly-once
// delivery fences whoever had the partition before, then the offset to begin at, then the monitor's snapshot, which may lie
// before that offset, and only then the first fetch.
//
// The runs go round: free, filled by the fetcher, scored by the loop, published, free again. ctx ends the fetching, and then
// each stage ends when the one before has closed its channel; hard, or the failure of any stage, ends all of them at once.
func (p *partition) pipeline(ctx, hard context.Context) error {
	producer, err := p.newProducer(ctx)
	if err != nil {
		return err
	}
	if !p.restored {
		p.restore(ctx)
		if ctx.Err() != nil { // a monitor without its memory must not hand its state over as the partition's
			return ctx.Err()
		}
		p.restored = true
	}
	p.notes.restart()
	free := make(chan *run, runsPerPartition)
	var runs [runsPerPartition]run
	for i := range runs {
		free <- &runs[i]
		defer p.c.memory.drop(&runs[i])
	}
	fetched, scored := make(chan *run, queuedRuns), make(chan *run)
	stages, failed := errgroup.WithContext(hard)
	fetching, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(failed, stop)()
	fetcher := &fetcher{
		p: p, next: p.start(), end: p.c.endOf(p.id), stoodAt: -1, tries: p.c.retrying("fetch", p.state.name(), p.state),
	}
	stages.Go(func() error { return fetcher.run(fetching, free, fetched) })
	var corrupt error
	stages.Go(func() error {
		var err error
		corrupt, err = p.loop(failed, fetching, fetched, scored, free)
		stop()
		return err
	})
	stages.Go(func() error { return producer.run(failed, scored, free) })
	if err := stages.Wait(); err != nil {
		return err
	}
	return corrupt
}

// start is where to fetch from: what the monitor has still to see may lie before what has still to be decided.
func (p *partition) start() int64 {
	next := p.state.next.Load()
	if p.observer != nil {
		return min(next, p.observed)
	}
	return next
}

// errNoRoom starts a pipeline anew where a run has ended before its batches did. It is no fault, so the partition
// does so at once and does not show as paused.
var errNoRoom = errors.New("no memory for the whole of a fetch")

// loop scores run after run. It owns everything of the partition that is not atomic. It ends early at a corrupt batch,
// and where there is no memory for the rest of a run, in good order: what came before is still published.
//
// Once a second it turns without a run, too: so the monitor can close an interval in which nothing came, and the
// health check sees that the loop is alive.
func (p *partition) loop(ctx, fetching context.Context, fetched <-chan *run, scored chan<- *run, free <-chan *run) (corrupt, err error) {
	defer close(scored)
	if err := p.sendOwed(ctx, scored); err != nil {
		return nil, err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case w, ok := <-fetched:
			if !ok {
				return nil, p.handOver(ctx, scored, free)
			}
			corrupt = p.score(w)
			w.scoredAt = time.Now()
			if pass, err := p.admit(fetching, ctx, w, scored); err != nil || !pass {
				return nil, errors.Join(err, p.handOver(ctx, scored, only(w)))
			}
			p.carryGap(w)
			p.closeTick(w, time.Now())
			cut := w.cut
			if err := p.handOn(ctx, w, scored); err != nil || corrupt != nil {
				return corrupt, err
			}
			if cut {
				return errNoRoom, nil
			}
		case now := <-tick.C:
			p.state.turn()
			if err := p.closeIdleTick(ctx, now, scored, free); err != nil {
				return nil, err
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// only is a channel that holds one free run.
func only(w *run) <-chan *run {
	free := make(chan *run, 1)
	free <- w
	return free
}

// handOn gives a scored run to the publisher, and shows that the loop is alive while it waits.
func (p *partition) handOn(ctx context.Context, w *run, scored chan<- *run) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		p.state.turn()
		select {
		case scored <- w:
			return nil
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"fraudstream/consumer/recordbatch"
	"fraudstream/scoring"
)

// partition is one assigned partition with its pipeline. It has no lock. The atomic values among its fields, and
// those of state, may be read by anybody. While a pipeline runs, the observer with its notes and all that has to do
// with scoring are the loop's, unsure is the publisher's, and damaged and rewound are the fetcher's; published and
// the routes stand still. Between two pipelines everything belongs to the goroutine of run.
type partition struct {
	c       *Consumer
	id      int32
	state   *state // what others see: metrics, health, the committer
	rewound gap    // after errRewound: what was out of range, and where to go on
	damaged error  // the loop has found the batch at the acknowledged offset corrupt

	toldAt    atomic.Int64 // the offset for which the last alert of a pause was noted; -1: none
	stalledAt int64        // where the watchdog has last started it again; -1: nowhere
	giveUp    func()       // ends the generation

	member   member       // in whose name offsets are committed in transactions
	moved    bool         // to another offset than the group's, which a transaction has still to commit
	unsure   *transaction // whose commit had no answer
	located  bool         // the first position is known
	restored bool         // the monitor has its snapshot, or none

	accepted int64 // failing events below it are no concern of the breaker

	observer  PartitionObserver // nil: none
	observed  int64             // events below it have been observed, even if the pipeline starts again
	published int64             // events below it were published before the partition came here
	notes     notes             // of the observer
	seen      []Observation     // scratch

	scorer  *scoring.Scorer
	batch   *scoring.Batch // of the desk, while a run is scored
	model   string         // name@version
	names   []string       // of its features
	records [chunkRows]recordbatch.Record
	traces  [chunkRows]traceContext
	filled  int

	desk   *desk        // while a run is scored
	growth atomic.Int64 // what the last runs took up for each byte fetched, in thousandths; the fetcher reserves by it
	routes routes
	writer writer
}

// newPartition is a partition as it is when it is assigned, at the offset from which it is to be read. With
// exactly-once delivery that is not known before the fence, and the pipeline finds it out.
func (c *Consumer) newPartition(id int32, offset int64) *partition {
	p := &partition{c: c, id: id, state: newState(c.o.Input, id, offset), observed: offset, published: offset, stalledAt: -1}
	p.toldAt.Store(-1)
	return p
}

// openObserver makes the partition's monitor, one of so many. It lives as long as the assignment, through all
// pipelines.
func (p *partition) openObserver(of int32) {
	if p.c.o.Observer != nil {
		p.observer = p.c.o.Observer(p.id, of)
	}
}

// closeObserver tells the monitor that the partition has moved away. All pipelines of the assignment have ended by
// then, so nothing calls it any more.
func (p *partition) closeObserver() {
	if p.observer != nil {
		p.observer.Close()
	}
}

// run keeps the pipeline going until ctx ends; what is under way then is finished before hard ends. A pipeline that
// has failed starts again where the broker's acknowledgements end, without ending the generation.
//
// The pauses between two starts grow until the offset has moved. There is none where the pipeline has only to begin
// elsewhere, or with more memory.
func (p *partition) run(ctx, hard context.Context) {
	tries := p.c.retrying("pipeline", p.state.name(), p.state)
	for {
		before := p.state.next.Load()
		err := p.watched(ctx, hard)
		if err == nil || ctx.Err() != nil || hard.Err() != nil {
			p.state.finish()
			return
		}
		if remedyFor(err) == rejoin {
			p.leaveGeneration(err)
			return
		}
		switch {
		case errors.Is(err, errRewound):
			p.afterRewind()
			continue
		case errors.Is(err, errNoRoom):
			p.c.o.Log.Debug("partition starts again", slog.String("partition", p.state.name()), slog.Any("error", err))
			continue
		}
		switch {
		case isCorrupt(err):
			p.damaged = err
		case errors.Is(err, errStalled):
			p.afterStall()
		}
		if p.state.next.Load() > before {
			tries.done()
		}
		p.c.o.Log.Debug("partition starts again", slog.String("partition", p.state.name()), slog.Any("error", err))
		if p.awaitHeartbeat(ctx, err) != nil || tries.wait(ctx, err) != nil {
			p.state.finish()
			return
		}
	}
}

// leaveGeneration ends the generation: the coordinator no longer takes this member's offsets, so nothing more can be
// committed in it. The group is joined anew.
func (p *partition) leaveGeneration(err error) {
	p.c.o.Log.Warn("the group has gone on without this member, joining anew", slog.String("partition", p.state.name()), slog.Any("error", err))
	p.state.finish()
	p.giveUp()
}

// awaitHeartbeat waits for longer than a heartbeat after this process was fenced. Whoever did that has been given the
// partition, and then the next heartbeat says so; to fence in turn would only disturb.
func (p *partition) awaitHeartbeat(ctx context.Context, err error) error {
	if !p.c.o.ExactlyOnce || !isFence(err) {
		return nil
	}
	return sleep(ctx, p.c.timing.heartbeat*5/4)
}

// rewind goes on at another offset because the one that was asked for is out of range: ahead of it where events are
// gone, behind it where the topic was made anew and its offsets mean other events.
func (p *partition) rewind(from, next int64) {
	p.moved = true
	if next >= from {
		p.observed = max(p.observed, next)
		p.state.next.Store(max(p.state.next.Load(), next))
		return
	}
	p.toldAt.Store(-1) // an offset means another event from here on
	p.observed, p.published = min(p.observed, next), min(p.published, next)
	p.state.next.Store(next)
}

package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"fraudstream/consumer/recordbatch"
	"fraudstream/scoring"
)

// The sizes of a pipeline. Its memory is bounded by the runs: each holds one fetched response and what came of it.
const (
	runsPerPartition = 4
	queuedRuns       = 2
	chunkRows        = 256     // events that are scored together
	arenaSize        = 1 << 20 // decompressed bytes after which a chunk is scored as it is
)

// partition is one assigned partition with its pipeline.
type partition struct {
	c       *Consumer
	id      int32
	state   *state // what others see: metrics, health, the committer
	rewound gap    // after errRewound: what was out of range, and where to go on
	damaged error  // the loop has found the batch at the acknowledged offset corrupt
	stoodAt int64  // the offset for which the last alert of a pause was raised; -1: none

	stalledAt int64  // where the watchdog has last started it again; -1: nowhere
	giveUp    func() // ends the generation

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
	p := &partition{c: c, id: id, state: newState(c.o.Input, id, offset), observed: offset, published: offset, stoodAt: -1, stalledAt: -1}
	return p
}

// openObserver makes the partition's monitor, one of so many. It lives as long as the assignment, through all
// pipelines.
func (p *partition) openObserver(of int32) {
	if p.c.o.Observer != nil {
		p.observer = p.c.o.Observer(p.id, of)
	}
}

// closeObserver tells the monitor that the partition has moved away.
func (p *partition) closeObserver() {
	if p.observer != nil {
		p.observer.Close()
	}
}

// run keeps the pipeline going until ctx ends; what is under way then is finished before hard ends. A pipeline that
// has failed starts again where the broker's acknowledgements end, without ending the generation.
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
	p.observed, p.published = min(p.observed, next), min(p.published, next)
	p.state.next.Store(next)
}

// pipeline fetches, scores and publishes from the acknowledged offset on, until ctx ends, the end is reached or
// something fails that only a new start mends.
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
		p: p, next: p.start(), end: p.c.endOf(p.id), tries: p.c.retrying("fetch", p.state.name(), p.state),
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

// errNoRoom starts a pipeline anew where a run has ended before its batches did.
var errNoRoom = errors.New("no memory for the whole of a fetch")

// loop scores run after run. It owns everything of the partition that is not atomic. It ends early at a corrupt batch,
// and where there is no memory for the rest of a run, in good order: what came before is still published.
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

// score makes decisions and dead letters of all records of w. Where a batch turns out to be corrupt, w ends before it
// and the error says so; what came before is published all the same.
func (p *partition) score(w *run) error {
	p.useModel()
	w.model, w.features = p.model, p.names
	p.desk = p.c.memory.sit()
	p.batch = p.desk.batchFor(p.scorer)
	defer p.clearDesk()
	p.desk.arena = p.desk.arena[:0]
	for i := range w.batches {
		if w.batches[i].BaseOffset >= w.next {
			break // cut before it
		}
		if err := p.scoreBatch(w, &w.batches[i]); err != nil {
			w.endBefore(i)
			p.filled = 0
			for j := range w.batches {
				_ = p.scoreBatch(w, &w.batches[j]) // read once already without fault
			}
			p.scoreChunk(w)
			return err
		}
	}
	p.scoreChunk(w)
	p.learn(w)
	p.observed = max(p.observed, w.next)
	if w.next <= p.published {
		p.state.progress.Store(time.Now().UnixNano()) // the offset does not move, and yet there is no stall
	}
	return nil
}

// useModel takes the scorer in force, once a run.
func (p *partition) useModel() {
	s := p.c.scorer.Load()
	if s == p.scorer { // there is none where nothing is decided
		return
	}
	p.scorer = s
	p.model = s.Bundle.Name + "@" + s.Bundle.Version
	p.names = nil
	for i := range s.Program.Columns {
		p.names = append(p.names, s.Program.Columns[i].Name)
	}
	p.writer.use(p.c.o.Input, p.model)
}

// clearDesk leaves the desk to the next run, and keeps no view of this one: a view of one event would hold the whole of
// its fetch in memory, long after the budget has been told that it is free.
func (p *partition) clearDesk() {
	clear(p.records[:])
	clear(p.traces[:])
	clear(p.seen[:cap(p.seen)])
	if p.batch != nil {
		clear(p.batch.Events[:cap(p.batch.Events)])
	}
	p.c.memory.rise(p.desk)
	p.desk, p.batch = nil, nil
}

// learn keeps how much larger a run becomes than what was fetched, so that the next reservation suffices. A run that
// became smaller lets the figure sink slowly, and one of a few events says nothing about a large one.
func (p *partition) learn(w *run) {
	if len(w.wire) < smallFetch {
		return
	}
	p.growth.Store(max(min(w.grown(), mostGrowth), p.growth.Load()*7/8))
}

// scoreBatch decompresses b and scores its records.
func (p *partition) scoreBatch(w *run, b *recordbatch.Batch) error {
	if b.Codec() == recordbatch.None {
		return p.scoreRecords(w, b, b.Payload)
	}
	d := p.desk
	before := len(d.arena)
	var err error
	if d.arena, err = d.unpack.Append(d.arena, b); err != nil {
		if _, large := errors.AsType[*recordbatch.TooLargeError](err); large {
			return p.scoreLarge(w, b)
		}
		return err
	}
	if err := p.scoreRecords(w, b, d.arena[before:]); err != nil {
		return err
	}
	if len(d.arena) >= arenaSize {
		p.scoreChunk(w)
		d.arena = d.arena[:0]
	}
	return nil
}

// scoreLarge does so with a batch that is too large for an ordinary desk, and lets nothing of it behind.
func (p *partition) scoreLarge(w *run, b *recordbatch.Batch) error {
	payload, done, err := p.c.memory.unpackLarge(b)
	defer done()
	if err == nil {
		err = p.scoreRecords(w, b, payload)
	}
	if err == nil {
		p.scoreChunk(w)
	}
	return err
}

// scoreRecords adds the records of b to the chunk and scores every chunk that is full. It ends early where w is cut.
func (p *partition) scoreRecords(w *run, b *recordbatch.Batch, payload []byte) error {
	records := b.Records(payload)
	for {
		r := &p.records[p.filled]
		ok, err := records.Next(r)
		if err != nil {
			return err
		}
		if !ok || r.Offset >= w.next {
			return nil
		}
		if r.Offset < w.first {
			continue // the batch began before the offset that was asked for
		}
		if r.Offset >= p.published && p.silent() {
			first := *r
			p.scoreChunk(w)
			p.records[0] = first
		}
		if p.filled++; p.filled == chunkRows {
			next := r.Offset + 1
			if p.scoreChunk(w); !p.c.memory.cover(w) && next < w.next {
				w.next, w.cut = next, true
			}
		}
	}
}

// silent tells whether the collected records are only to be observed. A chunk is silent as a whole or not at all.
func (p *partition) silent() bool { return p.filled > 0 && p.records[0].Offset < p.published }

// scoreChunk decides the collected records, if there is a model, and shows them to the monitor. Afterwards nothing
// points into the arena.
func (p *partition) scoreChunk(w *run) {
	if p.filled == 0 {
		return
	}
	if p.scorer != nil {
		p.decide(w)
		p.observe()
	} else {
		p.show()
	}
	p.filled = 0
}

// decide scores the collected records and writes what came of each, unless that was done by an earlier owner.
func (p *partition) decide(w *run) {
	events := p.batch.Events[:0]
	for i := range p.records[:p.filled] {
		r := &p.records[i]
		e := scoring.Event{Value: r.Value}
		e.Origin, e.Content, p.traces[i] = p.readHeaders(r)
		e.Timestamp = max(r.Timestamp, 0) // of a replayed letter, that of its first record
		events = append(events, e)
	}
	p.batch.Events = events
	p.scorer.Score(p.batch)
	if p.silent() {
		return
	}
	w.tally.miss(p.batch.Missing)
	if p.c.o.Tracer != nil {
		w.link(p.traces[:p.filled])
	}
	now := time.Now().UnixMilli()
	for i := range p.batch.Results {
		p.write(w, i, now)
	}
	if p.state.wanted.Load() {
		p.sample(w)
	}
}

// write encodes what came of event i of the chunk into w.
func (p *partition) write(w *run, i int, now int64) {
	r, result := &p.records[i], &p.batch.Results[i]
	w.tally.consumed++
	switch result.Outcome {
	case scoring.Decided:
		w.tally.decide(&result.Decision, r)
		p.writer.decision(w, p.routes.output.of(p.id, r.Key), r, &result.Decision, p.traces[i], now)
	case scoring.Refused:
		w.tally.refuse(result.Err.Code)
		w.tally.keep(p.id, r.Offset, &result.Err, p.c.shown, r.Value)
		p.writer.deadLetter(w, p.routes.deadLetter.of(p.id, r.Key), r, p.batch.Events[i].Origin, &result.Err, now)
	case scoring.Skipped:
		w.tally.skipped[result.Skip]++
	}
}

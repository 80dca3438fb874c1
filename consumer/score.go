package consumer

import (
	"errors"
	"time"

	"fraudstream/consumer/recordbatch"
	"fraudstream/scoring"
)

// The sizes of a chunk: so many events are scored together, unless their batches take up more when they are decompressed.
const (
	chunkRows = 256     // events
	arenaSize = 1 << 20 // decompressed bytes after which a chunk is scored as it is
)

// score makes decisions and dead letters of all records of w. The first of its two walks over the batches decompresses and
// decides, and a second one is needed only where the first has found a batch corrupt: what it had written by then may hold
// records of that batch, so it is forgotten and the batches before are decided again. Then w ends before the
// corrupt one and the error says so; what came before is published all the same.
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

// useModel takes the scorer in force, once a run. One that is exchanged meanwhile waits for the next run: all
// decisions of a run come from the model that its receipt names.
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

// scoreRecords adds the records of b to the chunk and scores every chunk that is full. It ends early where w is cut: after
// each chunk the run must still hold as much of the memory budget as it takes up.
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

// decide scores the collected records and writes what came of each, unless that was done by an earlier owner. The scorer
// takes a chunk at a time, because a tree that is in the processor's cache serves all of its rows; what it says of each event
// stands in the batch's results, in the order of the events.
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

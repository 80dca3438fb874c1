package web

import (
	"runtime"
	"time"

	"fraudstream/cmd/fraudstream/web/console"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// A worker is the scratch of scoring: as many requests are scored at a time as there are workers. It belongs to the
// request that took it out of the channel until that request puts it back, so nothing in it needs a lock. The buffers
// keep the size of the largest request they have met, which the limits bound.
type worker struct {
	batches []*scoring.Batch // one for each way in which the model reads events; the first is that of the stream
	scorers []*scoring.Scorer
	shard   *drift.Shard // nil: not observed
	ticked  func(drift.Tick)
	traffic *console.Door // nil: not counted for the console
	events  [][]byte
	rows    []byte // JSON made of what came in another form
	cells   []cell
}

// newWorkers fills the channel: two for each processor, so that one can be scored while another is encoded. Without a
// monitor there is nobody to observe for.
func newWorkers(o Options) chan *worker {
	n := 2 * runtime.GOMAXPROCS(0)
	workers := make(chan *worker, n)
	for range n {
		w := &worker{traffic: o.Traffic}
		w.batch(o.Scorer)
		if o.Observe && o.Monitor != nil {
			w.shard, w.ticked = o.Monitor.Shard(""), o.Ticked
		}
		workers <- w
	}
	return workers
}

// batch is the worker's scratch for a scorer, made when it is first asked for.
func (w *worker) batch(scorer *scoring.Scorer) *scoring.Batch {
	for i, known := range w.scorers {
		if known == scorer {
			return w.batches[i]
		}
	}
	w.scorers, w.batches = append(w.scorers, scorer), append(w.batches, scorer.NewBatch(64))
	return w.batches[len(w.batches)-1]
}

// score runs the corridor over the events of one request, of which headers have told so much, and tells the monitor, if
// there is one to tell. The results are valid until the worker scores again.
//
// Refused events are told as well, with what of them could be read: a field that has begun to arrive as text is
// the drift that matters most. An event whose value is no JSON has no row, and the monitor has nothing to look
// at. The times are Unix milliseconds there and nanoseconds here.
//
// bad holds, by event, what is wrong with those that could not even be read, nil where all could. They take part as
// empty events and get their own fault before anybody is told, so that the console counts what the answer says.
func (w *worker) score(scorer *scoring.Scorer, id string, events [][]byte, bad map[int]*scoring.EventError, told scoring.Content, reasons scoring.Reasons) []scoring.Result {
	batch := w.batch(scorer)
	batch.Reasons = reasons
	batch.Events = batch.Events[:0]
	for i, value := range events {
		batch.Events = append(batch.Events, scoring.Event{
			Value:   value,
			Origin:  scoring.Origin{Request: id, Index: i + 1},
			Content: told,
		})
	}
	began := time.Now()
	scorer.Score(batch)
	for i, fault := range bad {
		batch.Results[i].Outcome, batch.Results[i].Err = scoring.Refused, *fault
	}
	if w.traffic != nil {
		w.traffic.Count(batch.Events, batch.Results, time.Since(began))
	}
	w.observe(batch)
	return batch.Results
}

// observe tells the monitor.
func (w *worker) observe(batch *scoring.Batch) {
	if w.shard == nil {
		return
	}
	for i := range batch.Results {
		r := &batch.Results[i]
		if r.X == nil || r.Outcome == scoring.Skipped {
			continue
		}
		at := r.Time / 1_000_000
		if r.Outcome == scoring.Refused {
			w.shard.ObserveRefused(r.X, string(r.Err.Code), r.Feature, at)
			continue
		}
		w.shard.Observe(r.X, r.Decision.Score, at)
	}
	// A request may be the last one for hours, so what it says of the traffic is handed over at once and not
	// with the next.
	w.shard.Flush()
	if tick, closed := w.shard.CloseTick(time.Now()); closed && w.ticked != nil {
		w.ticked(tick)
	}
}

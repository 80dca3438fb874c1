package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"fraudstream/consumer/recordbatch"
	"fraudstream/scoring"
)

// The sizes of the memory budget, in bytes.
const (
	MinMemory     = 16 << 20  // the least that [Options].Memory may be
	DefaultMemory = 256 << 20 // what it is where nothing is said
)

// Sizes of one fetch, in bytes, and what a run costs beside them.
const (
	fetchBytes    = 1 << 20  // asked of a partition, where there is memory for it: so a request costs little per event
	smallFetch    = 16 << 10 // below it, a request is for a handful of events, and the budget counts as tight
	leastFetch    = 4 << 10  // asked at least
	fetchSlack    = 64 << 10 // that a response may hold beside the batches
	leastGrowth   = 3000     // a run takes up at least three times what was fetched, in thousandths: see memory
	mostGrowth    = 50_000   // and is not believed to take up more than fifty times
	maxUnpacked   = 64 << 20 // that one batch may become when it is decompressed, whatever the budget
	largeUnpacked = 8 << 20  // from here on one batch at a time, at most
)

// memory is the budget that all pipelines of a process share. Five eighths of it are for runs under way: a fetcher
// reserves what a run will take up before it asks the broker, and it is given back when the broker has acknowledged what
// came of it. So where the output is slow or the lag is great, the fetchers wait, and nothing else does: the group's
// heartbeats are no concern of theirs.
//
// A run takes up the fetched bytes, what is encoded from them, and that compressed once more. How much this is, for each
// fetched byte, depends on the events and is learned from the run before. Where a run turns out larger than what was
// reserved, it takes more if there is more; if not it ends early, what it has is published, and the rest is fetched
// anew with a larger reservation. It never waits for more while it holds something: so no two runs can wait for each other.
//
// One batch that is larger than the share comes whole all the same, that is how Kafka fetches. Its size stands before it,
// and nothing of it is read until there is room for it. All partitions that wait for events hold half of the room at most,
// so a batch whose run needs no more than the other half comes through, one after the other if need be.
//
// A quarter of the budget is for the decompression of large batches, one at a time, and an eighth for that of ordinary
// ones, as many as there are processors: their memory is needed only while a batch is being scored, which waits for nobody.
type memory struct {
	size     int64
	runs     int64               // bytes for runs
	room     *semaphore.Weighted // what is left of them
	each     atomic.Int64        // bytes that a partition's next run may take up, so that each can have one
	papers   sync.Pool           // *paper, of runs that are done
	desks    sync.Pool           // *desk
	ordinary int                 // bytes that a batch may become on an ordinary desk
	large    int                 // and on the large one
	lane     chan *desk          // holds the large one
}

// paper is the memory of a run: what was fetched and what was written.
type paper struct {
	wire []byte
	out  []*outgoing
}

// desk is where one run at a time is decompressed and scored.
type desk struct {
	unpack recordbatch.Decompressor
	arena  []byte // decompressed records of the chunk
	scorer *scoring.Scorer
	batch  *scoring.Batch // of the scorer; its scratch grows with the largest event, so there is not one for each partition
}

// newMemory divides a budget of so many bytes: 0 stands for DefaultMemory, and what is below MinMemory is raised to
// it. Until the first generation says how many partitions there are, it is divided as for one.
func newMemory(size int64) *memory {
	if size <= 0 {
		size = DefaultMemory
	}
	size = max(size, MinMemory)
	m := &memory{size: size, runs: size / 8 * 5, lane: make(chan *desk, 1)}
	m.room = semaphore.NewWeighted(m.runs)
	m.large = int(min(size/4, maxUnpacked))
	m.ordinary = int(min(max(size/8/int64(runtime.GOMAXPROCS(0)), 1<<20), largeUnpacked))
	m.desks.New = func() any { return &desk{unpack: recordbatch.Decompressor{Limit: m.ordinary}} }
	m.lane <- &desk{unpack: recordbatch.Decompressor{Limit: m.large}}
	m.divide(1)
	return m
}

// divide shares the memory among so many partitions. They get half of what is for runs: the other half is for batches
// that are larger than a share.
func (m *memory) divide(partitions int) { m.each.Store(m.runs / 2 / int64(max(partitions, 1))) }

// tight tells whether so many partitions are too many for the budget, and how much they would need. Each wants a
// request of smallFetch and what comes of it, of the half of five eighths that they share.
func (m *memory) tight(partitions int) (need int64, tight bool) {
	need = int64(partitions) * smallFetch * leastGrowth / 1000 * 2 / 5 * 8
	return need, need > m.size
}

// portion is what to ask the broker for, and what to reserve for the run that comes of it, both in bytes. growth is what a
// run takes up for each byte fetched, in thousandths; largest is the size of the largest response of late.
func (m *memory) portion(growth int64, largest int) (ask int32, reserve int64, err error) {
	growth = max(growth, leastGrowth)
	ask = int32(min(max(m.each.Load()*1000/growth, leastFetch), fetchBytes))
	most := m.runs / 2
	if need := int64(largest) * leastGrowth / 1000; need > most {
		return 0, 0, &budgetError{size: largest, need: need / 5 * 16, budget: m.size}
	}
	return ask, min(max(int64(ask), int64(largest))*growth/1000, most), nil
}

// budgetError says that one batch is too large for the budget. Only a larger budget mends it, or another batch.
type budgetError struct {
	size         int   // of the response that holds the batch
	need, budget int64 // in bytes
}

func (e *budgetError) Error() string {
	return fmt.Sprintf("a batch of %d bytes is too large for the memory budget of %d MiB: set memory.budget to %d MiB or more",
		e.size, e.budget>>20, e.need>>20+1)
}

// take reserves memory for w, and gives it that of an earlier run if there is some that fits. While it waits for long the
// partition shows as paused, so that whoever looks knows why it stands still, and the watchdog lets it be.
func (m *memory) take(ctx context.Context, w *run, n int64, s *state) error {
	if !m.room.TryAcquire(n) {
		waiting := make(chan struct{})
		var shown sync.WaitGroup
		shown.Go(func() { s.showWaiting(waiting) })
		err := m.room.Acquire(ctx, n)
		close(waiting)
		shown.Wait()
		if err != nil {
			return err
		}
	}
	w.held = n
	if p, ok := m.papers.Get().(*paper); ok && p.footprint() <= n {
		w.wire, w.out = p.wire, p.out
	}
	return nil
}

// showWaiting shows the partition as paused for lack of memory, from the second second on until done is closed.
func (s *state) showWaiting(done <-chan struct{}) {
	reason := noMemory
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-done:
			s.paused.CompareAndSwap(&reason, nil)
			return
		case <-tick.C:
			s.paused.CompareAndSwap(nil, &reason)
		}
	}
}

// noMemory is the reason of a pause while others hold all of the budget.
const noMemory = "memory"

// cover makes sure that w holds as much of the budget as it takes up; false where nothing is left.
func (m *memory) cover(w *run) bool {
	more := w.footprint() - w.held
	if more <= 0 || w.held == 0 { // without a reservation it is none of the pipeline's runs
		return true
	}
	if !m.room.TryAcquire(more) {
		return false
	}
	w.held += more
	return true
}

// give takes back what a run held when all of it is acknowledged; another run will use its memory.
func (m *memory) give(w *run) {
	if w.held > 0 {
		m.papers.Put(&paper{wire: w.wire, out: w.out})
	}
	m.drop(w)
}

// drop takes back what a run held and leaves its memory to the collector: somebody may still be writing to it, or it is of
// no use.
func (m *memory) drop(w *run) {
	m.room.Release(w.held)
	clear(w.batches[:cap(w.batches)]) // they are views
	w.held, w.wire, w.out, w.used, w.batches = 0, nil, nil, 0, w.batches[:0]
	if cap(w.tally.decided) > 2048 {
		w.tally.decided = nil
	}
}

// grown is what came of a run for each byte that was fetched, in thousandths, whatever memory it had from the run before.
func (w *run) grown() int64 {
	n := int64(len(w.wire))
	for _, o := range w.out[:w.used] {
		n += 2*int64(o.batch.Size()) + 8*int64(len(o.inputs))
	}
	return n * 1000 / int64(len(w.wire))
}

// footprint is the memory that a run takes up, in bytes.
func (w *run) footprint() int64 { return (&paper{w.wire, w.out}).footprint() }

// footprint counts an encoded batch twice, since it is compressed into a second buffer when it is sent.
func (p *paper) footprint() int64 {
	n := int64(cap(p.wire))
	for _, o := range p.out {
		n += 2*int64(o.batch.Footprint()) + 8*int64(cap(o.inputs))
	}
	return n
}

// sit gives a desk, and rise takes it back.
func (m *memory) sit() *desk { return m.desks.Get().(*desk) }

func (m *memory) rise(d *desk) { m.desks.Put(d) }

// batchFor gives the desk's batch for a scorer; nil where nothing is decided.
func (d *desk) batchFor(s *scoring.Scorer) *scoring.Batch {
	if s != d.scorer {
		if d.scorer, d.batch = s, nil; s != nil {
			d.batch = s.NewBatch(chunkRows)
		}
	}
	return d.batch
}

// unpackLarge decompresses a batch that no ordinary desk has room for. Until done is called no other can be.
func (m *memory) unpackLarge(b *recordbatch.Batch) (payload []byte, done func(), err error) {
	d := <-m.lane
	if d.arena == nil {
		d.arena = make([]byte, 0, m.large) // whole from the start: one that grew would for a moment be there twice
	}
	payload, err = d.unpack.Append(d.arena, b)
	return payload, func() { m.lane <- d }, m.explained(err)
}

// explained adds to a batch that is too large to be decompressed what helps against it, and returns any other error as it
// is. A quarter of the budget is what one batch may become, up to maxUnpacked.
func (m *memory) explained(err error) error {
	if _, large := errors.AsType[*recordbatch.TooLargeError](err); !large {
		return err
	}
	if m.large < maxUnpacked {
		return fmt.Errorf("%w: set memory.budget to %d MiB, which lets a batch become %d MiB", err, maxUnpacked>>20*4, maxUnpacked>>20)
	}
	return fmt.Errorf("%w: have it produced in smaller batches, no memory.budget lets one become more than %d MiB", err, maxUnpacked>>20)
}

// sayMemory tells how the budget is divided, once a generation.
func (c *Consumer) sayMemory(partitions int) {
	c.memory.divide(partitions)
	if need, tight := c.memory.tight(partitions); tight {
		c.o.Log.Warn("the memory budget is small for so many partitions: fetches will wait for each other",
			slog.Int("partitions", partitions), slog.Int64("budget_mib", c.memory.size>>20),
			slog.String("advice", fmt.Sprintf("set memory.budget to %d MiB or more, or start more processes", need>>20+1)))
	}
}

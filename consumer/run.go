package consumer

import (
	"slices"
	"time"

	"go.opentelemetry.io/otel/trace"

	"fraudstream/consumer/recordbatch"
	"fraudstream/scoring"
)

// run is one fetched run of batches on its way through a partition's pipeline: what was read, then what is to be
// written. It is owned by one stage at a time and used again when the broker has acknowledged all of it.
type run struct {
	wire    []byte              // the fetched response; the batches are views into it
	batches []recordbatch.Batch // those that count, CRC checked
	first   int64               // events below it in the first batch are not wanted
	held    int64               // bytes that it holds of the memory budget; 0: it is none of the pipeline's, or waits for its turn
	cut     bool                // it ends before its batches do, because there was no memory for what would have come of the rest
	aside   bool                // made beside the pipeline's runs, and thrown away when it is published
	out     []*outgoing
	used    int // of out
	receipt
}

// receipt is what a run says of itself when its records count: the broker has acknowledged them, or the transaction
// that they are in is committed.
type receipt struct {
	next  int64 // the partition's offset once this run is published
	stamp int64 // timestamp of its last record, Unix milliseconds; 0: it holds none
	notes int64 // of the monitor's notes, those below it are acknowledged with this run; 0: it carries none

	fetchedAt time.Time
	scoredAt  time.Time
	links     []trace.Link // to the traces of its events
	model     string       // name@version that scored it
	features  []string     // of that model
	tally     tally
	sample    *Sample // one of its decisions, for people to see; nil: nobody is looking
	gap       *gap    // that the partition is moved over, or stands before; nil: it holds what was read
}

// cargo is what a batch holds. It says what is done with a record that its topic does not take: a decision becomes a
// letter, a letter is written with less of its event, and what the monitor says is left out.
type cargo uint8

const (
	ofDecisions cargo = iota
	ofLetters
	ofMonitor
)

// outgoing is one batch for one partition of a topic that is written. Its memory is used again by later runs, of
// whichever partition: see paper.
type outgoing struct {
	topic     string
	partition int32
	cargo     cargo
	inputs    []int64 // the input offset of each record
	batch     recordbatch.Builder
	tainted   bool // a call that was given up may still be writing it
}

// reset empties w for what is fetched from first on.
func (w *run) reset(first int64) {
	w.batches = w.batches[:0]
	w.first, w.next, w.stamp, w.fetchedAt, w.gap = first, first, 0, time.Now(), nil
	w.cut = false
	w.clearOutput()
}

// clearOutput forgets what was written for w, and keeps the memory for what will be.
func (w *run) clearOutput() {
	w.used, w.notes, w.links, w.sample = 0, 0, w.links[:0], nil
	w.tally.reset()
}

// endBefore cuts w before batch i and forgets what was written for it. Its next offset then names the batch that was
// cut off, but never one before the position that was fetched from.
func (w *run) endBefore(i int) {
	w.next = w.batches[i].BaseOffset
	if i == 0 {
		w.next = max(w.next, w.first)
	}
	if w.batches, w.stamp = w.batches[:i], 0; i > 0 {
		w.stamp = w.batches[i-1].MaxTimestamp
	}
	w.clearOutput()
}

// batchBytes is what a batch may hold before compression. Brokers take about 1 MB unless told otherwise, and a
// decision may be large.
const batchBytes = 768 << 10

// outputFor returns the batch that a record of at most size bytes goes to. Only the youngest batch of its kind may
// still be added to, so that records stand in the order of their events. One that is tainted is left to whoever may
// be writing it.
func (w *run) outputFor(topic string, partition int32, c cargo, size int, codec recordbatch.Codec) *outgoing {
	for i := w.used - 1; i >= 0; i-- {
		o := w.out[i]
		if o.partition == partition && o.cargo == c && o.topic == topic {
			if o.batch.Count() == 0 || o.batch.Size()+size <= batchBytes {
				return o
			}
			break
		}
	}
	if w.used == len(w.out) {
		w.out = append(w.out, &outgoing{})
	}
	o := w.out[w.used]
	if o.tainted {
		o = &outgoing{}
		w.out[w.used] = o
	}
	w.used++
	o.topic, o.partition, o.cargo, o.inputs = topic, partition, c, o.inputs[:0]
	o.batch.Codec = codec
	o.batch.Reset()
	return o
}

// tally counts what came of a run; it is added to the metrics once, when the run is published.
type tally struct {
	consumed int
	skipped  [scoring.Skips]int // by reason
	codes    []codeCount
	missing  []scoring.Missing // by feature
	decided  []decided
	refused  []Refusal // the first few
}

// left is how many events were left out, for whatever reason.
func (t *tally) left() (n int) {
	for _, count := range t.skipped {
		n += count
	}
	return n
}

// decided is what the metrics need of one decision.
type decided struct {
	offset  int64
	stamp   int64 // record timestamp, Unix milliseconds
	score   float64
	verdict scoring.Verdict
}

// codeCount is how many events of a run were refused with a code. A run has few codes, so a list serves for a map.
type codeCount struct {
	code  scoring.Code
	count int
}

// reset empties t and keeps its memory.
func (t *tally) reset() {
	t.consumed, t.skipped = 0, [scoring.Skips]int{}
	t.codes, t.missing, t.decided, t.refused = t.codes[:0], t.missing[:0], t.decided[:0], t.refused[:0]
}

// decide counts a decision, which is held until the run is published: its delay ends then.
func (t *tally) decide(d *scoring.Decision, r *recordbatch.Record) {
	t.decided = append(t.decided, decided{r.Offset, r.Timestamp, d.Score, d.Verdict})
}

// miss adds the missing fields of a chunk. There is one entry for each feature, in the order of the model.
func (t *tally) miss(chunk []scoring.Missing) {
	if len(t.missing) == 0 {
		t.missing = append(t.missing, chunk...)
		return
	}
	for i, m := range chunk {
		t.missing[i].Absent += m.Absent
		t.missing[i].Null += m.Null
	}
}

// undecide turns the decision of an event into a refusal, because it could not be written. The publisher does so,
// when the loop has long gone on to other runs.
func (t *tally) undecide(offset int64, code scoring.Code) {
	t.decided = slices.DeleteFunc(t.decided, func(d decided) bool { return d.offset == offset })
	t.refuse(code)
}

// refuse counts an event that could not be scored.
func (t *tally) refuse(code scoring.Code) {
	for i := range t.codes {
		if t.codes[i].code == code {
			t.codes[i].count++
			return
		}
	}
	t.codes = append(t.codes, codeCount{code, 1})
}

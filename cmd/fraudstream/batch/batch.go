// Package batch is the door for files: rows in, decisions out, in order.
//
// A row of any format becomes the JSON object that the topic would have held and goes through the same corridor as an
// event. So a file is refused, converted and scored by the same code as the stream, and no second reading of types can
// differ from the first.
//
// # How rows flow
//
//	file → reader → chunks of 256 rows → workers, one for each core → writer → file
//
// The reader takes raw rows off the file, one goroutine since a file has one end. A worker makes them JSON, scores them
// and encodes the decisions. The writer takes the chunks in the order in which they were read, whichever worker was
// first, so that line n of the output is about row n of the input. There are a few chunks for each worker and no more,
// each of at most 256 rows and about a mebibyte: memory does not grow with the file.
//
// # Formats
//
// NDJSON has one event a line. CSV has a header; its cells have no types, so the model says what is wanted of each
// column ([scoring.Scorer.Places]). Parquet has types of its own, nested columns and lists. NDJSON and CSV may be
// compressed: .gz, .zst and .lz4 are read and written, .bz2 is read.
//
// # What is refused as a whole
//
// A row that cannot be scored costs that row. A file that is not what its name says (UTF-16, still compressed,
// another table, semicolons for commas) is refused before its first row, with what to do: a million refused rows
// would hide the one cause, and where missing values are allowed a table without the model's columns would get a
// million decisions that mean nothing. A compression that ends in the middle ends the run at its row, and the rows
// before that can be resumed.
//
// # Resuming
//
// An output file that is not finished has a journal beside it, FILE.resume: how many rows of the input stand in how
// many bytes of the output, and a checksum of these rows. It is written every few seconds, after the bytes that it
// speaks of. A run that resumes cuts the output back to there, reads the input's first rows again without scoring
// them, holds their sum against the journal, and goes on: kill -9 costs seconds of work and no row. Another model,
// other thresholds or another input are refused. The journal goes when the file is whole.
//
// # Reading it
//
// This file is the way of the rows: chunk, pipeline, [Score] and [Each]. What comes before it is in input.go, with
// compress.go and opening.go for what a file turns out to be; ndjson.go, csv.go and parquet_read.go are the formats,
// and of Parquet parquet_shape.go matches the columns and parquet_leaf.go writes their values. What comes after is in
// output.go and journal.go, with lines.go and parquet_write.go for the two kinds of file.
package batch

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"sync"

	"fraudstream/scoring"
)

// rowsPerChunk is how many rows pass the corridor at a time: enough that the cost of a batch is spread thin, and few
// enough that an interrupt is noticed and the bar moves.
const rowsPerChunk = 256

// bytesPerChunk ends a chunk early where rows are large. The row that passes it is still taken.
const bytesPerChunk = 1 << 20

// chunksPerWorker lets a worker go on while the chunk before its own is still being scored.
const chunksPerWorker = 3

// Tally counts what became of the rows.
type Tally struct{ Decided, Refused, Skipped int64 }

// Rows is the number of rows in all.
func (t Tally) Rows() int64 { return t.Decided + t.Refused + t.Skipped }

// String is the line that a run ends with; scripts look for its keys.
func (t Tally) String() string {
	return fmt.Sprintf("rows=%d decided=%d refused=%d skipped=%d", t.Rows(), t.Decided, t.Refused, t.Skipped)
}

// add counts the outcome of one row.
func (t *Tally) add(o scoring.Outcome) {
	switch o {
	case scoring.Decided:
		t.Decided++
	case scoring.Refused:
		t.Refused++
	case scoring.Skipped:
		t.Skipped++
	}
}

// plus is the sum of two tallies.
func (t Tally) plus(o Tally) Tally {
	return Tally{t.Decided + o.Decided, t.Refused + o.Refused, t.Skipped + o.Skipped}
}

// A chunk is some rows on their way through. It belongs to one goroutine at a time: the reader, a worker, the writer.
type chunk struct {
	before int64 // rows of the file before it
	limit  int   // rows that it may take

	raw  rawRows               // as they are in the file, where its format is not JSON
	text []byte                // the rows as JSON, one after the other
	ends []int                 // where each ends in text
	bad  []*scoring.EventError // per row; nil where it could be made JSON

	batch *scoring.Batch
	tally Tally
	out   encoded
	err   error
	done  chan struct{} // a value when the work is done; it has room for it, so that no worker waits for the writer
}

// add ends a row: whatever has been appended to text since the last one.
func (c *chunk) add(bad *scoring.EventError) {
	c.ends, c.bad = append(c.ends, len(c.text)), append(c.bad, bad)
}

// full reports whether the chunk takes no more rows.
func (c *chunk) full() bool { return len(c.ends) >= c.limit || len(c.text) >= bytesPerChunk }

// score takes the rows through the corridor. A row that could not even be made JSON takes part as an empty event, so
// that numbers and order stay right, and gets its own error afterwards. Rows are counted from 1, as people count lines,
// and the number is all that identifies a row in its decision.
func (c *chunk) score(model *scoring.Scorer) {
	if c.batch == nil {
		c.batch = model.NewBatch(rowsPerChunk)
	}
	c.batch.Events = c.batch.Events[:0]
	begin := 0
	for i, end := range c.ends {
		c.batch.Events = append(c.batch.Events, scoring.Event{
			Value: c.text[begin:end], Origin: scoring.Origin{Row: c.before + int64(i) + 1},
			Content: scoring.Structured, // a line has no headers: of CloudEvents it has to be the whole one
		})
		begin = end
	}
	model.Score(c.batch)
	c.tally = Tally{}
	for i := range c.batch.Results {
		r := &c.batch.Results[i]
		if c.bad[i] != nil {
			r.Outcome, r.Err = scoring.Refused, *c.bad[i]
		}
		c.tally.add(r.Outcome)
	}
}

// castagnoli is the polynomial that processors have an instruction for. The checksum is there against mistakes, such
// as the wrong file, and not against anybody who would forge one.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum adds the rows to a checksum, each with its end.
func (c *chunk) sum(before uint32) uint32 {
	begin := 0
	for _, end := range c.ends {
		before = crc32.Update(before, castagnoli, c.text[begin:end])
		before = crc32.Update(before, castagnoli, []byte{'\n'})
		begin = end
	}
	return before
}

// A pipeline takes rows of an input from one number to another through workers and hands the chunks on in order. work
// is called by any worker, and by several at once, each with a chunk of its own; deliver is called by one goroutine,
// with one chunk after the other in the order of the file. Both may keep nothing of the chunk: it is filled again.
type pipeline struct {
	in       *Input
	from, to int64 // rows; to is -1 for all there are
	work     func(*chunk) error
	deliver  func(*chunk) error
}

// run ends at the first error of the input, of the work or of the delivery, or with the context; what had been read by
// then is delivered, unless it is the delivery that failed. It returns when all its goroutines have ended.
func (p *pipeline) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := runtime.GOMAXPROCS(0)
	count := workers*chunksPerWorker + 1
	// Every channel has room for every chunk, so that only the lack of a free one makes anybody wait.
	free, ordered, work := make(chan *chunk, count), make(chan *chunk, count), make(chan *chunk, count)
	for range count {
		free <- &chunk{done: make(chan struct{}, 1)}
	}
	var group sync.WaitGroup
	var readErr error
	group.Go(func() {
		defer close(work)
		defer close(ordered)
		readErr = p.read(ctx, free, ordered, work)
	})
	for range workers {
		group.Go(func() { p.workOff(work) })
	}
	err := p.handOn(ordered, free, cancel)
	group.Wait()
	if err != nil {
		return err
	}
	return readErr
}

// workOff is one worker: it takes chunks as they come, whichever is next.
func (p *pipeline) workOff(work <-chan *chunk) {
	for c := range work {
		p.in.rows.render(c)
		if c.err == nil {
			c.err = p.work(c)
		} else {
			c.err = fmt.Errorf("%s: %w", p.in.name, c.err)
		}
		c.done <- struct{}{}
	}
}

// handOn delivers the chunks in the order in which they were read, and gives each back to be filled again. After an
// error it stops the reading and goes on to empty the channel, since workers and reader end only when all have passed.
func (p *pipeline) handOn(ordered <-chan *chunk, free chan<- *chunk, stop context.CancelFunc) (err error) {
	for c := range ordered {
		<-c.done
		if err == nil {
			if err = c.err; err == nil {
				err = p.deliver(c)
			}
			if err != nil {
				stop()
			}
		}
		free <- c
	}
	return err
}

// read fills chunks until the input, the context or the rows that are wanted end.
func (p *pipeline) read(ctx context.Context, free <-chan *chunk, out ...chan<- *chunk) error {
	for n := p.from; p.to < 0 || n < p.to; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var c *chunk
		select {
		case c = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		c.before, c.limit, c.err = n, rowsPerChunk, nil
		if p.to >= 0 { // no format can give a row back that was read too much
			c.limit = int(min(rowsPerChunk, p.to-n))
		}
		c.text, c.ends, c.bad = c.text[:0], c.ends[:0], c.bad[:0]
		err := p.in.rows.read(c)
		n += int64(p.in.rows.count(c))
		if p.in.rows.count(c) > 0 {
			for _, each := range out {
				each <- c
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: row %d: %w", p.in.name, n+1, err)
		}
	}
	return nil
}

// Each shows every row's result to visit, in order; n counts from 1. What it is shown is valid until it returns, and an
// error that it returns ends the reading. The tally is of the chunks that were shown to their ends.
func Each(ctx context.Context, model *scoring.Scorer, in *Input, visit func(n int64, r *scoring.Result) error) (t Tally, err error) {
	p := pipeline{in: in, to: -1, work: func(c *chunk) error { c.score(model); return nil }}
	p.deliver = func(c *chunk) error {
		for i := range c.batch.Results {
			if err := visit(c.before+int64(i)+1, &c.batch.Results[i]); err != nil {
				return err
			}
		}
		t = t.plus(c.tally)
		in.progress.rows(t.Rows())
		return nil
	}
	err = p.run(ctx)
	return t, err
}

// Score writes a decision, or an error, for every row of the input, whatever became of it: joining the output with the
// input by position is safe. The tally is of the whole output, with the rows that an earlier run has written. What was
// scored before an error or an interrupt is written out all the same, and can be resumed.
func Score(ctx context.Context, model *scoring.Scorer, in *Input, out *Output) (Tally, error) {
	begun := out.begun
	err := in.verify(ctx, begun)
	if err != nil {
		return begun.Tally, errors.Join(err, out.sink.abort()) // the journal stays true
	}
	p := pipeline{in: in, from: begun.Tally.Rows(), to: -1, deliver: func(c *chunk) error {
		err := out.write(c)
		in.progress.rows(out.begun.Tally.Rows())
		return err
	}}
	p.work = func(c *chunk) error {
		c.score(model)
		return out.sink.encode(c)
	}
	err = p.run(ctx)
	return out.begun.Tally, errors.Join(err, out.close(err))
}

// verify reads the rows that an earlier run has written, and holds them against its checksum. That takes as long as
// to read them and make them JSON; no row is scored twice. The input then stands at the first row that is still to be
// done.
func (in *Input) verify(ctx context.Context, begun checkpoint) error {
	rows := begun.Tally.Rows()
	if rows == 0 {
		return nil
	}
	var sum uint32
	var seen int64
	p := pipeline{in: in, to: rows, work: func(*chunk) error { return nil }, deliver: func(c *chunk) error {
		sum = c.sum(sum)
		seen += int64(len(c.ends))
		in.progress.rows(seen)
		return nil
	}}
	if err := p.run(ctx); err != nil {
		return err
	}
	if seen < rows || sum != begun.Sum {
		return &ResumeError{fmt.Sprintf("the first %d rows of the input are not those of the run that is to be resumed", rows)}
	}
	return nil
}

package batch

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"

	"fraudstream/scoring"
)

// checkpointEvery is how much work a crash may cost. A member of a compressed file ends as often, which makes the file
// larger by a fraction of a percent.
const checkpointEvery = 5 * time.Second

// A sink is how a format is written: lines or a table. encode is called by any worker, the rest by one goroutine.
type sink interface {
	encode(*chunk) error     // makes c.out of what became of the chunk's rows
	deliver(*chunk) error    // takes c.out of the next chunk
	flush(*checkpoint) error // brings what was delivered to the disk, and says how much that is
	abort() error            // lets go of a file that is not whole

	// finish makes the file whole, and lists the files that have been of use until then.
	finish(*checkpoint) (spent []string, err error)
}

// encoded is what a worker has made of a chunk, in the form of whichever format the file has.
type encoded struct {
	text  []byte       // NDJSON
	lines bytes.Buffer // CSV
	csv   *csvEncoder  // into lines
	table any          // Parquet: rows of a table
}

// An Output is a file that decisions are written to, one for each row, in order. [Create] opens it and [Score] fills
// and closes it.
type Output struct {
	path  string // empty for standard output, which has no journal
	sink  sink
	begun checkpoint    // what has been delivered; Bytes and Parts are as of the last flush
	last  time.Time     // of the last checkpoint
	every time.Duration // between checkpoints
	disk  disk
}

// A Target says what is written where.
type Target struct {
	Path   string // - is standard output
	Format Format
	Stdout io.Writer
	Resume bool   // go on where an earlier run has ended, if there is one
	By     string // what decides, beside the model: a run that something else decided is not resumed

	disk disk // nil: that of the operating system
}

// Create creates the file, and empties it if it is there; with Resume it cuts it back to where the journal says. It
// gives a [*ResumeError] where there is no going on: another model, an output that is finished, standard output.
func Create(model *scoring.Scorer, t Target) (*Output, error) {
	if t.disk == nil {
		t.disk = fsync
	}
	o := &Output{last: time.Now(), every: checkpointEvery, disk: t.disk}
	if t.Path != "-" {
		o.path = t.Path
	}
	if err := o.begin(model, t); err != nil {
		return nil, err
	}
	var err error
	if t.Format == Parquet {
		o.sink, err = newTableSink(model, t, o.begun.Parts)
	} else {
		o.sink, err = newLineSink(model, t, o.begun.Bytes)
	}
	if err == nil && o.path != "" {
		// A crash in the first seconds finds a journal as well.
		if err = o.checkpoint(); err != nil {
			err = errors.Join(err, o.sink.abort())
		}
	}
	return o, err
}

// begin finds where the run begins: at the first row, or after those of the checkpoint. Nothing of the output is
// touched yet but its journal, which a run that begins anew takes away.
func (o *Output) begin(model *scoring.Scorer, t Target) error {
	by := identity(model, t)
	switch {
	case !t.Resume:
		o.begun.By = by
		if o.path == "" {
			return nil
		}
		return removeCheckpoint(o.path) // it speaks of bytes that are about to go
	case o.path == "":
		return &ResumeError{"standard output cannot be resumed: give --out FILE"}
	}
	var err error
	if o.begun, err = readCheckpoint(t.Path); err != nil {
		return err
	}
	if o.begun.By != "" && o.begun.By != by {
		return &ResumeError{"another model, other thresholds or another configuration have made the first part of " + t.Path}
	}
	o.begun.By = by
	return nil
}

// Resumed is how many rows were there already.
func (o *Output) Resumed() int64 { return o.begun.Tally.Rows() }

// write takes a chunk's decisions, and makes a checkpoint when one is due. The checksum goes over the rows as they were
// read, not over what was written: it is there to know the input again.
func (o *Output) write(c *chunk) error {
	if err := o.sink.deliver(c); err != nil {
		return err
	}
	o.begun.Tally = o.begun.Tally.plus(c.tally)
	if o.path == "" {
		return nil
	}
	o.begun.Sum = c.sum(o.begun.Sum)
	if time.Since(o.last) < o.every {
		return nil
	}
	return o.checkpoint()
}

// checkpoint brings the file to the disk, and then writes its journal: in this order, so that the journal never
// speaks of bytes that a failing machine may still lose.
func (o *Output) checkpoint() error {
	o.last = time.Now()
	if err := o.sink.flush(&o.begun); err != nil || o.path == "" {
		return err
	}
	return o.begun.write(o.path, o.disk)
}

// close ends the file after a run that ended with err: it is whole where there was none. What the file was put together
// from goes last, after the journal that speaks of it: a crash in between leaves files that are too many, and never a
// journal about files that are gone. Each of these steps is on the disk before the next one is taken.
func (o *Output) close(err error) error {
	if err != nil {
		return errors.Join(o.checkpoint(), o.sink.abort())
	}
	spent, err := o.sink.finish(&o.begun)
	if err != nil || o.path == "" {
		return err
	}
	if err := o.disk.folder(o.path); err != nil { // the file may have its name only since then
		return err
	}
	if err := removeCheckpoint(o.path); err != nil || len(spent) == 0 {
		return err
	}
	if err := o.disk.folder(o.path); err != nil {
		return err
	}
	for _, path := range spent {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

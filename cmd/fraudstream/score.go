package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"

	"fraudstream/scoring"
)

// scoreCommand is the batch door: rows in, decisions out, in order.
type scoreCommand struct {
	rowsFlags
	Out    string `help:"File to write; - is standard output." default:"-" placeholder:"FILE"`
	Format string `help:"Format of both files: ndjson or csv. Default: by the extension of each, else ndjson." enum:",ndjson,csv" default:"" placeholder:"FORMAT"`

	Reasons *scoring.Reasons `help:"Which decisions carry reasons: flagged (to review and to block), all or none. Default: flagged." placeholder:"WORD"`
}

// rowsPerBatch is how many rows pass the corridor at a time: enough that the cost of a batch is spread thin, and few
// enough that an interrupt is noticed and the bar moves.
const rowsPerBatch = 256

// A rowSource appends the JSON of the next row to dst. A row that cannot be turned into JSON comes back as an event
// error; io.EOF ends the source.
type rowSource func(dst []byte) (row []byte, bad *scoring.EventError, err error)

// A rowSink writes what became of row n.
type rowSink func(n int64, r *scoring.Result) error

// Run scores the file; rows that could not be scored make it end with code 3. The output has one line for every row
// that was read, in the order of the rows, whatever became of it: joining it with the input by position is safe.
func (c *scoreCommand) Run(ctx context.Context, s streams) error {
	inFormat, outFormat := c.formats()
	model, config, err := c.load(inFormat, c.Reasons, s.err)
	if err != nil {
		return err
	}
	if sameFile(c.In, c.Out) {
		return &exitError{exitUsage, errors.New("--out is the file that --in reads; give another one")}
	}
	in, err := c.open(ctx, inFormat, model, config, s)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := openOutput(c.Out, s.out)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(out, 1<<16)
	sink := ndjsonSink(buffered)
	if outFormat == "csv" {
		sink = csvSink(buffered, model)
	}

	tally, err := scoreRows(ctx, model, in.source, sink, in.progress)
	// What was scored before an error or an interrupt is written out all the same.
	err = errors.Join(err, buffered.Flush(), out.Close())
	in.progress.finish()
	if err != nil {
		return err
	}
	fmt.Fprintln(s.err, tally)
	if tally.refused > 0 {
		return &exitError{code: exitFindings}
	}
	return nil
}

// formats are those of --format, else of the extensions; an output without one is like the input.
func (c *scoreCommand) formats() (in, out string) {
	if c.Format != "" {
		return c.Format, c.Format
	}
	in = fileFormat(c.In)
	switch strings.ToLower(filepath.Ext(c.Out)) {
	case ".csv":
		out = "csv"
	case ".ndjson", ".jsonl", ".json":
		out = "ndjson"
	default:
		out = in
	}
	return in, out
}

// tally counts what became of the rows.
type tally struct{ decided, refused, skipped int64 }

func (t tally) String() string {
	return fmt.Sprintf("rows=%d decided=%d refused=%d skipped=%d", t.decided+t.refused+t.skipped, t.decided, t.refused, t.skipped)
}

// count adds the outcome of one row.
func (t *tally) count(o scoring.Outcome) {
	switch o {
	case scoring.Decided:
		t.decided++
	case scoring.Refused:
		t.refused++
	case scoring.Skipped:
		t.skipped++
	}
}

// scoreRows takes the rows through the corridor, a batch at a time. The text of a batch lies in one buffer that is used
// again for the next, so memory does not grow with the file; what the sink is shown is valid until it returns. A row
// that could not even be made JSON takes part as an empty event, so that numbers and order stay right, and gets its own
// error afterwards. It ends at the first error of the source, of the sink or of the context, with what was counted so
// far.
func scoreRows(ctx context.Context, model *scoring.Scorer, source rowSource, sink rowSink, progress *progress) (t tally, err error) {
	var (
		batch = model.NewBatch(rowsPerBatch)
		text  []byte                // the rows of the batch, one after the other
		ends  []int                 // where each row ends in text
		bad   []*scoring.EventError // per row; nil where the row is JSON
	)
	for n, done := int64(0), false; !done; n += int64(len(ends)) {
		if err := ctx.Err(); err != nil {
			return t, err
		}
		text, ends, bad = text[:0], ends[:0], bad[:0]
		for len(ends) < rowsPerBatch {
			row, wrong, err := source(text)
			if errors.Is(err, io.EOF) {
				done = true
				break
			}
			if err != nil {
				return t, fmt.Errorf("row %d: %w", n+int64(len(ends))+1, err)
			}
			text, ends, bad = row, append(ends, len(row)), append(bad, wrong)
		}
		fill(batch, text, ends, n)
		model.Score(batch)
		for i := range batch.Results {
			r := &batch.Results[i]
			if bad[i] != nil {
				r.Outcome, r.Err = scoring.Refused, *bad[i]
			}
			t.count(r.Outcome)
			if err := sink(n+int64(i)+1, r); err != nil {
				return t, err
			}
		}
		progress.rows(n + int64(len(ends)))
	}
	return t, nil
}

// fill makes events of the rows that end at ends; n is the number of rows before them. Rows are counted from 1, as
// people count lines, and the number is all that identifies a row in its decision.
func fill(batch *scoring.Batch, text []byte, ends []int, n int64) {
	batch.Events = batch.Events[:0]
	begin := 0
	for i, end := range ends {
		batch.Events = append(batch.Events, scoring.Event{
			Value:  text[begin:end],
			Origin: scoring.Origin{Row: n + int64(i) + 1},
		})
		begin = end
	}
}

// openInput opens a file, and tells its size where it has one: -1 for a pipe or a device, of which nobody knows how
// much will come, and which therefore gets no bar. Standard input stops waiting when the context ends.
func openInput(ctx context.Context, path string, stdin io.Reader) (in io.ReadCloser, size int64, err error) {
	if path == "-" {
		return io.NopCloser(&patientReader{ctx, stdin}), -1, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	if !info.Mode().IsRegular() {
		return f, -1, nil
	}
	return f, info.Size(), nil
}

// sameFile tells whether to create out would empty in. It compares the files and not their names, so that links and
// other spellings of a path are seen through; a device such as a terminal may well be both.
func sameFile(in, out string) bool {
	read, err := os.Stat(in)
	if err != nil {
		return false
	}
	written, err := os.Stat(out)
	return err == nil && os.SameFile(read, written) && written.Mode().IsRegular()
}

// nopCloser keeps standard output open: it is not ours to close.
type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// openOutput creates the file, and empties it if it is there; - is standard output.
func openOutput(path string, stdout io.Writer) (io.WriteCloser, error) {
	if path == "-" {
		return nopCloser{stdout}, nil
	}
	return os.Create(path)
}

// progress is a bar over the bytes read, with the rows per second; silent where nobody looks.
type progress struct {
	bar   *progressbar.ProgressBar
	began time.Time
}

// newProgress is a bar over size bytes on w; a bar that shows nothing where the size is unknown or w is no terminal.
func newProgress(w io.Writer, size int64) *progress {
	if size <= 0 || !isTerminal(w) {
		return &progress{}
	}
	return &progress{began: time.Now(), bar: progressbar.NewOptions64(size,
		progressbar.OptionSetWriter(w), progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(),
	)}
}

// Write counts bytes that were read.
func (p *progress) Write(b []byte) (int, error) {
	if p.bar == nil {
		return len(b), nil
	}
	return len(b), p.bar.Add(len(b))
}

// rows writes the number of rows so far, and how many that were in a second, beside the bar.
func (p *progress) rows(n int64) {
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("%d rows, %.0f rows/s", n, float64(n)/time.Since(p.began).Seconds()))
	}
}

// finish takes the bar away, so that what is printed next has a clean line.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Finish() // the bar is for the eye alone
	}
}

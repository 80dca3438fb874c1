package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"fraudstream/cmd/fraudstream/batch"
	"fraudstream/scoring"
)

// scoreCommand is the batch door: rows in, decisions out, in order. It is for backfills, for trying a model on the
// past, and for whoever has files and no Kafka. How the rows flow, what is refused as a whole and how a run is
// resumed is said in package batch; here the command line becomes its options.
//
// The drift monitor sees nothing of it: a replay of last year would colour what is said of today. The drift command is
// the monitor over a file.
type scoreCommand struct {
	rowsFlags
	Out    string       `help:"File to write; - is standard output." default:"-" placeholder:"FILE"`
	Format batch.Format `help:"Format of both files: ndjson, csv or parquet. Default: by the extension of each (.gz, .zst and .lz4 aside), else ndjson." enum:",ndjson,csv,parquet" default:"" placeholder:"FORMAT"`
	Resume bool         `help:"Go on where a run that was interrupted or killed has ended; begin, if there was none."`

	Reasons *scoring.Reasons `help:"Which decisions carry reasons: flagged (to review and to block), all or none. Default: flagged." placeholder:"WORD"`
}

// Run scores the file; rows that could not be scored make it end with code 3. The output has one line for every row
// that was read, in the order of the rows, whatever became of it: joining it with the input by position is safe. The
// line with the tally goes to standard error, so that decisions can be piped.
func (c *scoreCommand) Run(ctx context.Context, s streams) error {
	inFormat, outFormat := c.formats()
	model, config, err := c.load(inFormat, c.Reasons, s.err)
	if err != nil {
		return err
	}
	if sameFile(c.In, c.Out) {
		return &exitError{exitUsage, errors.New("--out is the file that --in reads; give another one")}
	}
	bar := terminal(s.err)
	if c.Out == "-" && isTerminal(s.out) {
		bar = nil // the decisions pass by on the same screen
	}
	in, err := c.open(ctx, inFormat, model, config, s, bar)
	if err != nil {
		return err
	}
	defer in.Close()
	event, err := json.Marshal(config.Event)
	if err != nil {
		return err
	}
	out, err := c.create(model, outFormat, fmt.Sprintf("%s %q %s", inFormat, c.Features, event), s)
	if err != nil {
		return err
	}
	began, before := time.Now(), out.Resumed()
	tally, err := batch.Score(ctx, model, in, out)
	in.Finish()
	if err != nil {
		if c.Out != "-" && !errors.As(err, new(*batch.ResumeError)) {
			fmt.Fprintf(s.err, "%s: %d rows are written; the same command with --resume goes on there\n", c.Out, tally.Rows())
		}
		return notResumed(err)
	}
	fmt.Fprintf(s.err, "%v in %v, %.0f rows/s\n", tally, time.Since(began).Round(time.Millisecond),
		float64(tally.Rows()-before)/time.Since(began).Seconds())
	if tally.Refused > 0 {
		return &exitError{code: exitFindings}
	}
	return nil
}

// create opens the output, and says where a run goes on. by is what decides beside the model: under another mapping,
// other names or another format the same row is another event, and nothing is resumed. The file is opened when the
// model has passed its gate and the input could be opened: a command that ends before that leaves an older output as
// it was.
func (c *scoreCommand) create(model *scoring.Scorer, format batch.Format, by string, s streams) (*batch.Output, error) {
	out, err := batch.Create(model, batch.Target{Path: c.Out, Format: format, Stdout: s.out, Resume: c.Resume, By: by})
	if err != nil {
		return nil, notResumed(err)
	}
	if n := out.Resumed(); n > 0 {
		fmt.Fprintf(s.err, "resuming after row %d\n", n)
	}
	return out, nil
}

// notResumed gives a run that cannot go on the code of a wrong command line: without --resume it would have run.
func notResumed(err error) error {
	if _, ok := errors.AsType[*batch.ResumeError](err); ok {
		return &exitError{exitUsage, err}
	}
	return err
}

// formats are those of --format, else of the extensions; an output without one is like the input. Both are NDJSON
// where neither name tells anything, as in a pipe.
func (c *scoreCommand) formats() (in, out batch.Format) {
	if c.Format != "" {
		return c.Format, c.Format
	}
	in, _ = batch.FormatOf(c.In)
	if out, ok := batch.FormatOf(c.Out); ok {
		return in, out
	}
	return in, in
}

// sameFile tells whether to create out would empty in. It compares the files and not their names, so that links and
// other spellings of a path are seen through; a device such as a terminal may well be both. An output that is not
// there yet is no input.
func sameFile(in, out string) bool {
	read, err := os.Stat(in)
	if err != nil {
		return false
	}
	written, err := os.Stat(out)
	return err == nil && os.SameFile(read, written) && written.Mode().IsRegular()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"fraudstream/cmd/fraudstream/batch"
	"fraudstream/cmd/fraudstream/privacy"
	"fraudstream/cmd/fraudstream/web"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// driftCommand is the monitor over a file: what it would have said of that traffic, and when.
//
// The rows go through the model, because the score is watched too and because a value is what the pipeline sees and not
// what stands in the file. They are counted by the same monitor as a stream, with its clock turned to the times of the
// events: a day of traffic is gone through in minutes, and the intervals are those that the stream would have had.
//
// A file is one set of detectors, as a pool is. A stream whose partitions have detectors of their own shows each of
// them a part of the traffic, and needs longer for the same evidence.
type driftCommand struct {
	rowsFlags
	Format      batch.Format `help:"Format of the file: ndjson, csv or parquet. Default: by its extension (.gz, .zst, .lz4 and .bz2 aside), else ndjson." enum:",ndjson,csv,parquet" default:"" placeholder:"FORMAT"`
	TickEvents  int          `help:"Close a drift interval after so many events. Default: after 10 s of event time and 200 events." placeholder:"N"`
	JSON        bool         `help:"Print the report as JSON." name:"json"`
	HTML        string       `help:"Write the report as one page with charts." name:"html" type:"path" placeholder:"FILE"`
	FailOnAlarm bool         `help:"End with code 3 if there was an alarm."`
}

// Run reads the file once, then reports; --fail-on-alarm makes an alarm end it with code 3. What can be said before
// the file is read is said then: flags, the page's place, the model.
func (c *driftCommand) Run(ctx context.Context, s streams) error {
	if c.TickEvents < 0 {
		return &exitError{exitUsage, fmt.Errorf("--tick-events %d: an interval has at least one event", c.TickEvents)}
	}
	if c.HTML != "" && sameFile(c.In, c.HTML) {
		return &exitError{exitUsage, errors.New("--html is the file that --in reads; give another one")}
	}
	if err := writable(c.HTML); err != nil {
		return err
	}
	format := c.Format
	if format == "" {
		format, _ = batch.FormatOf(c.In)
	}
	unreasoned := scoring.NoReasons // nobody sees the decisions
	model, config, err := c.load(format, &unreasoned, s.err)
	if err != nil {
		return err
	}
	b, err := c.backtest(model, config.Drift, s.err)
	if err != nil {
		return err
	}
	in, err := c.open(ctx, format, model, config, s, terminal(s.err))
	if err != nil {
		return err
	}
	defer in.Close()

	tally, err := batch.Each(ctx, model, in, b.observe)
	in.Finish()
	if err != nil {
		return err
	}
	fmt.Fprintln(s.err, tally)
	return c.report(b, model, s.out)
}

// writable finds out, before a file is read that may take an hour, whether the page can be written at its end. What
// stands there already stays until then, and what does not is not left behind empty. An empty path is a page that
// nobody asked for.
func writable(path string) error {
	if path == "" {
		return nil
	}
	_, missing := os.Lstat(path)
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return fmt.Errorf("--html: %w", err)
	}
	if err := out.Close(); err != nil || missing == nil {
		return err
	}
	return os.Remove(path)
}

// backtest makes the monitor as the bundle and the configuration want it, and says what it departs from either in:
// the overrides in force or lapsed, and the detectors that few training rows have widened. The interval comes from
// the flag alone: it is about this file.
func (c *driftCommand) backtest(model *scoring.Scorer, wanted DriftConfig, stderr io.Writer) (*backtest, error) {
	say := func(line string) { fmt.Fprintln(stderr, line) }
	options, err := driftOptions(model, wanted, time.Now(), say)
	if err != nil {
		return nil, err
	}
	options.TickEvents = c.TickEvents
	monitor, err := drift.NewMonitor(options)
	if err != nil {
		return nil, err
	}
	if said := monitor.Widened(); said != "" {
		say(said)
	}
	return newBacktest(monitor, options), nil
}

// report writes the page, if it is asked to, and prints what the monitor found.
func (c *driftCommand) report(b *backtest, model *scoring.Scorer, out io.Writer) error {
	found := findings{DriftReport: web.NewDriftReport(b.finish(), &model.Bundle), backtest: b, input: privacy.New(privacy.Options{}).Text(c.In)}
	// First the page: whoever reads only the head of what is printed shall have all of it.
	if c.HTML != "" {
		if err := found.writePage(c.HTML); err != nil {
			return err
		}
	}
	write := found.print
	if c.JSON {
		write = func(w io.Writer) error { return printJSON(w, found.DriftReport) }
	}
	err := write(out)
	if err == nil && c.FailOnAlarm && len(found.Alarms) > 0 {
		return &exitError{code: exitFindings}
	}
	return err
}

// findings are the report of the contract and what the file alone can tell beside it: what happened when. Its methods
// are in drift_text.go for the terminal and in drift_page.go for the page; both show the same figures in the same
// order.
type findings struct {
	web.DriftReport
	*backtest
	input string
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"fraudstream/cmd/fraudstream/web"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// driftCommand is the monitor over a file: what it would have said of that traffic, and when.
type driftCommand struct {
	rowsFlags
	Format      string `help:"Format of the file: ndjson or csv. Default: by its extension, else ndjson." enum:",ndjson,csv" default:"" placeholder:"FORMAT"`
	TickEvents  int    `help:"Close a drift interval after so many events. Default: after 10 s of event time and 200 events." placeholder:"N"`
	JSON        bool   `help:"Print the report as JSON." name:"json"`
	HTML        string `help:"Write the report as one page with charts." name:"html" type:"path" placeholder:"FILE"`
	FailOnAlarm bool   `help:"End with code 3 if there was an alarm."`
}

// Run reads the file once, then reports; --fail-on-alarm makes an alarm end it with code 3.
func (c *driftCommand) Run(ctx context.Context, s streams) error {
	if c.TickEvents < 0 {
		return &exitError{exitUsage, fmt.Errorf("--tick-events %d: an interval has at least one event", c.TickEvents)}
	}
	if c.HTML != "" && sameFile(c.In, c.HTML) {
		return &exitError{exitUsage, errors.New("--html is the file that --in reads; give another one")}
	}
	format := c.Format
	if format == "" {
		format = fileFormat(c.In)
	}
	unreasoned := scoring.NoReasons // nobody sees the decisions
	model, config, err := c.load(format, &unreasoned, s.err)
	if err != nil {
		return err
	}
	say := func(line string) { fmt.Fprintln(s.err, line) }
	options, err := driftOptions(model, config.Drift, time.Now(), say)
	if err != nil {
		return err
	}
	options.TickEvents = c.TickEvents
	monitor, err := drift.NewMonitor(options)
	if err != nil {
		return err
	}
	if said := monitor.Widened(); said != "" {
		say(said)
	}
	in, err := c.open(ctx, format, model, config, s)
	if err != nil {
		return err
	}
	defer in.Close()

	b := newBacktest(monitor, options)
	tally, err := scoreRows(ctx, model, in.source, b.observe, in.progress)
	in.progress.finish()
	if err != nil {
		return err
	}
	fmt.Fprintln(s.err, tally)
	return c.report(b, model, s.out)
}

// report prints what the monitor found and, if it is asked to, writes the page.
func (c *driftCommand) report(b *backtest, model *scoring.Scorer, out io.Writer) error {
	found := findings{DriftReport: web.NewDriftReport(b.finish(), &model.Bundle), backtest: b, input: c.In}
	var err error
	if c.JSON {
		err = printJSON(out, found.DriftReport)
	} else {
		err = found.print(out)
	}
	if err == nil && c.HTML != "" {
		err = found.writePage(c.HTML)
	}
	if err == nil && c.FailOnAlarm && len(found.Alarms) > 0 {
		return &exitError{code: exitFindings}
	}
	return err
}

// findings are the report of the contract and what the file alone can tell beside it: what happened when.
type findings struct {
	web.DriftReport
	*backtest
	input string
}

// backtest lets the rows of a file pass the monitor and keeps what each tick said.
type backtest struct {
	options drift.Options
	monitor *drift.Monitor
	shard   *drift.Shard
	fixed   bool // ticks are of a fixed number of events

	began       int64 // event time at which the open tick began, Unix milliseconds; of no use where ticks are fixed
	open        bool  // it has begun
	first, last int64 // event times seen, the earliest and the latest
	timed       bool  // there were any

	ticks    int64
	alarms   []drift.Alarm
	episodes []episode
	history  history
}

// An episode is drift of one detector, from its first alarm to its end.
type episode struct {
	drift.Episode
	closedTick int64 // 0: it is still open
	when       int64 // event time of its first alarm, Unix milliseconds; 0: unknown
}

func newBacktest(monitor *drift.Monitor, o drift.Options) *backtest {
	return &backtest{options: o, monitor: monitor, shard: monitor.Shard(""), fixed: o.TickEvents > 0}
}

// tickMillis is when a tick is old enough. The shard knows, but to ask it costs more than to observe an event.
const tickMillis = 10_000

// observe is the rowSink of the monitor. A row of which nothing could be read, or that is left out, it does not see.
func (b *backtest) observe(n int64, r *scoring.Result) error {
	if r.X == nil || r.Outcome == scoring.Skipped {
		return nil
	}
	at, err := b.time(n, r)
	if err != nil {
		return err
	}
	if !b.fixed && (!b.open || at-b.began >= tickMillis) {
		if closed := b.closeTick(at); closed || !b.open {
			b.open, b.began = true, at
		}
	}
	full := false
	if r.Outcome == scoring.Refused {
		full = b.shard.ObserveRefused(r.X, string(r.Err.Code), r.Feature, at)
	} else {
		full = b.shard.Observe(r.X, r.Decision.Score, at)
	}
	if full {
		b.closeTick(at)
	}
	return nil
}

// time returns the event time in Unix milliseconds; 0 where there is none and none is needed. A refused event may have
// lost its time with the rest: it happened when the one before it did.
func (b *backtest) time(n int64, r *scoring.Result) (int64, error) {
	if !r.Decision.HasTime {
		if b.fixed || r.Outcome == scoring.Refused {
			return b.last, nil
		}
		return 0, &exitError{exitUsage, fmt.Errorf("row %d has no event time: give --tick-events N, or name the field that holds it under event.time of a --config", n)}
	}
	at := r.Time / int64(time.Millisecond)
	if !b.timed || at < b.first {
		b.first = at
	}
	if !b.timed || at > b.last {
		b.last = at
	}
	b.timed = true
	return at, nil
}

// closeTick ends the tick if it is complete and keeps what came of it.
func (b *backtest) closeTick(at int64) (closed bool) {
	tick, closed := b.shard.CloseTick(time.UnixMilli(at))
	if !closed {
		return false
	}
	b.ticks = tick.Number
	b.alarms = append(b.alarms, tick.Alarms...)
	b.history.add(tick.Evidence)
	for _, e := range tick.Episodes {
		b.keep(e, tick.Number, at)
	}
	return true
}

// keep notes that an episode was opened or closed.
func (b *backtest) keep(e drift.Episode, tick, at int64) {
	if e.State == drift.EpisodeOpen {
		b.episodes = append(b.episodes, episode{Episode: e, when: at})
		return
	}
	for i := range b.episodes {
		if b.episodes[i].ID == e.ID {
			b.episodes[i].Episode, b.episodes[i].closedTick = e, tick
		}
	}
}

// finish returns the report over all rows. It has every alarm: the monitor keeps only the newest.
func (b *backtest) finish() *drift.Report {
	b.shard.Flush()
	report := b.monitor.Report()
	report.Alarms = append([]drift.Alarm{}, b.alarms...)
	for i := range b.episodes {
		e := &b.episodes[i]
		if e.closedTick != 0 {
			continue
		}
		e.Alarms = 0
		for j := range b.alarms {
			if a := &b.alarms[j]; a.Feature == e.Feature && a.Kind == e.Kind && a.Tick >= e.Tick {
				e.Alarms++
			}
		}
	}
	return report
}

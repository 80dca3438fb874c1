package main

import (
	"fmt"
	"time"

	"fraudstream/drift"
	"fraudstream/scoring"
)

// backtest lets the rows of a file pass the monitor and keeps what each tick said. A stream's monitor forgets: it
// tells of the newest alarms and of the evidence as it stands. Here the whole story is wanted, in memory that does
// not grow with the file but for its alarms. It belongs to one goroutine: [batch.Each] shows it the rows in their
// order, and finish is called when all have passed.
type backtest struct {
	options drift.Options
	monitor *drift.Monitor
	shard   *drift.Shard
	fixed   bool // ticks are of a fixed number of events

	began       int64 // event time at which the open tick began, Unix milliseconds; of no use where ticks are fixed
	open        bool  // it has begun
	behind      int   // events in a row from before that
	first, last int64 // event times seen, the earliest and the latest
	timed       bool  // there were any

	ticks    int64
	alarms   []drift.Alarm
	episodes []episode
	history  history
}

// An episode is drift of one detector, from its first alarm to its end. Intervals are numbered from 1, so a
// closedTick of 0 can be nobody's.
type episode struct {
	drift.Episode
	closedTick int64 // 0: it is still open
	when       int64 // event time of its first alarm, Unix milliseconds; 0: unknown
}

// newBacktest begins one. A file is one set of detectors, whatever partitions its rows came from.
func newBacktest(monitor *drift.Monitor, o drift.Options) *backtest {
	return &backtest{options: o, monitor: monitor, shard: monitor.Shard(""), fixed: o.TickEvents > 0}
}

// tickMillis is when a tick is old enough. The shard knows, but to ask it costs more than to observe an event.
const tickMillis = 10_000

// behindEvents is how many events in a row must be from before the open tick to be more than late: the times of the
// file themselves have gone back.
const behindEvents = 200

// observe shows the monitor row n, counted from 1. A row of which nothing could be read, or that is left out, it does
// not see.
func (b *backtest) observe(n int64, r *scoring.Result) error {
	if r.X == nil || r.Outcome == scoring.Skipped {
		return nil
	}
	at, err := b.time(n, r)
	if err != nil {
		return err
	}
	if !b.fixed {
		b.turn(at)
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

// turn ends the open tick if the event that comes next is late enough, and begins the next one with it.
//
// A late event belongs to the tick in which it is read. But a file may hold one partition after the other, or the
// newest events first: then the times go back for good, no event would ever be 10 s after the beginning of the open
// tick, and all that follows would disappear in it. So a tick ends as well when a long run of events is 10 s before its
// beginning.
func (b *backtest) turn(at int64) {
	if b.behind++; at >= b.began {
		b.behind = 0
	}
	switch {
	case !b.open:
		b.closeTick(at) // the first call begins a tick
		b.open, b.began = true, at
	case at-b.began >= tickMillis:
		if b.closeTick(at) {
			b.began = at
		}
	case b.behind >= behindEvents && b.began-at >= tickMillis:
		b.turnBack(at)
	}
}

// turnBack ends the open tick although its events lie before its beginning. To the shard a clock that goes back begins
// the tick anew, and so it is shown the time twice: as it is and 10 s on.
func (b *backtest) turnBack(at int64) {
	b.closeTick(at)
	b.closeTick(at + tickMillis)
	b.closeTick(at)
	b.began, b.behind = at, 0
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

// closeTick ends the tick if it is complete and keeps what came of it. at is the time of the event that comes next,
// in Unix milliseconds: to the shard it is the wall clock.
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

// keep notes that an episode was opened or closed. One that closes is found by its id, since episodes of several
// detectors may be open at a time.
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

// finish returns the report over all rows. It has every alarm: the monitor keeps only the newest. An episode that is
// still open is kept as it was at its first alarm, so those that came later are counted here.
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

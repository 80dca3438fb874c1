package consumer

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// errStalled ends a pipeline that has stood still without knowing why.
var errStalled = errors.New("no progress though there are events to read")

// watched runs a pipeline under a watchdog. What is known to hold a partition up, be it a broker that refuses or a
// breaker that is open, shows as a pause and is none of its business. But clients of Kafka have stood still for hours
// without a word after a broker came back, and a restart was all that they needed: so a partition that has lag, is not
// paused and makes no progress has its pipeline started anew, and if that does not help the generation ends, once for
// each place, which has everything found out anew.
//
// A stall ends all stages at once. The watch is waited for when the pipeline has ended, for whatever reason, so that
// it never ends the next one.
func (p *partition) watched(ctx, hard context.Context) error {
	alive, cancel := context.WithCancelCause(hard)
	defer cancel(nil)
	soft, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(alive, stop)()
	watching := make(chan struct{})
	go func() {
		defer close(watching)
		p.watch(alive, cancel)
	}()
	err := p.pipeline(soft, alive)
	stalled := errors.Is(context.Cause(alive), errStalled)
	cancel(nil)
	<-watching
	if stalled {
		return errStalled
	}
	return err
}

// watch cancels a pipeline that stalls. It looks ten times in the time that a stall takes, and counts from the
// pipeline's beginning at the earliest: a pause between two pipelines is none.
func (p *partition) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	begun := time.Now()
	for sleep(ctx, p.c.timing.stall/10) == nil {
		last := time.Unix(0, max(p.state.progress.Load(), begun.UnixNano()))
		if p.state.lag() > 0 && p.state.paused.Load() == nil && time.Since(last) > p.c.timing.stall {
			cancel(errStalled)
			return
		}
	}
}

// afterStall says what was done, and ends the generation where it was done before at the same place.
func (p *partition) afterStall() {
	at := p.state.next.Load()
	again := p.stalledAt == at
	p.c.o.Log.Error("no progress though there are events to read: the partition starts again", slog.String("partition", p.state.name()),
		slog.Int64("offset", at), slog.Int64("lag", p.state.lag()), slog.Duration("after", p.c.timing.stall),
		slog.Bool("with_the_generation", again && p.endGeneration(at)))
	p.stalledAt = at
}

// endGeneration has this member join the group anew, unless it did so for this offset already.
func (p *partition) endGeneration(at int64) bool {
	if last, ok := p.c.stalls.Swap(p.id, at); ok && last == at {
		return false
	}
	p.c.o.Metrics.retries.WithLabelValues("generation", "stalled").Inc()
	p.giveUp()
	return true
}

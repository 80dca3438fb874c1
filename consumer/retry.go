package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/segmentio/kafka-go"
)

// A retry is one operation that is tried until it succeeds. Whatever the cluster answers in flight is waited out: the
// faults that waiting cannot mend are told apart before it comes here. One goroutine uses it.
type retry struct {
	c         *Consumer
	operation string // "fetch", "produce", …: a label
	resource  string // for people: "transactions/3"
	writes    string // the topic that is being written, for people; empty: any of them
	state     *state // of the partition that stands still; nil outside a pipeline
	backoff   *backoff.ExponentialBackOff
	attempts  int
	silent    bool // the caller logs
}

// retrying begins a row of attempts. The pause between two starts at 20 ms, grows by half each time, at random within a
// band so that partitions do not come in step, and stays at 2 s.
func (c *Consumer) retrying(operation, resource string, s *state) *retry {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = 20*time.Millisecond, 2*time.Second
	return &retry{c: c, operation: operation, resource: resource, state: s, backoff: b}
}

// pausedAfter is the number of attempts from which a partition counts as paused; one or two belong to every move of
// a leader.
const pausedAfter = 3

// wait counts, logs and sleeps after a failed attempt; it returns the context's error if that ends first.
func (r *retry) wait(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if r.attempts++; r.attempts >= pausedAfter {
		err = r.c.unmask(ctx, r.operation, r.writes, err)
	}
	label, stale := classify(err)
	if stale {
		r.c.resetPool()
	}
	r.c.o.Metrics.retries.WithLabelValues(r.operation, label).Inc()
	if r.state != nil && r.attempts >= pausedAfter {
		r.state.pause(pauseReason(r.operation, err))
	}
	if r.attempts >= pausedAfter && !r.silent {
		attributes := []any{slog.String("resource", r.resource), slog.Int("attempts", r.attempts), slog.Any("error", err)}
		advice := r.c.advice(r.operation, r.writes, err)
		key := r.operation + label + fmt.Sprint(advice...) // two rights that are missing are two faults
		r.c.quiet.warn(key, r.operation+" fails, retrying", append(attributes, advice...)...)
	}
	return sleep(ctx, r.backoff.NextBackOff())
}

// done ends a row of failures. The next one begins with the shortest pause again, and the partition shows as paused
// no more.
func (r *retry) done() {
	if r.attempts == 0 {
		return
	}
	r.attempts = 0
	r.backoff.Reset()
	if r.state != nil {
		r.state.resume()
	}
}

// classify gives the metric's label of an error, and whether the connections and what is known of the leaders are
// suspect. What it does not know counts as the network's, after which any connection may be dead and any leader
// another.
func classify(err error) (label string, stale bool) {
	var code kafka.Error
	var budget *budgetError
	switch {
	case errors.As(err, &budget):
		return noMemory, false
	case errors.As(err, &code):
		stale = code == kafka.UnknownTopicOrPartition || code == kafka.NotLeaderForPartition ||
			code == kafka.BrokerNotAvailable
		return strconv.Itoa(int(code)), stale
	case isCorrupt(err):
		return "corrupt", false
	case errors.Is(err, errStalled):
		return "stalled", true
	}
	return "network", true
}

// pauseReason is what the metric of paused partitions says: what is wrong with the events, or which operation fails.
func pauseReason(operation string, err error) string {
	var budget *budgetError
	var letter *letterError
	switch {
	case errors.As(err, &budget):
		return noMemory
	case errors.As(err, &letter):
		return letterTooLarge
	case isCorrupt(err):
		return corruptBatch
	case errors.Is(err, kafka.OffsetOutOfRange):
		return outOfRange
	}
	return operation
}

// resetPool drops the pooled connections and the cached leaders. All partitions meet the same fault at once, so it
// does so at most every 200 ms.
func (c *Consumer) resetPool() {
	now := time.Now().UnixNano()
	last := c.lastReset.Load()
	if now-last < int64(200*time.Millisecond) || !c.lastReset.CompareAndSwap(last, now) {
		return
	}
	c.transport.CloseIdleConnections()
}

// sleep waits, or returns the context's error if that ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// quiet logs a fault that lasts once a period, whichever and however many partitions it holds up.
type quiet struct {
	log   *slog.Logger
	every time.Duration
	mu    sync.Mutex
	last  map[string]time.Time
}

// warn logs unless the same fault, which the key names, was logged within the period.
func (q *quiet) warn(key, message string, attributes ...any) {
	q.mu.Lock()
	now := time.Now()
	due := now.Sub(q.last[key]) >= q.every
	if due {
		if q.last == nil {
			q.last = map[string]time.Time{}
		}
		q.last[key] = now
	}
	q.mu.Unlock()
	if due {
		q.log.Warn(message, attributes...)
	}
}

package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// consume joins the group and serves generation after generation until ctx ends.
func (c *Consumer) consume(ctx context.Context) error {
	group, err := c.join()
	if err != nil {
		return err
	}
	defer c.leave(group)
	c.o.Log.Info("joining the group", slog.String("group", c.o.Group)) // takes as long as a dead member's session
	for {
		generation, err := group.Next(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			if denied := c.setupError(err); denied != nil && !c.joined.Load() {
				return denied
			}
			c.notJoined(err)
			continue // the group waits by itself before it tries again
		}
		c.joined.Store(true)
		c.o.Metrics.rebalances.Inc()
		c.own(generation)
		generation.Start(func(ended context.Context) { c.serve(ended, generation) })
	}
}

// join makes this process a member of the group. Its heartbeats, its place in the rebalances and the watch for new
// partitions run in goroutines of kafka-go until the group is closed.
func (c *Consumer) join() (*kafka.ConsumerGroup, error) {
	start := &bootstrap{brokers: c.o.Brokers, dial: c.o.Dial}
	return kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: c.o.Group, Brokers: []string{anyBroker}, Topics: []string{c.o.Input},
		Dialer: &kafka.Dialer{
			ClientID: c.o.ClientID, Timeout: c.timing.request, DialFunc: start.dialContext, SASLMechanism: c.o.SASL,
		},
		GroupBalancers:    c.balancers(),
		HeartbeatInterval: c.timing.heartbeat, SessionTimeout: c.timing.session, RebalanceTimeout: c.timing.rebalance,
		JoinGroupBackoff: c.timing.joinBackoff, Timeout: c.timing.request,
		WatchPartitionChanges: true, PartitionWatchInterval: c.timing.watch,
		StartOffset: kafka.FirstOffset,
	})
}

// leave ends the generation, which drains it, and leaves the group. A broker that does not answer must not hold up
// the end of the process: after a while the session's end tells the group.
func (c *Consumer) leave(group *kafka.ConsumerGroup) {
	left := make(chan struct{})
	go func() {
		_ = group.Close()
		close(left)
	}()
	select {
	case <-left:
		c.o.Log.Info("left the group", slog.String("group", c.o.Group))
	case <-time.After(c.timing.leave):
		c.o.Log.Warn("the group could not be left in time, its session will end", slog.String("group", c.o.Group))
	}
}

// notJoined counts and logs a failed attempt. A rebalance that came in between is none of interest: it belongs to
// joining.
func (c *Consumer) notJoined(err error) {
	label, stale := classify(err)
	if stale {
		c.resetPool()
	}
	c.o.Metrics.retries.WithLabelValues("join_group", label).Inc()
	if !errors.Is(err, kafka.RebalanceInProgress) {
		attributes := []any{slog.String("group", c.o.Group), slog.Any("error", err)}
		c.quiet.warn("join_group"+label, "cannot join the group, retrying", append(attributes, c.advice("join", "", err)...)...)
	}
}

// serve works on one generation: a pipeline per partition, and the commits. It returns, which ends the generation,
// only after all of them have drained and the last commit is made.
func (c *Consumer) serve(ctx context.Context, generation *kafka.Generation) {
	if ctx.Err() != nil {
		return // ended before it began; nobody waits for this call
	}
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	hard, cancel := afterwards(ctx, c.timing.drain)
	defer cancel()
	partitions, err := c.assign(ctx, generation)
	if err != nil {
		return
	}
	var pipelines sync.WaitGroup
	for _, p := range partitions {
		c.o.Metrics.add(p.state)
		p.member, p.giveUp = member{generation: int(generation.ID), id: generation.MemberID}, giveUp
		pipelines.Go(func() { p.run(ctx, hard) })
	}
	c.commitUntil(ctx, generation, partitions)
	pipelines.Wait()
	c.commit(generation, partitions)
	for _, p := range partitions {
		c.o.Metrics.remove(p.state)
		p.closeObserver()
		c.left[p.id] = position{p.state.committed.Load(), p.state.next.Load()}
	}
}

// position is where this process left a partition: what it had committed, and what was acknowledged.
type position struct{ committed, next int64 }

// resume is where to go on with a partition that starts at the committed offset. If the last commit did not get
// through, because the coordinator or the network was gone, and no other member has come further since, then what
// this process knows to be published is not published again.
func (c *Consumer) resume(partition int32, committed int64) int64 {
	if at, ok := c.left[partition]; ok && at.committed <= committed && committed < at.next {
		return at.next
	}
	return committed
}

// afterwards returns a context that ends the given time after ctx has: what is under way when a generation ends may be
// finished for as long. It does not end with ctx itself, and holds no timer before.
func afterwards(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	hard, cancel := context.WithCancel(context.Background())
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(d, cancel)
		context.AfterFunc(hard, func() { timer.Stop() })
	})
	return hard, func() { stop(); cancel() }
}

// assign makes the partitions of a generation. One without a committed offset starts by policy, and that offset is
// committed before anything is read, so that a later start does not decide anew.
func (c *Consumer) assign(ctx context.Context, generation *kafka.Generation) ([]*partition, error) {
	c.transport.CloseIdleConnections() // what is cached of the topics is from before the rebalance
	of, err := int32(0), error(nil)
	if c.o.Observer != nil {
		if of, err = c.countInput(ctx); err != nil {
			return nil, err
		}
	}
	var partitions []*partition
	for _, a := range generation.Assignments[c.o.Input] {
		if c.o.ExactlyOnce { // what the group has committed is asked for when nobody else can commit any more
			partitions = append(partitions, c.newPartition(int32(a.ID), max(a.Offset, 0)))
			continue
		}
		offset := a.Offset
		if offset < 0 {
			var err error
			if offset, err = c.firstOffset(ctx, int32(a.ID)); err != nil {
				return nil, err
			}
		}
		p := c.newPartition(int32(a.ID), c.resume(int32(a.ID), offset))
		p.state.committed.Store(a.Offset)
		partitions = append(partitions, p)
	}
	for _, p := range partitions {
		p.openObserver(of)
	}
	c.sayMemory(len(partitions))
	c.o.Log.Info("generation", slog.Int("id", int(generation.ID)), slog.Int("partitions", len(partitions)))
	c.commit(generation, partitions)
	return partitions, nil
}

// countInput is the number of partitions of the input, which the monitors of all of them share their promise over.
func (c *Consumer) countInput(ctx context.Context) (int32, error) {
	tries := c.retrying("metadata", c.o.Input, nil)
	for {
		n, err := c.partitions(ctx, c.o.Input)
		if err == nil {
			return int32(n), nil
		}
		if err := tries.wait(ctx, err); err != nil {
			return 0, err
		}
	}
}

// firstOffset is where a partition starts for which the group has no offset. It is asked for until there is an answer:
// to guess would be to lose events or to decide old ones.
func (c *Consumer) firstOffset(ctx context.Context, partition int32) (int64, error) {
	tries := c.retrying("list_offsets", c.o.Input+"/"+itoa(partition), nil)
	for {
		offset, err := c.startOffset(ctx, partition)
		if err == nil {
			return offset, nil
		}
		if err := tries.wait(ctx, err); err != nil {
			return 0, err
		}
	}
}

// commitUntil commits once an interval as long as the generation lasts.
func (c *Consumer) commitUntil(ctx context.Context, generation *kafka.Generation, partitions []*partition) {
	tick := time.NewTicker(c.o.CommitInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.commit(generation, partitions)
		case <-ctx.Done():
			return
		}
	}
}

// commit sends the offsets that have moved since the last time; transactions carry their own. One that fails is sent
// again with the next; in a generation that has ended the coordinator refuses it, and the next owner starts where the
// last commit was. Only [kafka.Generation] commits here, in the generation's name: an offset from outside of it would
// be taken too, and could move another member's back.
func (c *Consumer) commit(generation *kafka.Generation, partitions []*partition) {
	if c.o.ExactlyOnce {
		return
	}
	moved := map[int]int64{}
	for _, p := range partitions {
		if next := p.state.next.Load(); next != p.state.committed.Load() {
			moved[int(p.id)] = next
		}
	}
	if len(moved) == 0 {
		return
	}
	if err := generation.CommitOffsets(map[string]map[int]int64{c.o.Input: moved}); err != nil {
		label, _ := classify(err)
		c.o.Metrics.commits.WithLabelValues("error").Inc()
		attributes := []any{slog.String("group", c.o.Group), slog.Any("error", err)}
		c.quiet.warn("commit"+label, "commit failed", append(attributes, c.advice("commit", "", err)...)...)
		return
	}
	c.o.Metrics.commits.WithLabelValues("ok").Inc()
	for _, p := range partitions {
		if next, ok := moved[int(p.id)]; ok {
			p.state.committed.Store(next)
		}
	}
}

// endOf is where a partition stops: -1 unless ExitAtEnd is set. A partition that was added since the start is not
// read at all then.
func (c *Consumer) endOf(partition int32) int64 {
	if !c.o.ExitAtEnd {
		return -1
	}
	return c.ends[partition]
}

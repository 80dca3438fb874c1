package consumer

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// consume joins the group and serves generation after generation until ctx ends. A failed attempt to join ends
// nothing, since kafka-go makes another: but a refusal that comes before the first generation is a fault of the
// set-up. Later the same refusal may be an access that was withdrawn and will be granted again, and is waited out
// like any fault of the cluster.
func (c *Consumer) consume(ctx context.Context) error {
	group, err := c.join()
	if err != nil {
		return err
	}
	var id, forgotten string // of this member in the last generation, and the one of its ids that kafka-go dropped last
	defer func() { c.leave(group, id) }()
	var departures sync.WaitGroup
	defer departures.Wait()
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
			if lost := id; isForgotten(err) && lost != forgotten {
				forgotten = lost
				departures.Go(func() { _ = c.depart(ctx, lost) }) // what failed is in the log
			}
			continue // the group waits by itself before it tries again
		}
		id = generation.MemberID
		c.joined.Store(true)
		c.o.Metrics.rebalances.Inc()
		c.own(generation)
		generation.Start(func(ended context.Context) { c.serve(ended, generation) })
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
	hard, cancel := afterwards(ctx, c.timing.drain*9/10) // the rest of the drain is for the last commit
	defer cancel()
	last, cancel := afterwards(ctx, c.timing.drain)
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
	_ = c.commitAll(last, generation, partitions) // what failed is in the log
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

// assign makes the partitions of a generation. One without a committed offset starts by policy. The monitors are
// opened last, when nothing can fail any more, so that each of them is closed with the generation.
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
		committed, start, err := c.startOf(ctx, a)
		if err != nil {
			return nil, err
		}
		p := c.newPartition(int32(a.ID), c.resume(int32(a.ID), start))
		p.state.committed.Store(committed)
		partitions = append(partitions, p)
	}
	if err := c.commitStart(ctx, generation, partitions); err != nil {
		return nil, err
	}
	for _, p := range partitions {
		p.openObserver(of)
	}
	c.sayMemory(len(partitions))
	c.o.Log.Info("generation", slog.Int("id", int(generation.ID)), slog.Int("partitions", len(partitions)))
	return partitions, nil
}

// commitStart commits where the partitions begin that had no offset, before anything is read of them: a policy that is
// asked again later names another offset, and what is between would be lost or decided anew. Where all of them had one, it
// is enough to commit with the rest.
func (c *Consumer) commitStart(ctx context.Context, generation *kafka.Generation, partitions []*partition) error {
	if slices.ContainsFunc(partitions, func(p *partition) bool { return p.state.committed.Load() < 0 }) {
		return c.commitAll(ctx, generation, partitions)
	}
	c.commit(generation, partitions)
	return nil
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

// startOf is where a partition starts: at what the group has committed, or by policy where that is nothing (-1). kafka-go
// says nothing, too, where the coordinator's answer leaves the partition out, so it is asked for again by itself, until
// there is an answer that names it: to guess would be to lose events or to decide old ones.
func (c *Consumer) startOf(ctx context.Context, a kafka.PartitionAssignment) (committed, start int64, err error) {
	if a.Offset >= 0 {
		return a.Offset, a.Offset, nil
	}
	partition := int32(a.ID)
	tries := c.retrying("list_offsets", c.o.Input+"/"+itoa(partition), nil)
	for {
		marks, err := c.committedBy(ctx, c.o.Group, c.o.Input, partition)
		if at := marks[partition].offset; err == nil && at >= 0 {
			return at, at, nil
		}
		if err == nil {
			if start, err = c.startOffset(ctx, partition); err == nil {
				return -1, start, nil
			}
		}
		if err := tries.wait(ctx, err); err != nil {
			return 0, 0, err
		}
	}
}

// commitUntil commits once an interval as long as the generation lasts. It leaves the last commit to serve, which
// makes it when the pipelines have drained.
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

// commit sends the offsets that have moved since the last time, over the generation's own connection; transactions carry
// their own. One that fails is sent again with the next. Offsets are committed in a generation's name alone: one from
// outside of it would be taken too, and could move another member's back.
func (c *Consumer) commit(generation *kafka.Generation, partitions []*partition) {
	moved := c.uncommitted(partitions)
	if len(moved) == 0 {
		return
	}
	offsets := map[int]int64{}
	for p, m := range moved {
		offsets[int(p)] = m.offset
	}
	if err := generation.CommitOffsets(map[string]map[int]int64{c.o.Input: offsets}); err != nil {
		c.commitFailed(err)
		return
	}
	c.committedNow(partitions, moved)
}

// commitAll commits what has moved, and tries for as long as ctx lasts. The generation's own connection may lead to a broker
// that is the coordinator no more, which is often what ends a generation, so the coordinator is looked up, and asked in the
// generation's name. One for which the generation is over refuses: then somebody else has the partitions, and decides the
// events since the last commit again.
func (c *Consumer) commitAll(ctx context.Context, generation *kafka.Generation, partitions []*partition) error {
	tries := c.retrying("commit", "group "+c.o.Group, nil)
	by := member{generation: int(generation.ID), id: generation.MemberID}
	for {
		moved := c.uncommitted(partitions)
		if len(moved) == 0 {
			return nil
		}
		err := c.commitMarks(ctx, c.o.Group, by, c.o.Input, moved)
		if err == nil {
			c.committedNow(partitions, moved)
			return nil
		}
		c.commitFailed(err)
		if remedyFor(err) == rejoin {
			return err
		}
		if err := tries.wait(ctx, err); err != nil {
			return err
		}
	}
}

// commitFailed counts and logs a commit that did not get through.
func (c *Consumer) commitFailed(err error) {
	label, _ := classify(err)
	c.o.Metrics.commits.WithLabelValues("error").Inc()
	attributes := []any{slog.String("group", c.o.Group), slog.Any("error", err)}
	c.quiet.warn("commit"+label, "commit failed", append(attributes, c.advice("commit", "", err)...)...)
}

// uncommitted are the offsets that have moved since they were committed; none where transactions commit them.
func (c *Consumer) uncommitted(partitions []*partition) map[int32]mark {
	moved := map[int32]mark{}
	for _, p := range partitions {
		if next := p.state.next.Load(); !c.o.ExactlyOnce && next != p.state.committed.Load() {
			moved[p.id] = mark{offset: next}
		}
	}
	return moved
}

// committedNow notes what a commit has moved. The partitions may have moved on meanwhile, so it is what was sent that
// is noted, not where they are.
func (c *Consumer) committedNow(partitions []*partition, moved map[int32]mark) {
	c.o.Metrics.commits.WithLabelValues("ok").Inc()
	for _, p := range partitions {
		if m, ok := moved[p.id]; ok {
			p.state.committed.Store(m.offset)
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

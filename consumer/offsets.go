package consumer

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
)

// The isolation levels of Kafka: LastOffset is the high watermark for a reader of everything, and the last stable offset,
// before the first open transaction, for a reader of committed records.
const (
	readUncommitted = 0
	readCommitted   = 1
)

// listOffsets asks the leaders for one offset per partition of a topic: kafka.FirstOffset, kafka.LastOffset (which
// here is the last stable one, as far as a reader of committed records comes) or that of the first record not older
// than a timestamp in milliseconds; -1 where there is none. Each partition that was asked for is in the map, or there
// is an error.
func (c *Consumer) listOffsets(ctx context.Context, topic string, at int64, partitions ...int32) (map[int32]int64, error) {
	return c.listOffsetsAs(ctx, readCommitted, topic, at, partitions...)
}

// listOffsetsAs is listOffsets for a reader of the given isolation level.
func (c *Consumer) listOffsetsAs(ctx context.Context, isolation int8, topic string, at int64, partitions ...int32) (map[int32]int64, error) {
	req := &listoffsets.Request{ReplicaID: -1, IsolationLevel: isolation, Topics: []listoffsets.RequestTopic{{Topic: topic}}}
	for _, p := range partitions {
		req.Topics[0].Partitions = append(req.Topics[0].Partitions,
			listoffsets.RequestPartition{Partition: p, CurrentLeaderEpoch: -1, Timestamp: at})
	}
	res, err := c.roundTrip(ctx, 0, req)
	if err != nil {
		return nil, err
	}
	offsets := map[int32]int64{}
	for _, topic := range res.(*listoffsets.Response).Topics {
		for _, p := range topic.Partitions {
			if p.ErrorCode != 0 {
				return nil, aboutTopic(topic.Topic, toRead, kafka.Error(p.ErrorCode))
			}
			offsets[p.Partition] = p.Offset
		}
	}
	for _, p := range partitions {
		if _, ok := offsets[p]; !ok {
			return nil, fmt.Errorf("no offset of partition %d in the answer", p)
		}
	}
	return offsets, nil
}

// startOffset applies Options.Start to a partition for which the group has no offset, and says what that means. A start at a
// time that lies behind the last record is a start at the end: what comes from now on is later.
func (c *Consumer) startOffset(ctx context.Context, partition int32) (int64, error) {
	first, err := c.listOffsets(ctx, c.o.Input, kafka.FirstOffset, partition)
	if err != nil {
		return 0, err
	}
	end, err := c.listOffsets(ctx, c.o.Input, kafka.LastOffset, partition)
	if err != nil {
		return 0, err
	}
	start, policy := first[partition], "earliest"
	switch {
	case c.o.Start.Latest:
		start, policy = end[partition], "latest"
	case !c.o.Start.Time.IsZero():
		policy = c.o.Start.Time.Format(time.RFC3339)
		found, err := c.listOffsets(ctx, c.o.Input, c.o.Start.Time.UnixMilli(), partition)
		if err != nil {
			return 0, err
		}
		if start = found[partition]; start < 0 {
			start = end[partition]
		}
	}
	c.o.Log.Info("the group has no offset, starting by policy", slog.String("topic", c.o.Input),
		slog.Int("partition", int(partition)), slog.String("start", policy), slog.Int64("offset", start),
		slog.Int64("records_ahead", max(end[partition]-start, 0)))
	return start, nil
}

// seeEnds notes where each partition ends now, for ExitAtEnd: at its last stable offset. What is sent later, or is still in an
// open transaction, is for the next run.
func (c *Consumer) seeEnds(ctx context.Context) error {
	retry := c.retrying("list_offsets", c.o.Input, nil)
	for {
		count, err := c.partitions(ctx, c.o.Input)
		if err == nil {
			all := make([]int32, count)
			for i := range all {
				all[i] = int32(i)
			}
			if c.ends, err = c.listOffsets(ctx, c.o.Input, kafka.LastOffset, all...); err == nil {
				return nil
			}
		}
		if err := retry.wait(ctx, err); err != nil {
			return err
		}
	}
}

// awaitEnds cancels the run once the group, this member and all others, has committed every partition up to its end.
// Run keeps it in a goroutine beside the stream. What fails here is asked for again after the next interval: the run
// only ends a little later for it.
func (c *Consumer) awaitEnds(ctx context.Context, cancel context.CancelCauseFunc) {
	all := slices.Collect(maps.Keys(c.ends))
	for sleep(ctx, c.o.CommitInterval) == nil {
		offsets, err := c.committedBy(ctx, c.o.Group, c.o.Input, all...)
		if err == nil && c.reached(offsets) {
			cancel(errAtEnd)
			return
		}
	}
}

// reached tells whether the committed offsets have come to all ends. An empty partition has come to its end at offset 0
// once that is committed.
func (c *Consumer) reached(offsets map[int32]mark) bool {
	for p, end := range c.ends {
		if at, ok := offsets[p]; !ok || at.offset < end {
			return false
		}
	}
	return true
}

package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/listoffsets"
)

// listOffsets asks the leaders for one offset per partition of a topic: kafka.FirstOffset, kafka.LastOffset (which
// here is the last stable one, as far as a reader of committed records comes) or that of the first record not older
// than a timestamp in milliseconds; -1 where there is none.
func (c *Consumer) listOffsets(ctx context.Context, topic string, at int64, partitions ...int32) (map[int32]int64, error) {
	req := &listoffsets.Request{ReplicaID: -1, IsolationLevel: 1, Topics: []listoffsets.RequestTopic{{Topic: topic}}}
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

// committed asks the coordinator for the group's offsets (OffsetFetch, API key 9); -1, or no entry, where it has none. The
// answer need not know of a transaction whose markers are still being written: see locate.go for who must.
func (c *Consumer) committed(ctx context.Context, partitions ...int) (map[int32]int64, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.request)
	defer cancel()
	res, err := c.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{
		GroupID: c.o.Group, Topics: map[string][]int{c.o.Input: partitions},
	})
	if err != nil {
		return nil, err
	}
	if res.Error != nil {
		return nil, knownGroup(res.Error)
	}
	offsets := map[int32]int64{}
	for _, p := range res.Topics[c.o.Input] {
		if p.Error != nil {
			return nil, knownGroup(p.Error)
		}
		offsets[int32(p.Partition)] = p.CommittedOffset
	}
	return offsets, nil
}

// knownGroup hides that a group does not exist yet, which some brokers say of one that has not been joined.
func knownGroup(err error) error {
	if errors.Is(err, kafka.GroupIdNotFound) {
		return nil
	}
	return err
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
func (c *Consumer) awaitEnds(ctx context.Context, cancel context.CancelCauseFunc) {
	all := make([]int, 0, len(c.ends))
	for p := range c.ends {
		all = append(all, int(p))
	}
	for sleep(ctx, c.o.CommitInterval) == nil {
		offsets, err := c.committed(ctx, all...)
		if err == nil && c.reached(offsets) {
			cancel(errAtEnd)
			return
		}
	}
}

// reached tells whether the committed offsets have come to all ends. An empty partition has come to its end at offset 0
// once that is committed.
func (c *Consumer) reached(offsets map[int32]int64) bool {
	for p, end := range c.ends {
		if at, ok := offsets[p]; !ok || at < end {
			return false
		}
	}
	return true
}

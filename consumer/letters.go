package consumer

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"fraudstream/consumer/deadletter"
	"fraudstream/consumer/recordbatch"
)

// reach is the part of one partition of the dead letters that a filter is about. Its offsets are those of the
// letters, not of their events; from is part of it, and to is not.
type reach struct {
	partition       int32
	from, to, start int64 // start: the first offset of the log
}

// Letters shows the dead letters that a filter picks, partition by partition, in the order in which they were
// written, until each returns false. A letter is valid until the next is shown. A limit of the filter counts letters
// of all partitions together. Faults of the cluster are waited out for as long as ctx lasts; a batch that stays
// corrupt is an error.
func (c *Consumer) Letters(ctx context.Context, f deadletter.Filter, each func(*deadletter.Letter) bool) error {
	defer c.transport.CloseIdleConnections()
	all, err := c.reaches(ctx, f)
	if err != nil {
		return err
	}
	shown, enough := 0, false
	for _, r := range all {
		err := c.scanning(c.o.DeadLetter, r.partition, r.from, r.to).run(ctx, func(record *recordbatch.Record) error {
			l := deadletter.Parse(r.partition, record)
			if !f.Picks(&l) {
				return nil
			}
			shown++
			if enough = !each(&l) || shown == f.Limit; enough {
				return errEnough
			}
			return nil
		})
		if err != nil || enough {
			return err
		}
	}
	return nil
}

// reaches turns partitions and times into ranges of offsets, up to what is there now. Times are looked up by the broker's
// time index (ListOffsets, API key 2), which finds the first record whose timestamp is not before a given one. A dead letter
// bears the time of its event's failure, so the letters of a partition stand in the order of their times but for clocks that
// were set back.
func (c *Consumer) reaches(ctx context.Context, f deadletter.Filter) ([]reach, error) {
	count, err := c.partitions(ctx, c.o.DeadLetter)
	if err != nil {
		return nil, c.explainedTopic(c.o.DeadLetter, err)
	}
	partitions := slices.Clone(f.Partitions)
	if len(partitions) == 0 {
		for p := range int32(count) {
			partitions = append(partitions, p)
		}
	}
	for _, p := range partitions {
		if p < 0 || int(p) >= count {
			return nil, fmt.Errorf("topic %s has %d partitions, and no partition %d", c.o.DeadLetter, count, p)
		}
	}
	slices.Sort(partitions)
	partitions = slices.Compact(partitions)
	first, err := c.listOffsets(ctx, c.o.DeadLetter, kafka.FirstOffset, partitions...)
	if err != nil {
		return nil, c.explainedTopic(c.o.DeadLetter, err)
	}
	end, err := c.listOffsets(ctx, c.o.DeadLetter, kafka.LastOffset, partitions...)
	if err != nil {
		return nil, err
	}
	since, until := first, end
	if !f.Since.IsZero() {
		if since, err = c.offsetsAt(ctx, f.Since, end, partitions); err != nil {
			return nil, err
		}
	}
	if !f.Until.IsZero() {
		if until, err = c.offsetsAt(ctx, f.Until, end, partitions); err != nil {
			return nil, err
		}
	}
	var all []reach
	for _, p := range partitions {
		all = append(all, reach{p, since[p], until[p], first[p]})
	}
	return all, nil
}

// offsetsAt are those of the first letters that were not written before a time. Where a partition has none so late it
// is the partition's end: as a beginning that picks nothing, and as an end everything.
func (c *Consumer) offsetsAt(ctx context.Context, at time.Time, end map[int32]int64, partitions []int32) (map[int32]int64, error) {
	found, err := c.listOffsets(ctx, c.o.DeadLetter, at.UnixMilli(), partitions...)
	if err != nil {
		return nil, err
	}
	for p, offset := range found {
		if offset < 0 {
			found[p] = end[p]
		}
	}
	return found, nil
}

// explainedTopic says of a topic what a person can do about it. What another attempt may mend comes back as it is.
func (c *Consumer) explainedTopic(topic string, err error) error {
	switch {
	case isDenied(err):
		return denied("topic "+topic, "reading")
	case isUnknown(err):
		return &SetupError{Resource: "topic " + topic, Detail: "does not exist, or this user may not see it", Advice: "correct the name"}
	}
	return c.explained(err)
}

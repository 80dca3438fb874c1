package consumer

import (
	"context"
	"errors"
	"strconv"

	"github.com/segmentio/kafka-go"
)

// mark is an offset that is committed for a group without members, with a text beside it. Such groups keep what must
// reach other processes: how far a replay has come, which failures are accepted.
type mark struct {
	offset int64
	text   string
}

// committedBy asks for the marks of a group; the zero mark where there is none. The text of a mark is what Kafka calls an
// offset's metadata, 4 KB unless the brokers are told otherwise (offset.metadata.max.bytes).
func (c *Consumer) committedBy(ctx context.Context, group, topic string, partitions ...int) (map[int32]mark, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.request)
	defer cancel()
	res, err := c.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: partitions}})
	if err != nil {
		return nil, err
	}
	if res.Error != nil {
		return nil, knownGroup(res.Error)
	}
	marks := map[int32]mark{}
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return nil, knownGroup(p.Error)
		}
		marks[int32(p.Partition)] = mark{max(p.CommittedOffset, 0), p.Metadata}
	}
	return marks, nil
}

// commitMarks commits marks outside any generation (-1, without a member), which a coordinator takes for a group without
// members and refuses with 25 for one that has some: so it cannot move the offset of a stream that runs.
func (c *Consumer) commitMarks(ctx context.Context, group, topic string, marks map[int32]mark) error {
	ctx, cancel := context.WithTimeout(ctx, c.timing.request)
	defer cancel()
	req := &kafka.OffsetCommitRequest{GroupID: group, GenerationID: -1, Topics: map[string][]kafka.OffsetCommit{}}
	for p, m := range marks {
		req.Topics[topic] = append(req.Topics[topic], kafka.OffsetCommit{Partition: int(p), Offset: m.offset, Metadata: m.text})
	}
	res, err := c.client.OffsetCommit(ctx, req)
	if err != nil {
		return err
	}
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return p.Error
		}
	}
	return nil
}

// explainedGroup names the group that is meant, which is not the one that the stream joins.
func (c *Consumer) explainedGroup(group string, err error) error {
	if errors.Is(err, kafka.GroupAuthorizationFailed) {
		return denied("group "+group, "reading")
	}
	return c.explained(err)
}

// explained makes a *SetupError of an error that no retry mends, for commands that do one thing and end.
func (c *Consumer) explained(err error) error {
	if setup := c.setupError(err); setup != nil {
		return setup
	}
	return err
}

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }

package consumer

import (
	"context"
	"errors"
	"maps"
	"strconv"

	"github.com/segmentio/kafka-go"
)

// mark is an offset to commit, with a text beside it. Groups without members keep in marks what must reach other
// processes: how far a replay has come, which failures are accepted.
type mark struct {
	offset int64
	text   string
}

// committedBy asks the coordinator for the marks of a group (OffsetFetch, API key 9), one for each partition; the offset is
// -1 where the group has none. An answer that says nothing of a partition is an error: to take it for none would be to start
// by policy, and so to decide anew or to lose what is between. kafka-go cannot demand an answer that waits for transactions
// whose markers are still being written: see locate.go for who must. The text of a mark is what Kafka calls an offset's
// metadata, 4 KB unless the brokers are told otherwise (offset.metadata.max.bytes).
func (c *Consumer) committedBy(ctx context.Context, group, topic string, partitions ...int32) (map[int32]mark, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timing.request)
	defer cancel()
	asked := make([]int, len(partitions))
	for i, p := range partitions {
		asked[i] = int(p)
	}
	res, err := c.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: asked}})
	if err != nil {
		return nil, err
	}
	if isNoGroup(res.Error) {
		return unmarked(partitions), nil
	}
	if res.Error != nil {
		return nil, res.Error
	}
	marks := map[int32]mark{}
	for _, p := range res.Topics[topic] {
		if isNoGroup(p.Error) {
			return unmarked(partitions), nil
		}
		if p.Error != nil {
			return nil, aboutTopic(topic, toRead, p.Error)
		}
		marks[int32(p.Partition)] = mark{p.CommittedOffset, p.Metadata}
	}
	for _, p := range partitions {
		if _, ok := marks[p]; !ok {
			return nil, errUnanswered
		}
	}
	return marks, nil
}

// isNoGroup tells what some brokers say of a group that has not been joined yet.
func isNoGroup(err error) bool { return errors.Is(err, kafka.GroupIdNotFound) }

// unmarked are the marks of a group that has none.
func unmarked(partitions []int32) map[int32]mark {
	marks := map[int32]mark{}
	for _, p := range partitions {
		marks[p] = mark{offset: -1}
	}
	return marks
}

// nobody commits for a group without members, outside any generation. A coordinator refuses that with 25 for a group that
// has some: so it cannot move the offset of a stream that runs.
func nobody() member { return member{generation: -1} }

// commitMarks makes one attempt to commit marks in a member's name. All of them are committed only where each is in
// the answer. After an error some of them may be: whoever calls it sends all of them again, which changes nothing.
func (c *Consumer) commitMarks(ctx context.Context, group string, by member, topic string, marks map[int32]mark) error {
	ctx, cancel := context.WithTimeout(ctx, c.timing.request)
	defer cancel()
	req := &kafka.OffsetCommitRequest{
		GroupID: group, GenerationID: by.generation, MemberID: by.id, Topics: map[string][]kafka.OffsetCommit{},
	}
	for p, m := range marks {
		req.Topics[topic] = append(req.Topics[topic], kafka.OffsetCommit{Partition: int(p), Offset: m.offset, Metadata: m.text})
	}
	res, err := c.client.OffsetCommit(ctx, req)
	if err != nil {
		return err
	}
	open := maps.Clone(marks)
	for _, p := range res.Topics[topic] {
		if p.Error != nil {
			return p.Error
		}
		delete(open, int32(p.Partition))
	}
	if len(open) > 0 {
		return errUnanswered
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

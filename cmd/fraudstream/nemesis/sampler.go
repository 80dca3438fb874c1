package nemesis

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A sampler checks that a group's committed offset never passes an event without an answer, while all goes on.
//
// At-least-once means that an offset is committed after the answers below it were acknowledged, and exactly-once that
// both become visible together: in either mode whoever sees the offset must find the answers, or they are lost to the
// next worker, which begins there.
//
// A commit may be seen before the end of the transaction has been written to the output, so it is not enough to look
// at what has been read by then. The sampler asks for the committed offsets first and for the ends of the output
// topics second, waits until the witness, who sees what is committed and waits for what is not decided yet, has read
// up to these ends, and then demands an answer to every event below the committed offsets.
type sampler struct {
	client  *kgo.Client
	input   string
	group   string
	topics  outputs
	witness *witness
	ledger  *Ledger
	mu      sync.Mutex      // held during a check
	checks  int             // that came to an end
	last    map[int32]int64 // committed offsets of the last of them
	failed  int             // that did not
	trouble error           // of the last of those
}

// sampleEvery is the pause between two samples.
const sampleEvery = 500 * time.Millisecond

// watch samples until ctx ends. A sample that the present fault keeps from its end is given up: the next one asks the
// same.
func (s *sampler) watch(ctx context.Context) {
	for ctx.Err() == nil {
		attempt, cancel := context.WithTimeout(ctx, 15*time.Second)
		_, err := s.check(attempt)
		cancel()
		if err != nil && ctx.Err() == nil {
			s.note(err)
		}
		_ = pause(ctx, sampleEvery) // the loop asks why
	}
}

// note counts a sample that was given up.
func (s *sampler) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed++
	s.trouble = err
}

// soFar may be called at any time; it waits for a check that is under way. It is how many samples came to an end, how
// many did not, and why the last of those did not.
func (s *sampler) soFar() (checks, failed int, trouble error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.checks, s.failed, s.trouble
}

// check takes one sample and returns the events that the committed offset has passed without an answer; they are
// given up as lost, so that the next sample finds only others. It ends with the error of ctx where an open
// transaction keeps the witness from the end of the topics for too long.
func (s *sampler) check(ctx context.Context) ([]place, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	committed, err := s.committed(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.readToEnd(ctx); err != nil {
		return nil, err
	}
	if len(committed) > 0 { // else nothing was held against anything
		s.checks++
	}
	s.last = committed
	passed := s.ledger.Missing(committed)
	s.ledger.writeOff(passed, true)
	return passed, nil
}

// short lists the partitions whose offset stood before an end when it was last looked at, with that offset; one for
// which nothing was committed stands at 0.
func (s *sampler) short(ends map[int32]int64) []place {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []place
	for p, end := range ends {
		if s.last[p] < end {
			all = append(all, place{p, s.last[p]})
		}
	}
	return all
}

// readToEnd returns when the witness has read what the subject had written when it was called, or when ctx ends.
// Records of open transactions are among what was written: the witness waits for their end.
func (s *sampler) readToEnd(ctx context.Context) error {
	ends, err := s.ends(ctx, false)
	for err == nil && !s.witness.has(ends) {
		err = pause(ctx, 20*time.Millisecond)
	}
	return err
}

// committed asks the group's coordinator for its offsets of the input. Those that belong to transactions which are not
// decided yet are not in them, and partitions without an offset are left out.
func (s *sampler) committed(ctx context.Context) (map[int32]int64, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = s.group
	req.Groups = append(req.Groups, group)
	res, err := req.RequestWith(ctx, s.client)
	if err != nil {
		return nil, err
	}
	offsets := map[int32]int64{}
	for _, g := range res.Groups {
		if err := kerr.ErrorForCode(g.ErrorCode); err != nil {
			return nil, err
		}
		for _, t := range g.Topics {
			for _, p := range t.Partitions {
				if t.Topic == s.input && p.ErrorCode == 0 && p.Offset >= 0 {
					offsets[p.Partition] = p.Offset
				}
			}
		}
	}
	return offsets, nil
}

// ends asks the leaders for the ends of the decisions and the dead letters, by topic and partition: of what is
// committed, that is up to the first open transaction, or of all that is replicated. One partition whose leader does
// not answer is an error, since an end that is missing would be held against nothing.
func (s *sampler) ends(ctx context.Context, committed bool) (map[lane]int64, error) {
	partitions, err := partitionsOf(ctx, s.client, s.topics.decisions, s.topics.letters)
	if err != nil {
		return nil, err
	}
	req := kmsg.NewPtrListOffsetsRequest()
	req.ReplicaID = -1
	if committed {
		req.IsolationLevel = 1
	}
	for name, n := range partitions {
		topic := kmsg.NewListOffsetsRequestTopic()
		topic.Topic = name
		for p := range n {
			partition := kmsg.NewListOffsetsRequestTopicPartition()
			partition.Partition, partition.Timestamp = p, -1
			topic.Partitions = append(topic.Partitions, partition)
		}
		req.Topics = append(req.Topics, topic)
	}
	ends := map[lane]int64{}
	for _, shard := range s.client.RequestSharded(ctx, req) {
		if shard.Err != nil {
			return nil, shard.Err
		}
		for _, t := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return nil, err
				}
				ends[lane{topic: t.Topic, out: p.Partition}] = p.Offset
			}
		}
	}
	return ends, nil
}

// partitionsOf asks how many partitions topics have, as one broker knows it; a topic that it does not know is an error.
func partitionsOf(ctx context.Context, client *kgo.Client, names ...string) (map[string]int32, error) {
	req := kmsg.NewPtrMetadataRequest()
	for _, name := range names {
		topic := kmsg.NewMetadataRequestTopic()
		topic.Topic = new(name)
		req.Topics = append(req.Topics, topic)
	}
	res, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	partitions := map[string]int32{}
	for _, t := range res.Topics {
		if err := kerr.ErrorForCode(t.ErrorCode); err != nil {
			return nil, fmt.Errorf("topic %s: %w", *t.Topic, err)
		}
		partitions[*t.Topic] = int32(len(t.Partitions))
	}
	if len(partitions) != len(names) {
		return nil, errors.New("the broker names other topics than were asked for")
	}
	return partitions, nil
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

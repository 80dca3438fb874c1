package nemesis

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// recoverAll waits for every subject at the same time, and tells which have recovered by themselves. One that makes
// no progress is stuck: the plain loop may hang for good, or meet an event again and again that it cannot get past.
// Then what the person on call would do is done. Each waits in a goroutine of its own, since the slowest must not
// hide how fast the others were.
func (r *run) recoverAll(ends map[int32]int64) map[*Subject]bool {
	var mu sync.Mutex
	recovered := map[*Subject]bool{}
	var all sync.WaitGroup
	for _, s := range r.subjects {
		all.Go(func() {
			if r.await(s, ends) {
				mu.Lock()
				defer mu.Unlock()
				recovered[s] = true
			} else {
				r.rescue(s, ends)
			}
		})
	}
	all.Wait()
	return recovered
}

// await waits until a subject has answered every event below the ends, and tells whether it has. The service has the
// run's patience for all of them; the plain loop, which may be slow and whose recovery is only measured, for each
// that it answers.
func (r *run) await(s *Subject, ends map[int32]int64) bool {
	patience := r.o.Patience
	if s.Plain {
		patience = patienceWithPlain
	}
	least, deadline := -1, time.Now().Add(patience)
	for time.Now().Before(deadline) {
		n := len(s.Ledger.Missing(ends))
		if n == 0 {
			return true
		}
		if least < 0 || n < least {
			least = n
			if s.Plain {
				deadline = time.Now().Add(patience)
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
	return false
}

// patienceWithPlain is how long the plain loop may go on without an answer. Its session is over after 10 s, and a
// rebalance takes as long again at most, so one that is silent for longer waits for nothing that would come.
const patienceWithPlain = 30 * time.Second

// rescue kills the workers of a subject and starts others, up to five times. If that does not help, the partitions
// that stand still are moved by hand past the event that they stand before, as the person on call would do, and what
// is missing then is lost.
func (r *run) rescue(s *Subject, ends map[int32]int64) {
	r.logf("    %s is stuck: %d events have no answer; its workers are started anew", s.Name, len(s.Ledger.Missing(ends)))
	for again := range 5 {
		s.destroy()
		if again > 0 {
			r.moveOver(s, ends)
		}
		for range s.size {
			_, err := s.Start()
			s.must(err)
		}
		if r.await(s, ends) {
			return
		}
	}
	s.Ledger.writeOff(s.Ledger.Missing(ends), false)
}

// moveOver commits, for a group without members, the offset after the first event of each partition that has no
// answer. It waits until the coordinator has given up the members that were killed: it takes offsets from nobody else
// while there are any.
func (r *run) moveOver(s *Subject, ends map[int32]int64) {
	ctx, cancel := context.WithTimeout(context.Background(), r.o.Patience)
	defer cancel()
	for ctx.Err() == nil {
		if _, members, err := r.describe(ctx, s.Group); err == nil && members == 0 {
			break
		}
		time.Sleep(500 * time.Millisecond)
	}
	first := map[int32]place{}
	for _, p := range s.Ledger.Missing(ends) {
		if known, ok := first[p.partition]; !ok || p.offset < known.offset {
			first[p.partition] = p
		}
	}
	offsets := map[int32]int64{}
	for _, p := range first {
		offsets[p.partition] = p.offset + 1
		r.logf("    %s is moved over %v by hand", s.Name, p)
	}
	if err := commitFor(ctx, r.admin, s.Group, offsets); err != nil {
		r.t.Errorf("moving %s: %v", s.Name, err)
	}
}

// commitFor commits offsets of the input for a group without members, in the name of none (generation -1). Newer
// brokers know the topic by its id alone, older ones by its name, so both are given. An offset that is refused is an
// error, with its partition.
func commitFor(ctx context.Context, client *kgo.Client, group string, offsets map[int32]int64) error {
	topic := kmsg.NewOffsetCommitRequestTopic()
	topic.Topic = input
	known := kmsg.NewPtrMetadataRequest()
	known.Topics = []kmsg.MetadataRequestTopic{{Topic: &topic.Topic}}
	metadata, err := known.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	topic.TopicID = metadata.Topics[0].TopicID
	for p, offset := range offsets {
		partition := kmsg.NewOffsetCommitRequestTopicPartition()
		partition.Partition, partition.Offset = p, offset
		topic.Partitions = append(topic.Partitions, partition)
	}
	req := kmsg.NewPtrOffsetCommitRequest()
	req.Group, req.Generation = group, -1
	req.Topics = append(req.Topics, topic)
	res, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, p := range res.Topics[0].Partitions {
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return fmt.Errorf("partition %d: %w", p.Partition, err)
		}
	}
	return nil
}

// unanswered waits until every subject has answered every event below the ends, one after the other, and names those
// that do not. An empty list means that all have answered.
func (r *run) unanswered(ends map[int32]int64) []string {
	var stuck []string
	for _, s := range r.subjects {
		if !r.await(s, ends) {
			stuck = append(stuck, s.Name)
		}
	}
	return stuck
}

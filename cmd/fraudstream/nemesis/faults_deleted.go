package nemesis

import (
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// outputDeleted deletes the topics of decisions and makes them anew after a while. Nothing reaches the brokers while
// they go, so what they hold then is known record by record: it is deleted, and nothing else may be missing. What is
// decided later goes into the new topics, once.
func outputDeleted() Fault {
	return Fault{"output topic deleted, and made again", func(w *World) {
		w.Unwatched(func() {
			named := map[*Subject]int{}
			for _, s := range w.Subjects {
				named[s] = s.saidOf("retrying", s.Topics.decisions)
			}
			w.Burst(500)
			w.Sleep(w.Between(0, 200*time.Millisecond))
			w.Ground.Kafka.Network.Hold()
			for _, s := range w.Subjects {
				w.deleteHeld(s)
			}
			w.Ground.Kafka.Network.Heal(w.T)
			for _, s := range w.services() {
				w.eventually(s.Name+" to stand still before a topic that is not there, and to name it", 50*time.Second, func() bool {
					return s.paused("") > 0 && s.saidOf("retrying", s.Topics.decisions) > named[s]
				})
				w.Met(s, "partitions that stand still", s.paused(""))
				w.Met(s, "lines of the log that name the topic", s.saidOf("retrying", s.Topics.decisions)-named[s])
			}
			w.Sleep(w.Between(2*time.Second, 4*time.Second))
			w.MetWaiting()
			for _, s := range w.Subjects {
				s.witness.forget(s.Topics.decisions)
				w.Ground.createTopic(w.T, w.run.admin, s.Topics.decisions, w.partitions(input))
			}
		})
	}}
}

// deleteHeld deletes a subject's topic of decisions, to which nothing is written, and books what goes with it.
// Decisions that the witness has read and that are not in the topic would be decisions without a record, and fail the
// test. What it deletes is in the subject's row under deleted, and in no other column.
func (w *World) deleteHeld(s *Subject) {
	w.T.Helper()
	held := w.held(s)
	w.deleteTopic(s.Topics.decisions)
	deleted, elsewhere := s.Ledger.topicDeleted(held)
	if elsewhere > 0 {
		w.T.Errorf("%s: %d decisions that were read are not among the %d that its topic held", s.Name, elsewhere, len(held))
	}
	w.Met(s, "decisions deleted", deleted)
	w.Logf("    %s: %d decisions go with their topic, and %d records that are not committed", s.Name, deleted, len(held)-deleted)
}

// held are the origins of all records that a subject's topic of decisions holds, decided or in transactions that are
// still open, while nothing is written to it any more. It returns when the witness, too, has read what is committed
// of them.
func (w *World) held(s *Subject) map[place]bool {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), time.Minute)
	defer cancel()
	var ends, committed map[lane]int64
	w.eventually("an end of the writes to "+s.Topics.decisions, 30*time.Second, func() bool {
		before := ends
		var err1, err2 error
		ends, err1 = s.sampler.ends(ctx, false)
		committed, err2 = s.sampler.ends(ctx, true)
		pauseFor(200 * time.Millisecond) // what was under way is written by then
		return err1 == nil && err2 == nil && maps.Equal(before, ends) && s.witness.has(committed)
	})
	held := map[place]bool{}
	for at := range ends {
		if at.topic != s.Topics.decisions {
			delete(ends, at)
		}
	}
	if err := w.readAll(ctx, s.Topics.decisions, ends, func(r *kgo.Record) {
		var d struct {
			Source struct {
				Partition int32
				Offset    int64
			}
		}
		if json.Unmarshal(r.Value, &d) == nil {
			held[place{d.Source.Partition, d.Source.Offset}] = true
		}
	}); err != nil {
		w.T.Fatalf("what %s holds: %v", s.Topics.decisions, err)
	}
	return held
}

// committedEnds are the ends of a subject's decisions, by partition, up to which readers of committed records come.
// It asks until every leader answers.
func (w *World) committedEnds(s *Subject) (ends map[lane]int64) {
	w.T.Helper()
	w.eventually("the ends of "+s.Topics.decisions, time.Minute, func() bool {
		var err error
		ends, err = s.sampler.ends(w.T.Context(), true)
		return err == nil
	})
	maps.DeleteFunc(ends, func(at lane, _ int64) bool { return at.topic != s.Topics.decisions })
	return ends
}

// readAll reads a topic from its beginning up to given ends, by partition. Unless more says that it should see
// committed records alone, it sees what transactions hold that are open, and what was aborted, too. Markers are
// passed over, but they count on the way to the ends, which they may stand at. It takes what it has reached out of
// the ends that it was given. It reads by a client of its own, by the direct way.
func (w *World) readAll(ctx context.Context, topic string, ends map[lane]int64, see func(*kgo.Record), more ...kgo.Opt) error {
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(w.Ground.Direct, ",")...), kgo.ConsumeTopics(topic), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(250 * time.Millisecond),
	}, more...)...)
	if err != nil {
		return err
	}
	defer client.Close()
	maps.DeleteFunc(ends, func(_ lane, end int64) bool { return end == 0 })
	for len(ends) > 0 {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				see(r)
			}
			if at := (lane{topic: topic, out: r.Partition}); r.Offset+1 >= ends[at] {
				delete(ends, at)
			}
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// recordsDeleted deletes records before anybody has read them, as retention does while the service is down: all
// workers leave, a hundred events and more are sent to one partition, and its beginning is moved behind most of them,
// past every group's committed offset. Exactly the events between that offset and the new beginning must be missing,
// be counted and be alerted. Which partition it is, is drawn.
func recordsDeleted() Fault {
	return Fault{"records deleted under the consumer", func(w *World) {
		w.Each(func(s *Subject, _ *rand.Rand) {
			for _, worker := range s.Workers() {
				_, err := worker.Terminate(patienceOfDrain)
				s.must(err)
				s.Bury(worker)
			}
		})
		p, marks := w.Random.Int32N(w.partitions(input)), w.alertMarks()
		target := w.Book().Ends()[p] + 100
		w.eventually("events to delete", time.Minute, func() bool { w.Burst(100); return w.Book().Ends()[p] > target+20 })
		committed := map[*Subject]int64{}
		for _, s := range w.Subjects {
			committed[s] = w.committed(s)[p]
			s.Ledger.Excuse(p, committed[s], target)
			w.Met(s, "offsets deleted", int(target-committed[s]))
		}
		w.deleteRecords(p, target)
		w.Each(func(s *Subject, _ *rand.Rand) {
			for range s.size {
				_, err := s.Start()
				s.must(err)
			}
		})
		w.Mended()
		for _, s := range w.services() {
			from, n := committed[s], target-committed[s]
			w.expectAlert(s, marks[s], gapAlert{"offset", "skipped", "out_of_range", p, from, target, n})
			w.eventually(s.Name+" to count what is gone", time.Minute, func() bool { return s.counted(gapsTotal) > s.expectedGaps })
			w.expectGap(s, p, committed[s], target)
		}
		w.Note("deleted_offsets", target-committed[w.Subjects[0]])
	}}
}

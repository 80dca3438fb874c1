package consumer

import (
	"math"
	"strconv"
	"sync/atomic"
	"time"
)

// state is what the rest of the program sees of a partition's pipeline. The pipeline writes it; the committer, the
// health check and a scrape of the metrics read it. next goes back only where the log was cut or made anew under the
// partition.
type state struct {
	topic     string
	partition int32
	next      atomic.Int64 // everything below is acknowledged: the offset to commit
	end       atomic.Int64 // last stable offset seen; -1: not yet
	stamp     atomic.Int64 // timestamp of the last acknowledged record, Unix milliseconds; 0: none yet
	progress  atomic.Int64 // when next moved, or there was nothing to do; Unix nanoseconds
	turned    atomic.Int64 // when the loop last turned; Unix nanoseconds
	paused    atomic.Pointer[string]
	committed atomic.Int64 // offset that the group has; -1: none
	wanted    atomic.Bool  // somebody would like to see a decision
	sample    atomic.Pointer[Sample]
}

// newState is the state of a pipeline that has its first offset and has done nothing yet: its time without progress
// counts from now.
func newState(topic string, partition int32, offset int64) *state {
	s := &state{topic: topic, partition: partition}
	s.next.Store(offset)
	s.end.Store(-1)
	s.committed.Store(-1)
	s.progress.Store(time.Now().UnixNano())
	s.turn()
	return s
}

// name is topic and partition, as people and the resource of a log line have it.
func (s *state) name() string { return s.topic + "/" + itoa(s.partition) }

// turn shows that the loop is alive, whether or not there is anything to do.
func (s *state) turn() { s.turned.Store(time.Now().UnixNano()) }

// advance moves the offset after a run that counts now, unless it held only what was published before.
func (s *state) advance(r *receipt) {
	if r.next <= s.next.Load() {
		return
	}
	if r.stamp > 0 {
		s.stamp.Store(r.stamp)
	}
	s.next.Store(r.next)
	s.progress.Store(time.Now().UnixNano())
}

// idle notes that a fetch found nothing: with all acknowledged, that is progress.
func (s *state) idle(position, end int64) {
	s.end.Store(end)
	if s.next.Load() == position && position >= end {
		s.progress.Store(time.Now().UnixNano())
		s.resume()
	}
}

// see notes what a fetch says of the end, and the first record of all, from which the delay counts until one is
// acknowledged.
func (s *state) see(end, stamp int64) {
	s.end.Store(end)
	s.stamp.CompareAndSwap(0, stamp)
}

// finish marks a pipeline that has come to its end: nothing turns any more, and nothing has to.
func (s *state) finish() { s.turned.Store(math.MaxInt64) }

// lag is the number of offsets between what is acknowledged and the end.
func (s *state) lag() int64 {
	end := s.end.Load()
	if end < 0 {
		return 0
	}
	return max(end-s.next.Load(), 0)
}

// behind is the age of the last acknowledged record while there are more to come, in seconds.
func (s *state) behind(now time.Time) float64 {
	stamp := s.stamp.Load()
	if s.lag() == 0 || stamp == 0 {
		return 0
	}
	return max(now.Sub(time.UnixMilli(stamp)).Seconds(), 0)
}

// pause notes what holds the partition up: a label of few values. The last word counts: each stage that is held up
// says so again with every attempt.
func (s *state) pause(reason string) { s.paused.Store(&reason) }

// resume notes that nothing does any more.
func (s *state) resume() { s.paused.Store(nil) }

func itoa(n int32) string { return strconv.Itoa(int(n)) }

package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A decision is what the reader takes from a record of the decisions topic. It is declared here once more and
// not imported, so that a change of the service's format by accident is seen by the show.
type decision struct {
	ID            string  `json:"decision_id"`
	TransactionID string  `json:"transaction_id"`
	Score         float64 `json:"score"`
	Verdict       string  `json:"decision"`
	Thresholds    struct{ Review, Block float64 }
	Source        struct {
		Topic     string
		Partition int32
		Offset    int64
	}
}

// A letter is what the reader takes from a record of the dead-letter topic. Partition and offset are those of
// the event that it is about, not of the letter.
type letter struct {
	partition int32
	offset    int64
	code      string
	message   string
}

// A reader is the witness: a Kafka client of another make than the service's, outside of its group, that reads both
// output topics from their beginning, and all the time, so that it has seen every record before retention drops
// it. Its loop is one goroutine; the methods with a capital letter, but for Run, may be called by any.
type reader struct {
	client *kgo.Client
	ledger *ledger
	screen *screen
	began  time.Time
	done   chan struct{} // closed when the loop has ended

	// What follows is shared with the goroutine that plays, under mu.
	mu        sync.Mutex
	next      map[string][]int64 // per topic and partition, the offset of the record to be read next
	verdicts  map[string]int64   // decisions, repeated ones as well
	letters   map[string]letter  // the latest of each code
	codes     map[string]int64   // events in the dead-letter topic, each counted once
	episodes  map[string]bool    // of drift, that have been shown
	alarms    map[string]int     // episodes that have begun, by feature
	latencies []time.Duration    // of the first events, until EndSample
	sampled   bool               // EndSample was called
	first     time.Duration      // from the beginning of the show to the first decision; 0: none yet
}

// latencySample is how many events the reported latencies are taken from.
const latencySample = 20_000

// newReader returns a reader that is in no consumer group: it cannot take a partition from a worker, and a rebalance
// among them does not touch it.
func newReader(brokers []string, l *ledger, s *screen, began time.Time) (*reader, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...),
		kgo.ConsumeTopics(output, deadLetter, alerts),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(250*time.Millisecond),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), // markers stand at the ends of the topics
	)
	if err != nil {
		return nil, err
	}
	return &reader{
		client: client, ledger: l, screen: s, began: began, done: make(chan struct{}),
		next: map[string][]int64{
			output: make([]int64, partitions), deadLetter: make([]int64, partitions), alerts: make([]int64, 1),
		},
		verdicts: map[string]int64{}, letters: map[string]letter{}, codes: map[string]int64{},
		episodes: map[string]bool{}, alarms: map[string]int{},
	}, nil
}

// Run reads until the context ends. Errors of a fetch are passed over: the client tries again by itself, and
// records that never come show as lost.
func (r *reader) Run(ctx context.Context) {
	defer close(r.done)
	for ctx.Err() == nil {
		r.client.PollFetches(ctx).EachRecord(func(record *kgo.Record) {
			switch {
			case record.Attrs.IsControl():
			case record.Topic == output:
				r.readDecision(record)
			case record.Topic == deadLetter:
				r.readLetter(record)
			case record.Topic == alerts:
				r.readAlert(record)
			}
			r.mu.Lock()
			r.next[record.Topic][record.Partition] = record.Offset + 1
			r.mu.Unlock()
		})
	}
}

// readDecision believes nothing: the id must be the one that the source makes, and the ledger checks that the
// transaction is the one that was sent there. Its latency is taken to the moment of reading, so the broker and
// this client are in it, and only from first decisions: a repeated one would count the outage.
func (r *reader) readDecision(record *kgo.Record) {
	var d decision
	if err := json.Unmarshal(record.Value, &d); err != nil || d.Source.Topic != input ||
		d.ID != fmt.Sprintf("%s/%d/%d", input, d.Source.Partition, d.Source.Offset) {
		r.ledger.Stranger()
		return
	}
	e, first := r.ledger.Decided(d.Source.Partition, d.Source.Offset, d.TransactionID)
	known := first && e.tx.Number > 0
	r.mu.Lock()
	r.verdicts[d.Verdict]++
	isFirst := r.first == 0
	if isFirst {
		r.first = time.Since(r.began)
	}
	if known && !r.sampled && len(r.latencies) < latencySample {
		r.latencies = append(r.latencies, time.Since(e.at))
	}
	r.mu.Unlock()
	if known {
		r.screen.Decision(&e.tx, &d)
	}
	if isFirst {
		r.screen.Note("first decision after %.2f s", r.first.Seconds())
	}
}

// readLetter finds the origin in the headers, as any Kafka Connect tool would: the value may be no JSON at all.
// A letter with no origin in its headers, or with one in another topic, is a stranger: nothing else sends
// there.
func (r *reader) readLetter(record *kgo.Record) {
	header := func(name string) string {
		for _, h := range record.Headers {
			if h.Key == name {
				return string(h.Value)
			}
		}
		return ""
	}
	partition, err1 := strconv.ParseInt(header("__connect.errors.partition"), 10, 32)
	offset, err2 := strconv.ParseInt(header("__connect.errors.offset"), 10, 64)
	if err1 != nil || err2 != nil || header("__connect.errors.topic") != input {
		r.ledger.Stranger()
		return
	}
	l := letter{
		partition: int32(partition), offset: offset,
		code: header("fraudstream.error.code"), message: header("__connect.errors.exception.message"),
	}
	if _, first := r.ledger.DeadLettered(l.partition, l.offset, record.Value); !first {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.letters[l.code] = l
	r.codes[l.code]++
}

// readAlert shows an episode of drift when it begins, once.
func (r *reader) readAlert(record *kgo.Record) {
	var a alarm
	if err := json.Unmarshal(record.Value, &a); err != nil || a.Episode == "" || a.Text == "" {
		r.ledger.Stranger()
		return
	}
	r.mu.Lock()
	shown := r.episodes[a.Episode] || a.State != "open"
	if !shown {
		r.episodes[a.Episode] = true
		r.alarms[a.Feature]++
	}
	r.mu.Unlock()
	if !shown {
		r.screen.Alarm(&a)
	}
}

// Alarms is the number of episodes of drift that have begun, for one feature.
func (r *reader) Alarms(feature string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.alarms[feature]
}

// CaughtUp tells whether every record of the output topics has been read. Once no worker runs, that is for
// good. The ends are asked of the broker in this process, which needs no request.
func (r *reader) CaughtUp(cluster *kfake.Cluster) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for topic, next := range r.next {
		for _, p := range cluster.PartitionInfos(topic) {
			if next[p.Partition] < p.HighWatermark {
				return false
			}
		}
	}
	return true
}

// Positions are the offsets up to which the partitions of a topic have been read.
func (r *reader) Positions(topic string) []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.next[topic])
}

// First is the time from the beginning of the show to the first decision; 0 while there is none.
func (r *reader) First() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first
}

// Letter is the latest dead letter of a code.
func (r *reader) Letter(code string) (letter, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l, ok := r.letters[code]
	return l, ok
}

// Verdicts counts the decisions by verdict.
func (r *reader) Verdicts() map[string]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.verdicts)
}

// Answers are the decisions by verdict and the dead letters by code, of the same moment.
func (r *reader) Answers() (verdicts, codes map[string]int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.verdicts), maps.Clone(r.codes)
}

// Codes counts the dead letters by code, sorted.
func (r *reader) Codes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	for code, n := range r.codes {
		lines = append(lines, fmt.Sprintf("%s %d", code, n))
	}
	slices.Sort(lines)
	return lines
}

// EndSample leaves later events out of the latencies.
func (r *reader) EndSample() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sampled = true
}

// Latency is the time from handing an event to the producer to reading its decision, at a share of the sample.
// It is the value at that place of the sorted sample, without interpolation; 0 while there is none.
func (r *reader) Latency(share float64) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.latencies) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(r.latencies))
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

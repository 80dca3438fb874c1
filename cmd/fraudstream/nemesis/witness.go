package nemesis

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A witness reads what one subject writes, from the beginning and all the time, with a client of another make than
// the service's and in no group. It sees what is committed and nothing else. All topics of the subject are read by
// one goroutine, so that the ledger hears of the records of a partition in their order; of two partitions' order it
// knows nothing. What the ledger is told, it is told by that goroutine alone; everything under mu may be asked by
// any.
type witness struct {
	client *kgo.Client
	ledger *Ledger
	input  string
	topics outputs
	done   chan struct{}

	mu     sync.Mutex
	byKey  int            // see mayGoByKey
	next   map[lane]int64 // by topic and output partition, the offset to be read next
	counts map[string]int // records by topic
	alerts []alertRecord
	known  map[string]bool // the ids of the alerts
	notes  notes
}

// alertRecord is a record of the topic of alerts.
type alertRecord struct{ id, value string }

// notes are what is written beside the answers: alerts and the snapshots of the drift monitor.
type notes struct {
	alerts, ids int // ids without those that were there before
	nameless    int // alerts without an id
	snapshots   int
	bare        int    // dead letters without a value
	outside     int    // records of any topic that no transaction holds
	where       string // the first of these
	again       string // the id that was last there before
}

// outputs are the topics that one subject writes.
type outputs struct{ decisions, letters, alerts, state string }

// newWitness connects by the direct way, and reads from the beginning when it is told to watch. It asks for metadata
// often, so that a partition that was added, or a topic that was made anew, is read within a second or so.
func newWitness(ground *Ground, input string, topics outputs, l *Ledger) (*witness, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(ground.Direct, ",")...), kgo.ConsumeTopics(topics.decisions, topics.letters, topics.alerts, topics.state),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(250*time.Millisecond),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), // markers stand at the ends of the topics
		kgo.MetadataMinAge(200*time.Millisecond), kgo.MetadataMaxAge(time.Second),
	)
	if err != nil {
		return nil, err
	}
	return &witness{
		client: client, ledger: l, input: input, topics: topics, done: make(chan struct{}),
		next: map[lane]int64{}, counts: map[string]int{}, known: map[string]bool{},
	}, nil
}

// watch reads until ctx ends. Errors of a fetch are passed over: the client tries again by itself, and records that
// never come show as lost.
func (w *witness) watch(ctx context.Context) {
	defer close(w.done)
	for ctx.Err() == nil {
		w.client.PollFetches(ctx).EachRecord(w.see)
	}
}

// see books one record, and that everything before it is read.
func (w *witness) see(r *kgo.Record) {
	at := lane{topic: r.Topic, out: r.Partition}
	if !r.Attrs.IsControl() && w.isNew(at, r.Offset) {
		w.read(r)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next[at] = max(w.next[at], r.Offset+1)
}

// isNew tells whether a record was not read before. A client may go back when the leader of a partition changes, and a
// record that it reads twice is there once.
func (w *witness) isNew(at lane, offset int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if offset < w.next[at] {
		return false
	}
	w.counts[at.topic]++
	return true
}

// forget makes the witness read a topic from its beginning, because it is another one of the same name. What the
// ledger has booked of the former stays booked.
func (w *witness) forget(topic string) {
	w.client.PurgeTopicsFromConsuming(topic)
	defer w.client.AddConsumeTopics(topic)
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.counts, topic)
	maps.DeleteFunc(w.next, func(at lane, _ int64) bool { return at.topic == topic })
}

// read books one record by its topic. Whether a transaction holds it is told by its batch: in exactly-once mode all
// do. Records of other topics there are none: the client reads these four.
func (w *witness) read(r *kgo.Record) {
	if !r.Attrs.IsTransactional() {
		w.mu.Lock()
		if w.notes.outside++; w.notes.outside == 1 {
			w.notes.where = fmt.Sprintf("%s/%d/%d", r.Topic, r.Partition, r.Offset)
		}
		w.mu.Unlock()
	}
	switch r.Topic {
	case w.topics.decisions:
		w.decision(r)
	case w.topics.letters:
		w.letter(r)
	case w.topics.alerts:
		w.alert(alertRecord{header(r, "ce_id"), string(r.Value)})
	case w.topics.state:
		w.mu.Lock()
		w.notes.snapshots++
		w.mu.Unlock()
	}
}

// alert books an alert. Its id names what it tells: whoever has seen the id has seen the alert.
func (w *witness) alert(a alertRecord) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.alerts = append(w.alerts, a)
	w.notes.alerts++
	if a.id == "" {
		w.notes.nameless++
	}
	switch {
	case w.known[a.id] && strings.HasSuffix(a.id, "/paused"): // every owner of a partition that stands says so
		w.notes.alerts--
		return
	case w.known[a.id]:
		w.notes.again = a.id
		return
	}
	w.known[a.id] = true
	w.notes.ids++
}

// noted is what was written beside the answers so far.
func (w *witness) noted() notes {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.notes
}

// decision believes nothing: the id must be the one that the source makes. It is declared here once more and not
// imported, so that a change of the service's format by accident is seen.
func (w *witness) decision(r *kgo.Record) {
	var d struct {
		ID            string `json:"decision_id"`
		TransactionID string `json:"transaction_id"`
		Source        struct {
			Topic     string
			Partition int32
			Offset    int64
		}
	}
	if err := json.Unmarshal(r.Value, &d); err != nil || d.Source.Topic != w.input || d.Source.Offset < 0 ||
		d.ID != fmt.Sprintf("%s/%d/%d", w.input, d.Source.Partition, d.Source.Offset) {
		w.ledger.stranger(r.Topic, r.Partition, r.Offset)
		return
	}
	w.ledger.answered(reply{
		from: place{d.Source.Partition, d.Source.Offset}, key: digest([]byte(d.TransactionID)), content: digestOf(r.Key, r.Value),
		lane: lane{r.Topic, r.Partition, d.Source.Partition}, offset: r.Offset, astray: w.astray(r, d.Source.Partition),
	})
}

// letter finds the origin in the headers, as any Kafka Connect tool would: the value may be no JSON at all.
func (w *witness) letter(r *kgo.Record) {
	partition, err1 := strconv.ParseInt(header(r, "__connect.errors.partition"), 10, 32)
	offset, err2 := strconv.ParseInt(header(r, "__connect.errors.offset"), 10, 64)
	if err1 != nil || err2 != nil || offset < 0 || header(r, "__connect.errors.topic") != w.input {
		w.ledger.stranger(r.Topic, r.Partition, r.Offset)
		return
	}
	if r.Value == nil {
		w.mu.Lock()
		w.notes.bare++
		w.mu.Unlock()
	}
	w.ledger.answered(reply{
		from: place{int32(partition), offset}, letter: true, key: digest(r.Value),
		content: digestOf([]byte(header(r, "fraudstream.error.code")), r.Key, r.Value),
		lane:    lane{r.Topic, r.Partition, int32(partition)}, offset: r.Offset, astray: w.astray(r, int32(partition)),
	})
}

// astray tells whether an answer stands where it does not belong. An output that has as many partitions as the input
// keeps each event's partition, so that the order of a card's events holds from end to end; any other is divided by
// the hash that Kafka's own producers use, here in the reading of another client.
func (w *witness) astray(r *kgo.Record, from int32) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r.Partition == from {
		return false
	}
	return w.byKey == 0 || r.Key == nil || int(r.Partition) != kgo.StickyKeyPartitioner(nil).ForTopic(r.Topic).Partition(r, w.byKey)
}

// mayGoByKey says that the outputs have more partitions, this many, than the input has, for a while: a worker that
// began to read a partition then goes by the key in it, until the group has found itself anew.
func (w *witness) mayGoByKey(partitions int32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.byKey = int(partitions)
}

// header is the value of a record's first header of that name; empty if there is none.
func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// has tells whether the topics were read up to these offsets. A topic of which nothing was read yet stands at 0.
func (w *witness) has(ends map[lane]int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for at, end := range ends {
		if w.next[at] < end {
			return false
		}
	}
	return true
}

// Alerts are the records that the alerts topic holds so far.
func (w *witness) Alerts() []alertRecord {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.alerts)
}

// Package consumer is the only room that knows Kafka on the stream: fetch, score, publish, then commit.
//
// [Consumer.Run] joins the group and is given partitions, generation after generation. Each partition is one pipeline
// of three goroutines, joined by channels and closed from the front:
//
//	fetcher ──(two fetched runs)──▶ loop ──▶ publisher ──▶ offset that may be committed
//
// The fetcher reads batches, checks their CRC and leaves out transaction markers and aborted transactions. The loop
// scores the events in order, chunk by chunk, and encodes a decision or a dead letter for each. The publisher sends
// both with acks=all, one request in flight, and only when the broker has all of them does the partition's offset move.
// Every 200 ms, and when the generation ends, the offsets of all partitions are committed together; with exactly-once
// delivery each partition commits its own, in the transaction that holds what came of the events.
//
// Nothing is shared between partitions but the scorer, which is immutable, and the metrics, which are added to once a
// batch. Memory is a budget of the whole process: when it is spent, or the few runs of a pipeline are under way, its
// fetcher waits.
//
// # Why not kafka.Reader and kafka.Writer
//
// The Reader of kafka-go keeps one queue for all partitions across rebalances, so a stale commit can move another
// member's offset back; it delivers aborted records and transaction markers as messages, does not check the CRC, and
// hangs without a word on a missing topic. The Writer has no idempotence. What is sound in the library is its
// ConsumerGroup, whose generations own their goroutines, and its Transport, which keeps connections and finds leaders;
// the consumer stands on these two. See [recordbatch] for the bytes between them.
//
// # Why two requests are written here, and what stands behind them
//
// Fetch and Produce are most of what a stream says to its brokers. kafka-go's types for them copy each record and give
// up what a batch says of itself, so this package writes and reads the two by itself, over a connection that the
// library's Transport hands over, in whichever version from 4 and 3 on the broker speaks. Where a broker's answers to
// them cannot be read three times in a row, or [Options].LibraryProtocol says so from the start, the library's own
// types stand in, behind the same types of ours: the log says it once and fraudstream_library_protocol is 1. They write the
// requests and read the answers up to the record batches, and the batches are read here in either way: the library would
// decompress them without bound. The requests of transactions have no such second way.
//
// # Why memory is a budget
//
// How much a partition holds depends on its lag, on the size of its events, on how far they were compressed and on how
// slow the output is, and there may be hundreds of partitions. So [Options].Memory bounds all of them together, and each
// run is paid for before the broker is asked for it: a fetcher that finds nothing left waits, and shows as paused for
// memory if that takes long, while heartbeats go on and what is under way is published. A batch larger than a
// partition's share is waited for until there is room; one that the whole budget has no room for pauses its partition,
// and the log says which budget would do. How the bytes are divided stands in memory.go. Decompression is
// bounded as well: a batch that would become larger than a quarter of the budget, or than 64 MiB whatever the budget, is
// given up at that size and pauses its partition, and the log says what helps. This costs one lock a run, and nothing
// for an event.
//
// # Why each event is decided at least once
//
// The committed offset never passes an event whose decision, or dead letter, the broker has not acknowledged. A
// process that dies loses nothing: the next owner of the partition starts at the committed offset. What had been
// published past it is published again, under the same decision id and with the same bytes, so that a reader can drop
// it. Within one process the producer is idempotent: a batch that is sent again after a lost answer carries the same
// sequence number, and the broker keeps one copy.
//
// # Why each event may be decided exactly once
//
// With ExactlyOnce the same publisher writes in transactions: everything that came of the events between two offsets,
// and the second offset, count together or not at all. That leaves one question: what an owner of the partition that
// has died, or only stands still, may yet do. Three things answer it, and their order matters.
//
// The transactional id is that of the input partition, so whoever is given the partition begins by obtaining a newer
// epoch under it: the fence. From then on the coordinator refuses every request of the one before, and it answers only
// when the transaction that was open is aborted, or committed if the commit was heard first, down to the last marker.
// Only then is the committed offset asked for. So no commit can come between the two: what was heard before the fence
// is in the offset that is read, and what comes after it is refused. The offset that the group hands out with an
// assignment is older than the fence and is not used. Last, an offset is taken only from a member of the current
// generation, so a process that wakes up and fences in turn can disturb the new owner, who fences again, but cannot
// commit.
//
// Where the answer to a commit is lost it is asked for again, and if that is in vain the next fence decides: a name of
// the transaction stands beside the offset that it committed. Whatever else fails gives the transaction up and begins a
// new one under a newer epoch, from the committed offset; no sequence is ever taken up again. What each code means is
// in one table, in remedy.go. A transaction is given up after 20 seconds, the coordinator would end it after 30, so
// none that we still believe in is aborted behind our back.
//
// Beside its batches a transaction takes four requests: the partitions that it writes to, with its first batch, then
// that the group's offsets belong to it, the offset, and the end. They are written here, as fetch and produce are, and
// go to coordinators that are remembered until they say that they are none: kafka-go would ask for them each time,
// which doubles the round trips. The end is answered before its markers are written, and until they are the next
// transaction is told 51; so fetching and scoring go on after the end, and only the next batch waits for the markers.
//
// # Why a fault never ends the stream
//
// An event that cannot be scored becomes a dead letter, and its neighbours are scored. A fault of the cluster (no
// leader, too few replicas, a cut network, access withdrawn) is retried in place with backoff for as long as it lasts:
// the partition stands still, a metric says why, one line is logged every ten seconds, nothing is committed. Only what
// a restart cannot mend ends Run, and only at the start: a [SetupError] names what is missing or denied.
//
// A batch that is corrupt is fetched again, since the fault may lie on the wire. If it stays corrupt the partition is
// paused, with an alert, until somebody names the offset to go on at ([Consumer.Skip]): skipping events is not the
// program's choice. Where the events are gone because retention was faster, a [Reset] has said beforehand what then.
// Either way the gap goes down the pipeline as a run without events, whose alert the broker acknowledges before the
// offset moves, and is counted.
//
// # Why few partitions move
//
// A partition that changes hands is drained, and its monitor's state is written and read again. So each member tells
// the group what it had, and the one that divides the partitions leaves as many as an even division allows where they
// are. The rebalance itself stops every partition for a moment all the same: kafka-go knows no other kind. Nor is there
// static membership, which would spare a restart its two rebalances: kafka-go's heartbeat for it goes to the wrong
// broker and hides the answer.
//
// Nor is a member waited for that has gone: where a coordinator moves or dies, kafka-go drops its member id after one
// attempt to leave and joins as a stranger, and the group would wait for the old member until its session ends. So the
// old one, as far as a generation has told its id, is taken out by a request of our own, which is repeated until the new
// coordinator has it, and the last commit of a generation goes to whoever is the coordinator by then.
//
// Clients of Kafka are known to stand still without a word after a broker came back. So a partition that has events to
// read, reports no fault and makes no progress for 30 s is started anew, and where that does not help the whole
// generation is, once.
//
// # How the monitor's state travels
//
// What a [PartitionObserver] hands over (alerts, snapshots, intervals for the pool) goes out with the run in whose
// events it has its cause, behind the decisions, and is acknowledged before the offset passes them. A partition that
// starts reads its last snapshot from the compacted topic, whose offset S may lie before or behind the committed offset
// C:
//
//	S < C: the events S…C are scored and shown to the monitor, and nothing of them is written or counted
//	C < S: the events C…S are decided again, and the monitor, which has seen them, is not told
//
// So the monitor sees each event once, whichever process has the partition, and goes on with the numbers that it would
// have had without the move. Where there is no snapshot, or the events behind it are gone, that is said and it starts
// from C: a monitor that has lost its memory is late, not wrong, so nothing of this may hold up the decisions for long.
//
// # Why the pool is a consumer too
//
// Where the evidence of all partitions is to be weighed together, their intervals go to a topic of one partition, and a
// group of its own reads it: whichever process has that partition runs the pooled detectors. It is a [Consumer] without
// a model, which decides nothing and shows the records to its observer as they are. Generations, snapshots and the
// order of acknowledgement are the same, and so is what its death costs: time.
//
// # Why many failures pause the stream
//
// One event that cannot be scored is the event's fault. Half of them is the fault of whatever changed, and a topic that
// has been emptied into the dead letters is a day's work to bring back. So a [Breaker] holds the run of events that
// would take the failures of the last minute over a share: nothing of it is published or committed until it can be
// scored, or until somebody accepts it.
//
// # Why a run is a span, and no event is
//
// An event's trace context travels on in its decision or dead letter, and that costs a copy. A span for each event
// would cost more than the decision. So, where there is a tracer, each run is one span, with links to the traces of its
// events as far as they are recorded: whoever looks at a payment finds the run that decided it, and how long that
// waited.
//
// # Why the end of a generation is drained
//
// When the group rebalances, or Run's context is cancelled, the fetchers stop, the runs under way are scored and
// published, and the offsets are committed while the generation still holds. That takes less than half of the
// rebalance timeout, because heartbeats have stopped by then. A rebalance therefore repeats nothing.
package consumer

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"go.opentelemetry.io/otel/trace"

	"fraudstream/consumer/deadletter"
	"fraudstream/scoring"
)

// Options says what to read and where to write.
type Options struct {
	Brokers        []string
	Group          string
	Input          string
	Output         string
	DeadLetter     string
	Start          Start
	ExitAtEnd      bool          // stop at the end offsets seen at the start
	ClientID       string        // default fraudstream
	ExactlyOnce    bool          // write in transactions; else at least once
	CommitInterval time.Duration // default 200 ms; 100 ms with ExactlyOnce
	CommitEvents   int           // with ExactlyOnce: commit after so many events at the latest; default 20,000
	Uncompressed   bool          // write without LZ4
	Memory         int64         // bytes that events under way may take up, of all partitions; default 256 MiB, 16 MiB at least
	Log            *slog.Logger
	Metrics        *Metrics
	Tracer         trace.Tracer // nil: no spans

	// Observer makes the monitor of one of so many partitions; nil: no monitor. What it hands over goes to the topics
	// below, and nowhere where a name is empty.
	Observer func(partition, of int32) PartitionObserver
	Alerts   string
	State    string // compacted; keyed by group and partition of the input
	Ticks    string // one partition

	// Show makes of an event what people may see of it, by field: of the decisions that are set aside for them, and of the
	// last refused events. Nil: nothing. It is called by the loops of all partitions, seldom.
	Show func(value []byte) map[string]string

	LetterMode deadletter.Mode // how much of an event its dead letter holds
	LetterKeep []string        // paths that deadletter.Redacted leaves as they are
	Breaker    Breaker
	Reset      Reset // where to go on when the next offset is gone

	SASL sasl.Mechanism                                                       // nil: no authentication
	Dial func(ctx context.Context, network, address string) (net.Conn, error) // with TLS if need be; nil: plain text

	LibraryProtocol bool // fetch and produce by the types of kafka-go from the start, not only where the broker refuses ours
}

// Start is where a group without offsets begins: the zero value is the earliest record.
type Start struct {
	Latest bool
	Time   time.Time
}

// SetupError is a fault that a restart cannot mend: a missing topic, denied access, a wrong password (exit 78).
type SetupError struct {
	Resource string // "topic transactions", "group fraudstream"
	Detail   string
	Advice   string
}

func (e *SetupError) Error() string { return e.Resource + ": " + e.Detail + "; " + e.Advice }

// Consumer runs the stream of one process.
type Consumer struct {
	o         Options
	scorer    atomic.Pointer[scoring.Scorer] // taken by each loop once a batch
	transport *kafka.Transport
	client    *kafka.Client
	timing    timing
	quiet     quiet
	breaker   breaker
	letters   refusals
	redactor  *deadletter.Redactor
	memory    *memory
	ends      map[int32]int64    // with ExitAtEnd: where each partition stops
	left      map[int32]position // of the generation before, written when it ends
	owned     atomic.Pointer[ownership]
	stalls    sync.Map // offset by partition for which the watchdog has ended a generation
	joined    atomic.Bool
	draining  atomic.Bool
	lastReset atomic.Int64
	dialect   dialect
}

// timing holds the periods that tests shorten.
type timing struct {
	heartbeat, session, rebalance time.Duration
	joinBackoff, watch            time.Duration
	drain                         time.Duration // of a generation that ends: half of session and rebalance timeout
	leave                         time.Duration // from the cancelled context to the end of Run
	fetchWait                     time.Duration // that a broker may hold a fetch when there is nothing
	request                       time.Duration // deadline of any round trip, beyond what it may wait by itself
	missing                       time.Duration // that a topic may be unknown at the start, since creation takes time
	restore                       time.Duration // that a partition may wait for its snapshot
	breaker                       time.Duration // between two looks whether a held run may pass
	stall                         time.Duration // without progress, though there are events, until a partition starts again
	abort                         time.Duration // that aborting a transaction may take
	transaction                   time.Duration // after which the coordinator aborts a transaction of the stream
	overdue                       time.Duration // after which the stream gives one up by itself: well before that
}

// New returns a consumer that scores with s. Without s it decides nothing and writes neither decisions nor dead
// letters: its observers are shown the records as they are.
func New(o Options, s *scoring.Scorer) *Consumer {
	if o.ClientID == "" {
		o.ClientID = "fraudstream"
	}
	if o.CommitInterval <= 0 {
		if o.CommitInterval = 200 * time.Millisecond; o.ExactlyOnce {
			o.CommitInterval = 100 * time.Millisecond
		}
	}
	if o.CommitEvents <= 0 {
		o.CommitEvents = 20_000
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Reset == "" {
		o.Reset = ResetEarliest
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: 3 * time.Second}).DialContext
	}
	c := &Consumer{o: o, left: map[int32]position{}, quiet: quiet{log: o.Log, every: 10 * time.Second}, timing: timing{
		heartbeat: time.Second, session: 10 * time.Second, rebalance: 10 * time.Second,
		joinBackoff: 500 * time.Millisecond, watch: 2 * time.Second,
		drain: 5 * time.Second, leave: 8 * time.Second,
		fetchWait: 500 * time.Millisecond, request: 5 * time.Second, missing: 2 * time.Second,
		restore: 5 * time.Second, breaker: 2 * time.Second, abort: 2 * time.Second,
		stall: 30 * time.Second, transaction: 30 * time.Second, overdue: 20 * time.Second,
	}}
	c.memory = newMemory(o.Memory)
	c.breaker.o, c.redactor = o.Breaker, deadletter.NewRedactor(o.LetterKeep)
	c.transport = &kafka.Transport{
		Dial: o.Dial, ClientID: o.ClientID, SASL: o.SASL, DialTimeout: 4 * time.Second,
		MetadataTTL: time.Second, MetadataTopics: c.topics(),
	}
	c.client = &kafka.Client{Addr: kafka.TCP(o.Brokers...), Transport: c.transport}
	c.scorer.Store(s)
	return c
}

// topics are those that are read or written.
func (c *Consumer) topics() []string {
	return slices.DeleteFunc([]string{c.o.Input, c.o.Output, c.o.DeadLetter, c.o.Alerts, c.o.State, c.o.Ticks},
		func(name string) bool { return name == "" })
}

// errAtEnd ends a run with ExitAtEnd.
var errAtEnd = errors.New("every partition is committed up to its end")

// Run consumes until ctx is cancelled (then it drains, commits and leaves within 10 s) or, with ExitAtEnd, until the
// end. It returns nil in both cases, and a *SetupError where the start cannot succeed.
func (c *Consumer) Run(ctx context.Context) error {
	lifetime, end := context.WithCancel(context.Background())
	c.transport.Context = lifetime // a straggler must not bring the connections back to life
	defer end()
	defer c.transport.CloseIdleConnections()
	var watch sync.WaitGroup
	defer watch.Wait()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(ctx, func() { c.draining.Store(true) })()
	if c.o.LibraryProtocol {
		c.useLibrary(nil)
	}
	if err := c.Check(ctx); err != nil {
		return unlessDone(ctx, err)
	}
	if c.o.ExitAtEnd {
		if err := c.seeEnds(ctx); err != nil {
			return unlessDone(ctx, err)
		}
		watch.Go(func() { c.awaitEnds(ctx, cancel) })
	}
	return unlessDone(ctx, c.consume(ctx))
}

// unlessDone hides the error that a cancelled context has caused.
func unlessDone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// roundTrip is one request with a deadline; without one a mute broker would block for ever.
func (c *Consumer) roundTrip(ctx context.Context, wait time.Duration, req kafka.Request) (kafka.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, wait+c.timing.request)
	defer cancel()
	return c.exchange(ctx, req)
}

// Package demo shows the whole service on one machine, with nothing but this binary.
//
// It starts a Kafka in its own process, two workers as child processes (this same binary as `fraudstream run`), and
// a generator of card payments ([cards]). The decisions scroll by; then things go wrong, as they do: a gateway sends
// cents for euros and the workers' drift alarm says so, five events are poison, a worker is killed with SIGKILL while
// it works. At the end stands one line that says what became of every event:
//
//	sent=21430 decided=21425 dead_letter=5 lost=0 duplicated=0
//
// # How the events flow
//
//	generator ── transactions ──▶ worker 1, worker 2 ──▶ decisions, transactions.dlq, alerts ──▶ reader
//	     └────────── offsets, as acknowledged ──────────▶ ledger ◀────── origins ──────────┘
//
// # Why the summary can be believed
//
// Nothing in it comes from the program that is judged. The producer and the reader are clients of another make
// (franz-go) and meet in a [ledger], whose two sides are the offsets at which Kafka stored the events and the origins
// that the decisions and dead letters name. An event without an answer is lost, a second answer is a duplicate, and
// an answer to something that was never sent is reported as a fault of its own.
//
// # Why the console is the show's own
//
// Its address is the first thing that is said. A worker's console would show half of the stream and die with its worker; so
// this process serves one that asks the workers once a second and adds up what they show
// ([fraudstream/cmd/fraudstream/web/console.Merge]). What has been decided and refused it takes from the reader, so that it
// is what the summary will say. The partitions that a dead worker has left are shown as such until somebody takes them up. The headings of the script are marks in the charts. All of it decorates, like the gauges on the screen.
//
// # Why the alarm comes so soon
//
// The service judges drift every ten seconds and needs 200 events of a partition for it. The show has a minute, so its
// workers judge every hundred payments; the threshold and the promise behind it are those of the service, in intervals.
// Nothing has its alarm off: what follows the clock (the country, the pauses of a card, the score) is compared with its
// hour of the week in the baseline. So the payments need an hour of some week, and they are dated from the coming Monday
// on, since the monitor calls payments of a past week a replay.
//
// # Why nothing comes twice
//
// The workers write in transactions, each of which holds decisions and the offset that passes their events. What a killed
// worker had decided and not yet committed, up to 100 ms of work, is decided again by the one that takes over; but the
// transaction that it was in is aborted, and the reader reads what is committed. With at-least-once delivery the same
// decisions come twice, under the same id, and the show counts them.
package demo

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/cmd/fraudstream/demo/cards"
)

// Options says how the show is to be run. The zero value is a show of 75 seconds of seed 0, in colour; Out and
// Executable must be set.
type Options struct {
	For        time.Duration // length of the show; default 75 s
	Fast       bool          // no waits: the same script in some ten seconds
	Seed       int64         // of the payments
	Plain      bool          // no colour and no control codes
	Listen     string        // address of the console; a free port where it is empty or taken
	Out        io.Writer     // what the person sees, the summary line last
	Executable string        // started as `Executable run …` for each worker

	ExactlyOnce bool // the workers write in transactions

	environment []string // of the workers, beyond the caller's: tests make them misbehave
}

// Run shows everything and returns what the reader found. When ctx ends, the show ends early: it sends nothing more,
// waits for what is under way, and sums up as always. An error means that the show itself could not go on, or that
// the reader found records that belong to no event. Nothing is left of it when it returns: no process, no
// folder, no open port.
func Run(ctx context.Context, o Options) (Summary, error) {
	began := time.Now()
	if o.For <= 0 {
		o.For = 75 * time.Second
	}
	s, err := open(o, began)
	if err != nil {
		return Summary{}, err
	}
	defer s.close()
	if err := s.play(ctx); err != nil {
		s.screen.Settle()
		return Summary{}, err
	}
	err = s.drain()
	s.screen.Settle()
	summary := s.sumUp(ctx.Err() != nil)
	if err == nil && summary.Strange > 0 {
		err = fmt.Errorf("%d records in %s or %s belong to no event that was sent", summary.Strange, output, deadLetter)
	}
	return summary, err
}

// A show is what the scenes work with. One goroutine plays, and it alone touches a show; the reader has another, and
// the producer's answers come on its own. These three meet in the ledger, the reader's counts and the screen.
// Fields that only some scenes use stand here all the same, because a scene hands them on to the next by
// nothing else.
type show struct {
	options   Options
	began     time.Time
	dir       string    // bundle, logs and the sample event; removed at the end
	overview  *overview // the console
	cluster   *kfake.Cluster
	workers   []*worker // those that live, the oldest first
	started   int       // workers so far, dead ones too
	payments  *cards.Generator
	ahead     time.Duration // what is added to the generator's times
	client    *kgo.Client   // the producer
	ledger    *ledger
	reader    *reader
	screen    *screen
	stopRead  context.CancelFunc
	drifting  bool       // payments are spoilt before they are sent
	poisoned  int        // poison events sent
	refused   chan error // the first event that Kafka did not take
	lastShown time.Time  // of the status
	lastSent  int64      // at that time
}

// open starts everything: Kafka, a worker, the reader and the producer. The generator lives through its first days
// while the worker starts. An error has undone whatever was begun.
func open(o Options, began time.Time) (*show, error) {
	s := &show{
		options: o, began: began, ledger: newLedger(partitions), lastShown: began,
		screen: &screen{out: o.Out, plain: o.Plain}, refused: make(chan error, 1),
	}
	if err := s.start(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// start is the order in which things must come: nobody can read a topic that does not exist, and the worker takes the
// longest to be ready. What fails half-way is undone by close. The bundle is written out although it is in the
// binary, since a worker reads a folder, as it would in service.
func (s *show) start() (err error) {
	if s.overview, err = openOverview(s.options.Listen); err != nil {
		return err
	}
	s.screen.Line("   console  %s", s.screen.paint(bold, s.overview.URL()))
	s.screen.tell = s.overview.Tell
	if s.dir, err = os.MkdirTemp("", "fraudstream-demo-"); err != nil {
		return err
	}
	if err = WriteBundle(filepath.Join(s.dir, "bundle")); err != nil {
		return err
	}
	if s.cluster, err = startBroker(); err != nil {
		return fmt.Errorf("in-process Kafka: %w", err)
	}
	s.overview.SetCluster(s.cluster)
	if err = s.startWorker(); err != nil {
		return err
	}
	if err = s.introduce(); err != nil {
		return err
	}
	s.client, err = kgo.NewClient(
		kgo.SeedBrokers(s.cluster.ListenAddrs()...),
		kgo.DefaultProduceTopic(input),
		kgo.ProducerLinger(0),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)),
	)
	if err != nil {
		return err
	}
	if s.reader, err = newReader(s.cluster.ListenAddrs(), s.ledger, s.screen, s.began); err != nil {
		return err
	}
	s.overview.SetReader(s.reader)
	ctx, stop := context.WithCancel(context.Background())
	s.stopRead = stop
	go s.reader.Run(ctx)
	s.payments, s.ahead = cards.New(s.options.Seed), untilComingWeek(s.began)
	return nil
}

// startWorker starts one more worker. Workers are numbered from 1 on and never share a name, so a log belongs
// to one process.
func (s *show) startWorker() error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	s.started++
	name := fmt.Sprintf("worker %d", s.started)
	w, err := s.options.startWorker(name, s.dir, address, s.cluster.ListenAddrs())
	if err != nil {
		return err
	}
	s.workers = append(s.workers, w)
	s.overview.Add(w)
	return nil
}

// close ends whatever is still running and leaves nothing behind. The order is that of the stream, from the
// workers back to the broker: nobody is left talking to something that has gone. It may find any of them
// missing, since it also cleans up after a start that failed.
func (s *show) close() {
	for _, w := range s.workers {
		w.Kill()
	}
	if s.overview != nil {
		s.overview.Close() // it asks the broker
	}
	if s.stopRead != nil {
		s.stopRead()
		<-s.reader.done
	}
	if s.reader != nil {
		s.reader.client.Close()
	}
	if s.client != nil {
		s.client.Close()
	}
	if s.cluster != nil {
		s.cluster.Close()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/cmd/fraudstream/demo/cards"
	"fraudstream/consumer/kafkatest"
)

// The figures of a bad day, of which the exactly-once one has the same.
const (
	badDayEvents     = 300_000
	badDayPartitions = 4
	poisonEvery      = 1_000 // one event in so many is broken
	drainDeadline    = 10 * time.Second
)

// TestBadDay is the promise of delivery on a real Apache Kafka: while 300,000 events arrive, one worker is killed, the
// broker is restarted, another worker is asked to stop. Nothing may be lost; what comes twice is counted and equal.
func TestBadDay(t *testing.T) {
	cluster := kafkatest.Start(t, 1)
	for _, topic := range []string{"transactions", "decisions", "transactions.dlq"} {
		cluster.CreateTopic(t, topic, badDayPartitions)
	}
	fraudstream := buildCommand(t)
	worker := func(name string) *process {
		return startProcess(t, name, fraudstream, "run", "--brokers", cluster.Bootstrap(), "--group", "bad-day",
			"--model", "demo/bundle", "--listen", "127.0.0.1:0")
	}

	first, second := worker("first"), worker("second")
	sent := make(chan error, 1)
	began := time.Now()
	go func() { sent <- produceCards(t.Context(), cluster.Bootstrap(), badDayEvents, 20*time.Second) }()

	reader := newSourceReader(t, cluster.Bootstrap())
	reader.until(t, badDayEvents/6)
	first.kill()
	third := worker("third")
	reader.until(t, badDayEvents/3)
	cluster.Restart(t)
	reader.until(t, badDayEvents/2)
	took := second.terminate(t)
	if took > 5*drainDeadline {
		t.Errorf("the second worker left %v after SIGTERM, %v are promised", took, drainDeadline)
	}
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	reader.until(t, badDayEvents)
	third.terminate(t)
	reader.rest(t)

	t.Logf("sent=%d decided=%d dead_letter=%d lost=%d duplicated=%d in %v; SIGTERM to exit %v",
		badDayEvents, reader.decided, reader.deadLetters, badDayEvents-len(reader.seen), reader.duplicated,
		time.Since(began).Round(time.Second), took.Round(time.Millisecond))
	if want := badDayEvents / poisonEvery; reader.deadLetters < want {
		t.Errorf("%d dead letters, at least %d were provoked", reader.deadLetters, want)
	}
	if n := countWithKcat(t, cluster.Bootstrap(), "decisions"); n != reader.decided {
		t.Errorf("librdkafka, checking every CRC, reads %d decisions, franz-go %d", n, reader.decided)
	}
}

// countWithKcat reads a topic to its end with librdkafka, which checks what we wrote by other code than franz-go's.
func countWithKcat(t *testing.T, bootstrap, topic string) int {
	t.Helper()
	kcat, err := exec.LookPath("kcat")
	if err != nil {
		t.Skip("kcat is not installed: apt-get install kcat (FRAUDSTREAM_REAL_KAFKA wants it)")
	}
	out, err := exec.Command(kcat, "-b", bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q",
		"-X", "check.crcs=true", "-f", ".").Output()
	if err != nil {
		t.Fatalf("kcat: %v", err)
	}
	return len(out)
}

// buildCommand builds the command as a user does.
func buildCommand(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fraudstream")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// process is a worker; what it says is shown when the test fails.
type process struct {
	name   string
	cmd    *exec.Cmd
	stderr bytes.Buffer
	exited chan error
}

// startProcess starts a worker, which the end of the test kills.
func startProcess(t *testing.T, name, path string, args ...string) *process {
	t.Helper()
	p := &process{name: name, cmd: exec.Command(path, args...), exited: make(chan error, 1)}
	p.cmd.Stderr = &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.exited <- p.cmd.Wait() }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", p.name, p.stderr.String())
		}
	})
	return p
}

// kill is kill -9; it returns when the process has gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // one that has ended needs no killing
	p.exited <- <-p.exited
}

// terminate asks the process to stop and returns how long that took. It must end with code 0.
func (p *process) terminate(t *testing.T) time.Duration {
	t.Helper()
	began := time.Now()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := <-p.exited
	p.exited <- err
	if err != nil {
		t.Errorf("%s ended after SIGTERM with %v", p.name, err)
	}
	return time.Since(began)
}

// produceCards sends n generated events, evenly over the given time; one in poisonEvery is no valid JSON.
func produceCards(ctx context.Context, bootstrap string, n int, over time.Duration) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic("transactions"),
		kgo.RecordPartitioner(kgo.RoundRobinPartitioner()), kgo.MaxBufferedRecords(20_000),
		kgo.AlwaysRetryEOF()) // a broker that goes away may hang up at the first word
	if err != nil {
		return err
	}
	defer client.Close()
	generator := cards.New(7)
	failed := make(chan error, n)
	began := time.Now()
	for i := range n {
		payment := generator.Next()
		value := payment.AppendJSON(nil)
		if i%poisonEvery == 0 {
			value = value[:len(value)/2]
		}
		client.Produce(ctx, &kgo.Record{Key: payment.AppendCard(nil), Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed <- err
			}
		})
		if due := began.Add(over * time.Duration(i) / time.Duration(n)); i%100 == 0 {
			time.Sleep(time.Until(due))
		}
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	select {
	case err := <-failed:
		return fmt.Errorf("producing the events: %w", err)
	default:
		return nil
	}
}

// place is where an event stood in the input topic.
type place struct {
	partition int32
	offset    int64
}

// sourceReader reads decisions and dead letters with a client of its own and accounts for every input offset.
type sourceReader struct {
	client                           *kgo.Client
	seen                             map[place][]byte // the value that stands for the event
	decided, deadLetters, duplicated int
}

// newSourceReader begins at the start of both topics, and sees only what is committed.
func newSourceReader(t *testing.T, bootstrap string) *sourceReader {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumeTopics("decisions", "transactions.dlq"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &sourceReader{client: client, seen: make(map[place][]byte, badDayEvents)}
}

// until reads until n events are accounted for.
func (r *sourceReader) until(t *testing.T, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	for len(r.seen) < n {
		fetches := r.client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("after 4 minutes %d of %d events are accounted for", len(r.seen), n)
		}
		fetches.EachRecord(func(record *kgo.Record) { r.account(t, record) })
	}
}

// rest reads what is left in both topics.
func (r *sourceReader) rest(t *testing.T) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		fetches := r.client.PollFetches(ctx)
		cancel()
		if errors.Is(fetches.Err0(), context.DeadlineExceeded) {
			return
		}
		fetches.EachRecord(func(record *kgo.Record) { r.account(t, record) })
	}
}

// account counts a record. What comes twice must be the same to the byte: a decision is a function of its event.
func (r *sourceReader) account(t *testing.T, record *kgo.Record) {
	t.Helper()
	var from place
	if record.Topic == "decisions" {
		r.decided++
		from = sourceOf(t, record.Value)
	} else {
		r.deadLetters++
		from = place{partition: int32(header(t, record, "__connect.errors.partition")), offset: header(t, record, "__connect.errors.offset")}
	}
	if before, ok := r.seen[from]; ok {
		r.duplicated++
		if !bytes.Equal(before, record.Value) {
			t.Errorf("event %v was decided twice and differently:\n%s\n%s", from, before, record.Value)
		}
		return
	}
	r.seen[from] = record.Value
}

// sourceOf finds the source of a decision without a decoder of ours.
func sourceOf(t *testing.T, decision []byte) (p place) {
	t.Helper()
	i := bytes.LastIndex(decision, []byte(`"source":`))
	if i < 0 {
		t.Fatalf("a decision without a source: %s", decision)
	}
	if _, err := fmt.Sscanf(string(decision[i:]), `"source":{"topic":"transactions","partition":%d,"offset":%d}}`, &p.partition, &p.offset); err != nil {
		t.Fatalf("%v in %s", err, decision)
	}
	return p
}

// header is a number in the headers of a dead letter, which must have it.
func header(t *testing.T, record *kgo.Record, key string) int64 {
	t.Helper()
	for _, h := range record.Headers {
		if h.Key == key {
			n, err := strconv.ParseInt(string(h.Value), 10, 64)
			if err != nil {
				t.Fatalf("dead-letter header %s: %v", key, err)
			}
			return n
		}
	}
	t.Fatalf("a dead letter without the header %s", key)
	return 0
}

package nemesis

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// samplingDesk is a sampler of a group that commits what a test tells it to, with its witness, on a broker of its own.
func samplingDesk(t *testing.T) (*sampler, *kgo.Client) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	ground := &Ground{Direct: cluster.ListenAddrs()[0], Replication: 1, Fake: cluster}
	client, err := ground.client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	for _, topic := range []string{input, outcomes.decisions, outcomes.letters, outcomes.alerts} {
		ground.createTopic(t, client, topic, 1)
	}
	ledger := newLedger(historyBook())
	w, err := newWitness(ground, input, outcomes, ledger)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go w.watch(ctx)
	t.Cleanup(func() {
		cancel()
		<-w.done
		w.client.Close()
	})
	return &sampler{client: client, input: input, group: "nemesis", topics: outcomes, witness: w, ledger: ledger}, client
}

// commitTo is what a service does that says it is done with everything below an offset.
func commitTo(t *testing.T, client *kgo.Client, offset int64) {
	t.Helper()
	if err := commitFor(t.Context(), client, "nemesis", map[int32]int64{0: offset}); err != nil {
		t.Fatal(err)
	}
}

// A committed offset that has passed an event without an answer is found, and one that stands before it is right.
func TestSamplerFindsAnOffsetAhead(t *testing.T) {
	t.Parallel()
	s, client := samplingDesk(t)
	if err := client.ProduceSync(t.Context(), decided(0, 0), refusedAt(2, 0)).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		committed int64
		passed    []place
	}{{1, nil}, {2, []place{{0, 1}}}, {3, nil}, {4, []place{{0, 3}}}} { // what is found once is not found again
		commitTo(t, client, c.committed)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		passed, err := s.check(ctx)
		cancel()
		if err != nil || !reflect.DeepEqual(passed, c.passed) {
			t.Errorf("with %d committed it finds %v, %v; want %v", c.committed, passed, err, c.passed)
		}
	}
	if short := s.short(map[int32]int64{0: 4}); short != nil {
		t.Errorf("with all committed, %v is short", short)
	}
	if short := s.short(map[int32]int64{0: 5, 1: 1}); len(short) != 2 {
		t.Errorf("of two offsets that are short, it finds %v", short)
	}
	if verdict, _ := s.ledger.of(0); verdict != (Tally{Lost: 2, Ahead: 2}) {
		t.Errorf("in all: %+v, want two lost that the offset has passed", verdict)
	}
}

// What a transaction holds that is not decided yet is waited for: it is an answer once it is committed, and none if it is
// aborted.
func TestSamplerWaitsForTransactions(t *testing.T) {
	t.Parallel()
	for name, commit := range map[string]kgo.TransactionEndTry{"committed": kgo.TryCommit, "aborted": kgo.TryAbort} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, client := samplingDesk(t)
			writer, err := kgo.NewClient(kgo.SeedBrokers(client.OptValue(kgo.SeedBrokers).([]string)...), kgo.TransactionalID("t"))
			if err != nil {
				t.Fatal(err)
			}
			defer writer.Close()
			if err := writer.BeginTransaction(); err != nil {
				t.Fatal(err)
			}
			if err := writer.ProduceSync(t.Context(), decided(0, 0)).FirstErr(); err != nil {
				t.Fatal(err)
			}
			commitTo(t, client, 1)
			short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if passed, err := s.check(short); err == nil || passed != nil {
				t.Errorf("while the transaction is open it finds %v, %v", passed, err)
			}
			if err := writer.EndTransaction(t.Context(), commit); err != nil {
				t.Fatal(err)
			}
			long, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			passed, err := s.check(long)
			if err != nil || (len(passed) == 0) != (commit == kgo.TryCommit) {
				t.Errorf("after it has ended it finds %v, %v", passed, err)
			}
		})
	}
}

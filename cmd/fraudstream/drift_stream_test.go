package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"fraudstream/cmd/fraudstream/demo/cards"
	"fraudstream/consumer"
	"fraudstream/consumer/kafkatest"
	"fraudstream/scoring"
)

// watchOf is the drift watch of a stream over the demo's model.
func watchOf(t testing.TB, model *scoring.Scorer, pool bool, tickEvents int) *driftWatch {
	t.Helper()
	c := defaultConfig()
	c.Drift.Pool = pool
	w, err := newDriftWatch(c, model, tickEvents, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// observe shows one partition's events to an observer, as the stream does, and returns what it hands over.
func observe(model *scoring.Scorer, o consumer.PartitionObserver, partition int32, values [][]byte) (all consumer.Notes) {
	batch := model.NewBatch(64)
	for from := 0; from < len(values); from += 64 {
		batch.Events = batch.Events[:0]
		for i, value := range values[from:min(from+64, len(values))] {
			batch.Events = append(batch.Events, scoring.Event{
				Value: value, Origin: scoring.Origin{Topic: "transactions", Partition: partition, Offset: int64(from + i)},
			})
		}
		model.Score(batch)
		var seen []consumer.Observation
		for i := range batch.Results {
			r := &batch.Results[i]
			seen = append(seen, consumer.Observation{Offset: int64(from + i), Time: r.Time, X: r.X, Score: r.Decision.Score, Feature: -1})
		}
		o.ObserveBatch(seen, int64(from+len(batch.Events)))
		notes := o.CloseTick(time.Time{})
		all.Alerts, all.Ticks = append(all.Alerts, notes.Alerts...), append(all.Ticks, notes.Ticks...)
		if notes.Snapshot != nil {
			all.Snapshot = notes.Snapshot
		}
	}
	return all
}

// payments are generated events; from the given one on, web amounts are cents for euros.
func payments(seed int64, n, spoilt int) [][]byte {
	generator := cards.New(seed)
	values := make([][]byte, n)
	for i := range values {
		p := generator.Next()
		if i >= spoilt && p.Channel == "ecommerce" {
			p.Amount *= 100
			p.AmountToMean7d *= 100
		}
		values[i] = p.AppendJSON(nil)
	}
	return values
}

// survival is a stream of payments that drift while its workers come and go.
type survival struct {
	t         *testing.T
	bootstrap string
	config    string
	client    *kgo.Client
	values    [survivalPartitions][][]byte // by partition
	sent      int                          // of each
}

// The figures of the stream: the drift begins after 15 ticks of calm, and goes on for 25.
const (
	survivalPartitions = 2
	survivalTick       = 100
	survivalEvents     = 4000 // of each partition
	survivalDrift      = 1500 // from there on they drift
)

// newSurvival writes the configuration and creates the topics.
func newSurvival(t *testing.T, bootstrap string, pool bool) *survival {
	s := &survival{t: t, bootstrap: bootstrap, config: writeConfig(t, fmt.Sprintf(`
kafka: {brokers: [%q], group: survival, alerts: alerts, drift_state: drift-state, drift_ticks: drift-ticks}
model: {path: demo/bundle}
drift: {pool: %v}
`, bootstrap, pool))}
	for p := range s.values {
		s.values[p] = payments(int64(p), survivalEvents, survivalDrift)
	}
	var err error
	s.client, err = kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic("transactions"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	return s
}

// createSurvivalTopics are the topics with their numbers of partitions.
func createSurvivalTopics(create func(topic string, partitions int)) {
	for _, topic := range []string{"transactions", "decisions", "transactions.dlq", "drift-state"} {
		create(topic, survivalPartitions)
	}
	create("alerts", 1)
	create("drift-ticks", 1)
}

// worker starts the command.
func (s *survival) worker(name string) *process {
	s.t.Helper()
	return startProcess(s.t, name, "fraudstream", "run", "--config", s.config, "--listen", "", "--drift-tick-events", strconv.Itoa(survivalTick))
}

// send produces so many more events of each partition.
func (s *survival) send(n int) {
	s.t.Helper()
	var records []*kgo.Record
	for p := range s.values {
		for _, value := range s.values[p][s.sent : s.sent+n] {
			records = append(records, &kgo.Record{Value: value, Partition: int32(p)})
		}
	}
	s.sent += n
	if err := s.client.ProduceSync(s.t.Context(), records...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

// decided waits until the group has committed everything that was sent.
func (s *survival) decided() {
	s.t.Helper()
	s.committed("survival", "transactions", int64(s.sent*survivalPartitions))
}

// committed waits until a group's offsets of a topic add up to n.
func (s *survival) committed(group, topic string, n int64) {
	s.t.Helper()
	for deadline := time.Now().Add(90 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		request := kmsg.NewPtrOffsetFetchRequest()
		request.Group = group
		response, err := request.RequestWith(s.t.Context(), s.client)
		sum := int64(0)
		if err == nil {
			for _, t := range response.Topics {
				for _, p := range t.Partitions {
					if t.Topic == topic {
						sum += max(p.Offset, 0)
					}
				}
			}
		}
		if sum >= n {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("group %s has committed %d of %d events (%v)", group, sum, n, err)
		}
	}
}

// read returns all records of a topic.
func (s *survival) read(topic string) (all []*kgo.Record) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.bootstrap), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	for {
		ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Second)
		fetches := client.PollFetches(ctx)
		cancel()
		if errors.Is(fetches.Err0(), context.DeadlineExceeded) {
			return all
		}
		fetches.EachRecord(func(r *kgo.Record) { all = append(all, r) })
	}
}

// compare holds the alerts topic against the alerts of an unbroken run: the same bytes, whatever a crash has repeated.
func (s *survival) compare(unbroken []consumer.Alert) {
	s.t.Helper()
	want, got := map[string]string{}, map[string]string{}
	open := 0
	for _, a := range unbroken {
		want[a.ID] = string(a.Value)
		if strings.HasSuffix(a.ID, "/open") {
			open++
		}
	}
	records := s.read("alerts")
	for _, r := range records {
		got[string(r.Headers[3].Value)] = string(r.Value)
	}
	for id, value := range want {
		if got[id] != value {
			s.t.Errorf("unbroken: %s\n got: %s", value, got[id])
		}
	}
	if len(got) != len(want) || open < 4 {
		s.t.Errorf("%d alerts, want %d, of which %d open an episode", len(got), len(want), open)
	}
	s.t.Logf("%d alerts, %d of them opening, %d repeated", len(got), open, len(records)-len(got))
}

// live sends the payments while workers are killed, drained and started.
func (s *survival) live(settled func()) {
	first := s.worker("first")
	s.send(810)
	s.decided()
	second := s.worker("second")
	s.send(730) // the drift begins here
	s.decided()
	s.send(150)
	s.decided()
	first.kill() // in mid-drift, and in mid-tick
	third := s.worker("third")
	s.send(140)
	s.decided()
	second.terminate(s.t)
	s.send(1000)
	third.kill() // in the middle of its work: it is alone, so it has every partition and the pool
	fourth := s.worker("fourth")
	s.send(survivalEvents - s.sent)
	s.decided()
	settled()
	fourth.terminate(s.t)
}

// detectorsSurvive is the promise that an alarm comes at the same tick, with the same numbers, whatever happens to the
// processes.
func detectorsSurvive(t *testing.T, bootstrap string) {
	s := newSurvival(t, bootstrap, false)
	s.live(func() {})
	model := demoModel(t)
	watch := watchOf(t, model, false, survivalTick)
	var unbroken []consumer.Alert
	for p := range s.values {
		o := watch.partition(int32(p), survivalPartitions)
		unbroken = append(unbroken, observe(model, o, int32(p), s.values[p]).Alerts...)
	}
	s.compare(unbroken)
}

// poolSurvives is the same for the pool. What an unbroken pool finds is found by reading its topic again: each tick is
// there, once or repeated, and in one order.
func poolSurvives(t *testing.T, bootstrap string) {
	s := newSurvival(t, bootstrap, true)
	var ticks []*kgo.Record
	s.live(func() {
		ticks = s.read("drift-ticks")
		s.committed("survival.drift-pool", "drift-ticks", int64(len(ticks)))
	})
	pool := watchOf(t, demoModel(t), true, survivalTick).pool(0, 1)
	var unbroken []consumer.Alert
	numbers := map[string]int{}
	for _, r := range ticks {
		pool.ObserveBatch([]consumer.Observation{{Offset: r.Offset, Time: r.Timestamp.UnixNano(), Key: r.Key, Value: r.Value}}, r.Offset+1)
		unbroken = append(unbroken, pool.CloseTick(time.Time{}).Alerts...)
		numbers[fmt.Sprintf("%s %x", r.Key, r.Value[:tickHeader])]++
	}
	s.compare(unbroken)
	if want := survivalPartitions * survivalEvents / survivalTick; len(numbers) != want {
		t.Errorf("%d ticks reached the pool, want %d", len(numbers), want)
	}
}

// shortSessions is the in-process broker with sessions that end soon.
func shortSessions(t *testing.T) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	cluster.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		join := r.(*kmsg.JoinGroupRequest)
		join.SessionTimeoutMillis = min(join.SessionTimeoutMillis, 2000)
		return nil, nil, false
	})
	createSurvivalTopics(func(topic string, partitions int) {
		if err := cluster.CreateTopic(topic, int32(partitions), nil); err != nil {
			t.Fatal(err)
		}
	})
	return cluster
}

// TestDetectorsSurvive is detectorsSurvive in process: each partition with detectors of its own.
func TestDetectorsSurvive(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped the lives and deaths of four workers: some ten seconds")
	}
	t.Parallel()
	detectorsSurvive(t, shortSessions(t).ListenAddrs()[0])
}

// TestPoolSurvives is poolSurvives in process: one set of detectors for the group, which moves with the topic of the ticks.
func TestPoolSurvives(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped the lives and deaths of four workers: some ten seconds")
	}
	t.Parallel()
	poolSurvives(t, shortSessions(t).ListenAddrs()[0])
}

// On Apache Kafka: FRAUDSTREAM_REAL_KAFKA=1.
func TestDetectorsSurviveOnApacheKafka(t *testing.T) {
	cluster := kafkatest.Start(t, 1)
	createSurvivalTopics(func(topic string, partitions int) { cluster.CreateTopic(t, topic, partitions) })
	detectorsSurvive(t, cluster.Bootstrap())
}

// On Apache Kafka: FRAUDSTREAM_REAL_KAFKA=1.
func TestPoolSurvivesOnApacheKafka(t *testing.T) {
	cluster := kafkatest.Start(t, 1)
	createSurvivalTopics(func(topic string, partitions int) { cluster.CreateTopic(t, topic, partitions) })
	poolSurvives(t, cluster.Bootstrap())
}

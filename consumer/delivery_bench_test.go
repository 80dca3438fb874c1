package consumer

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/consumer/kafkatest"
)

// The measurement of both deliveries: events at full speed, and events a second at a steady rate for so long.
const (
	fullSpeedEvents = 400_000
	steadyRate      = 20_000
	steadyWarmUp    = time.Second
	steadyFor       = 3 * time.Second
)

// BenchmarkDelivery measures what exactly-once delivery costs beside at-least-once, both committing every 100 ms: on one
// Apache Kafka (FRAUDSTREAM_REAL_KAFKA=1 starts one, FRAUDSTREAM_KAFKA=host:port names one that runs, whose own CPU
// time is not known then), 4 partitions, events of 700 bytes. Each round measures both deliveries one after the other,
// taking turns at who is first; the figures are medians over the rounds.
//
//	make delivery
//
// At full speed a group that has everything before it reads up to the end: events/s, and the CPU seconds of this
// process, which does nothing else meanwhile, and of the broker, for a million events. At the steady rate an
// independent reader of committed records takes the time from the sending of each event to the arrival of its
// decision; sender and reader share this process, so no CPU time is taken then.
func BenchmarkDelivery(b *testing.B) {
	m := newMeasurement(b)
	for round := 0; b.Loop(); round++ {
		var used [2]float64
		for i := range 2 {
			mode := (i + round) % 2
			used[mode] = m.fullSpeed(mode, fmt.Sprintf("%s-%d-%d", m.stage.name, round, mode))
		}
		m.ratio = append(m.ratio, used[1]/used[0])
		for i := range 2 {
			m.steady((i + round) % 2)
		}
	}
	m.report()
}

// measurement gathers the figures of all rounds, by delivery: 0 is at least once, 1 exactly once.
type measurement struct {
	b       *testing.B
	cluster *kafkatest.Cluster // nil: one that was there
	stage   *stage             // of full speed
	figures [2]map[string][]float64
	ratio   []float64
}

func newMeasurement(b *testing.B) *measurement {
	m := &measurement{b: b, figures: [2]map[string][]float64{{}, {}}}
	kafka := &broker{bootstrap: os.Getenv("FRAUDSTREAM_KAFKA"), real: true}
	if kafka.bootstrap == "" {
		m.cluster = kafkatest.Start(b, 1)
		kafka.bootstrap = m.cluster.Bootstrap()
	}
	m.stage = newStage(b, kafka, 4, 4)
	m.stage.fill(fullSpeedEvents)
	m.fullSpeed(0, m.stage.name+"-warm-up")
	m.figures[0] = map[string][]float64{}
	return m
}

func (m *measurement) note(mode int, figure string, value float64) {
	m.figures[mode][figure] = append(m.figures[mode][figure], value)
}

// options are those of one delivery on a stage.
func (m *measurement) options(s *stage, mode int, group string) Options {
	o := s.options()
	o.ExactlyOnce, o.CommitInterval, o.Group = mode == 1, 100*time.Millisecond, group
	return o
}

// fullSpeed reads the stage from its first event to its last, and returns the client's CPU seconds for a million events.
func (m *measurement) fullSpeed(mode int, group string) float64 {
	before := m.brokerCPU()
	took, used := m.stage.consumeAll(m.options(m.stage, mode, group))
	perMillion := func(d time.Duration) float64 { return d.Seconds() / fullSpeedEvents * 1e6 }
	m.note(mode, "events/s", fullSpeedEvents/took.Seconds())
	m.note(mode, "client-cpu-s/Mevent", perMillion(used))
	if m.cluster != nil {
		m.note(mode, "broker-cpu-s/Mevent", perMillion(m.brokerCPU()-before))
	}
	return perMillion(used)
}

func (m *measurement) brokerCPU() time.Duration {
	if m.cluster == nil {
		return 0
	}
	return m.cluster.CPU()
}

// steady sends events at the steady rate on topics of their own and notes how long their decisions take.
func (m *measurement) steady(mode int) {
	m.b.Helper()
	s := newStage(m.b, m.stage.b, 4, 4)
	c := New(m.options(s, mode, s.name), testScorer(m.b))
	stop := s.start(c)
	s.await("readiness", c.Ready)
	warm, all := steadyRate*int(steadyWarmUp/time.Second), steadyRate*int((steadyWarmUp+steadyFor)/time.Second)
	sent := make([]atomic.Int64, all) // Unix nanoseconds, by event
	var reading sync.WaitGroup
	var taken []float64
	reading.Go(func() { taken = s.timeDecisions(sent, warm) })
	s.pace(sent)
	reading.Wait()
	stop()
	s.client.Close()
	slices.Sort(taken)
	for _, p := range []int{50, 99} {
		m.note(mode, fmt.Sprintf("p%d-ms", p), taken[len(taken)*p/100])
	}
}

// pace sends the events in portions, every 5 ms, and notes when each was due: a sender that is late must not make the
// decisions look early.
func (s *stage) pace(sent []atomic.Int64) {
	const portion = 5 * time.Millisecond
	client := s.newClient(kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(0))
	defer client.Close()
	perPortion := steadyRate / int(time.Second/portion)
	begun := time.Now()
	for i := range sent {
		due := begun.Add(time.Duration(i/perPortion) * portion)
		if i%perPortion == 0 {
			time.Sleep(time.Until(due))
		}
		sent[i].Store(due.UnixNano())
		client.Produce(s.t.Context(), s.padded(i), nil)
	}
	if err := client.Flush(s.t.Context()); err != nil {
		s.t.Error(err)
	}
}

// timeDecisions reads the decisions of all events and returns how many milliseconds each took, from the event warm on.
func (s *stage) timeDecisions(sent []atomic.Int64, warm int) (taken []float64) {
	client := s.newClient(
		kgo.ConsumeTopics(s.output()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
	)
	defer client.Close()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	for read := 0; read < len(sent) && ctx.Err() == nil; {
		fetches := client.PollFetches(ctx)
		now := time.Now().UnixNano()
		fetches.EachRecord(func(r *kgo.Record) {
			read++
			if i := eventOf(r.Value); i >= warm && i < len(sent) {
				taken = append(taken, float64(now-sent[i].Load())/1e6)
			}
		})
	}
	if len(taken) < len(sent)-warm {
		s.t.Errorf("%d of %d decisions have come", len(taken), len(sent)-warm)
		taken = append(taken, 0)
	}
	return taken
}

// eventOf finds the number of the event in its decision; -1: there is none.
func eventOf(decision []byte) int {
	_, id, _ := bytes.Cut(decision, []byte(`"transaction_id":"t-`))
	if len(id) < 7 {
		return -1
	}
	n, err := strconv.Atoi(string(id[:7]))
	if err != nil {
		return -1
	}
	return n
}

// report shows the medians, and for the ratio of the CPU times the least and the greatest of all rounds too.
func (m *measurement) report() {
	for mode, name := range []string{"at-least-once", "exactly-once"} {
		for figure, values := range m.figures[mode] {
			m.b.ReportMetric(median(values), name+"-"+figure)
		}
	}
	m.b.ReportMetric(median(m.ratio), "client-cpu-ratio")
	m.b.Logf("exactly-once to at-least-once, client CPU, by round: %.3f", m.ratio)
}

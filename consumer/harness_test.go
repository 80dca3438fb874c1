package consumer

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"fraudstream/scoring"
)

// TestMain lets more tests run at a time than there are cores, since most of them wait: for sessions that end, members
// that join, a broker that answers late. The flag -parallel still counts.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "8")
	goleak.VerifyTestMain(m)
}

// broker is a Kafka that a test runs against: the in-process one, or Apache Kafka.
type broker struct {
	bootstrap string
	real      bool
	fake      *kfake.Cluster // nil on Apache Kafka
	exactly   bool           // consumers deliver exactly once
	library   bool           // consumers fetch and produce by the library's types
	login     []kgo.Opt      // of the test's own clients
}

func newFake(t testing.TB, opts ...kfake.Opt) *broker {
	t.Helper()
	cluster, err := kfake.NewCluster(append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.GroupMinSessionTimeout(100 * time.Millisecond),
	}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return &broker{bootstrap: strings.Join(cluster.ListenAddrs(), ","), fake: cluster}
}

// stage is a set of topics with a name of its own on a broker, and what the test knows about it.
type stage struct {
	t      testing.TB
	b      *broker
	name   string
	client *kgo.Client
	logs   *logBuffer
}

// stages numbers the stages of this process.
var stages atomic.Int64

func newStage(t testing.TB, b *broker, input, output int32) *stage {
	t.Helper()
	s := &stage{t: t, b: b, name: fmt.Sprintf("t%d-%d", time.Now().UnixNano(), stages.Add(1)), logs: &logBuffer{}}
	s.client = s.newClient()
	s.create(s.input(), input)
	s.create(s.output(), output)
	s.create(s.letters(), 1)
	return s
}

func (s *stage) input() string   { return s.name + ".in" }
func (s *stage) output() string  { return s.name + ".out" }
func (s *stage) letters() string { return s.name + ".dlq" }

func (s *stage) newClient(opts ...kgo.Opt) *kgo.Client {
	s.t.Helper()
	client, err := kgo.NewClient(append(append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(s.b.bootstrap, ",")...), kgo.RecordPartitioner(kgo.ManualPartitioner()),
	}, s.b.login...), opts...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(client.Close)
	return client
}

func (s *stage) create(topic string, partitions int32, configs ...string) {
	s.t.Helper()
	req := kmsg.NewPtrCreateTopicsRequest()
	one := kmsg.NewCreateTopicsRequestTopic()
	one.Topic, one.NumPartitions, one.ReplicationFactor = topic, partitions, 1
	for i := 0; i+1 < len(configs); i += 2 {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = configs[i], &configs[i+1]
		one.Configs = append(one.Configs, c)
	}
	req.Topics = append(req.Topics, one)
	res, err := req.RequestWith(s.t.Context(), s.client)
	if err != nil || res.Topics[0].ErrorCode != 0 && res.Topics[0].ErrorCode != 36 {
		s.t.Fatalf("create %s: %v %+v", topic, err, res)
	}
	if res.Topics[0].ErrorCode == 0 { // which on Apache Kafka is the controller's word: its brokers hear of it a little later
		s.await("the leaders of "+topic, func() bool { return s.leaders(topic) == partitions })
	}
}

// options are those of a consumer on this stage, on periods that suit a test.
func (s *stage) options() Options {
	return Options{
		Brokers: strings.Split(s.b.bootstrap, ","), Group: s.name, Input: s.input(), Output: s.output(),
		DeadLetter: s.letters(), ExactlyOnce: s.b.exactly, LibraryProtocol: s.b.library, Log: slog.New(slog.NewTextHandler(s.logs, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
}

func (s *stage) consumer(o Options) *Consumer {
	c := New(o, testScorer(s.t))
	c.timing.heartbeat, c.timing.joinBackoff, c.timing.watch = 100*time.Millisecond, 50*time.Millisecond, 300*time.Millisecond
	c.timing.fetchWait = 100 * time.Millisecond
	return c // with the sessions of the product: a shorter one ends where the machine is busy, and then a member is sent away
}

// start runs a consumer until the returned function is called, which waits for its end.
func (s *stage) start(c *Consumer) (stop func()) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				s.t.Errorf("Run: %v", err)
			}
		})
	}
	s.t.Cleanup(stop)
	return stop
}

var loadScorer = sync.OnceValues(func() (*scoring.Scorer, error) {
	return scoring.Load("testdata/fraud_model.pkl", scoring.Options{Features: []string{"income", "debt"}})
})

func testScorer(t testing.TB) *scoring.Scorer {
	t.Helper()
	s, err := loadScorer()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// event is a sound transaction with the given id.
func event(id string) []byte {
	return fmt.Appendf(nil, `{"transaction_id":%q,"income":%d,"debt":%d}`, id, 20000+len(id)*997%50000, 1000+len(id)*13)
}

func (s *stage) produce(records ...*kgo.Record) {
	s.t.Helper()
	for _, r := range records {
		if r.Topic == "" {
			r.Topic = s.input()
		}
	}
	if err := s.client.ProduceSync(s.t.Context(), records...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

// sendEvents produces n events spread over the partitions and returns their ids.
func (s *stage) sendEvents(prefix string, n int, partitions int32) []string {
	s.t.Helper()
	var ids []string
	var records []*kgo.Record
	for i := range n {
		id := fmt.Sprintf("%s-%06d", prefix, i)
		ids = append(ids, id)
		records = append(records, &kgo.Record{
			Key: []byte("k" + id), Value: event(id), Partition: int32(i) % partitions,
		})
	}
	s.produce(records...)
	return ids
}

// read returns all committed records of a topic, by an independent client.
func (s *stage) read(topic string) []*kgo.Record {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	ends := s.ends(topic)
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(strings.Split(s.b.bootstrap, ",")...),
		kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100 * time.Millisecond),
	}, s.b.login...)...)
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	var all []*kgo.Record
	for left := ends; ; {
		done := true
		for _, end := range left {
			done = done && end <= 0
		}
		if done {
			return all
		}
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			s.t.Fatalf("read %s: %v", topic, ctx.Err())
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= ends[r.Partition] {
				left[r.Partition] = 0
			}
			if !r.Attrs.IsControl() {
				all = append(all, r)
			}
		})
	}
}

func (s *stage) ends(topic string) map[int32]int64 {
	s.t.Helper()
	meta := kmsg.NewPtrMetadataRequest()
	one := kmsg.NewMetadataRequestTopic()
	one.Topic = &topic
	meta.Topics = append(meta.Topics, one)
	res, err := meta.RequestWith(s.t.Context(), s.client)
	if err != nil {
		s.t.Fatal(err)
	}
	req := kmsg.NewPtrListOffsetsRequest()
	rt := kmsg.NewListOffsetsRequestTopic()
	rt.Topic = topic
	for _, p := range res.Topics[0].Partitions {
		rp := kmsg.NewListOffsetsRequestTopicPartition()
		rp.Partition, rp.Timestamp = p.Partition, -1
		rt.Partitions = append(rt.Partitions, rp)
	}
	req.Topics = append(req.Topics, rt)
	ends := map[int32]int64{}
	for _, shard := range s.client.RequestSharded(s.t.Context(), req) {
		if shard.Err != nil {
			s.t.Fatal(shard.Err)
		}
		for _, p := range shard.Resp.(*kmsg.ListOffsetsResponse).Topics[0].Partitions {
			ends[p.Partition] = p.Offset
		}
	}
	return ends
}

// count is the number of committed records, which in transactions is less than the offsets tell.
func (s *stage) count(topic string) int64 {
	if s.b.exactly {
		return int64(len(s.read(topic)))
	}
	return s.countOf(topic)
}

func (s *stage) countOf(topic string) (n int64) {
	for _, end := range s.ends(topic) {
		n += end
	}
	return n
}

// await waits for a condition; a test never waits for a fixed time.
func (s *stage) await(what string, met func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(5*promised + 10*time.Second); !met(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain for %s\n%s", what, s.logs.tail())
		}
	}
}

// onlyPartition tells whether a consumer has been given one partition, and whether its state meets a condition.
func onlyPartition(c *Consumer, met func(*state) bool) func() bool {
	return func() bool {
		all := c.o.Metrics.partitions()
		return len(all) == 1 && met(all[0])
	}
}

// decisionIDs are the transaction ids of the decisions read, with their number of copies.
func (s *stage) decisionIDs() map[string]int {
	s.t.Helper()
	ids := map[string]int{}
	for _, r := range s.read(s.output()) {
		var d struct {
			ID string `json:"transaction_id"`
		}
		if err := json.Unmarshal(r.Value, &d); err != nil {
			s.t.Fatalf("decision %q: %v", r.Value, err)
		}
		ids[d.ID]++
	}
	return ids
}

// assertOnce demands that exactly the ids sent are decided, each once.
func (s *stage) assertOnce(sent []string, decided map[string]int) {
	s.t.Helper()
	lost, copies := s.compare(sent, decided)
	if lost > 0 || copies > 0 {
		s.t.Errorf("lost=%d duplicated=%d of %d\n%s", lost, copies, len(sent), s.logs.tail())
	}
}

// compare counts what is lost and what is there more than once, and fails on what was never sent.
func (s *stage) compare(sent []string, decided map[string]int) (lost, copies int) {
	s.t.Helper()
	for _, id := range sent {
		if decided[id] == 0 {
			lost++
		}
		copies += max(decided[id]-1, 0)
	}
	for id := range decided {
		if _, found := slices.BinarySearch(sent, id); !found && !slices.Contains(sent, id) {
			s.t.Errorf("decided but never sent: %s", id)
		}
	}
	return lost, copies
}

func header(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}

// logBuffer collects what the consumer logs.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logBuffer) tail() string {
	s := l.String()
	return s[max(0, len(s)-4000):]
}

// metric is the sum of a metric's series whose labels include the given ones (name, value, …).
func metric(t testing.TB, g prometheus.Gatherer, name string, labels ...string) (sum float64, series int) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
	metrics:
		for _, m := range f.GetMetric() {
			have := map[string]string{}
			for _, l := range m.GetLabel() {
				have[l.GetName()] = l.GetValue()
			}
			for i := 0; i+1 < len(labels); i += 2 {
				if have[labels[i]] != labels[i+1] {
					continue metrics
				}
			}
			series++
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum, series
}

// cuttableDial is a dialer whose connections can all be cut, as a crash or a network fault does.
type cuttableDial struct {
	mu    sync.Mutex
	conns []net.Conn
	cut   bool
}

func (d *cuttableDial) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cut {
		return nil, fmt.Errorf("dial %s: network is cut", address)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		d.conns = append(d.conns, conn)
	}
	return conn, err
}

func (d *cuttableDial) sever() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = true
	for _, c := range d.conns {
		_ = c.Close()
	}
	d.conns = nil
}

func (d *cuttableDial) mend() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut = false
}

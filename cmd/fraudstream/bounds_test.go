package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"fraudstream/cmd/fraudstream/nemesis"
	"fraudstream/consumer/recordbatch"
)

// memoryLimit is what GOMEMLIMIT gives the service of these tests, in bytes.
const memoryLimit = 256 << 20

// TestMemoryIsBounded gives a service with 256 MiB twelve partitions full of events of up to a megabyte, most of
// which the network carries as they are while the rest is large only once it is decompressed, and an output that is
// slow for longer than the group's session. The service must hold what it can, let the rest wait, and stay a member.
func TestMemoryIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped the measuring of memory: some ten seconds")
	}
	t.Parallel()
	const partitions, each = 12, 24
	cluster := fakeCluster(t, kfake.SeedTopics(partitions, "transactions", "decisions", "transactions.dlq"))
	sendLarge(t, cluster.ListenAddrs()[0], partitions, each)
	assertBounded(t, cluster, partitions*each)
}

// TestMemoryIsBoundedForManyPartitions does so with a hundred and twenty partitions, which together hold more than the
// limit for each byte that a fetch may ask for. Among the events of a megabyte are batches of eight, which come whole
// whatever was asked for, and small ones that become large when they are decompressed.
func TestMemoryIsBoundedForManyPartitions(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped the measuring of memory: some ten seconds")
	}
	t.Parallel()
	const partitions = 120
	cluster := fakeCluster(t, kfake.SeedTopics(partitions, "transactions", "decisions", "transactions.dlq"))
	pad := noise(900 << 10)
	single, eight := largeBatch(1, pad, recordbatch.None), largeBatch(9, pad, recordbatch.None)
	bomb := largeBatch(22, strings.Repeat("x", 900<<10), recordbatch.LZ4)
	logs, events := make([][][]byte, partitions), 0
	for p := range logs {
		logs[p], events = [][]byte{single, single}, events+2
		if p%10 == 0 {
			logs[p], events = append(logs[p], eight), events+9
		}
		if p%5 == 1 {
			logs[p], events = append(logs[p], bomb), events+22
		}
	}
	serve(cluster, "transactions", logs)
	assertBounded(t, cluster, events)
}

// largeBatch encodes n events with the given padding.
func largeBatch(n int, pad string, codec recordbatch.Codec) []byte {
	b := recordbatch.Builder{Codec: codec}
	for i := range n {
		b.Append(time.Now().UnixMilli(), nil, fmt.Appendf(nil, `{"transaction_id":"t-%d","income":50000,"debt":1000,"pad":%q}`, i, pad), recordbatch.Headers{})
	}
	return b.Finish(recordbatch.Producer{ID: -1, Epoch: -1}, -1)
}

// serve answers fetches of a topic from one list of batches for each partition, as a broker does: the first batch whole,
// and more as long as they are within the size that was asked for. The broker itself holds none of it.
func serve(cluster *kfake.Cluster, topic string, logs [][][]byte) {
	cluster.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		req := r.(*kmsg.FetchRequest)
		if len(req.Topics) != 1 || req.Topics[0].Topic != topic {
			return nil, nil, false
		}
		asked := req.Topics[0].Partitions[0]
		p := kmsg.NewFetchResponseTopicPartition()
		p.Partition = asked.Partition
		base := int64(0)
		for _, batch := range logs[asked.Partition] {
			next := base + int64(binary.BigEndian.Uint32(batch[23:])) + 1
			room := len(p.RecordBatches)+len(batch) <= int(asked.PartitionMaxBytes)
			if next > asked.FetchOffset && (room || len(p.RecordBatches) == 0) {
				at := len(p.RecordBatches)
				p.RecordBatches = append(p.RecordBatches, batch...)
				binary.BigEndian.PutUint64(p.RecordBatches[at:], uint64(base)) // the CRC does not cover it
			}
			base = next
		}
		p.HighWatermark, p.LastStableOffset = base, base
		if len(p.RecordBatches) == 0 {
			cluster.SleepControl(func() { time.Sleep(100 * time.Millisecond) })
		}
		res := req.ResponseKind().(*kmsg.FetchResponse)
		answer := kmsg.NewFetchResponseTopic()
		answer.Topic, answer.Partitions = topic, []kmsg.FetchResponseTopicPartition{p}
		res.Topics = append(res.Topics, answer)
		return res, nil, true
	})
}

// assertBounded runs the service until it has consumed so many events, and demands that its memory stays within the limit
// and that it never leaves the group, though its output is slow at first.
func assertBounded(t *testing.T, cluster *kfake.Cluster, events int) {
	t.Helper()
	address := cluster.ListenAddrs()[0]
	slowUntil := time.Now().Add(12 * time.Second)
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if time.Now().Before(slowUntil) {
			cluster.SleepControl(func() { time.Sleep(400 * time.Millisecond) })
		}
		return nil, nil, false
	})
	listen := freeAddress(t)
	cmd := exec.Command("fraudstream", "run", "--brokers", address, "--listen", listen, "--model", seedModel, "--features", "income,debt")
	cmd.Env = append(os.Environ(), fmt.Sprintf("GOMEMLIMIT=%d", memoryLimit))
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	}()
	peak, resident, consumed := 0.0, 0.0, 0.0
	for deadline := time.Now().Add(80 * time.Second); consumed < float64(events) || time.Now().Before(slowUntil); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%v events of %d in time", consumed, events)
		}
		m := nemesis.Scrape(listen)
		held := m["go_memstats_sys_bytes"] - m["go_memstats_heap_released_bytes"]
		peak, resident, consumed = max(peak, held), max(resident, m["process_resident_memory_bytes"]), max(consumed, m["fraudstream_events_consumed_total"])
	}
	m := nemesis.Scrape(listen)
	if n := m["fraudstream_rebalances_total"]; n != 1 {
		t.Errorf("%v generations", n)
	}
	if n := m["fraudstream_events_consumed_total"]; n != float64(events) {
		t.Errorf("%v events consumed of %d", n, events)
	}
	if peak == 0 || peak > memoryLimit*15/16 { // at the limit itself the collector would fight for every byte
		t.Errorf("the runtime holds %.0f MiB at the peak, with a limit of 256", peak/(1<<20))
	}
	t.Logf("the runtime holds %.0f MiB at the peak, %.0f are resident", peak/(1<<20), resident/(1<<20))
}

// noise is text that does not compress.
func noise(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = 'A' + byte(rand.IntN(58))%26
	}
	return string(b)
}

// sendLarge fills the input. Three of four events are of noise, which does not compress.
func sendLarge(t *testing.T, address string, partitions, each int) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic("transactions"),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()), kgo.ProducerBatchMaxBytes(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	filler := noise(900 << 10)
	for i := range partitions * each {
		pad := strings.Repeat("x", len(filler))
		if i/partitions%4 != 0 {
			pad = filler
		}
		value := fmt.Appendf(nil, `{"transaction_id":"t-%d","income":50000,"debt":1000,"pad":%q}`, i, pad)
		record := &kgo.Record{Partition: int32(i % partitions), Value: value}
		if err := client.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

// freeAddress is one that nobody listens on now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestMemoryIsBounded gives a service with 256 MiB twelve partitions full of events of up to a megabyte, most of
// which the network carries as they are while the rest is large only once it is decompressed, and an output that is
// slow for longer than the group's session. The service must hold what it can, let the rest wait, and stay a member.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const partitions, each, limit = 12, 24, 256 << 20
	cluster := fakeCluster(t, kfake.SeedTopics(partitions, "transactions", "decisions", "transactions.dlq"))
	address := cluster.ListenAddrs()[0]
	sendLarge(t, address, partitions, each)
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
	cmd.Env = append(os.Environ(), fmt.Sprintf("GOMEMLIMIT=%d", limit))
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
	for deadline := time.Now().Add(80 * time.Second); consumed < partitions*each || time.Now().Before(slowUntil); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%v events of %d in time", consumed, partitions*each)
		}
		m := scrape(listen)
		held := m["go_memstats_sys_bytes"] - m["go_memstats_heap_released_bytes"]
		peak, resident, consumed = max(peak, held), max(resident, m["process_resident_memory_bytes"]), max(consumed, m["fraudstream_events_consumed_total"])
	}
	m := scrape(listen)
	if n := m["fraudstream_rebalances_total"]; n != 1 {
		t.Errorf("%v generations", n)
	}
	if peak == 0 || peak > limit*15/16 { // at the limit itself the collector would fight for every byte
		t.Errorf("the runtime holds %.0f MiB at the peak, with a limit of 256", peak/(1<<20))
	}
	t.Logf("the runtime holds %.0f MiB at the peak, %.0f are resident", peak/(1<<20), resident/(1<<20))
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
	noise := make([]byte, 900<<10)
	for i := range noise {
		noise[i] = 'A' + byte(rand.IntN(58))%26
	}
	for i := range partitions * each {
		pad := strings.Repeat("x", len(noise))
		if i/partitions%4 != 0 {
			pad = string(noise)
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

// scrape reads the metrics that have no labels; none while nobody answers.
func scrape(address string) map[string]float64 {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/metrics", nil)
	if err != nil {
		return nil
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil
	}
	defer func() { _ = res.Body.Close() }()
	all := map[string]float64{}
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), " "); ok {
			if v, err := strconv.ParseFloat(value, 64); err == nil {
				all[name] = v
			}
		}
	}
	return all
}

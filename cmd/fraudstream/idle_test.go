package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestIdleCallersDoNotDelayTheStream sends a steady stream through a service, then the same with a thousand connections
// to its HTTP door that say nothing, some that send their headers a byte at a time and as many as it takes that send
// their bodies so. The times from event to decision must stay what they were, and the memory bounded. The figures are
// logged; what is held is generous, since a test machine has other things to do.
func TestIdleCallersDoNotDelayTheStream(t *testing.T) {
	t.Parallel()
	const idle, slow, rate, lasts = 1000, 100, 500, 2 * time.Second
	cluster := fakeCluster(t, kfake.SeedTopics(2, "transactions", "decisions", "transactions.dlq"))
	address, listen := cluster.ListenAddrs()[0], freeAddress(t)
	cmd := exec.Command("fraudstream", "run", "--brokers", address, "--listen", listen, "--model", seedModel, "--features", "income,debt")
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
	w := watchLatency(t, address)
	w.send(t, rate, time.Second) // the first are slow, for the group is joined meanwhile
	alone := w.send(t, rate, lasts)
	before := held(listen)

	callers := crowd(t, listen, idle, slow)
	defer callers()
	crowded := w.send(t, rate, lasts)
	after := held(listen)
	t.Logf("event to decision, %d a second: p50 %v, p99 %v alone; p50 %v, p99 %v beside %d idle and %d slow callers; the runtime holds %.0f MiB, then %.0f",
		rate, quantile(alone, 0.5), quantile(alone, 0.99), quantile(crowded, 0.5), quantile(crowded, 0.99), idle, slow, before/(1<<20), after/(1<<20))
	if p99, was := quantile(crowded, 0.99), quantile(alone, 0.99); p99 > 5*was+500*time.Millisecond {
		t.Errorf("p99 went from %v to %v", was, p99)
	}
	if before == 0 || after-before > 128<<20 {
		t.Errorf("the runtime holds %.0f MiB, then %.0f", before/(1<<20), after/(1<<20))
	}
}

// held is what the Go runtime of a process has from the system.
func held(listen string) float64 {
	m := scrape(listen)
	return m["go_memstats_sys_bytes"] - m["go_memstats_heap_released_bytes"]
}

// crowd connects callers that are no use: those that say nothing, and those that send a byte now and then, half of them
// of a header and half of a body. The function ends them.
func crowd(t *testing.T, listen string, idle, slow int) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range idle + slow {
		connection, err := net.Dial("tcp", listen)
		if err != nil {
			cancel()
			t.Fatal(err)
		}
		all.Go(func() {
			defer connection.Close()
			if i%2 == 0 {
				fmt.Fprint(connection, "POST /predict HTTP/1.1\r\nHost: x\r\n")
			} else if i >= idle {
				fmt.Fprint(connection, "POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n[")
			}
			for tick := time.Tick(200 * time.Millisecond); i >= idle; {
				select {
				case <-tick:
					fmt.Fprint(connection, "x")
				case <-ctx.Done():
					return
				}
			}
			<-ctx.Done()
		})
	}
	return func() { cancel(); all.Wait() }
}

// latency is a producer and an independent reader that tell how long events take to become decisions.
type latency struct {
	producer, reader *kgo.Client
	sent             int
}

func watchLatency(t *testing.T, address string) *latency {
	t.Helper()
	producer, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.DefaultProduceTopic("transactions"), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(producer.Close)
	reader, err := kgo.NewClient(kgo.SeedBrokers(address), kgo.ConsumeTopics("decisions"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(reader.Close)
	return &latency{producer: producer, reader: reader}
}

// send produces so many events a second for a while and returns, sorted, how long each took until its decision was
// read.
func (l *latency) send(t *testing.T, rate int, lasts time.Duration) []time.Duration {
	t.Helper()
	n := int(lasts.Seconds() * float64(rate))
	began, took := make([]time.Time, n), make([]time.Duration, 0, n)
	first := l.sent
	l.sent += n
	ctx, cancel := context.WithTimeout(t.Context(), lasts+60*time.Second)
	defer cancel()
	var mu sync.Mutex
	var sending sync.WaitGroup
	sending.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for i := range n {
			<-tick.C
			mu.Lock()
			began[i] = time.Now()
			mu.Unlock()
			value := fmt.Appendf(nil, `{"transaction_id":"%d","income":50000,"debt":1000}`, first+i)
			l.producer.Produce(ctx, &kgo.Record{Value: value}, nil)
		}
	})
	for len(took) < n {
		fetches := l.reader.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d decisions of %d in time", len(took), n)
		}
		now := time.Now()
		fetches.EachRecord(func(r *kgo.Record) {
			var d struct {
				ID int `json:"transaction_id,string"`
			}
			if err := json.Unmarshal(r.Value, &d); err != nil || d.ID < first {
				t.Errorf("%v in %s", err, r.Value)
				return
			}
			mu.Lock()
			took = append(took, now.Sub(began[d.ID-first]))
			mu.Unlock()
		})
	}
	sending.Wait()
	slices.Sort(took)
	return took
}

// quantile of sorted durations.
func quantile(sorted []time.Duration, q float64) time.Duration {
	return sorted[int(q*float64(len(sorted)-1))].Round(100 * time.Microsecond)
}

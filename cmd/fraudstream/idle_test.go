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

	"fraudstream/cmd/fraudstream/nemesis"
)

// The bound on what idle callers may do to the stream: the median of the rounds' p99 at most doubles, and 50 ms are let
// pass, about which two rounds without anybody differ on a machine that has other things to do.
const (
	leastRounds, mostRounds = 5, 15
	crowdFactor             = 2
	crowdSlack              = 50 * time.Millisecond
)

// TestIdleCallersDoNotDelayTheStream sends a steady stream through a service, in rounds of half a second, every other one
// beside a thousand connections to its HTTP door that say nothing and a hundred that send a byte of a header or of a body
// now and then. Rounds with and without follow each other, so that whatever else the machine does meets both kinds, and
// their medians are compared, so that a hiccup in one round decides nothing. Where five rounds of each are not within the
// bound, more are made and all of them judged: an effect of the callers stays, one of the machine does not. The memory must
// be bounded as well. The figures are logged.
func TestIdleCallersDoNotDelayTheStream(t *testing.T) {
	t.Parallel()
	const idle, slow, rate, lasts = 1000, 100, 500, 500 * time.Millisecond
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
	var alone, crowded []time.Duration
	before, after := held(listen), 0.0
	for round := 1; ; round++ {
		alone = append(alone, quantile(w.send(t, rate, lasts), 0.99))
		leave := crowd(t, listen, idle, slow)
		crowded = append(crowded, quantile(w.send(t, rate, lasts), 0.99))
		after = max(after, held(listen))
		leave()
		time.Sleep(100 * time.Millisecond) // what a thousand ends cost belongs to neither kind
		if round < leastRounds {
			continue
		}
		was, is := median(alone), median(crowded)
		if within := is <= crowdFactor*was+crowdSlack; within || round == mostRounds {
			t.Logf("p99 from event to decision at %d a second, median of %d rounds: %v alone, %v beside %d idle and %d slow callers; rounds alone %v, beside them %v; the runtime holds %.0f MiB, then %.0f",
				rate, round, was, is, idle, slow, alone, crowded, before/(1<<20), after/(1<<20))
			if !within {
				t.Errorf("p99 went from %v to %v: over %d times that and %v", was, is, crowdFactor, crowdSlack)
			}
			break
		}
	}
	if before == 0 || after-before > 128<<20 {
		t.Errorf("the runtime holds %.0f MiB, then %.0f", before/(1<<20), after/(1<<20))
	}
}

// median of durations, the upper of the two in the middle.
func median(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// held is what the Go runtime of a process has from the system.
func held(listen string) float64 {
	m := nemesis.Scrape(listen)
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

// watchLatency makes both. The producer does not linger, and a fetch of the reader waits for 50 ms at most: what they add
// to what is measured is small, and the same in every round.
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

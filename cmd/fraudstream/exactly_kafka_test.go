package main

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"fraudstream/consumer/kafkatest"
)

// What befalls the workers: so many are killed, and one stands still for so long.
const (
	exactKills = 6
	zombieTime = 15 * time.Second // longer than the session of 10 s
)

// TestBadDayExactlyOnce is a worse day, with exactly-once delivery: workers are killed one after the other, the broker is
// restarted, a worker stands still until the group has gone on without it and then wakes up, another is asked to stop.
// Every event has one answer that a reader of committed records sees, and no more.
func TestBadDayExactlyOnce(t *testing.T) {
	cluster := kafkatest.Start(t, 1)
	for _, topic := range []string{"transactions", "decisions", "transactions.dlq"} {
		cluster.CreateTopic(t, topic, badDayPartitions)
	}
	fraudstream := buildCommand(t)
	started := 0
	worker := func() *process {
		started++
		return startProcess(t, fmt.Sprintf("worker %d", started), fraudstream, "run", "--brokers", cluster.Bootstrap(),
			"--group", "worse-day", "--model", "demo/bundle", "--listen", "127.0.0.1:0", "--delivery", "exactly-once")
	}
	workers := []*process{worker(), worker(), worker()}
	sent := make(chan error, 1)
	began := time.Now()
	go func() { sent <- produceCards(t.Context(), cluster.Bootstrap(), badDayEvents, 60*time.Second) }()

	reader := newSourceReader(t, cluster.Bootstrap())
	const parts = exactKills + 4
	for i := range exactKills {
		reader.until(t, badDayEvents*(i+1)/parts)
		workers[0].kill()
		workers = append(workers[1:], worker())
	}
	reader.until(t, badDayEvents*(exactKills+1)/parts)
	cluster.Restart(t)
	reader.until(t, badDayEvents*(exactKills+2)/parts)
	workers[0].stopFor(t, zombieTime)
	reader.until(t, badDayEvents*(exactKills+3)/parts)
	took := workers[1].terminate(t)
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	reader.until(t, badDayEvents)
	workers[0].terminate(t)
	workers[2].terminate(t)
	reader.rest(t)

	lost := badDayEvents - len(reader.seen)
	t.Logf("%d kills, 1 zombie, 1 broker restart: sent=%d decided=%d dead_letter=%d lost=%d duplicated=%d in %v; SIGTERM to exit %v",
		exactKills, badDayEvents, reader.decided, reader.deadLetters, lost, reader.duplicated,
		time.Since(began).Round(time.Second), took.Round(time.Millisecond))
	if lost != 0 || reader.duplicated != 0 {
		t.Errorf("lost=%d duplicated=%d", lost, reader.duplicated)
	}
	if n := countWithKcat(t, cluster.Bootstrap(), "decisions"); n != reader.decided {
		t.Errorf("librdkafka, checking every CRC, reads %d decisions, franz-go %d", n, reader.decided)
	}
}

// stopFor lets the process stand still, with all its connections open, and go on.
func (p *process) stopFor(t *testing.T, d time.Duration) {
	t.Helper()
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		if err := p.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if signal == syscall.SIGSTOP {
			time.Sleep(d)
		}
	}
}

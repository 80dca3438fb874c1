// Command generate makes card payments without the demo around them: labelled ones as CSV, for the training of the
// demo's model, or unlabelled ones as events for a topic, without end.
//
//	go run ./cmd/fraudstream/demo/generate -seed 1 -n 60000 > payments.csv
//	go run ./cmd/fraudstream/demo/generate -brokers localhost:9092 -topic transactions -rate 200
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/cmd/fraudstream/demo/cards"
)

// main writes a table where no broker is named and sends events where one is. A signal ends the sending and is no
// error; the table is written to its end. Anything that fails is said on standard error, with code 1.
func main() {
	seed := flag.Int64("seed", 1, "draws the days")
	n := flag.Int("n", 60_000, "number of payments, of the CSV")
	brokers := flag.String("brokers", "", "Kafka bootstrap addresses; without any, CSV is written")
	topic := flag.String("topic", "transactions", "where the events go")
	rate := flag.Float64("rate", 200, "events a second")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *brokers == "" {
		err = cards.WriteTraining(os.Stdout, *seed, *n)
	} else {
		err = send(ctx, strings.Split(*brokers, ","), *topic, *seed, *rate)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// send sends until ctx ends. The payments of a card stay in order, since the card is the key. They are dated from the
// coming Monday on, as the demo's: so each keeps its hour of the week, and none counts as a replay of a past one. The
// rate is kept by the clock: what is due is sent every 10 ms, and a beat that comes late sends what it has missed.
// What the client still holds when ctx ends is not waited for.
func send(ctx context.Context, brokers []string, topic string, seed int64, rate float64) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.DefaultProduceTopic(topic))
	if err != nil {
		return err
	}
	defer client.Close()
	const week = 7 * 24 * time.Hour
	ahead := (time.Since(cards.Start)/week + 1) * week
	payments, began := cards.New(seed), time.Now()
	beat := time.NewTicker(10 * time.Millisecond)
	defer beat.Stop()
	for sent := 0; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
		for due := int(rate * time.Since(began).Seconds()); sent < due; sent++ {
			tx := payments.Next()
			tx.Time += ahead.Milliseconds()
			client.Produce(ctx, &kgo.Record{Key: tx.AppendCard(nil), Value: tx.AppendJSON(nil)}, complain)
		}
	}
}

// complain says what Kafka did not take; sending goes on, as with any source of events. It is called by the client's
// own goroutine.
func complain(_ *kgo.Record, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
	}
}

// Command plain is the loop that a developer would write with the Reader and the Writer of kafka-go: fetch, score, write,
// commit, one event at a time. It is not the service and has none of its code but the scoring; the nemesis harms it
// beside the service, so that the difference is measured and not claimed.
//
// It is written with care, by the documentation of the library: a consumer group, acks from all replicas, no
// batching delay, and the offset is committed after the decision was acknowledged. What cannot be scored goes to
// the dead letters. An error ends the process, and something starts it again.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"

	"fraudstream/scoring"
)

func main() {
	brokers := flag.String("brokers", "localhost:9092", "addresses, separated by commas")
	group := flag.String("group", "plain", "consumer group")
	input := flag.String("input", "transactions", "topic to read")
	output := flag.String("output", "decisions", "topic for decisions")
	deadLetter := flag.String("dead-letter", "transactions.dlq", "topic for events that cannot be scored")
	model := flag.String("model", "", "bundle")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	addresses := strings.Split(*brokers, ",")
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers: addresses, GroupID: *group, Topic: *input, StartOffset: kafka.FirstOffset,
		MaxWait: 250 * time.Millisecond, IsolationLevel: kafka.ReadCommitted,
		SessionTimeout: 10 * time.Second, HeartbeatInterval: time.Second, RebalanceTimeout: 10 * time.Second,
	})
	writer := &kafka.Writer{
		Addr: kafka.TCP(addresses...), Balancer: samePartition{}, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond,
	}
	if err := loop(ctx, reader, writer, *model, *output, *deadLetter); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
	reader.Close()
	writer.Close()
}

// samePartition sends what came of an event to the partition that the event came from.
type samePartition struct{}

func (samePartition) Balance(m kafka.Message, partitions ...int) int {
	return partitions[m.WriterData.(int)%len(partitions)]
}

// loop is all there is to it.
func loop(ctx context.Context, reader *kafka.Reader, writer *kafka.Writer, model, output, deadLetter string) error {
	scorer, err := scoring.Load(model, scoring.Options{})
	if err != nil {
		return err
	}
	batch := scorer.NewBatch(1)
	for {
		m, err := reader.FetchMessage(ctx)
		if err != nil {
			return err
		}
		batch.Events = append(batch.Events[:0], scoring.Event{
			Origin: scoring.Origin{Topic: m.Topic, Partition: int32(m.Partition), Offset: m.Offset},
			Value:  m.Value, Timestamp: m.Time.UnixMilli(),
		})
		scorer.Score(batch)
		out := kafka.Message{Topic: output, Key: m.Key, WriterData: m.Partition}
		if result := &batch.Results[0]; result.Outcome == scoring.Decided {
			out.Value = result.Decision.AppendJSON(nil)
		} else {
			out.Topic, out.Value, out.Headers = deadLetter, m.Value, origin(&m, result)
		}
		if err := writer.WriteMessages(ctx, out); err != nil {
			return err
		}
		if err := reader.CommitMessages(ctx, m); err != nil {
			return err
		}
	}
}

// origin is what a dead letter says of where it came from.
func origin(m *kafka.Message, result *scoring.Result) []kafka.Header {
	return []kafka.Header{
		{Key: "__connect.errors.topic", Value: []byte(m.Topic)},
		{Key: "__connect.errors.partition", Value: []byte(strconv.Itoa(m.Partition))},
		{Key: "__connect.errors.offset", Value: []byte(strconv.FormatInt(m.Offset, 10))},
		{Key: "fraudstream.error.code", Value: []byte(result.Err.Code)},
	}
}

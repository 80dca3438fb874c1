// Command plain is the loop that a developer would write with the Reader and the Writer of kafka-go: fetch, score,
// write, commit. It is not the service and has none of its code but the scoring; the nemesis harms it beside the
// service, so that the difference is measured and not claimed.
//
// It is written with care, by the documentation of the library: a consumer group, acks from all replicas, no
// batching delay, and the offset is committed after the decision was acknowledged. What cannot be scored goes to
// the dead letters. An error ends the process, and something starts it again.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/scram"

	"fraudstream/scoring"
)

// main joins the group and runs the loop until it is told to end, which is no error; anything else is one, and the code
// says so.
func main() {
	brokers := flag.String("brokers", "localhost:9092", "addresses, separated by commas")
	group := flag.String("group", "plain", "consumer group")
	input := flag.String("input", "transactions", "topic to read")
	output := flag.String("output", "decisions", "topic for decisions")
	deadLetter := flag.String("dead-letter", "transactions.dlq", "topic for events that cannot be scored")
	model := flag.String("model", "", "bundle")
	ca := flag.String("ca", "", "file with the certificate of who signed the brokers'; without it there is no TLS")
	user := flag.String("user", "", "who logs in, by SCRAM-SHA-512; without it nobody does")
	passwordFile := flag.String("password-file", "", "file with the user's password")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	addresses := strings.Split(*brokers, ",")
	encryption, err := encrypted(*ca)
	if err != nil {
		log.Fatal(err)
	}
	mechanism, err := login(*user, *passwordFile)
	if err != nil {
		log.Fatal(err)
	}
	// Sessions, heartbeats and isolation are the service's, so that only the loop differs.
	reader := kafka.NewReader(kafka.ReaderConfig{
		Dialer:  &kafka.Dialer{Timeout: 10 * time.Second, DualStack: true, TLS: encryption, SASLMechanism: mechanism},
		Brokers: addresses, GroupID: *group, Topic: *input, StartOffset: kafka.FirstOffset,
		MaxWait: 250 * time.Millisecond, IsolationLevel: kafka.ReadCommitted,
		SessionTimeout: 10 * time.Second, HeartbeatInterval: time.Second, RebalanceTimeout: 10 * time.Second,
	})
	writer := &kafka.Writer{
		Addr: kafka.TCP(addresses...), Balancer: samePartition{}, RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond,
		Transport: &kafka.Transport{Dial: (&net.Dialer{Timeout: 3 * time.Second}).DialContext, TLS: encryption, SASL: mechanism},
	}
	scorer, err := scoring.Load(*model, scoring.Options{})
	if err != nil {
		log.Fatal(err)
	}
	// The process ends with the first error, and whatever runs it starts it again: there is nothing here that could go on.
	err = loop(ctx, reader, writer, scorer, *output, *deadLetter)
	if ctx.Err() == nil {
		log.Fatal(err)
	}
	reader.Close()
	writer.Close()
}

// encrypted is TLS, 1.2 or newer, that trusts the authority of a file; none without a file. The login and its
// password travel inside of it.
func encrypted(ca string) (*tls.Config, error) {
	if ca == "" {
		return nil, nil
	}
	authority, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("%s has no certificate", ca)
	}
	return &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}, nil
}

// login is SCRAM with the password of a file; none without a user.
func login(user, passwordFile string) (sasl.Mechanism, error) {
	if user == "" {
		return nil, nil
	}
	password, err := os.ReadFile(passwordFile)
	if err != nil {
		return nil, err
	}
	return scram.Mechanism(scram.SHA512, user, strings.TrimSpace(string(password)))
}

// samePartition sends what came of an event to the partition that the event came from, so that the order of a card's
// events holds. It takes what the writer knows of the output's partitions, which may be less than there are. The
// key's hash would do as well, where input and output have equally many partitions; the service keeps the number, and
// so the comparison does.
type samePartition struct{}

// Balance finds the event's partition in what the loop has put beside the message.
func (samePartition) Balance(m kafka.Message, partitions ...int) int {
	return partitions[m.WriterData.(int)%len(partitions)]
}

// atOnce is how many events are written together, and pause how long the loop waits for the next of them. One at a
// time, each with its own write and its own commit, it would do some forty events a second on replicated topics.
const (
	atOnce = 100
	pause  = 10 * time.Millisecond
)

// loop is all there is to it: fetch a batch, score it, write what came of it, decisions and dead letters in one call,
// and commit. It ends with an error, which may be that of ctx. Where that strikes between the write and the commit,
// the same events are fetched again by whoever has their partitions next, and are decided twice.
func loop(ctx context.Context, reader *kafka.Reader, writer *kafka.Writer, scorer *scoring.Scorer, output, deadLetter string) error {
	batch := scorer.NewBatch(atOnce)
	for {
		messages, err := fetch(ctx, reader)
		if err != nil {
			return err
		}
		batch.Events = batch.Events[:0]
		for _, m := range messages {
			batch.Events = append(batch.Events, scoring.Event{
				Origin: scoring.Origin{Topic: m.Topic, Partition: int32(m.Partition), Offset: m.Offset},
				Value:  m.Value, Timestamp: m.Time.UnixMilli(),
			})
		}
		scorer.Score(batch)
		out := make([]kafka.Message, len(messages))
		for i := range messages {
			m, result := &messages[i], &batch.Results[i]
			out[i] = kafka.Message{Topic: output, Key: m.Key, WriterData: m.Partition}
			if result.Outcome == scoring.Decided {
				out[i].Value = result.Decision.AppendJSON(nil)
			} else {
				out[i].Topic, out[i].Value, out[i].Headers = deadLetter, m.Value, origin(m, result)
			}
		}
		if err := writer.WriteMessages(ctx, out...); err != nil {
			return err
		}
		if err := reader.CommitMessages(ctx, messages...); err != nil {
			return err
		}
	}
}

// fetch waits for one event and takes what else is there within pause, up to atOnce. Messages that were fetched and
// not committed when it ends with an error are fetched again by whoever comes next.
func fetch(ctx context.Context, reader *kafka.Reader) ([]kafka.Message, error) {
	m, err := reader.FetchMessage(ctx)
	if err != nil {
		return nil, err
	}
	messages := []kafka.Message{m}
	more, cancel := context.WithTimeout(ctx, pause)
	defer cancel()
	for len(messages) < atOnce {
		if m, err = reader.FetchMessage(more); err != nil {
			break // nothing more is there, or the next call says what is wrong
		}
		messages = append(messages, m)
	}
	return messages, nil
}

// origin is what a dead letter says of where it came from, under the names that Kafka Connect uses, and of what is
// wrong with it. The service writes more of these headers; these are the ones by which the witness finds the event.
func origin(m *kafka.Message, result *scoring.Result) []kafka.Header {
	return []kafka.Header{
		{Key: "__connect.errors.topic", Value: []byte(m.Topic)},
		{Key: "__connect.errors.partition", Value: []byte(strconv.Itoa(m.Partition))},
		{Key: "__connect.errors.offset", Value: []byte(strconv.FormatInt(m.Offset, 10))},
		{Key: "fraudstream.error.code", Value: []byte(result.Err.Code)},
	}
}

package nemesis

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/cmd/fraudstream/demo/cards"
)

// poisonEvery is how many events there are to one that nobody can score. It is far below the share at which the
// service's breaker would pause a partition.
const poisonEvery = 50

// shiftEvery is how many events there are before the amounts come in cents instead of euros, and as many again before
// they are right: so the drift monitors have alarms to raise and to end, in the midst of the faults.
const shiftEvery = 4000

// A generator sends card payments with ids that are never used twice to the input: at a steady rate all the time, and
// more of them when it is asked to. Payments of a card have the card as their key, so they share a partition. It is
// idempotent and tries without end, for a payment that Kafka never took cannot be lost by those who read from Kafka.
type generator struct {
	client *kgo.Client
	book   *Book
	input  string

	mu    sync.Mutex
	cards *cards.Generator
	drawn int
}

// newGenerator connects to the brokers by the direct way. The payments follow from the seed, the times at which they
// are sent do not. The client asks for metadata often, so that it finds new leaders and partitions within a second,
// and tries again where a dying broker hangs up at once.
func newGenerator(ground *Ground, input string, book *Book, seed uint64) (*generator, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(ground.Direct, ",")...), kgo.DefaultProduceTopic(input),
		kgo.MaxBufferedRecords(100_000), kgo.MetadataMinAge(200*time.Millisecond), kgo.MetadataMaxAge(time.Second),
		kgo.AlwaysRetryEOF(), kgo.ProducerLinger(5*time.Millisecond),
	)
	if err != nil {
		return nil, err
	}
	return &generator{client: client, book: book, input: input, cards: cards.New(int64(seed >> 1))}, nil
}

// flow sends at a steady rate per second until ctx ends. It looks at the clock at every beat and sends what is due by
// then, so that the rate holds however late a beat may come.
func (g *generator) flow(ctx context.Context, rate float64) {
	beat := time.NewTicker(10 * time.Millisecond)
	defer beat.Stop()
	began, sent := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		}
		due := int(rate * time.Since(began).Seconds())
		g.burst(due - sent)
		sent = due
	}
}

// burst sends n payments, none where n is negative. It returns when the client has them all, which may be before any
// broker does; it waits only where a hundred thousand are under way.
func (g *generator) burst(n int) {
	for range n {
		g.send()
	}
}

// send draws the next payment and hands it to the client, which works on its own. Poison is JSON that breaks off after
// about two thirds of it, so that no part of it can be believed.
func (g *generator) send() {
	g.mu.Lock()
	payment := g.cards.Next()
	g.drawn++
	poison, shifted := g.drawn%poisonEvery == 0, g.drawn/shiftEvery%2 == 1
	g.mu.Unlock()
	if shifted {
		payment.Amount *= 100
	}
	value := payment.AppendJSON(nil)
	if poison {
		value = value[:len(value)-2-len(value)/3]
	}
	e := event{poison: poison, id: digest(payment.AppendID(nil)), value: digest(value), at: time.Now()}
	g.post(payment.AppendCard(nil), value, e)
}

// post hands an event to the client and books it. An event that the client gives up stays tried and is never
// acknowledged, so nobody is held to an answer.
func (g *generator) post(key, value []byte, e event, headers ...kgo.RecordHeader) {
	g.book.try(e)
	g.client.Produce(context.Background(), &kgo.Record{Key: key, Value: value, Headers: headers},
		func(r *kgo.Record, err error) {
			if err == nil {
				g.book.ack(r.Partition, r.Offset, e)
			}
		})
}

// flush returns when everything that was sent is acknowledged or given up by the client, or with the error of ctx.
func (g *generator) flush(ctx context.Context) error { return g.client.Flush(ctx) }

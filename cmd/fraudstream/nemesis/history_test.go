package nemesis

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// outcomes are the topics of a history.
var outcomes = outputs{decisions: "decisions", letters: "letters", alerts: "alerts", state: "drift-state"}

// historyBook has four events acknowledged in partition 0, of which the one at offset 2 is poison.
func historyBook() *Book {
	b := newBook()
	for offset := range int64(4) {
		e := event{poison: offset == 2, id: digest(historyID(offset)), value: digest(historyValue(offset))}
		b.try(e)
		b.ack(0, offset, e)
	}
	return b
}

func historyID(offset int64) []byte    { return fmt.Appendf(nil, "tx-%d", offset) }
func historyValue(offset int64) []byte { return fmt.Appendf(nil, "value of %d", offset) }

// decided is the decision on the event at an offset, as the service writes it, with its own place in the output.
func decided(offset, at int64) *kgo.Record {
	return &kgo.Record{Topic: outcomes.decisions, Offset: at, Value: fmt.Appendf(nil,
		`{"decision_id":"%s/0/%d","transaction_id":"tx-%d","score":0.25,"source":{"topic":"%s","partition":0,"offset":%d}}`,
		input, offset, offset, input, offset)}
}

// refusedAt is the dead letter of the event at an offset.
func refusedAt(offset, at int64) *kgo.Record {
	return &kgo.Record{Topic: outcomes.letters, Offset: at, Value: historyValue(offset), Headers: []kgo.RecordHeader{
		{Key: "__connect.errors.topic", Value: []byte(input)},
		{Key: "__connect.errors.partition", Value: []byte("0")},
		{Key: "__connect.errors.offset", Value: fmt.Appendf(nil, "%d", offset)},
		{Key: "fraudstream.error.code", Value: []byte("not_json")},
	}}
}

// rightHistory answers each event once and in order.
func rightHistory() []*kgo.Record {
	return []*kgo.Record{decided(0, 0), decided(1, 1), refusedAt(2, 0), decided(3, 3)}
}

// verdictOn is what the ledger holds of a history when all of it is read and what is missing is given up.
func verdictOn(history []*kgo.Record) Tally {
	w := &witness{ledger: newLedger(historyBook()), input: input, topics: outcomes, next: map[lane]int64{}, counts: map[string]int{}, known: map[string]bool{}}
	for _, r := range history {
		w.see(r)
	}
	w.ledger.writeOff(w.ledger.Missing(map[int32]int64{0: 4}), false)
	verdict, _ := w.ledger.of(0)
	return verdict
}

// Each history is one step from the right one, and the witness finds that step and nothing else.
func TestWitnessFindsWhatIsWrong(t *testing.T) {
	if got := verdictOn(rightHistory()); got != (Tally{}) || got.broken(true) != "" {
		t.Fatalf("the right history is held to be wrong: %+v", got)
	}
	for _, c := range []struct {
		name   string
		change func([]*kgo.Record) []*kgo.Record
		want   Tally
		said   string // of a service with exactly-once delivery
	}{
		{"a record is read twice, since the client went back", func(h []*kgo.Record) []*kgo.Record { return append(h, h[0]) }, Tally{}, ""},
		{"a decision is missing", func(h []*kgo.Record) []*kgo.Record { return slices.Delete(h, 1, 2) }, Tally{Lost: 1}, " lost=1"},
		{"the last one is missing", func(h []*kgo.Record) []*kgo.Record { return h[:3] }, Tally{Lost: 1}, " lost=1"},
		{"a dead letter is missing", func(h []*kgo.Record) []*kgo.Record { return slices.Delete(h, 2, 3) }, Tally{Lost: 1}, " lost=1"},
		{
			"a decision is there twice", func(h []*kgo.Record) []*kgo.Record { return append(h, decided(3, 4)) },
			Tally{Duplicated: 1},
			" duplicated=1",
		},
		{
			"a dead letter is there twice", func(h []*kgo.Record) []*kgo.Record { return append(h, refusedAt(2, 1)) },
			Tally{Duplicated: 1},
			" duplicated=1",
		},
		{
			"a decision is there twice, in two partitions", func(h []*kgo.Record) []*kgo.Record {
				r := decided(3, 0)
				r.Partition = 1
				return append(h, r)
			},
			Tally{Duplicated: 1, Misplaced: 1},
			" misplaced=1 duplicated=1",
		},
		{
			"a decision is in another partition than its event", func(h []*kgo.Record) []*kgo.Record {
				h[3].Partition = 1
				return h
			},
			Tally{Misplaced: 1},
			" misplaced=1",
		},
		{
			"a dead letter is in another partition than its event", func(h []*kgo.Record) []*kgo.Record {
				h[2].Partition = 1
				return h
			},
			Tally{Misplaced: 1},
			" misplaced=1",
		},
		{
			"the second one has another key", func(h []*kgo.Record) []*kgo.Record {
				r := decided(3, 4)
				r.Key = []byte("card")
				return append(h, r)
			},
			Tally{Duplicated: 1, Different: 1},
			" different=1 duplicated=1",
		},
		{
			"the second one differs by a byte", func(h []*kgo.Record) []*kgo.Record {
				r := decided(3, 4)
				r.Value = slices.Concat(r.Value[:len(r.Value)-1], []byte(" }"))
				return append(h, r)
			},
			Tally{Duplicated: 1, Different: 1},
			" different=1 duplicated=1",
		},
		{
			"the second letter names another fault", func(h []*kgo.Record) []*kgo.Record {
				r := refusedAt(2, 1)
				r.Headers[3].Value = []byte("too_deep")
				return append(h, r)
			},
			Tally{Duplicated: 1, Different: 1},
			" different=1 duplicated=1",
		},
		{
			"two decisions have changed places", func(h []*kgo.Record) []*kgo.Record {
				return []*kgo.Record{decided(1, 0), decided(0, 1), h[2], h[3]}
			},
			Tally{Disordered: 1},
			" disordered=1",
		},
		{
			"an event is decided that nobody sent", func(h []*kgo.Record) []*kgo.Record { return append(h, decided(4, 4)) },
			Tally{Phantoms: 1},
			" phantoms=1",
		},
		{
			"a decision names another transaction than stands there", func(h []*kgo.Record) []*kgo.Record {
				h[1].Value = []byte(`{"decision_id":"` + input + `/0/1","transaction_id":"tx-3","source":{"topic":"` + input + `","partition":0,"offset":1}}`)
				return h
			},
			Tally{Phantoms: 1},
			" phantoms=1",
		},
		{
			"a decision's id is not that of its source", func(h []*kgo.Record) []*kgo.Record {
				return append(h, &kgo.Record{Topic: outcomes.decisions, Offset: 4, Value: []byte(
					`{"decision_id":"` + input + `/0/2","transaction_id":"tx-3","source":{"topic":"` + input + `","partition":0,"offset":3}}`)})
			},
			Tally{Phantoms: 1},
			" phantoms=1",
		},
		{
			"a decision is on an event of another topic", func(h []*kgo.Record) []*kgo.Record {
				return append(h, &kgo.Record{Topic: outcomes.decisions, Offset: 4, Value: []byte(
					`{"decision_id":"` + input + `/0/3","transaction_id":"tx-3","source":{"topic":"other","partition":0,"offset":3}}`)})
			},
			Tally{Phantoms: 1},
			" phantoms=1",
		},
		{
			"a dead letter is of another topic", func(h []*kgo.Record) []*kgo.Record {
				r := refusedAt(2, 1)
				r.Headers[0].Value = []byte("other")
				return append(h, r)
			},
			Tally{Phantoms: 1},
			" phantoms=1",
		},
		{
			"a decision is no JSON", func(h []*kgo.Record) []*kgo.Record {
				return append(h, &kgo.Record{Topic: outcomes.decisions, Offset: 4, Value: []byte("{")})
			},
			Tally{Phantoms: 1},
			" phantoms=1",
		},
		{
			"a dead letter does not say where it is from", func(h []*kgo.Record) []*kgo.Record {
				h[2].Headers = h[2].Headers[:2]
				return h
			},
			Tally{Phantoms: 1, Lost: 1},
			" lost=1 phantoms=1",
		},
		{
			"a dead letter holds another value than was sent", func(h []*kgo.Record) []*kgo.Record {
				h[2].Value = []byte("value of 3")
				return h
			},
			Tally{Phantoms: 1},
			" phantoms=1",
		},
		{
			"a decided event is a dead letter, too", func(h []*kgo.Record) []*kgo.Record { return append(h, refusedAt(3, 1)) },
			Tally{Phantoms: 1, Duplicated: 1, Both: 1, Different: 1},
			" phantoms=1 both=1 different=1 duplicated=1",
		},
		{
			"poison is decided beside its dead letter", func(h []*kgo.Record) []*kgo.Record { return append(h, decided(2, 4)) },
			Tally{Phantoms: 1, Duplicated: 1, Both: 1, Different: 1},
			" phantoms=1 both=1 different=1 duplicated=1",
		},
	} {
		got := verdictOn(c.change(rightHistory()))
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
		if said := got.broken(true); said != c.said {
			t.Errorf("%s: it says%q, want%q", c.name, said, c.said)
		}
	}
}

// While an output has more partitions than the input, an answer may stand where the hash of its key says, and nowhere else.
func TestAnswersGoByTheKey(t *testing.T) {
	w := &witness{}
	// Apache Kafka's own tests have -973932308 for "21". Without its sign that is 1173551340, which leaves 3 when divided by 7.
	for _, c := range []struct {
		partition, from int32
		key             string
		divided         int32 // partitions of the output; 0: as many as the input has
		astray          bool
	}{
		{2, 2, "21", 0, false}, {3, 2, "21", 0, true}, {2, 2, "21", 7, false}, {3, 2, "21", 7, false}, {4, 2, "21", 7, true}, {3, 2, "", 7, true},
	} {
		w.mayGoByKey(c.divided)
		r := &kgo.Record{Partition: c.partition}
		if c.key != "" {
			r.Key = []byte(c.key)
		}
		if got := w.astray(r, c.from); got != c.astray {
			t.Errorf("%+v: astray is %v", c, got)
		}
	}
}

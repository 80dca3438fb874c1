package scoring

import (
	"fmt"
	"slices"
	"testing"
)

// mixedEvents has decided, skipped and refused events of every code that an event can have.
func mixedEvents() []Event {
	events := make([]Event, 0, 64)
	for i, value := range []string{
		with(`"amount":0.5,"country":"GB","transaction_id":"t-1","event_time":"2026-11-22T10:15:00.5+01:00"`),
		with(`"country":"\u0047\u0042","mcc":5411,"chip":true`), with(`"mixed":"1","flag":true,"text":"12.50"`),
		"", "{", "{\"a\":\"\xff\"}", `{"a":1,"a":2}`, `{"b":1,"\u0062":2}`, with(`"z":1e999`), with(`"amount":1e999`), with(`"amount":"x"`),
		with(`"needed":null`), with(`"amount":13`), with(`"amount":14`), with(`"amount":15`), `[]`, with(`"event_time":"no"`),
		with(`"transaction_id":{}`), with(`"mti":"0400"`), with(`"text":"1e999"`), with(`"text":"x"`), with(`"kafka":"!"`),
		with(`"text":"9007199254740993.00000000000000000000000000000000000001"`), with(`"kafka":"B88="`),
		"[" + `[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[`, keysJSON(1100),
	} {
		events = append(events, Event{Value: []byte(value), Timestamp: 1000, Origin: Origin{Topic: "t", Offset: int64(i)}})
	}
	return events
}

var mixedMapping = Mapping{
	Where: &Where{Path: "mti", In: []any{nil, "0100"}},
	Fields: map[string]Field{
		"single": {Path: "text", Type: "decimal", Scale: 2},
		"none":   {Default: "x"},
		"flag":   {Path: "pos[1].flag", Default: 1},
		"chip":   {Type: "bool_text"},
		"mcc":    {Path: "kafka", Type: "debezium_decimal"},
	},
}

func TestNoAllocation(t *testing.T) {
	s := newProbeScorer(t, mixedMapping)
	events := mixedEvents()
	batch := s.NewBatch(len(events))
	var out []byte
	codes := map[Code]bool{}
	run := func() {
		batch.Events = append(batch.Events[:0], events...)
		s.Score(batch)
		out = out[:0]
		for i := range batch.Results {
			if r := &batch.Results[i]; r.Outcome == Decided {
				out = r.Decision.AppendID(r.Decision.AppendJSON(out))
			}
		}
	}
	run() // the scratch grows to the largest event
	for i := range batch.Results {
		codes[batch.Results[i].Err.Code] = true
	}
	if len(codes) != 12 { // the empty code, and all but those of the output and of schemas
		t.Errorf("the events have only the codes %v", codes)
	}
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations in a batch of %d events", n, len(events))
	}

	names := cardNames()
	cards := newTestScorer(t, newLogistic(t, names), numericSpecs(names), Mapping{})
	cardBatch := cards.NewBatch(64)
	cardBatch.Events = append(cardBatch.Events, cardEvents(64)...)
	if n := testing.AllocsPerRun(20, func() {
		cards.Score(cardBatch)
		out = out[:0]
		for i := range cardBatch.Results {
			out = cardBatch.Results[i].Decision.AppendJSON(out)
		}
	}); n != 0 {
		t.Errorf("%v allocations in a batch of card payments", n)
	}
}

// Neighbours do not matter: a batch gives for each event what the event alone gives, however it is cut.
func TestBatchEqualsSingleEvents(t *testing.T) {
	s := newProbeScorer(t, mixedMapping)
	var events []Event
	for len(events) < 3*maxFrame+17 {
		events = append(events, mixedEvents()...)
	}
	describe := func(r *Result) string {
		line := fmt.Sprintf("%d %v %d %d %v", r.Outcome, r.Err, r.Feature, r.Time, r.X)
		if r.Outcome == Decided {
			line += string(r.Decision.AppendJSON(nil))
		}
		return line
	}
	var want []string
	for _, e := range events {
		single := s.NewBatch(1)
		single.Events = append(single.Events, e)
		s.Score(single)
		want = append(want, describe(&single.Results[0]))
	}
	for _, rows := range []int{1, 7, maxFrame, len(events)} {
		batch := s.NewBatch(rows)
		for range 2 {
			batch.Events = append(batch.Events[:0], events...)
			s.Score(batch)
			var got []string
			for i := range batch.Results {
				got = append(got, describe(&batch.Results[i]))
			}
			if !slices.Equal(got, want) {
				t.Fatalf("a batch made for %d rows differs", rows)
			}
		}
	}
}

// An absent field and a null one are both missing to the pipeline, and are counted apart.
func TestMissingFieldsAreCounted(t *testing.T) {
	s := newProbeScorer(t, Mapping{
		Where: &Where{Path: "skip", In: []any{nil}},
		Fields: map[string]Field{
			"amount": {Default: 1.0}, "single": {Path: "card.single"}, "needed": {Absent: "reject"},
		},
	})
	batch := s.NewBatch(8)
	for _, value := range []string{
		`{"amount":null,"card":{"single":1},"needed":1}`,
		`{"card":{"single":null},"needed":1}`,
		`{"card":null,"needed":null}`,
		`{"amount":"x","card":{},"country":"GB"}`,
		`{"skip":1}`,
		`{"amount":`,
	} {
		batch.Events = append(batch.Events, Event{Value: []byte(value), Origin: Origin{Row: 1}})
	}
	for range 2 { // the counts are of the last call alone
		s.Score(batch)
		want := map[string]Missing{"amount": {2, 1}, "single": {2, 1}, "needed": {1, 1}, "country": {3, 0}}
		for i := range s.Program.Columns {
			name := s.Program.Columns[i].Name
			if w, ok := want[name]; ok && batch.Missing[i] != w {
				t.Errorf("%s: %+v, want %+v", name, batch.Missing[i], w)
			}
		}
	}
}

func TestBatchFollowsTheModel(t *testing.T) {
	first := newProbeScorer(t, Mapping{})
	second := newTestScorer(t, newLogistic(t, []string{"needed"}), numericSpecs([]string{"needed"}), Mapping{})
	batch := first.NewBatch(2)
	for _, s := range []*Scorer{first, second, first} {
		batch.Events = append(batch.Events[:0], Event{Value: []byte(with(`"amount":0.5`)), Origin: Origin{Row: 1}})
		s.Score(batch)
		if r := &batch.Results[0]; r.Outcome != Decided || len(r.X) != len(s.Program.Columns) {
			t.Errorf("%+v, x %v", r.Err, r.X)
		}
		batch.Events = batch.Events[:0]
		if s.Score(batch); len(batch.Results) != 0 {
			t.Errorf("an empty batch has %d results", len(batch.Results))
		}
	}
}

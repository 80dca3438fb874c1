package scoring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// propertyModels are models of every make: linear, trees, boosters, neighbours of categories, missing values, a
// derived feature; with thresholds and without.
var propertyModels = []string{
	"refuse/bundle-control", "saved/derived", "saved/forest", "saved/words", "saved/outliers",
	"fixtures/ct-onehot-nan-logreg-sk1.8.0", "fixtures/ct-ordinal-rf-sk1.8.0", "fixtures/ct-hgb-native-sk1.8.0",
	"fixtures/ct-targetencoder-sk1.9.1", "fixtures/ct-xgb-xgb3.1.3-sk1.7.2", "fixtures/lgbm-category-dtype-lgbm4.7.0-sk1.9.1",
	"fixtures/stacking-sk1.9.1", "fixtures/calib-isotonic-cv-sk1.9.1", "fixtures/catboost-json-cb1.2.10-sk1.7.2",
}

// A field is one member of an event.
type field struct {
	name  string
	value jsontext.Value
}

// A propertyModel is a model with the events of its golden rows, taken apart.
type propertyModel struct {
	*Scorer
	events [][]field
}

// eachProperty checks a property of several models, each through the whole corridor.
func eachProperty(t *testing.T, property func(*rapid.T, *propertyModel)) {
	for _, name := range propertyModels {
		t.Run(filepath.Base(name), func(t *testing.T) {
			m := openPropertyModel(t, filepath.Join("testdata", name))
			rapid.Check(t, func(r *rapid.T) { property(r, m) })
		})
	}
}

func openPropertyModel(t *testing.T, path string) *propertyModel {
	s, err := Load(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	golden, err := GoldenEvents(path)
	if err != nil || len(golden) == 0 {
		t.Fatalf("%d golden events (%v)", len(golden), err)
	}
	m := &propertyModel{Scorer: s}
	for i, event := range golden {
		fields := []field{{"transaction_id", fmt.Appendf(nil, "%d", i)}}
		d := jsontext.NewDecoder(bytes.NewReader(event))
		_, err := d.ReadToken()
		for err == nil && d.PeekKind() != '}' {
			var name jsontext.Token
			var value jsontext.Value
			if name, err = d.ReadToken(); err == nil {
				f := field{name: name.String()}
				value, err = d.ReadValue()
				f.value = slices.Clone(value)
				fields = append(fields, f)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		m.events = append(m.events, fields)
	}
	return m
}

// draw is one of the events; now and then with a fault, which must then be the same fault everywhere.
func (m *propertyModel) draw(r *rapid.T) []field {
	fields := slices.Clone(rapid.SampledFrom(m.events).Draw(r, "event"))
	if rapid.IntRange(0, 9).Draw(r, "fault") == 0 {
		at := rapid.IntRange(1, len(fields)-1).Draw(r, "field")
		fields[at].value = rapid.SampledFrom([]jsontext.Value{
			jsontext.Value(`null`), jsontext.Value(`{}`), jsontext.Value(`"?"`), jsontext.Value(`-1e300`), jsontext.Value(`true`),
		}).Draw(r, "value")
	}
	return fields
}

// writeEvent is the event as JSON, with its fields in the given order.
func writeEvent(fields []field) []byte {
	event := []byte{'{'}
	for i, f := range fields {
		if i > 0 {
			event = append(event, ',')
		}
		event = append(appendString(event, f.name), ':')
		event = append(event, f.value...)
	}
	return append(event, '}')
}

// say scores events in batches of at most size and returns what comes of each: the bytes of its decision, or its error.
func (m *propertyModel) say(size int, events ...[]byte) []string {
	var said []string
	b := m.NewBatch(size)
	for first := 0; first < len(events); first += size {
		b.Events = b.Events[:0]
		for i, event := range events[first:min(first+size, len(events))] {
			b.Events = append(b.Events, Event{Value: event, Timestamp: 1_795_342_500_000, Origin: Origin{Row: int64(first + i + 1)}})
		}
		m.Score(b)
		for i := range b.Results {
			if r := &b.Results[i]; r.Outcome == Decided {
				said = append(said, string(r.Decision.AppendJSON(nil)))
			} else {
				said = append(said, fmt.Sprint(r.Outcome, r.Err.Error(), r.Feature))
			}
		}
	}
	return said
}

// sayAlike holds that two events give the same bytes, first of their batch or after one another: a scanner remembers the
// fields of the event before.
func (m *propertyModel) sayAlike(r *rapid.T, one, other []byte) {
	before, after := m.say(1, one, one, one, one), m.say(1, other, one, other, other)
	for i := range before {
		if before[i] != after[i] {
			r.Fatalf("as number %d of its batch\n%s\nsays %s\n%s\nsays %s", i+1, one, before[i], other, after[i])
		}
	}
}

// An event may carry any other fields, wherever they stand and whatever they hold: the decision has the same bytes.
func TestPropertyUnrelatedColumns(t *testing.T) {
	name := rapid.StringMatching(`[a-z_.é]{1,12}`)
	eachProperty(t, func(r *rapid.T, m *propertyModel) {
		fields := m.draw(r)
		taken := map[string]bool{"event_time": true}
		for _, f := range fields {
			taken[f.name] = true
		}
		more := slices.Clone(fields)
		for range rapid.IntRange(1, 6).Draw(r, "unrelated") {
			n := name.Filter(func(s string) bool { return !taken[s] }).Draw(r, "name")
			taken[n] = true
			more = slices.Insert(more, rapid.IntRange(0, len(more)).Draw(r, "place"), field{n, unrelated(r)})
		}
		m.sayAlike(r, writeEvent(fields), writeEvent(more))
	})
}

// unrelated is a value of any type: a field that has nothing to do with the model may hold what would be wrong there.
func unrelated(r *rapid.T) jsontext.Value {
	number := rapid.Float64Range(-1e12, 1e12).Draw(r, "number")
	text := rapid.String().Draw(r, "text")
	value, err := json.Marshal(rapid.SampledFrom([]any{
		nil, true, number, text, []any{number, text, nil}, map[string]any{"amount": number, "x": []any{text}},
	}).Draw(r, "unrelated value"))
	if err != nil {
		r.Fatal(err)
	}
	return value
}

// The order of the fields of an event says nothing.
func TestPropertyFieldOrder(t *testing.T) {
	eachProperty(t, func(r *rapid.T, m *propertyModel) {
		fields := m.draw(r)
		order := rapid.Permutation(fields).Draw(r, "order")
		m.sayAlike(r, writeEvent(fields), writeEvent(order))
	})
}

// What is scored together has no influence on each other: events say the same alone and in batches of any size.
func TestPropertyBatchSize(t *testing.T) {
	eachProperty(t, func(r *rapid.T, m *propertyModel) {
		var events [][]byte
		for range rapid.IntRange(2, 40).Draw(r, "events") {
			events = append(events, writeEvent(m.draw(r)))
		}
		size := rapid.IntRange(2, 50).Draw(r, "size")
		alone, together := m.say(1, events...), m.say(size, events...)
		for i := range events {
			if alone[i] != together[i] {
				r.Fatalf("event %d in batches of %d: %s\nalone says    %s\ntogether says %s", i, size, events[i], alone[i], together[i])
			}
		}
	})
}

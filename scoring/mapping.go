package scoring

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Mapping tells where in an event the id, the time and the features are (contract cli.md, "event"). A feature
// without an entry in Fields is the field of its own name, whatever characters that has.
//
// A stream whose events have nested objects, amounts as text and times as numbers may read
//
//	id: {path: payment.id}
//	time: {path: payment.at, type: epoch_ms}
//	where: {path: type, in: [authorisation]}
//	fields:
//	  amount: {path: payment.amount, type: integer_text, scale: 2}
//	  country: {path: card.issuer.country, default: GB}
//
// and every feature that is not listed is still the field of its own name. With the formats cloudevents and debezium,
// paths begin in the data of the CloudEvent, or in the row. The YAML names are part of the
// configuration's format.
type Mapping struct {
	Format string           `yaml:"format"` // json (default), cloudevents, debezium
	ID     Field            `yaml:"id"`
	Time   TimeField        `yaml:"time"`
	Where  *Where           `yaml:"where"`
	Fields map[string]Field `yaml:"fields"`
}

// Field is where and how one value is read. Of Mapping.ID only Path counts.
//
// The text types say what is inside of the quotes: decimal a number with sign, fraction and exponent;
// integer_text a sign and digits alone; bool_text one of the words of Map; debezium_decimal the base64 of a
// big-endian two's complement number, as change-data-capture connectors write a DECIMAL column. A value of any
// other JSON type is wrong_type: nothing is converted because it could be.
type Field struct {
	Path    string          `yaml:"path"`
	Type    string          `yaml:"type"`    // json (default), decimal, integer_text, bool_text, debezium_decimal
	Scale   int             `yaml:"scale"`   // divides a text or debezium_decimal by 10^scale
	Default any             `yaml:"default"` // for an absent or null field: string, number or bool as the feature takes it
	Absent  string          `yaml:"absent"`  // null (default): an absent field is a null one; reject: it is missing_field
	Map     map[string]bool `yaml:"map"`     // of bool_text; empty: true and false
}

// TimeField is where the event time is. The layout is one of Go's, written as the reference time would be:
// 02/01/2006 15:04. A time without a zone is UTC.
type TimeField struct {
	Path   string `yaml:"path"`
	Type   string `yaml:"type"` // rfc3339 (default), layout; of a number, with or without a fraction: epoch_s, epoch_ms, epoch_us
	Layout string `yaml:"layout"`
}

// Where selects the events that are scored: those whose value at Path equals one of In, in type and value. A nil
// stands for null and for an absent field. An event that is left out is Skipped: it gets neither a decision nor
// an error.
type Where struct {
	Path string `yaml:"path"`
	In   []any  `yaml:"in"`
}

// moves tells whether the mapping reads anything but the fields by their own names. A mapping that moves
// nothing needs no second schema for golden events.
func (m *Mapping) moves() bool {
	return m.Format != "" && m.Format != formatJSON || len(m.Fields) > 0 || m.Where != nil || m.ID.Path != "" || m.Time != (TimeField{})
}

// The paths of id and time that hold where the mapping names none.
const (
	defaultID   = "transaction_id"
	defaultTime = "event_time"
)

// maxScale bounds a scale: beyond, every number is zero or infinite.
const maxScale = 400

// compileField compiles everything of an entry but its path. Everything that can be wrong in a configuration is
// found here, before the first event: each error names the key.
func compileField(col column, field Field) (feature, error) {
	f := feature{column: col, scale: field.Scale}
	gives := texts | numbers | booleans
	switch field.Type {
	case "", "json":
	case "decimal":
		f.reading, gives = asDecimal, numbers
	case "integer_text":
		f.reading, gives = asIntegerText, numbers
	case "debezium_decimal":
		f.reading, gives = asDebeziumDecimal, numbers
	case "bool_text":
		f.reading, gives = asBoolText, booleans
	default:
		return f, fmt.Errorf("type: %q is none of json, decimal, integer_text, bool_text, debezium_decimal", field.Type)
	}
	if col.takes&gives == 0 {
		return f, fmt.Errorf("type: %s gives %s, and the pipeline takes %s", field.Type, gives, col.takes)
	}
	if field.Scale != 0 && gives != numbers {
		return f, errors.New("scale: only decimal, integer_text and debezium_decimal have one; set type")
	}
	if field.Scale < -maxScale || field.Scale > maxScale {
		return f, fmt.Errorf("scale: %d is beyond %d", field.Scale, maxScale)
	}
	if len(field.Map) > 0 && f.reading != asBoolText {
		return f, errors.New("map: only bool_text has one; set type")
	}
	if f.reading == asBoolText {
		f.words = boolWords(field.Map)
	}
	switch field.Absent {
	case "", "null":
	case "reject":
		f.absentRejected = true
	default:
		return f, fmt.Errorf("absent: %q is neither null nor reject", field.Absent)
	}
	if field.Default != nil {
		value, code := col.constant(field.Default)
		if code != "" {
			return f, fmt.Errorf("default: %v is %s; the pipeline takes %s", field.Default, code, col.takes)
		}
		f.hasDefault, f.standIn = true, value
	}
	f.plain = f.reading == asJSON && col.takes == numbers && col.dictionary == nil && !col.single
	f.needs = f.describe()
	return f, nil
}

// boolWords gives 1 to the words that mean false and 2 to those that mean true; 0 is left for words unknown.
// They are compared letter by letter: "True" is another word than "true".
func boolWords(words map[string]bool) (table keyTable) {
	if len(words) == 0 {
		words = map[string]bool{"true": true, "false": false}
	}
	for word, truth := range words {
		value := int32(1)
		if truth {
			value = 2
		}
		table.insert(word, value)
	}
	return table
}

// compileClock compiles everything of the time but its path. A layout without a single element of the reference
// time would take one constant text for a time; such a layout is refused.
func compileClock(t TimeField) (clock, error) {
	c := clock{path: t.Path}
	if c.path == "" {
		c.path = defaultTime
	}
	switch t.Type {
	case "", "rfc3339":
	case "epoch_s", "epoch_ms", "epoch_us":
		c.digits = epochDigits(t.Type)
	case "layout":
		c.layout = t.Layout
		if now := time.Unix(1e9, 0).UTC(); t.Layout == "" || now.Format(t.Layout) == t.Layout {
			return c, fmt.Errorf("event.time.layout: %q writes no time; use Go's reference time, such as 2006-01-02 15:04:05", t.Layout)
		}
	default:
		return c, fmt.Errorf("event.time.type: %q is none of rfc3339, epoch_s, epoch_ms, epoch_us, layout", t.Type)
	}
	if t.Layout != "" && t.Type != "layout" {
		return c, errors.New("event.time.layout: set type to layout")
	}
	return c, nil
}

// epochDigits are the digits of a nanosecond after a unit of time.
func epochDigits(unit string) int {
	switch unit {
	case "epoch_s":
		return 9
	case "epoch_ms":
		return 6
	default:
		return 3
	}
}

// compileFieldClock compiles the entry of a field that is a time, and no feature, for features to be computed
// from. Its path is resolved like that of any other field.
func compileFieldClock(field Field) (c clock, err error) {
	if field.Scale != 0 || field.Default != nil || field.Absent != "" || len(field.Map) > 0 {
		return c, errors.New("path: a time has a path and a type, and nothing else")
	}
	switch field.Type {
	case "", "rfc3339":
	case "epoch_s", "epoch_ms", "epoch_us":
		c.digits = epochDigits(field.Type)
	default:
		return c, fmt.Errorf("type: %q is none of rfc3339, epoch_s, epoch_ms, epoch_us; the field is a time", field.Type)
	}
	return c, nil
}

// A filter is a compiled Where. Each JSON type has its own set, so that one look decides.
type filter struct {
	slot    int32
	names   keyTable
	numbers []float64
	bools   [2]bool
	null    bool
}

// compileFilter compiles everything of a Where but its path. A text that is listed twice is taken once; the
// table holds no name twice.
func compileFilter(w Where) (*filter, error) {
	f := new(filter)
	if len(w.In) == 0 {
		return nil, errors.New("event.where.in: no values")
	}
	for _, v := range w.In {
		switch v := v.(type) {
		case nil:
			f.null = true
		case string:
			if f.names.lookup([]byte(v), hashKey([]byte(v))) == 0 {
				f.names.insert(v, 1)
			}
		case bool:
			f.bools[oneIf(v)] = true
		default:
			n, ok := asFloat(v)
			if !ok {
				return nil, fmt.Errorf("event.where.in: %v is no string, number or boolean", v)
			}
			f.numbers = append(f.numbers, n)
		}
	}
	return f, nil
}

// admits reports whether the event with this token is to be scored. Types are not mixed: the text "7" is not 7.
func (f *filter) admits(s *scanner, t *token) bool {
	switch t.kind {
	case absent, null:
		return f.null
	case text:
		body := s.body(t)
		return f.names.lookup(body, hashKey(body)) != 0
	case number:
		return slices.Contains(f.numbers, t.number)
	case truth:
		return f.bools[1]
	case falsity:
		return f.bools[0]
	default:
		return false
	}
}

// oneIf indexes a pair by a condition.
func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// unknownField says which entry of the mapping names no feature, and which one may be meant. A name that
// differs in nothing but upper and lower case is the commonest slip, and the only one that is guessed at.
func unknownField(name string, features []string) error {
	for _, f := range features {
		if strings.EqualFold(f, name) {
			return fmt.Errorf("event.fields.%s: no such feature; did you mean %s?", name, f)
		}
	}
	return fmt.Errorf("event.fields.%s: the model has no such feature", name)
}

// Package deadletter is what a dead letter looks like: the record of an event that could not be scored.
//
// A dead letter tells what was wrong with an event and where the event came from, in headers: Kafka Connect's names,
// as text, so that the tools that know them work, and two of our own with what is stable across versions. [Parse] reads
// them back, [Filter] picks letters, and [Progress] remembers which of them have been replayed. The package knows
// records and no brokers; reading and writing topics is for the consumer.
//
// # What a letter holds of its event
//
// Whoever may read the dead letters of a payment stream reads card numbers, so the [Mode] says how much of the event
// goes there:
//
//   - [Raw]: key, value and headers as they came. Nothing else is needed to replay the letter, and the topic wants the
//     access rules and the retention of the input.
//   - [Redacted]: the shape of key and value. Every letter is an x, every digit a 9 and every boolean false, but in the
//     fields that are allowed by name; names, null, punctuation and lengths stay. One sees that a number came as text,
//     that a date was written the other way round or where the JSON ends too early, and not whose payment it was.
//   - [Reference]: neither key nor value, only where the event is.
//
// Of the event's headers the last two keep a well-formed traceparent and the media type: any other may hold what the value
// may not show.
//
// Letters of the last two kinds are replayed from the input topic, as long as it still has the event.
//
// # Why progress is a set of ranges
//
// A replay may be for one code, from a certain hour on, or for one partition, and may be killed at any time. A single
// offset cannot say what has been replayed then. Ranges of offsets per code can: a replay adds one range for each code
// that it was asked for, so the text is as short as the history of commands, however many letters there are.
package deadletter

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fraudstream/consumer/recordbatch"
)

// The headers of a dead letter: Kafka Connect's.
const (
	connectPrefix   = "__connect.errors."
	HeaderTopic     = connectPrefix + "topic"
	HeaderPartition = connectPrefix + "partition"
	HeaderOffset    = connectPrefix + "offset"
	HeaderConnector = connectPrefix + "connector.name"
	HeaderTask      = connectPrefix + "task.id"
	HeaderStage     = connectPrefix + "stage"
	HeaderClass     = connectPrefix + "class.name"
	HeaderException = connectPrefix + "exception.class.name"
	HeaderMessage   = connectPrefix + "exception.message"
)

// And our own. HeaderValue is there only where the value is not the event's: redacted or omitted.
const (
	ownPrefix   = "fraudstream.error."
	HeaderCode  = ownPrefix + "code"
	HeaderField = ownPrefix + "field"
	HeaderValue = ownPrefix + "value"

	// HeaderTimestamp is the record timestamp of the event, Unix milliseconds: where an event has no time of its own,
	// it is its time, and a replay must not change it.
	HeaderTimestamp = ownPrefix + "timestamp"
)

// IsErrorHeader tells whether a header belongs to the letter and not to the event.
func IsErrorHeader(key []byte) bool {
	return strings.HasPrefix(string(key), connectPrefix) || strings.HasPrefix(string(key), ownPrefix)
}

// Mode is how much of an event its letter holds.
type Mode uint8

// The modes; the package comment says what they mean.
const (
	Raw Mode = iota
	Redacted
	Reference
)

func modes() []string { return []string{"raw", "redacted", "reference"} }

// String is the mode's name in the configuration.
func (m Mode) String() string { return modes()[m] }

// MarshalText is for JSON and YAML.
func (m Mode) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads the name.
func (m *Mode) UnmarshalText(text []byte) error {
	for i, name := range modes() {
		if name == string(text) {
			*m = Mode(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no mode of dead letters: give raw, redacted or reference", text)
}

// HeaderText is what HeaderValue says of a letter in this mode; empty for Raw.
func (m Mode) HeaderText() string { return [...]string{"", "redacted", "omitted"}[m] }

// Letter is one dead letter.
type Letter struct {
	Partition int32     `json:"partition"` // of the dead-letter topic
	Offset    int64     `json:"offset"`
	Time      time.Time `json:"time"` // when it was written
	Code      string    `json:"code"`
	Field     string    `json:"field,omitempty"`
	Message   string    `json:"message"`
	Source    Source    `json:"source"`
	Mode      Mode      `json:"mode"`
	Stamp     int64     `json:"-"` // the event's record timestamp, Unix milliseconds; 0: not told

	Key     []byte              `json:"-"`
	Value   []byte              `json:"-"`
	Headers recordbatch.Headers `json:"-"`
}

// Source is where the event stands that the letter is about. Partition is -1 where the headers do not tell.
type Source struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// Known tells whether the headers say where the event stands.
func (s Source) Known() bool { return s.Topic != "" && s.Partition >= 0 && s.Offset >= 0 }

func (s Source) String() string {
	if !s.Known() {
		return "?"
	}
	return fmt.Sprintf("%s/%d/%d", s.Topic, s.Partition, s.Offset)
}

// Parse reads a record of a dead-letter topic. Key, Value and Headers are views of the record. A record that something
// else has written there is a letter without code.
func Parse(partition int32, r *recordbatch.Record) Letter {
	l := Letter{
		Partition: partition, Offset: r.Offset, Time: time.UnixMilli(r.Timestamp).UTC(), Source: Source{Partition: -1, Offset: -1},
		Key: r.Key, Value: r.Value, Headers: r.Headers,
	}
	for key, value := range r.Headers.All() {
		text := string(value)
		switch string(key) {
		case HeaderTopic:
			l.Source.Topic = text
		case HeaderPartition:
			if n, err := strconv.ParseInt(text, 10, 32); err == nil {
				l.Source.Partition = int32(n)
			}
		case HeaderOffset:
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				l.Source.Offset = n
			}
		case HeaderMessage:
			l.Message = text
		case HeaderCode:
			l.Code = text
		case HeaderField:
			l.Field = text
		case HeaderTimestamp:
			if n, err := strconv.ParseInt(text, 10, 64); err == nil {
				l.Stamp = n
			}
		case HeaderValue:
			l.Mode = Reference
			if text == Redacted.HeaderText() {
				l.Mode = Redacted
			}
		}
	}
	return l
}

// Filter picks letters; the zero value picks all.
type Filter struct {
	Codes        []string
	Partitions   []int32   // of the dead-letter topic
	Since, Until time.Time // when the letter was written: from Since on, before Until
	Limit        int       // at most so many; 0: all
}

// Picks tells whether a letter is wanted, as far as its code goes: partition and time are a matter of where to read.
func (f *Filter) Picks(l *Letter) bool {
	return len(f.Codes) == 0 || slices.Contains(f.Codes, l.Code)
}

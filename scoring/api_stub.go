package scoring

import "fraudstream/scoring/program"

// Mapping tells where in an event the id, the time and the features are (contract cli.md, "event").
type Mapping struct {
	ID     Field            `yaml:"id"`
	Time   TimeField        `yaml:"time"`
	Where  *Where           `yaml:"where"`
	Fields map[string]Field `yaml:"fields"`
}

// Field is where and how one value is read.
type Field struct {
	Path    string          `yaml:"path"`
	Type    string          `yaml:"type"`    // json, decimal, integer_text, bool_text, debezium_decimal
	Scale   int             `yaml:"scale"`   // divides by 10^scale
	Default any             `yaml:"default"` // string, number or bool for an absent or null field
	Absent  string          `yaml:"absent"`  // null (default) or reject
	Map     map[string]bool `yaml:"map"`     // of bool_text
}

// TimeField is where the event time is.
type TimeField struct {
	Path   string `yaml:"path"`
	Type   string `yaml:"type"` // rfc3339, epoch_s, epoch_ms, epoch_us, layout
	Layout string `yaml:"layout"`
}

// Where selects the events that are scored.
type Where struct {
	Path string `yaml:"path"`
	In   []any  `yaml:"in"`
}

// Thresholds are the cuts of a score; a nil one is not set.
type Thresholds struct {
	Review *float64 `yaml:"review" json:"review,omitempty"`
	Block  *float64 `yaml:"block" json:"block,omitempty"`
}

// An Event is one transaction to score: bytes and where they came from.
type Event struct {
	Value     []byte // JSON; a view, valid until Score returns
	Timestamp int64  // of the record, Unix milliseconds: the event time where the event has none; 0: none
	Origin    Origin
}

// Origin identifies an event. Exactly one of Topic, Row and Request is set.
type Origin struct {
	Topic     string
	Partition int32
	Offset    int64
	Row       int64  // 1-based row of a batch file
	Request   string // HTTP request id; Index is the 1-based place in it
	Index     int
}

// Code is a stable error code (contract cli.md).
type Code string

// EventError says why an event cannot be scored. Field is a feature, id or time path; Message holds no payload.
type EventError struct {
	Code    Code
	Field   string
	Message string
}

func (e *EventError) Error() string { return string(e.Code) }

// Outcome of one event.
type Outcome uint8

// Decided events have a decision, refused ones an error, skipped ones neither.
const (
	Decided Outcome = iota
	Refused
	Skipped
)

// Result is what became of one event of a batch. X is what the pipeline saw, for the monitor: NaN where missing, +Inf
// where a field was unreadable; it is nil where the value as a whole was no valid JSON. Valid until the next Score.
type Result struct {
	Outcome  Outcome
	Decision Decision
	Err      EventError
	Feature  int // index of the feature at fault; -1
	X        []float64
	Time     int64 // event time (record timestamp where the event has none), Unix nanoseconds
}

// Decision is what the service says of one event.
type Decision struct {
	Origin        Origin
	TransactionID []byte // JSON token; nil: the decision id stands in
	EventTime     int64  // Unix nanoseconds
	HasTime       bool
	Score         float64
	Class         int // index of the predicted class
	Verdict       Verdict
	IsFraud       bool

	scorer *Scorer
}

// Verdict is approve, review or block.
type Verdict uint8

// The verdicts, by rising suspicion.
const (
	Approve Verdict = iota
	Review
	Block
)

func (v Verdict) String() string { return [...]string{"approve", "review", "block"}[v] }

// AppendJSON appends the decision in the form of contract cli.md.
func (d *Decision) AppendJSON(dst []byte) []byte { return dst }

// AppendID appends the decision id: topic/partition/offset, row/N or http/REQUEST_ID/N.
func (d *Decision) AppendID(dst []byte) []byte { return dst }

// Batch is the scratch of one loop.
type Batch struct {
	Events  []Event
	Results []Result
}

// Scorer is a loaded model with its schema: immutable, shared by all loops.
type Scorer struct {
	Bundle  Bundle
	Program *program.Program
}

// NewBatch returns scratch for at most rows events.
func (s *Scorer) NewBatch(rows int) *Batch { return &Batch{} }

// Score reads, scores and decides every event of b; len(b.Results) becomes len(b.Events). It does not allocate.
func (s *Scorer) Score(b *Batch) {}

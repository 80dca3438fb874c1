package scoring

// An Event is one transaction to score: bytes and where they came from. Its bytes may be reused as soon as the
// decision on it has been written out, which holds views of them.
type Event struct {
	Value     []byte // JSON, also behind a schema registry's framing; a view, valid until its result has been used
	Timestamp int64  // of the record, Unix milliseconds: the event time where the event has none; 0: none
	Origin    Origin
	Content   Content // of headers beside the value; only the format cloudevents asks
}

// Origin identifies an event. Exactly one of Topic, Row and Request is set. Together its fields make the
// decision id, the same for each attempt at the event.
type Origin struct {
	Topic     string
	Partition int32
	Offset    int64
	Row       int64  // 1-based row of a batch file
	Request   string // HTTP request id; Index is the 1-based place in it
	Index     int
}

// Outcome of one event.
type Outcome uint8

// Decided events have a decision, refused ones an error, skipped ones neither.
const (
	Decided Outcome = iota
	Refused
	Skipped
)

// Result is what became of one event of a batch. X is what the pipeline saw, for the monitor: NaN where missing, +Inf
// where a field was unreadable; it is nil where the value as a whole was no valid JSON. Valid until the next
// Score. Decision is to be used only where Outcome is Decided, and Err only where it is Refused; X may be there
// in either case.
type Result struct {
	Outcome  Outcome
	Skip     Skip // why it is Skipped
	Decision Decision
	Err      EventError
	Feature  int // index of the feature at fault; -1
	X        []float64
	Time     int64 // event time (record timestamp where the event has none), Unix nanoseconds
}

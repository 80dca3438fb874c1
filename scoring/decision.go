package scoring

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

// AppendJSON appends the decision in the form of contract cli.md.
func (d *Decision) AppendJSON(dst []byte) []byte { return dst }

// AppendID appends the decision id: topic/partition/offset, row/N or http/REQUEST_ID/N.
func (d *Decision) AppendID(dst []byte) []byte { return dst }

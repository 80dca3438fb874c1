package consumer

import (
	"time"

	"fraudstream/scoring"
)

// Observation is what one partition's loop has seen of one event.
type Observation struct {
	Offset  int64
	Time    int64        // event time, Unix nanoseconds
	X       []float64    // a view, valid until ObserveBatch returns
	Score   float64      // NaN if refused
	Code    scoring.Code // empty if decided
	Feature int          // at fault; -1
}

// A PartitionObserver is told, batch by batch, of what one partition's loop has scored; that loop alone calls it.
//
// ObserveBatch is called once for each scored chunk, with the offset that follows it; the views die when it returns.
// CloseTick is called once a second and closes the drift interval if it is long enough. What it returns is to be
// published in the same step as the offsets, and given to Restore, before the first ObserveBatch, where the partition
// goes on; as long as no observer has anything to hand over, nothing is published and Restore is not called. Close is
// the last call: the partition has moved away.
type PartitionObserver interface {
	ObserveBatch(events []Observation, next int64)
	CloseTick(now time.Time) (snapshot []byte, alerts [][]byte)
	Restore(snapshot []byte) (next int64, err error)
	Close()
}

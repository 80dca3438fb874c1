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

	Repeated bool // decided, and counted, by an earlier owner of the partition whose monitor's state is gone

	// Of a consumer without a model: the record as it is, with its timestamp as Time. Views, as X is.
	Key, Value []byte
}

// Notes is what a monitor hands over: all of it is acknowledged by the broker before the partition's offset passes the
// events that it tells of. The zero value is nothing.
type Notes struct {
	Alerts   []Alert
	Ticks    [][]byte // what the pool is to count, one record each
	Snapshot []byte   // the monitor's state; nil: as it was
}

// Alert is one event of the alerts topic.
type Alert struct {
	ID    string // the same for a repeated alert
	Key   string // alerts of one key stay in order
	Value []byte
}

// A PartitionObserver is told, batch by batch, of what one partition's loop has scored; that loop alone calls it.
//
// Restore comes first, where the partition has left a snapshot, and says which event is to be shown next. ObserveBatch
// is called once for each scored chunk, with the offset that follows it; the views die when it returns. CloseTick is
// called after each fetched run and once a second, closes the drift interval if it is long enough, and hands over what
// has come of the intervals that have ended since the last call; where there was no snapshot it hands over one with the
// first events, so that they are not forgotten if the process dies before the first interval ends. Drain hands over the state as it is: what is shown
// from here on another member may have to see; one that was shown nothing has no state and hands over none. Close is
// the last call: the partition has moved away.
type PartitionObserver interface {
	Restore(snapshot []byte) (next int64, err error)
	ObserveBatch(events []Observation, next int64)
	CloseTick(now time.Time) Notes
	Drain() Notes
	Close()
}

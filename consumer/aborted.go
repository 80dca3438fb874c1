package consumer

import (
	"slices"

	"fraudstream/consumer/recordbatch"
)

// abortedFilter tells which fetched batches count for a reader of committed records. kafka-go filters nothing, so
// this is what keeps an upstream job's aborted transactions from being scored.
//
// The broker lists, for the range it returns, each aborted transaction with its producer and first offset. From there
// to the producer's next abort marker, its transactional batches do not count.
type abortedFilter struct {
	pending []abortedTransaction // not yet reached, by first offset
	open    map[int64]bool       // producers inside an aborted transaction
}

// newAbortedFilter takes the list of one response, which it sorts, and serves for the batches of that response alone.
func newAbortedFilter(aborted []abortedTransaction) abortedFilter {
	slices.SortFunc(aborted, func(a, b abortedTransaction) int { return int(min(max(a.first-b.first, -1), 1)) })
	return abortedFilter{pending: aborted}
}

// passes tells whether the records of b are to be scored. Batches must be shown in the order of their offsets.
func (f *abortedFilter) passes(b *recordbatch.Batch) (bool, error) {
	if b.Control() {
		return false, f.close(b)
	}
	if !b.Transactional() {
		return true, nil
	}
	f.reach(b.NextOffset())
	return !f.open[b.ProducerID], nil
}

// reach opens the transactions that began before next.
func (f *abortedFilter) reach(next int64) {
	for len(f.pending) > 0 && f.pending[0].first < next {
		if f.open == nil {
			f.open = map[int64]bool{}
		}
		f.open[f.pending[0].producer] = true
		f.pending = f.pending[1:]
	}
}

// close ends the aborted transaction of a marker's producer.
func (f *abortedFilter) close(b *recordbatch.Batch) error {
	f.reach(b.NextOffset())
	marker, err := b.Marker()
	if marker == recordbatch.AbortMarker {
		delete(f.open, b.ProducerID)
	}
	return err
}

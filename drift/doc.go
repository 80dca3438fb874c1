// Package drift watches whether live inputs still look like the training data. It sees only numbers: rows of
// float64 and the baseline counts of each column. It knows neither models nor Kafka nor Prometheus.
//
// # How a row is counted
//
// A [Monitor] holds the baseline. It hands out a [Shard] to each goroutine that scores (one per partition, one for
// the HTTP door), which counts rows without a lock:
//
//	x, score ── Observe ──▶ pending ── Flush, once a batch ──▶ total, tick ── CloseTick ──▶ recent
//	                                                             └────────────┬───────────────┘
//	                                                       Report: sums over shards, then distances
//
// Every feature has two partitions of its values. Value cells are the bins or categories of the baseline; quality
// cells are [ok, missing, outside, unseen]. A missing or infinite value is in no value cell; a finite value beyond
// the training range, or an unseen category, is in a value cell and in a quality cell.
//
// # Why a value is found by its bits
//
// The float64 values, ordered by their bits, are cut wherever the answer to "which value cell, which quality cell"
// changes: at the bin edges, just below the minimum, at the maximum, around each category, before and after the
// infinities; NaN lies beyond them. Between two cuts the answer is constant and is looked up in a table that
// NewMonitor fills from the plain definition ([Feature] says it in words). So one search without branches, the same
// for numbers and categories, replaces a dozen comparisons that the processor would mispredict, and costs a few
// nanoseconds a feature.
//
// # Why counts are published by batch
//
// An atomic store costs as much as all the rest of Observe. The owner therefore counts into memory of its own, and
// Flush adds it, under the shard's lock, to what Report reads: one uncontended lock a batch, and totals in which
// every batch is whole.
//
// # Distances show, they do not page
//
// [Compare] gives the usual distances between two histograms; [PSICut] says how far PSI strays without any drift. A
// distance of a small sample is large by chance, and the largest of fifty is larger, so none of them is an alarm.
// gonum computes the ones it has; its sharp edges are covered in gonum.go.
//
// # Ticks, and where an alarm fits
//
// A tick is a run of consecutive events of one partition: at least 10 s and at least 200 events. CloseTick is the
// one place where its counts are whole: it folds them into the recent counts, which halve every 64 ticks. A detector
// per feature and partition bets there, on the tick's counts against the counts of earlier ticks, without a look at
// another shard; and what a shard must remember over a restart, in a snapshot, is what CloseTick keeps: its
// recent counts and the detectors' evidence. Totals since the start only ever add up, over shards and processes.
package drift

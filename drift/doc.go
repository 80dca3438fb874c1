// Package drift watches whether live inputs still look like the training data, and says how often it will be wrong. It
// sees only numbers: rows of float64 and the baseline counts of each column. It knows neither models nor Kafka nor
// Prometheus.
//
// # How a row is counted
//
// A [Monitor] holds the baseline. It hands out a [Shard] to each goroutine that scores, which counts rows without a
// lock:
//
//	x, score ── Observe ──▶ pending ── Flush, once a batch ──▶ the open tick ── CloseTick ──▶ detectors ──▶ alarms
//	                                              └──▶ totals since the start ──▶ Report: distances
//
// Every feature has two partitions of its values. Value cells are the bins or categories of the baseline; quality
// cells are [ok, missing, outside, unseen]. A missing or infinite value is in no value cell; a finite value beyond
// the training range, or an unseen category, is in a value cell and in a quality cell. An event that was refused is
// counted too ([Shard.ObserveRefused]), or a caller that stops sending a required field would look like calm.
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
// Flush adds it, under a lock, to what Report reads: one uncontended lock a batch, and totals in which every batch is
// whole.
//
// # What it costs, and where
//
// An event costs one search a column: about 220 ns for 30 features on one core of a small server, with no lock and no
// allocation. A batch costs one lock. Detectors are not asked by events at all but by ticks: 61 of them over 24 cells take
// a millisecond or two, and a snapshot after that a fraction of one, once in 10 s. That runs in the goroutine of the
// partition, between two batches, and not beside it: only there is it known which events the tick holds, and the snapshot
// must stand at an offset. It is some 0.02 % of the time, and what it delays is one batch by that millisecond
// (go test -run NONE -bench 'Observe|CloseTick|Snapshot' ./drift).
//
// # Distances show, they do not page
//
// [Compare] gives the usual distances between two histograms; [PSICut] says how far PSI strays without any drift. A
// distance of a small sample is large by chance, and the largest of fifty is larger still; and a test that is repeated
// every ten seconds at a level of 0.1 % is wrong eight times a day. So none of them is an alarm. gonum computes the
// ones it has; its sharp edges are covered in gonum.go.
//
// # The ball
//
// Traffic never has exactly the law of the training data, and need not. A detector tolerates every law within total
// variation ε of the baseline's: a share ε of the events may have changed cell. ε is the larger of the tolerance (2 % of
// the value cells, 0.2 % of the quality cells, or what the bundle or the configuration says) and the radius within
// which the true law lies with probability 99 %, because the baseline is a sample of m rows:
//
//	value cells    ½√((B-1)/m) + √(ln(1/δ)/2m)    mean distance of B cells, and McDiarmid's bound on its excess
//	quality cells  √(2v·L/m) + L/3m               Bernstein's bound; v = p(1-p) of the ok, L = ln(14/δ) for 14 sets of cells
//
// Few training rows therefore make a detector tolerant rather than nervous, and [Monitor.Widened] says so. Where the
// mix follows the clock, [Seasonal] baselines give every hour of the week a law and a radius of its own.
// An [Override] of the configuration widens a tolerance or silences a feature until a date; the detector learns
// meanwhile, and knows at once what is still there when the override lapses.
//
// # The bets
//
// A detector bets against the baseline. Before each tick (10 s and at least 200 events) it names a law r: what it
// remembers of the ticks before, every half-life worth half, and one event per cell that is spread as the baseline is.
// An event in cell b would multiply the stake by r_b/p_b. If the traffic is the baseline's, such a bet has the mean 1
// and cannot be won in the long run; if the traffic is r, it grows by the Kullback-Leibler divergence with every event.
//
// To leave the ball unpunished, the odds are cut to [c1, c2] such that the mean is at most 1 under every law of it, and
// exactly 1 under the one that is nearest to r: Huber's clipped likelihood ratio, solved exactly by sorting the cells
// (clip.go). A bet that lies in the ball itself abstains.
//
// The logarithm of the stake is logM. A stake below 1 is topped up to 1 before the next tick, so that evidence against
// the baseline counts from when it begins: the CUSUM. Three experts with half-lives of 0, 8 and 64 ticks bet side by
// side; the first is quick, the last sees what is small.
//
// # The promise
//
// An alarm is raised where logM reaches ln(A·F·J): A is the promised mean number of ticks between false alarms, F the
// number of detectors (of all partitions that share the promise), J = 3 experts. While the law of every event, given
// the past, stays in the ball, the mean time to the first alarm is at least A ticks, and the chance of one within T
// ticks at most T/A, whatever depends on whatever. The proof, in short: let E_t be what the odds multiply to over tick
// t. Its mean, given the past, is at most 1. The CUSUM M_t = max(M_{t-1}, 1)·E_t is at most the sum over all starting
// points R_t = (R_{t-1} + 1)·E_t, and R_t - t is a supermartingale, as is the sum of R_t - t over all F·J experts. When
// the first of them reaches A·F·J, that sum is at least A·F·J - F·J·t, and by optional stopping its mean is not above
// 0: t ≥ A in the mean. Stopped at T at the latest, the same argument bounds the chance.
//
// Nothing is promised of drift that is smaller than ε, of changed correlations between features, or of a changed
// meaning of fraud. TestSimulationOfTheNull counts false alarms under laws at the edge of the ball that are chosen, tick
// by tick, to be the worst.
//
// The pieces are old: J. Ville, Étude critique de la notion de collectif, 1939 (betting and supermartingales);
// P. J. Huber, A robust version of the probability ratio test, Annals of Mathematical Statistics 36, 1965 (clipping);
// G. Lorden, Procedures for reacting to a change in distribution, Annals of Mathematical Statistics 42, 1971 (CUSUM and
// the mean time between false alarms). That they hold together without a model of the traffic is from J. Shin,
// A. Ramdas and A. Rinaldo, E-detectors: a nonparametric framework for sequential change detection, New England Journal
// of Statistics in Data Science, 2023, doi:10.51387/23-NEJSDS51.
//
// # Alarms and episodes
//
// After an alarm the evidence restarts at 0 and the memory stays, so that a drift that lasts alarms again. The first
// alarm opens an [Episode], the others belong to it, and it closes when the memory at half-life 64 has been inside the
// ball for 30 ticks: one message at each end, not one every tick. An alarm over events that are more than 15 minutes
// old is a replay: it is told and sets no gauge.
//
// # Partitions, pools and shards
//
// Each partition has detectors of its own, so that they can move with it; they share the promise. Several shards of one
// partition add up before the detectors look, and it does not matter which counted what. With [Options].Pooled a
// partition only counts, and [Shard.Merge] adds its ticks to those of a pool whose single set of detectors sees all
// traffic: the same promise, with the full power ([Monitor.JudgedBy] puts its verdicts into the reports). Totals since
// the start only ever add up, over shards and processes.
//
// # Snapshots
//
// [Shard.Snapshot] writes all that a partition's detectors know and the counts of the open tick, and [Shard.Restore] goes
// on from it bit for bit: with ticks of a fixed size, a process that is killed at any moment alarms at the same tick as
// one that is not. A snapshot has a version, a checksum, a bounded length and the fingerprint of the baseline: what was
// counted against other cells or tolerances is refused, because evidence is worth nothing against a law it was not
// gathered against. Lost state only delays an alarm; the promise holds, since a detector that begins anew has won
// nothing.
package drift

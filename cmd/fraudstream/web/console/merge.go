package console

import (
	"cmp"
	"maps"
	"slices"

	"fraudstream/consumer"
)

// copied shares nothing with t.
func (t Totals) copied() Totals {
	t.Decisions, t.Refused = maps.Clone(t.Decisions), maps.Clone(t.Refused)
	t.Score.Counts, t.Latency.Counts = slices.Clone(t.Score.Counts), slices.Clone(t.Latency.Counts)
	return t
}

// Plus is the sum of what two processes have counted. Their buckets have the same bounds, or one has none yet. A
// process that starts anew begins at 0, so a sum may fall; the console takes that for a second without events.
func (t Totals) Plus(other Totals) Totals {
	sum := newTotals()
	sum.Events, sum.Skipped = t.Events+other.Events, t.Skipped+other.Skipped
	for _, one := range []Totals{t, other} {
		for decision, n := range one.Decisions {
			sum.Decisions[decision] += n
		}
		for code, n := range one.Refused {
			sum.Refused[code] += n
		}
	}
	sum.Score, sum.Latency = plus(t.Score, other.Score), plus(t.Latency, other.Latency)
	return sum
}

// plus adds two histograms up, bucket by bucket. The longer one lends its bounds: a process that has counted nothing
// yet has none. The sum shares no counts with either, for their states live on.
func plus(a, b consumer.Buckets) consumer.Buckets {
	if len(a.Counts) < len(b.Counts) {
		a, b = b, a
	}
	sum := consumer.Buckets{Bounds: a.Bounds, Counts: slices.Clone(a.Counts)}
	for i, n := range b.Counts {
		sum.Counts[i] += n
	}
	return sum
}

// Merge makes one state of those of several processes that share a stream and a model: what they counted adds up, and
// of what each of them has there is the union. The first one names the model, and which fields are shown. Partitions
// must bear the names of their workers by then. Each feature has the verdict of the process that judges it. Workers
// and the lines of the story are not of the processes but of whoever merges them, and are left for it to fill.
func Merge(states []State) State {
	var all State
	all.Totals = newTotals()
	all.Partitions, all.Decisions, all.Refused, all.Log = []Partition{}, []Decision{}, []Refusal{}, []Line{}
	for i := range states {
		s := &states[i]
		if i == 0 {
			all.Model, all.Stream, all.Shows = s.Model, s.Stream, s.Shows
		}
		all.At = max(all.At, s.At)
		all.Totals = all.Totals.Plus(s.Totals)
		all.Partitions = append(all.Partitions, s.Partitions...)
		all.Decisions = append(all.Decisions, s.Decisions...)
		all.Refused = append(all.Refused, s.Refused...)
		all.Drift = mergeDrift(all.Drift, s.Drift)
	}
	slices.SortStableFunc(all.Partitions, func(a, b Partition) int {
		return cmp.Or(cmp.Compare(a.Number, b.Number), cmp.Compare(b.Committed, a.Committed))
	})
	// For a moment two processes may both have a partition that moves: the one that is further counts.
	all.Partitions = slices.CompactFunc(all.Partitions, func(a, b Partition) bool { return a.Number == b.Number })
	slices.SortStableFunc(all.Decisions, func(a, b Decision) int { return cmp.Compare(b.At, a.At) })
	slices.SortStableFunc(all.Refused, func(a, b Refusal) int { return cmp.Compare(b.At, a.At) })
	all.Decisions = all.Decisions[:min(len(all.Decisions), shown)]
	all.Refused = all.Refused[:min(len(all.Refused), shown)]
	if all.Drift != nil {
		all.Drift.sort()
	}
	return all
}

// mergeDrift adds the cells up, measures them anew, and takes the stronger verdict. Distances of parts do not add up
// to the distance of the whole, but counts do: so PSI and the share that changed cell are those of all processes'
// events together. Evidence does not add up either, since each detector has bet on its own events; the largest is
// shown, as the contract has it of partitions. A feature that only b has is left out: for the moment of a change of
// models two processes may have other features, and the first one's are shown.
func mergeDrift(a, b *Drift) *Drift {
	switch {
	case a == nil:
		return b.copied()
	case b == nil:
		return a
	}
	at := map[string]*Feature{}
	for i := range a.Features {
		at[a.Features[i].Name] = &a.Features[i]
	}
	for i := range b.Features {
		if f := at[b.Features[i].Name]; f != nil {
			f.merge(&b.Features[i])
		}
	}
	return a
}

// copied is a drift whose cells may be added to.
func (d *Drift) copied() *Drift {
	if d == nil {
		return nil
	}
	c := &Drift{d.Guarantee, slices.Clone(d.Features)}
	for i := range c.Features {
		c.Features[i].Cells = slices.Clone(c.Features[i].Cells)
	}
	return c
}

// merge adds what another process has seen of the same feature. The quality counts are since the start and simply add
// up; the value cells do so only where both are of recent events or both since the start.
func (f *Feature) merge(other *Feature) {
	if strength(other) > strength(f) {
		f.State, f.Kind, f.Evidence, f.Threshold = other.State, other.Kind, other.Evidence, other.Threshold
		f.Judged, f.Epsilon, f.Alarm, f.Page = other.Judged, other.Epsilon, other.Alarm, other.Page
	}
	for i := range f.Quality {
		f.Quality[i] += other.Quality[i]
	}
	switch {
	case len(f.Cells) != len(other.Cells):
		return // of another model, for the moment of a swap
	case f.Recent && !other.Recent:
		return // recent events and all since the start do not add up
	case other.Recent && !f.Recent:
		f.Recent, f.Cells = true, slices.Clone(other.Cells)
	default:
		for i := range f.Cells {
			f.Cells[i].Live += other.Cells[i].Live
		}
	}
	f.measure()
}

// strength orders verdicts: an alarm that is open, then the larger evidence, then a detector that waits, then none. The
// bounds that stand for the others are out of the reach of evidence, which is a logarithm.
func strength(f *Feature) float64 {
	switch {
	case f.State == stateAlarm:
		return 1e9
	case f.Evidence != nil:
		return *f.Evidence
	case f.State == stateWaiting:
		return -1e9
	}
	return -2e9
}

package drift

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"time"
)

// identify hashes everything that gives counts and evidence their meaning: the cells, the baseline and the tolerances.
// Names for people and the promise are left out: with another threshold, evidence is still evidence.
func (m *Monitor) identify() (id [16]byte) {
	hash := sha256.New()
	for i := range m.columns {
		f := &m.columns[i].Feature
		fmt.Fprintln(hash, len(f.Name), f.Name, f.Categorical, f.Edges, f.Values, f.Known, f.KnownGiven, f.Counts, f.Sums,
			f.Rows, f.Missing, f.Infinite, f.Other, f.Min, f.Max, f.HasRange, f.Mean, f.Std, f.HasMoments,
			f.Off, f.Tolerance, f.QualityTolerance)
		if s := f.Seasonal; s != nil {
			fmt.Fprintln(hash, s.Values, s.Quality)
		}
	}
	fmt.Fprintln(hash, m.inputs, m.resampled)
	return [16]byte(hash.Sum(nil)[:16])
}

// snapshotKind tells a pool's partitions, which keep counts alone, from those that run detectors.
func (m *Monitor) snapshotKind() byte {
	if m.pooled {
		return pooledKind
	}
	return snapshotKind
}

// snapshot writes all that a watch knows but its totals, which belong to the process.
func (w *watch) snapshot(next int64) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.monitor.newWriter(w.monitor.snapshotKind())
	out.int(next)
	out.int(w.number)
	out.int(w.events)
	out.int(w.lastTime)
	out.bool(w.opened.IsZero())
	out.int(w.opened.UnixMilli())
	w.writeTick(out)
	for i := range w.states {
		w.states[i].write(out)
	}
	return out.seal()
}

// encodeTick writes the open tick for a pool.
func (w *watch) encodeTick() []byte {
	out := w.monitor.newWriter(countsKind)
	w.writeTick(out)
	return out.seal()
}

// writeTick writes the open tick: the time of its first event, the sample of all times and the tallies. Tallies are
// fewer than cells times qualities, and most are zero, one byte.
func (w *watch) writeTick(out *writer) {
	out.int(w.first)
	out.int(int64(w.times.step))
	out.int(int64(w.times.until))
	out.int(int64(len(w.times.at)))
	for _, at := range w.times.at {
		out.int(at)
	}
	out.float(w.tick.rows)
	for _, a := range w.tick.tallies {
		out.float(a.n)
		out.float(a.sum)
	}
	out.floats(w.tick.squares)
}

// write is the evidence and the memory of every expert. Their number and sizes follow from the baseline, which the
// fingerprint stands for, so that nothing in the bytes says how much to read.
func (s *state) write(out *writer) {
	for i := range s.experts {
		e := &s.experts[i]
		out.float(e.logM)
		out.floats(e.memory.Counts)
		out.floats(e.memory.Sums)
	}
	out.float(s.evidence)
	out.float(s.tv)
	s.episode.write(out)
}

// write leaves out what the detector's own description says: names of the feature, the kind and the cells.
func (e *episode) write(out *writer) {
	out.int(e.alarms)
	if !e.open() {
		return
	}
	id, _ := hex.DecodeString(e.id) // our own hex
	for _, b := range id {
		out.int(int64(b))
	}
	out.bool(e.live)
	out.int(e.calm)
	a := &e.first
	out.int(a.Event)
	out.int(a.Tick)
	out.int(int64(slices.Index(halfLives, a.HalfLife)))
	out.bool(a.Replay)
	for _, x := range []Figure{a.LogM, a.Threshold, a.Epsilon, a.TV, a.PSI, a.W1OverStd} {
		out.float(float64(x))
	}
	out.int(int64(len(a.Moved)))
	for _, c := range a.Moved {
		out.int(int64(c.index))
		out.float(c.Baseline)
		out.float(c.Live)
	}
}

// restore replaces what the watch knows by a snapshot, or changes nothing: it reads into a new watch and takes over its
// parts only when the last byte has been found right. It also tells the rows of the open tick.
func (w *watch) restore(data []byte) (next int64, rows int, err error) {
	in, err := w.monitor.newReader(w.monitor.snapshotKind(), data)
	if err != nil {
		return 0, 0, err
	}
	fresh := w.monitor.newWatch(w.partition)
	next = in.int()
	fresh.number, fresh.events = in.count(math.MaxInt64), in.count(math.MaxInt64)
	fresh.lastTime = in.int()
	unopened, opened := in.bool(), in.int()
	if !unopened {
		fresh.opened = time.UnixMilli(opened)
	}
	fresh.readTick(in)
	for i := range fresh.states {
		fresh.readState(in, i)
	}
	if err := in.end(); err != nil {
		return 0, 0, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.number, w.events, w.lastTime, w.opened = fresh.number, fresh.events, fresh.lastTime, fresh.opened
	w.first, w.times, w.tick, w.states = fresh.first, fresh.times, fresh.tick, fresh.states
	return next, int(w.tick.rows), nil
}

// merge adds the counts of a closed tick to the open one, and to the totals: whoever runs a pool has counted none of
// these rows itself.
func (w *watch) merge(data []byte) error {
	in, err := w.monitor.newReader(countsKind, data)
	if err != nil {
		return err
	}
	fresh := &watch{monitor: w.monitor, tick: w.monitor.newTotals()}
	fresh.readTick(in)
	if err := in.end(); err != nil {
		return err
	}
	w.add(&fresh.tick, &fresh.times, fresh.first, false)
	return nil
}

// readTick is the inverse of writeTick. What cannot have been counted, half a row or less than none, is a fault.
func (w *watch) readTick(in *reader) {
	w.first = in.int()
	w.times.step = int(in.count(math.MaxInt32))
	w.times.until = int(in.count(math.MaxInt32))
	w.times.at = make([]int64, in.count(mostTimes))
	for i := range w.times.at {
		w.times.at[i] = in.int()
	}
	w.tick.rows = in.rows()
	for i := range w.tick.tallies {
		w.tick.tallies[i] = tally{in.rows(), in.float()}
	}
	in.floats(w.tick.squares)
}

// readState is the inverse of state.write for detector i.
func (w *watch) readState(in *reader, i int) {
	s := &w.states[i]
	for j := range s.experts {
		e := &s.experts[j]
		e.logM = in.finite()
		in.amounts(e.memory.Counts)
		in.floats(e.memory.Sums)
	}
	s.evidence, s.tv = in.finite(), in.amount()
	d := &w.monitor.detectors[i]
	s.episode.read(in, d, &w.monitor.columns[d.column], w.partition)
}

// read fills in the names that a snapshot leaves out.
func (e *episode) read(in *reader, d *detector, c *column, partition string) {
	e.alarms = in.count(math.MaxInt64)
	if !e.open() {
		return
	}
	var id [8]byte
	for i := range id {
		id[i] = byte(in.count(math.MaxUint8))
	}
	e.id = hex.EncodeToString(id[:])
	e.live = in.bool()
	e.calm = in.count(calmTicks - 1)
	a := &e.first
	a.Feature, a.Kind, a.Partition = c.Name, d.kind, partition
	a.Event, a.Tick = in.count(math.MaxInt64), in.count(math.MaxInt64)
	a.HalfLife = halfLives[in.count(int64(len(halfLives)-1))]
	a.Replay = in.bool()
	for _, x := range []*Figure{&a.LogM, &a.Threshold, &a.Epsilon, &a.TV, &a.PSI, &a.W1OverStd} {
		*x = Figure(in.float())
	}
	a.Moved = make([]Cell, in.count(3))
	for i := range a.Moved {
		index := int(in.count(int64(d.cells - 1)))
		a.Moved[i] = c.cell(d.kind, index, in.float(), in.float())
	}
}

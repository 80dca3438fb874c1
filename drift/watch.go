package drift

import (
	"sync"
	"time"
)

// A tick closes when it is old enough and holds enough events.
const (
	tickTime   = 10 * time.Second
	tickEvents = 200
)

// watch is one set of detectors: that of a partition, of a pool, of a file or of the HTTP door. Its shards add their
// rows to the open tick; whichever closes the tick runs the detectors on the sum.
type watch struct {
	monitor   *Monitor
	partition string
	shards    int // guarded by the monitor's lock

	mu       sync.Mutex
	total    totals    // since the shards began to count
	tick     totals    // of the open tick
	times    times     // of its events
	first    int64     // time of its first event
	opened   time.Time // zero: not yet
	closed   time.Time // when the last tick closed
	number   int64     // ticks closed
	events   int64     // in them
	lastTime int64     // time of the first event of the last tick: it says which hour's law held
	states   []state   // of the monitor's detectors
	scratch  better
}

func (m *Monitor) newWatch(partition string) *watch {
	w := &watch{monitor: m, partition: partition, total: m.newTotals(), tick: m.newTotals()}
	for i := range m.detectors {
		w.states = append(w.states, m.detectors[i].newState())
	}
	return w
}

// add takes rows into the open tick, and into the totals unless they were counted before.
func (w *watch) add(rows *totals, sample *times, first int64, repeated bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !repeated {
		w.total.add(rows)
	}
	if w.tick.rows == 0 {
		w.first = first
	}
	w.tick.add(rows)
	w.times.merge(sample)
}

// full tells whether the open tick may close: a tick of fixed size when it holds that many events, any other when it is
// old enough and holds enough to bet on.
func (w *watch) full(now time.Time) bool {
	if n := w.monitor.tickEvents; n > 0 {
		return w.tick.rows >= float64(n)
	}
	return now.Sub(w.opened) >= tickTime && w.tick.rows >= tickEvents
}

// close ends the open tick if it may close: counts it, lets the detectors look at it and begins the next one. All of it
// happens under the lock, so that a report shows the tick whole or not at all.
func (w *watch) close(now time.Time) (Tick, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.opened.IsZero() || now.Before(w.opened) {
		w.opened = now // a clock that was set back must not hold a tick open until it has caught up
	}
	if !w.full(now) {
		return Tick{}, false
	}
	w.number++
	w.events += int64(w.tick.rows)
	w.lastTime, w.closed = w.first, now
	t := Tick{Number: w.number, Events: w.events, Rows: int64(w.tick.rows)}
	if w.monitor.pooled {
		t.Counts = w.encodeTick()
	}
	w.detect(&t, w.times.replayed(now))
	w.tick.clear()
	w.times.clear()
	w.first, w.opened = 0, now
	return t, true
}

// detect shows the tick to every detector, in the order of columns, values before quality. The alarm comes first and the
// restart after it: what is told is the evidence that was enough. An episode may close at any tick, that of a further
// alarm included: the rule asks the slow memory alone.
func (w *watch) detect(t *Tick, replay bool) {
	m := w.monitor
	limit := m.threshold()
	for i := range m.detectors {
		d := &m.detectors[i]
		c := &m.columns[d.column]
		tick := c.fold(&w.tick, d.kind)
		s := &w.states[i]
		if !d.bets {
			s.experts[0].learn(tick)
			continue
		}
		l := d.lawsAt(w.closed).at(w.lastTime)
		best := s.step(l, tick, &w.scratch)
		if best.logM >= limit && !d.silent(w.closed) {
			alarm := w.alarm(d, l, best, t, replay)
			t.Alarms = append(t.Alarms, alarm)
			if s.episode.extend(&alarm) {
				s.episode.id = w.episodeID(&alarm)
				t.Episodes = append(t.Episodes, s.episode.export(EpisodeOpen))
			}
			s.restart()
		}
		if s.episode.calms(s.tv < l.epsilon) {
			t.Episodes = append(t.Episodes, s.episode.export(EpisodeClosed))
			s.episode = episode{}
		}
		t.Evidence = append(t.Evidence, w.evidence(i))
	}
}

// evidence is what there was against the law of detector i when the last tick closed. Replayed events raise it like all
// others and leave Alarmed, of which a gauge is made, alone.
func (w *watch) evidence(i int) Evidence {
	d, s := &w.monitor.detectors[i], &w.states[i]
	return Evidence{
		Feature: w.monitor.columns[d.column].Name, Kind: d.kind,
		LogM: s.evidence, Threshold: w.monitor.threshold(), TV: s.tv, Alarmed: s.episode.open() && s.episode.live,
	}
}

// alarm describes what the expert remembers, this tick included, beside the baseline of the hour.
func (w *watch) alarm(d *detector, l *law, e *expert, t *Tick, replay bool) Alarm {
	c := &w.monitor.columns[d.column]
	var distances Distances
	if d.kind == kindValues {
		distances = c.compare(l.base, e.memory)
	} else {
		distances = Compare(l.base, e.memory, false, 0)
	}
	return Alarm{
		Feature: c.Name, Kind: d.kind, Partition: w.partition,
		Event: t.Events, Tick: t.Number, HalfLife: e.halfLife,
		LogM: Figure(e.logM), Threshold: Figure(w.monitor.threshold()), Epsilon: Figure(l.epsilon), Replay: replay,
		TV: distances.TV, PSI: distances.PSI, W1OverStd: distances.W1OverStd,
		Moved: c.moved(d.kind, l.base, e.memory),
	}
}

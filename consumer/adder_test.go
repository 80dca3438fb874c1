package consumer

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// tickOf is the number of events in a tick of an adder.
const tickOf = 50

// adder is a monitor whose ticks are tickOf events: an alert tells the sum of their offsets, so that an event that is
// seen twice, or not, or in another tick, shows in it.
type adder struct {
	state     adderState
	partition int32
	notes     Notes
	kept      bool // there is a snapshot
	log       *adderLog
}

type adderState struct{ Next, Ticks, Events, Sum int64 }

// adderLog is what all adders of a test have done.
type adderLog struct {
	mu                 sync.Mutex
	restored, repeated int
	refusal            error // of Restore
}

func (l *adderLog) observer(partition, _ int32) PartitionObserver {
	return &adder{partition: partition, log: l}
}

func (a *adder) Restore(snapshot []byte) (int64, error) {
	a.log.mu.Lock()
	defer a.log.mu.Unlock()
	if a.log.refusal != nil {
		return 0, a.log.refusal
	}
	a.log.restored++
	a.kept = true
	err := json.Unmarshal(snapshot, &a.state)
	return a.state.Next, err
}

func (a *adder) ObserveBatch(events []Observation, next int64) {
	for _, e := range events {
		if e.Repeated {
			a.log.mu.Lock()
			a.log.repeated++
			a.log.mu.Unlock()
		}
		a.state.Events++
		a.state.Sum += e.Offset
		a.state.Next = e.Offset + 1
		if a.state.Events == tickOf {
			a.state.Ticks++
			text := fmt.Sprintf("partition %d tick %d sum %d", a.partition, a.state.Ticks, a.state.Sum)
			a.notes.Alerts = append(a.notes.Alerts, Alert{ID: text, Key: "amount", Value: []byte(text)})
			a.notes.Ticks = append(a.notes.Ticks, []byte(text))
			a.state.Events, a.state.Sum = 0, 0
			a.notes.Snapshot, _ = json.Marshal(a.state)
		}
	}
	a.state.Next = next
}

func (a *adder) CloseTick(time.Time) Notes {
	if !a.kept && a.notes.Snapshot == nil && a.state.Next > 0 { // the first goes with the first events
		a.notes.Snapshot, _ = json.Marshal(a.state)
	}
	a.kept = a.kept || a.notes.Snapshot != nil
	n := a.notes
	a.notes = Notes{}
	return n
}

func (a *adder) Drain() Notes {
	n := a.CloseTick(time.Time{})
	if a.state.Next > 0 {
		n.Snapshot, _ = json.Marshal(a.state)
	}
	return n
}

func (a *adder) Close() {}

func (s *stage) alerts() string { return s.name + ".alerts" }
func (s *stage) state() string  { return s.name + ".state" }
func (s *stage) ticks() string  { return s.name + ".ticks" }

// monitored are options with a monitor and its topics, which it creates.
func (s *stage) monitored(l *adderLog, partitions int32) Options {
	s.t.Helper()
	s.create(s.alerts(), 3)
	s.create(s.state(), partitions, "cleanup.policy", "compact")
	s.create(s.ticks(), 1)
	o := s.options()
	o.Observer, o.Alerts, o.State, o.Ticks = l.observer, s.alerts(), s.state(), s.ticks()
	return o
}

// assertAlerts demands the alerts of an unbroken run over n events of each partition: each there, no other, and none
// twice unless repeats are allowed.
func (s *stage) assertAlerts(n, partitions int, repeats bool) {
	s.t.Helper()
	got := map[string]int{}
	for _, r := range s.read(s.alerts()) {
		if string(r.Key) != "amount" || header(r, "ce_id") != string(r.Value) {
			s.t.Errorf("alert %q has the key %q and the id %q", r.Value, r.Key, header(r, "ce_id"))
		}
		got[string(r.Value)]++
	}
	want := 0
	for p := range partitions {
		for tick := 1; tick*tickOf <= n; tick++ {
			sum := 0
			for i := (tick - 1) * tickOf; i < tick*tickOf; i++ {
				sum += i
			}
			want++
			text := fmt.Sprintf("partition %d tick %d sum %d", p, tick, sum)
			if copies := got[text]; copies < 1 || copies > 1 && !repeats {
				s.t.Errorf("alert %q came %d times", text, copies)
			}
		}
	}
	if len(got) != want {
		s.t.Errorf("%d different alerts, want %d: %v\n%s", len(got), want, got, s.logs.tail())
	}
}

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"fraudstream/consumer"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// hourWatch watches one feature with four equal bins, and its score with two, in ticks of 400 events.
func hourWatch(t *testing.T, log io.Writer) *driftWatch {
	t.Helper()
	monitor, err := drift.NewMonitor(drift.Options{
		Features: []drift.Feature{{
			Name: "amount", Edges: []float64{1, 2, 1000}, Counts: []int64{25_000, 25_000, 25_000, 25_000}, HasRange: true, Max: 5000,
		}},
		Score:      &drift.Feature{Edges: []float64{.5}, Counts: []int64{50_000, 50_000}},
		TickEvents: 400,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &driftWatch{monitor: monitor, model: "cards@1", accepted: &acceptances{}, log: slog.New(slog.NewTextHandler(log, nil))}
}

// showTicks shows n ticks, of which the amounts of the last bin are a share.
func showTicks(o *observer, n int, lastBin float64) {
	for range n {
		var seen []consumer.Observation
		for i := range 400 {
			x := float64(i%3) + .5
			if float64(i) < 400*lastBin {
				x = 2000
			}
			seen = append(seen, consumer.Observation{
				Offset: o.next + int64(i), Time: time.Now().UnixNano(), X: []float64{x}, Score: float64(i % 2), Feature: -1,
			})
		}
		o.ObserveBatch(seen, o.next+400)
	}
}

// An episode is one event when it opens, however many alarms follow, and one when it closes; both say all that the
// reader needs.
func TestEpisodeIsTwoAlerts(t *testing.T) {
	var log bytes.Buffer
	o := hourWatch(t, &log).partition(3, 8).(*observer)
	showTicks(o, 5, .25)
	showTicks(o, 20, .5)
	showTicks(o, 700, .25)
	notes := o.CloseTick(time.Now())
	if len(notes.Alerts) != 2 {
		t.Fatalf("%d alerts: %s", len(notes.Alerts), log.String())
	}
	var all [2]map[string]any
	for i, a := range notes.Alerts {
		if bytes.Contains(a.Value, []byte(`\u00`)) || bytes.HasSuffix(a.Value, []byte("\n")) {
			t.Errorf("not as people read it: %s", a.Value)
		}
		if err := json.Unmarshal(a.Value, &all[i]); err != nil || a.Key != "amount" {
			t.Fatalf("%s: %v %s", a.Key, err, a.Value)
		}
		if all[i]["episode"].(string)+"/"+all[i]["state"].(string) != a.ID {
			t.Errorf("id %q of %s", a.ID, a.Value)
		}
	}
	opened, closed := all[0], all[1]
	for key, want := range map[string]any{
		"feature": "amount", "kind": "values", "partition": "3", "state": "open", "severity": "warning", "model": "cards@1",
		"replay": false, "event": 2800., "tick": 7.,
	} {
		if opened[key] != want {
			t.Errorf("%s is %v, want %v", key, opened[key], want)
		}
	}
	if text := opened["text"].(string); !strings.HasPrefix(text, "amount over 1,000: 25 % → ") {
		t.Errorf("text %q", text)
	}
	if !strings.Contains(opened["guarantee"].(string), "in each of 8 partitions") || len(opened["moved"].([]any)) != 3 {
		t.Errorf("guarantee %v, moved %v", opened["guarantee"], opened["moved"])
	}
	if closed["state"] != "closed" || closed["episode"] != opened["episode"] || closed["closed_tick"].(float64) < 55 || closed["alarms"].(float64) < 2 {
		t.Errorf("closed: %s", notes.Alerts[1].Value)
	}
	if got := log.String(); strings.Count(got, "level=WARN msg=\"drift alarm\"") != 1 || strings.Count(got, "drift is over") != 1 {
		t.Errorf("the log says %s", got)
	}
}

// Events that were refused have no score, and reach the quality cells: a caller that stops sending a field pages.
func TestRefusedEventsReachTheQualityCells(t *testing.T) {
	o := hourWatch(t, io.Discard).partition(0, 1).(*observer)
	showTicks(o, 3, .25)
	for range 3 * 400 {
		seen := []consumer.Observation{{Offset: o.next, X: []float64{1.5}, Code: scoring.MissingField, Feature: 0}}
		o.ObserveBatch(seen, o.next+1)
	}
	notes := o.CloseTick(time.Now())
	if len(notes.Alerts) != 1 || !bytes.Contains(notes.Alerts[0].Value, []byte(`"kind":"quality"`)) ||
		!bytes.Contains(notes.Alerts[0].Value, []byte(`"severity":"page"`)) || !bytes.Contains(notes.Alerts[0].Value, []byte(`amount missing: 0 % → 100 %`)) {
		t.Errorf("alerts: %s", notes.Alerts)
	}
	if got := o.monitor.Report().Features[0].Quality.Counts; got != [4]int64{1200, 1200, 0, 0} {
		t.Errorf("quality %v", got)
	}
}

// A drain hands over the state once, and another observer goes on in the middle of the tick.
func TestDrainHandsOverTheOpenTick(t *testing.T) {
	o := hourWatch(t, io.Discard).partition(0, 1).(*observer)
	showTicks(o, 2, .25)
	half := []consumer.Observation{{Offset: o.next, X: []float64{3}, Score: .2, Feature: -1}}
	o.ObserveBatch(half, o.next+1)
	snapshot := o.Drain().Snapshot
	if snapshot == nil || o.Drain().Snapshot != nil {
		t.Fatal("the state is to be handed over once")
	}
	other := hourWatch(t, io.Discard).partition(0, 1).(*observer)
	next, err := other.Restore(snapshot)
	if err != nil || next != 801 || other.life != o.life {
		t.Fatalf("next %d, life %d of %d, error %v", next, other.life, o.life, err)
	}
	if other.Drain().Snapshot != nil {
		t.Error("nothing has happened since, and a snapshot is handed over")
	}
	for cut := range snapshot {
		if _, err := hourWatch(t, io.Discard).partition(0, 1).Restore(snapshot[:cut]); err == nil {
			t.Fatalf("restored from %d of %d bytes", cut, len(snapshot))
		}
	}
}

// What is no tick, or is counted already, changes nothing.
func TestPoolCountsEachTickOnce(t *testing.T) {
	model := demoModel(t)
	var ticks [][]byte
	for p := range int32(2) {
		w := watchOf(t, model, true, 100)
		ticks = append(ticks, observe(model, w.partition(p, 2), p, payments(int64(p), 1000, 1000)).Ticks...)
	}
	pool := watchOf(t, model, true, 100).pool(0, 1).(*pool)
	show := func(key string, value []byte) {
		pool.ObserveBatch([]consumer.Observation{{Offset: pool.next, Key: []byte(key), Value: value}}, pool.next+1)
	}
	for i, tick := range ticks {
		key := "g/" + string(rune('0'+i/10))
		show(key, tick)
		show(key, tick)               // a crash has repeated it
		show(key, tick[:len(tick)/2]) // damaged
		show(key, tick[:3])
	}
	if got := pool.monitor.Report().Events; got != 2000 {
		t.Errorf("%d events in the pool, want 2000", got)
	}
	w := pool.driftWatch
	report := w.monitor.Report()
	if amount := report.Features[0]; report.Events != 0 || report.Guarantee != w.pooled.Guarantee() || amount.LogM != w.pooled.Report().Features[0].LogM ||
		len(report.Partitions) != 1 || report.Partitions[0].Partition != "pool" || len(report.Partitions[0].Evidence) != 25 {
		t.Errorf("the report does not show the pool: %+v", report.Partitions)
	}
	again := watchOf(t, model, true, 100)
	show("g/0", observe(model, again.partition(0, 2), 0, payments(9, 100, 100)).Ticks[0]) // the partition's state was lost
	if got := pool.monitor.Report().Events; got != 2100 {
		t.Errorf("%d events in the pool, want 2100: another life has other ticks", got)
	}
}

// The first snapshot goes with the first events, though no interval has ended: a process that is killed before that is
// followed by one that counts them again. Later ones wait for an interval.
func TestFirstEventsAreKept(t *testing.T) {
	watch := hourWatch(t, io.Discard)
	o := watch.partition(3, 8).(*observer)
	if notes := o.CloseTick(time.Now()); notes.Snapshot != nil {
		t.Fatal("a snapshot of nothing")
	}
	show := func(o *observer) consumer.Notes {
		o.ObserveBatch([]consumer.Observation{{Offset: o.next, Time: time.Now().UnixNano(), X: []float64{.5}, Feature: -1}}, o.next+1)
		return o.CloseTick(time.Now())
	}
	first := show(o).Snapshot
	if first == nil {
		t.Fatal("no snapshot goes with the first event")
	}
	if show(o).Snapshot != nil {
		t.Error("a snapshot goes with the second event")
	}
	heir := watch.partition(3, 8).(*observer)
	if next, err := heir.Restore(first); next != 1 || err != nil {
		t.Errorf("the next owner is shown event %d first: %v", next, err)
	}
	if show(heir).Snapshot != nil {
		t.Error("a snapshot goes with the first event though there was one")
	}
}

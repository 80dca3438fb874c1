package drift

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

// plain is a feature of two equal bins and a tick of ten events for it.
func plain() Options {
	return Options{Features: []Feature{{Name: "x", Edges: []float64{0}, Counts: []int64{500_000, 500_000}}}, TickEvents: 100}
}

// feed observes one tick in which so many of the hundred events are above the edge.
func feed(t *testing.T, s *Shard, above int, age time.Duration) Tick {
	t.Helper()
	now := time.UnixMilli(noon)
	for i := range 100 {
		x := -1.0
		if i < above {
			x = 1
		}
		s.Observe([]float64{x}, math.NaN(), now.Add(-age).UnixMilli())
	}
	tick, closed := s.CloseTick(now)
	if !closed {
		t.Fatal("the tick stayed open")
	}
	return tick
}

func TestAnEpisodeOpensLatchesAndCloses(t *testing.T) {
	s := mustMonitor(t, plain()).Shard("5")
	number := 0
	tick := func(above int) Tick {
		number++
		got := feed(t, s, above, 0)
		if got.Number != int64(number) || got.Events != int64(100*number) || got.Rows != 100 {
			t.Fatalf("tick %d: %+v", number, got)
		}
		return got
	}
	for range 5 {
		if got := tick(50); got.Alarms != nil || got.Episodes != nil {
			t.Fatalf("clean tick: %+v", got)
		}
	}
	tick(90)
	opened := tick(90)
	if len(opened.Alarms) != 1 || len(opened.Episodes) != 1 || opened.Episodes[0].State != EpisodeOpen {
		t.Fatalf("second drifted tick: %+v", opened)
	}
	alarms := int64(1)
	for range 4 {
		got := tick(90)
		alarms += int64(len(got.Alarms))
		if got.Episodes != nil {
			t.Fatalf("an alarm of an open episode opened another: %+v", got)
		}
	}
	if alarms < 4 {
		t.Errorf("%d alarms in five drifted ticks: one restarts the evidence and keeps the memory", alarms)
	}
	// The memory at half-life 64 must come back inside the ball before thirty ticks are counted, and stay there.
	inside, closed, relapsed := 0, Tick{}, false
	for len(closed.Episodes) == 0 {
		above := 50
		if inside == 20 && !relapsed {
			above, relapsed = 100, true
		}
		closed = tick(above)
		alarms += int64(len(closed.Alarms))
		if closed.Evidence[0].TV < 0.02 {
			inside++
		} else {
			inside = 0
		}
		if number > 1000 {
			t.Fatal("the episode never closed")
		}
	}
	end := closed.Episodes[0]
	if inside != 30 || !relapsed || end.State != EpisodeClosed || end.ID != opened.Episodes[0].ID || end.Alarms != alarms {
		t.Errorf("closed after %d ticks inside: %+v, opened as %+v, %d alarms", inside, end, opened.Episodes[0], alarms)
	}
	if end.Tick != opened.Number || end.Event != opened.Events {
		t.Errorf("a closed episode carries its first alarm, got that of tick %d", end.Tick)
	}
	tick(90)
	if again := tick(90); len(again.Episodes) != 1 || again.Episodes[0].ID == end.ID {
		t.Errorf("the next drift is another episode: %+v", again.Episodes)
	}
}

func TestReplaysSayThatTheyAreAndSetNoGauge(t *testing.T) {
	for age, replay := range map[time.Duration]bool{15*time.Minute + time.Millisecond: true, 15 * time.Minute: false} {
		m := mustMonitor(t, plain())
		s := m.Shard("")
		feed(t, s, 90, age)
		tick := feed(t, s, 90, age)
		if len(tick.Alarms) != 1 || tick.Alarms[0].Replay != replay || tick.Evidence[0].Alarmed == replay {
			t.Errorf("%v old: alarms %+v, evidence %+v", age, tick.Alarms, tick.Evidence)
		}
		if !m.Report().Features[0].Alarmed {
			t.Error("the report shows an episode of replayed events as well")
		}
	}
}

func TestATickIsNoReplayBecauseTheLastOnesWere(t *testing.T) {
	s := mustMonitor(t, plain()).Shard("")
	feed(t, s, 90, time.Hour)
	feed(t, s, 90, time.Hour)
	if tick := feed(t, s, 90, 0); len(tick.Alarms) != 1 || tick.Alarms[0].Replay {
		t.Errorf("%+v", tick.Alarms)
	}
}

func TestTheMedianOfManyTimes(t *testing.T) {
	now := time.UnixMilli(noon)
	for _, c := range []struct {
		old, fresh int
		want       bool
	}{{0, 0, false}, {1, 0, true}, {60, 40, true}, {40, 60, false}, {60_000, 40_000, true}, {40_000, 60_000, false}} {
		var all, merged, part times
		for i := range c.old + c.fresh {
			at := now.Add(-time.Hour).UnixMilli()
			if i >= c.old {
				at = now.UnixMilli()
			}
			all.add(at)
			part.add(at)
			if i%700 == 699 {
				merged.merge(&part)
				part.clear()
			}
		}
		merged.merge(&part)
		if all.replayed(now) != c.want || merged.replayed(now) != c.want {
			t.Errorf("%d old, %d fresh: %v, merged %v", c.old, c.fresh, all.replayed(now), merged.replayed(now))
		}
	}
	var unknown times
	unknown.add(0)
	if unknown.replayed(now) {
		t.Error("events without a time are a replay")
	}
}

func TestAlarmCarriesWhatTheContractSays(t *testing.T) {
	o := streamOptions(1000)
	m := mustMonitor(t, o)
	s := m.Shard("2")
	var tick Tick
	for tick.Alarms == nil {
		for i := range 1000 {
			x := []float64{float64([]int{0, 3, 3, 3, 3, 3, 3, 3, 8, 8}[i%10]), 0}
			if i%10 > 5 {
				x[1] = 1
			}
			s.Observe(x, float64(i%10)/17.5, noon)
		}
		tick, _ = s.CloseTick(time.UnixMilli(noon))
	}
	a := tick.Alarms[0]
	if a.Feature != "amount" || a.Kind != "values" || a.Event != 2000 || a.Tick != 2 || a.Replay || a.Partition != "2" {
		t.Errorf("alarm %+v", a)
	}
	base := Histogram{[]float64{10_000, 80_000, 9_000}, o.Features[0].Sums}
	live := Histogram{[]float64{100, 700, 200}, []float64{0, 2100, 1600}}
	if a.HalfLife != 0 {
		t.Fatalf("half-life %d", a.HalfLife)
	}
	d := Compare(base, live, true, 2.6)
	if a.TV != d.TV || a.PSI != d.PSI || a.W1OverStd != d.W1OverStd || a.LogM < a.Threshold {
		t.Errorf("alarm %+v, distances %+v", a, d)
	}
	if len(a.Moved) != 3 || a.Moved[0].Name != "> 5" || a.Moved[0].Text != "amount over 5: 9.1 % → 20 %" {
		t.Errorf("moved %+v", a.Moved)
	}
	if got := a.Describe(); got != "amount over 5: 9.1 % → 20 %; amount over 1 to 5: 81 % → 70 %; amount up to 1: 10.1 % → 10 %" {
		t.Error(got)
	}
	data, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{
		`"feature":"amount"`, `"kind":"values"`, `"event":2000`, `"tick":2`, `"half_life":0`, `"log_m":`, `"threshold":`,
		`"replay":false`, `"tv":`, `"psi":`, `"w1_over_std":`, `"moved":[{"cell":"\u003e 5","baseline":`,
	} {
		if !strings.Contains(string(data), key) {
			t.Errorf("no %s in %s", key, data)
		}
	}
	data, err = json.Marshal(Episode{ID: "e", State: EpisodeOpen, Alarms: 1, Alarm: a})
	if err != nil || !strings.Contains(string(data), `"episode":"e","state":"open","alarms":1,"feature":"amount"`) {
		t.Errorf("%s, %v", data, err)
	}
}

func TestSeverity(t *testing.T) {
	for _, c := range []struct{ feature, kind, want string }{
		{"amount", "values", "warning"}, {"amount", "quality", "page"}, {"score", "values", "page"},
	} {
		if got := (&Alarm{Feature: c.feature, Kind: c.kind}).Severity(); got != c.want {
			t.Errorf("%s of %s: %s", c.kind, c.feature, got)
		}
	}
}

func TestWords(t *testing.T) {
	price := Feature{Name: "amount", Edges: []float64{0.5, 1000, 1234567.891, 1234567.892}, HasRange: true, Min: 0.01, Max: 14.2}
	land := country()
	none := Feature{Name: "x"}
	for want, got := range map[string]string{
		"amount up to 0.5": price.valueWords(0), "amount over 0.5 to 1,000": price.valueWords(1),
		"amount over 1,000 to 1,234,567.891":         price.valueWords(2),
		"amount over 1,234,567.891 to 1,234,567.892": price.valueWords(3),
		"amount over 1,234,567.892":                  price.valueWords(4),
		"country US":                                 land.valueWords(1), "country any other": land.valueWords(2), "x any number": none.valueWords(0),
		"amount missing": price.qualityWords(missing), "amount in order": price.qualityWords(ok),
		"amount unreadable or outside 0.01 to 14.2": price.qualityWords(outside), "x unreadable": none.qualityWords(outside),
		"low unreadable or under 18":     (&Feature{Name: "low", HasRange: true, Min: 18, Max: math.Inf(1)}).qualityWords(outside),
		"high unreadable or over 90":     (&Feature{Name: "high", HasRange: true, Min: math.Inf(-1), Max: 90}).qualityWords(outside),
		"country unreadable":             land.qualityWords(outside),
		"country never seen in training": land.qualityWords(unseen),
		"a: 0.4 % → 3.1 %":               sentence("a", 0.004, 0.0312),
		"b: 20 % → 24 %":                 sentence("b", 0.2, 0.2408),
		"c: 0 % → 0.0012 %":              sentence("c", 0, 0.0000123),
		"d: 30.2 % → 30.4 %":             sentence("d", 0.3017, 0.3041),
		"e: 100 % → 99.9 %":              sentence("e", 1, 0.9991),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for x, want := range map[float64]string{
		-12345.678: "-12,346", 999.95: "1,000", 0.00001: "1e-05", 1e20: "1e+20", 0: "0", -0.25: "-0.25", 123456: "123,456",
	} {
		if got := grouped(x, 4); got != want {
			t.Errorf("%v: %s, want %s", x, got, want)
		}
	}
}

func TestTheReportRemembersTheNewestAlarms(t *testing.T) {
	m := mustMonitor(t, plain())
	for i := range 1100 {
		m.record([]Alarm{{Tick: int64(i)}})
	}
	r := m.Report()
	if len(r.Alarms) != 1000 || r.AlarmCount != 1100 || r.Alarms[0].Tick != 100 || r.Alarms[999].Tick != 1099 {
		t.Errorf("%d alarms of %d, from %d", len(r.Alarms), r.AlarmCount, r.Alarms[0].Tick)
	}
}

func TestWidenedDetectorsAreSaid(t *testing.T) {
	if said := mustMonitor(t, plain()).Widened(); said != "" {
		t.Error(said)
	}
	if f := mustMonitor(t, plain()).Report().Features[0]; f.Widened || f.Quality.Widened {
		t.Errorf("%+v", f)
	}
	few := plain()
	few.Features[0].Counts = []int64{500, 500}
	m := mustMonitor(t, few)
	epsilon := valueRadius(2, 1000)
	said := m.Widened()
	want := fmt.Sprintf("2 of 2 drift detectors were widened, because the training data are few for their tolerance; the worst is "+
		"that of the values of x: %.4f of the traffic may change cell in place of 0.02 (1,000 rows, it would need %s)",
		epsilon, grouped(valueRows(2, 0.02), -1))
	if said != want {
		t.Errorf("%q, want %q", said, want)
	}
	if f := m.Report().Features[0]; math.Abs(float64(f.Epsilon)-epsilon) > 1e-15 || f.Tolerance != 0.02 || !f.Widened {
		t.Errorf("%+v", f.Verdict)
	}
}

func TestGuarantee(t *testing.T) {
	o := streamOptions(0)
	o.Partitions, o.FalseAlarmEvery = 16, 8760*time.Hour
	want := "while less than epsilon of the traffic changes cell, all 5 detectors in each of 16 partitions together give at most " +
		"one false alarm in a year on average (3,153,600 ticks)"
	if got := mustMonitor(t, o).Guarantee(); got != want {
		t.Error(got)
	}
}

func TestNoDetectorWhereNoneIsWanted(t *testing.T) {
	off := streamOptions(10)
	off.Features = slices.Clone(off.Features)
	off.Features[0].Off = true
	resampled := streamOptions(10)
	resampled.Resampled = true
	companion := Options{Features: []Feature{
		{Name: "age", HasRange: true, HasMoments: true, Min: 18, Max: 90, Mean: 40, Std: 10, Missing: 2, Rows: 10_000},
		{Name: "bare"}, // nothing at all is known
		{Name: "rowless", Missing: 3},
	}, TickEvents: 10}
	for _, c := range []struct {
		name      string
		o         Options
		detectors int
	}{{"all", streamOptions(10), 5}, {"one off", off, 3}, {"resampled", resampled, 0}, {"companion", companion, 1}} {
		m := mustMonitor(t, c.o)
		if m.betting() != c.detectors {
			t.Errorf("%s: %d detectors, want %d", c.name, m.betting(), c.detectors)
		}
		r := m.Report()
		limit := math.Log(3_153_600 * float64(c.detectors) * 3)
		for _, f := range r.Features {
			for _, v := range []Verdict{f.Verdict, f.Quality.Verdict} {
				if !math.IsNaN(float64(v.Threshold)) && math.Abs(float64(v.Threshold)-limit) > 1e-12 {
					t.Errorf("%s: threshold %v, want %v", c.name, v.Threshold, limit)
				}
			}
		}
		if (r.Guarantee == "") != (c.detectors == 0) {
			t.Errorf("%s: guarantee %q", c.name, r.Guarantee)
		}
	}
	if f := mustMonitor(t, off).Report().Features[0]; !f.Off || !math.IsNaN(float64(f.LogM)) || !math.IsNaN(float64(f.Quality.LogM)) {
		t.Errorf("%+v", f)
	}
	quality := mustMonitor(t, companion).Report().Features[0]
	if !math.IsNaN(float64(quality.Threshold)) || math.IsNaN(float64(quality.Quality.Threshold)) {
		t.Errorf("companion: %+v", quality)
	}
}

// TestACompanionAlarmsOnQuality has no counts, and values beyond min and max.
func TestACompanionAlarmsOnQuality(t *testing.T) {
	m := mustMonitor(t, Options{TickEvents: 200, Features: []Feature{
		{Name: "age", HasRange: true, Min: 18, Max: math.Inf(1), Missing: 2, Rows: 100_000},
	}})
	s := m.Shard("")
	for range 3 {
		for i := range 200 {
			s.Observe([]float64{float64(10 + i)}, math.NaN(), 0)
		}
		s.CloseTick(time.UnixMilli(noon))
	}
	r := m.Report()
	if len(r.Alarms) == 0 || r.Alarms[0].Kind != "quality" || r.Alarms[0].Moved[0].Text != "age unreadable or under 18: 0 % → 4 %" {
		t.Errorf("alarms %+v", r.Alarms)
	}
}

func TestOverridesAreNamed(t *testing.T) {
	o := plain()
	o.Features[0].Tolerance, o.Features[0].Override = 0.05, &Override{Note: "launch in FR", AcceptUntil: "2027-01-31"}
	data, err := json.Marshal(mustMonitor(t, o).Report())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{`"tolerance":0.05,"epsilon":0.05`, `"override":{"note":"launch in FR","accept_until":"2027-01-31"}`} {
		if !strings.Contains(string(data), part) {
			t.Errorf("no %s in %s", part, data)
		}
	}
}

package drift

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// week is a baseline of two cells whose mix swings by ten points between day and night. The rows of an hour are given.
func week(rows int64) Feature {
	f := Feature{Name: "channel", Edges: []float64{0}, Counts: []int64{0, 0}, Seasonal: &Seasonal{}}
	for h := range hoursOfWeek {
		above := int64(math.Round(float64(rows) * dayShare(h)))
		f.Seasonal.Values = append(f.Seasonal.Values, []int64{rows - above, above})
		f.Counts[0] += rows - above
		f.Counts[1] += above
	}
	return f
}

// dayShare is the share of the second cell: 40 % by night, 60 % by day.
func dayShare(hourOfWeek int) float64 {
	return 0.5 - 0.1*math.Cos(2*math.Pi*float64(hourOfWeek%24)/24)
}

// TestAWeekOfDaysAndNights lets a week of the baseline's own traffic pass, ticks of 1,000 events every other minute.
func TestAWeekOfDaysAndNights(t *testing.T) {
	seasonal := week(50_000)
	plain := seasonal
	plain.Seasonal = nil
	alarms := map[bool]int64{}
	for _, f := range []Feature{seasonal, plain} {
		m := mustMonitor(t, Options{Features: []Feature{f}, TickEvents: 1000})
		s := m.Shard("")
		random := newRandom()
		monday := time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)
		for tick := range 7 * 24 * 30 {
			at := monday.Add(time.Duration(tick) * 2 * time.Minute)
			share := dayShare(hourOfWeek(at.UnixMilli()))
			for range 1000 {
				x := -1.0
				if random.Float64() < share {
					x = 1
				}
				s.Observe([]float64{x}, math.NaN(), at.UnixMilli())
			}
			s.CloseTick(at)
		}
		alarms[f.Seasonal != nil] = m.Report().AlarmCount
	}
	t.Logf("5,040 ticks of a clean week: %d alarms with seasonal shares, %d without", alarms[true], alarms[false])
	if alarms[true] != 0 || alarms[false] < 100 {
		t.Errorf("%d alarms with seasonal shares, %d without", alarms[true], alarms[false])
	}
}

func TestHourOfWeek(t *testing.T) {
	for text, want := range map[string]int{
		"2026-11-16T00:00:00Z": 0, "2026-11-16T00:59:59.999Z": 0, "2026-11-16T01:00:00Z": 1, "2026-11-22T23:59:59Z": 167,
		"1970-01-01T00:00:00Z": 72, "1969-12-29T00:00:00Z": 0, "1969-12-28T23:00:00Z": 167, "2026-11-18T11:30:00+01:00": 58,
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := hourOfWeek(at.UnixMilli()); got != want {
			t.Errorf("%s: hour %d, want %d", text, got, want)
		}
	}
	for _, extreme := range []int64{math.MinInt64, math.MaxInt64} {
		if h := hourOfWeek(extreme); h < 0 || h >= hoursOfWeek {
			t.Errorf("%d: hour %d", extreme, h)
		}
	}
}

// TestAThinHourUsesTheWhole has hours of 999 rows, one of 1,000 and one without any value.
func TestAThinHourUsesTheWhole(t *testing.T) {
	f := week(999)
	f.Seasonal.Values[5] = []int64{250, 750}
	f.Seasonal.Values[6] = []int64{0, 0}
	l, ok := f.valueLaws()
	if !ok {
		t.Fatal("no laws")
	}
	hour := func(h int) *law { return l.at(time.Date(2026, 11, 16, h, 0, 0, 0, time.UTC).UnixMilli()) }
	if hour(4) != &l.whole || hour(6) != &l.whole || l.at(0) != &l.whole {
		t.Error("an hour of under 1,000 rows, or no hour at all, uses the whole baseline")
	}
	thick := hour(5)
	if thick == &l.whole || thick.p[1] != 750.5/1001 || thick.epsilon != valueRadius(2, 1000) {
		t.Errorf("hour of 1,000 rows: %+v", thick)
	}
	if l.widest() != thick {
		t.Error("the widest law is that of the thin hour")
	}
}

// TestSeasonalQuality reads rows in either way of counting categories beside the listed ones.
func TestSeasonalQuality(t *testing.T) {
	rows := func(quality []int64) *Seasonal {
		return &Seasonal{Values: slices.Repeat([][]int64{{600, 300, 50}}, hoursOfWeek), Quality: slices.Repeat([][]int64{quality}, hoursOfWeek)}
	}
	for _, c := range []struct {
		known   bool
		quality []int64
		want    [4]int64
	}{
		{true, []int64{950, 50, 0, 0}, [4]int64{950, 50, 0, 0}},
		{true, []int64{900, 50, 0, 50}, [4]int64{950, 50, 0, 0}},
		{false, []int64{950, 50, 0, 0}, [4]int64{900, 50, 0, 50}},
		{false, []int64{900, 50, 0, 50}, [4]int64{900, 50, 0, 50}},
	} {
		f := country()
		f.KnownGiven = c.known
		f.Counts, f.Other, f.Missing, f.Rows = []int64{600 * 168, 300 * 168}, 50*168, 50*168, 1000*168
		f.Seasonal = rows(c.quality)
		if got := f.seasonalQuality(3); got != c.want {
			t.Errorf("known given %v, rows %v: %v, want %v", c.known, c.quality, got, c.want)
		}
		m := mustMonitor(t, Options{Features: []Feature{f}})
		l := m.detectors[1].laws
		if hour := l.at(noon); hour == &l.whole || hour.base.Counts[3] != float64(c.want[3]) {
			t.Errorf("law of an hour: %+v", hour)
		}
	}
}

// TestTheHourIsThatOfTheFirstEvent drifts by the clock of one hour and not of the next.
func TestTheHourIsThatOfTheFirstEvent(t *testing.T) {
	f := week(50_000)
	for h := range hoursOfWeek {
		f.Seasonal.Values[h] = []int64{10_000, 40_000}
	}
	f.Seasonal.Values[0] = []int64{40_000, 10_000}
	f.Counts = []int64{167*10_000 + 40_000, 167*40_000 + 10_000}
	monday := time.Date(2026, 11, 16, 0, 59, 59, 0, time.UTC)
	for _, first := range []time.Duration{0, time.Second} {
		m := mustMonitor(t, Options{Features: []Feature{f}, TickEvents: 500})
		s := m.Shard("")
		for range 5 {
			for i := range 500 {
				x, at := 1.0, monday.Add(time.Minute)
				if i%5 == 0 {
					x = -1
				}
				if i == 0 {
					at = monday.Add(first)
				}
				s.Observe([]float64{x}, math.NaN(), at.UnixMilli())
			}
			s.CloseTick(monday)
		}
		if alarmed := m.Report().AlarmCount > 0; alarmed != (first == 0) {
			t.Errorf("first event at %v: alarmed %v", monday.Add(first), alarmed)
		}
	}
}

func TestSeasonalContradictionsAreNamed(t *testing.T) {
	for name, spoil := range map[string]func(*Feature){
		"167 seasonal rows":        func(f *Feature) { f.Seasonal.Values = f.Seasonal.Values[1:] },
		"row of 1 counts":          func(f *Feature) { f.Seasonal.Values[9] = []int64{1} },
		"is negative":              func(f *Feature) { f.Seasonal.Values[9] = []int64{1, -1} },
		"counts of the whole":      func(f *Feature) { f.Counts = nil },
		"seasonal rows for 168":    func(f *Feature) { f.Seasonal.Quality = [][]int64{{1, 2, 3, 4}} },
		"a tolerance is not betwe": func(f *Feature) { f.QualityTolerance = math.NaN() },
		"a tolerance is not":       func(f *Feature) { f.Tolerance = 1 },
	} {
		f := week(2000)
		spoil(&f)
		_, err := NewMonitor(Options{Features: []Feature{f}})
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "feature channel") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, o := range []Options{{FalseAlarmEvery: time.Second}, {Partitions: -1}, {TickEvents: -1}} {
		if _, err := NewMonitor(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

// TestRefusedEventsReachTheQualityCells counts each code at the field at fault.
func TestRefusedEventsReachTheQualityCells(t *testing.T) {
	listed, readable := 0.0, 3.0
	for _, c := range []struct {
		code    string
		feature int
		x       []float64
		amount  string // value cells, quality cells
		country string
	}{
		{"missing_field", 0, []float64{math.NaN(), listed}, "[0 0 0] [0 1 0 0]", "[1 0 0] [1 0 0 0]"},
		{"missing_field", 0, []float64{readable, listed}, "[0 0 0] [0 1 0 0]", "[1 0 0] [1 0 0 0]"},
		{"missing_field", 1, []float64{readable, math.NaN()}, "[0 1 0] [1 0 0 0]", "[0 0 0] [0 1 0 0]"},
		{"missing_field", -1, []float64{readable, listed}, "[0 1 0] [1 0 0 0]", "[1 0 0] [1 0 0 0]"},
		{"wrong_type", 0, []float64{math.Inf(1), listed}, "[0 0 0] [0 0 1 0]", "[1 0 0] [1 0 0 0]"},
		{"wrong_type", 1, []float64{readable, math.Inf(1)}, "[0 1 0] [1 0 0 0]", "[0 0 0] [0 0 1 0]"},
		{"wrong_type", 1, []float64{readable, listed}, "[0 1 0] [1 0 0 0]", "[0 0 0] [0 0 1 0]"},
		{"wrong_type", 1, []float64{math.Inf(1), math.Inf(1)}, "[0 0 0] [0 0 1 0]", "[0 0 0] [0 0 1 0]"},
		{"non_finite", 0, []float64{math.Inf(1), listed}, "[0 0 0] [0 0 1 0]", "[1 0 0] [1 0 0 0]"},
		{"unknown_category", 1, []float64{readable, -1}, "[0 1 0] [1 0 0 0]", "[0 0 1] [0 0 0 1]"},
		{"unknown_category", 1, []float64{readable, listed}, "[0 1 0] [1 0 0 0]", "[0 0 1] [0 0 0 1]"},
		{"unknown_category", 1, []float64{readable, math.NaN()}, "[0 1 0] [1 0 0 0]", "[0 0 1] [0 0 0 1]"},
		{"unknown_category", 0, []float64{readable, listed}, "[0 1 0] [1 0 0 0]", "[1 0 0] [1 0 0 0]"},
		{"unscorable", 0, []float64{readable, math.NaN()}, "[0 1 0] [1 0 0 0]", "[0 0 0] [0 1 0 0]"},
		{"bad_json", -1, nil, "[0 0 0] [0 0 0 0]", "[0 0 0] [0 0 0 0]"},
		{"output_too_large", -1, []float64{readable, listed}, "[0 0 0] [0 0 0 0]", "[0 0 0] [0 0 0 0]"},
	} {
		m := mustMonitor(t, Options{Features: []Feature{amount(), country()}, Score: &Feature{Edges: []float64{0.5}, Counts: []int64{9, 1}}})
		s := m.Shard("")
		before := slices.Clone(c.x)
		s.ObserveRefused(c.x, c.code, c.feature, 0)
		s.Flush()
		r := m.Report()
		for i, want := range []string{c.amount, c.country} {
			if got := fmt.Sprint(r.Features[i].Cells, r.Features[i].Quality.Counts); got != want {
				t.Errorf("%s of %d, %v: feature %d in %s, want %s", c.code, c.feature, c.x, i, got, want)
			}
		}
		if r.Score.Cells[0]+r.Score.Cells[1] != 0 {
			t.Errorf("%s has a score", c.code)
		}
		if fmt.Sprint(before) != fmt.Sprint(c.x) {
			t.Errorf("%s: the row was changed to %v", c.code, c.x)
		}
	}
}

// TestARequiredFieldThatStopsComingAlarms is what refused events are counted for.
func TestARequiredFieldThatStopsComingAlarms(t *testing.T) {
	m := mustMonitor(t, streamOptions(200))
	s := m.Shard("")
	random := rand.New(rand.NewPCG(3, 4))
	for i := range 2000 {
		e := event{x: []float64{drawAmount(random), drawCountry(random)}, score: float64(i%10) / 17.5}
		if i >= 1000 && i%10 == 0 {
			e.x[0], e.code = math.NaN(), "missing_field"
		}
		if e.observe(s) {
			s.CloseTick(time.UnixMilli(noon))
		}
	}
	alarms := m.Report().Alarms
	if len(alarms) == 0 {
		t.Fatal("nothing alarmed")
	}
	if a := alarms[0]; a.Feature != "amount" || a.Kind != "quality" || a.Tick != 7 || a.Severity() != "page" {
		t.Errorf("first alarm %+v", a)
	}
}

func TestRepeatedRowsReachTheDetectorsAndNotTheTotals(t *testing.T) {
	m := mustMonitor(t, plain())
	s := m.Shard("")
	for range 60 {
		s.Observe([]float64{1}, math.NaN(), 0)
	}
	s.FlushRepeated()
	for range 40 {
		s.Observe([]float64{1}, math.NaN(), 0)
	}
	tick, closed := s.CloseTick(time.UnixMilli(noon))
	if r := m.Report(); !closed || tick.Rows != 100 || r.Events != 40 || r.Features[0].Recent.N != 100 {
		t.Errorf("tick of %d rows, %d events, %v recent", tick.Rows, r.Events, r.Features[0].Recent.N)
	}
}

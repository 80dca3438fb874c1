package web

import (
	"bytes"
	"math"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"fraudstream/drift"
)

// newDriftMonitor watches an amount, a field of which only the range and the moments are known, and the score.
func newDriftMonitor(t *testing.T) *drift.Monitor {
	t.Helper()
	m, err := drift.NewMonitor(drift.Options{
		TickEvents: 200,
		Features: []drift.Feature{
			{Name: "amount", Edges: []float64{10, 100}, Counts: []int64{50_000, 40_000, 10_000}, HasRange: true, Max: 1000},
			{Name: "age", HasRange: true, Min: 18, Max: 100, HasMoments: true, Mean: 40, Std: 10, Rows: 1000},
		},
		Score: &drift.Feature{Edges: []float64{0.5}, Counts: []int64{90_000, 10_000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// observe lets ticks of 200 events pass a shard; the amounts of all of them are in the last bin where it drifts. The
// events happened at the given time, and the ticks close at closed.
func observe(t *testing.T, s *drift.Shard, ticks int, drifts bool, at, closed time.Time) {
	t.Helper()
	for range ticks {
		for i := range 200 {
			amount := []float64{5, 5, 5, 5, 5, 50, 50, 50, 50, 500}[i%10]
			if drifts {
				amount = 500
			}
			full := s.Observe([]float64{amount, 60 + float64(i%2)}, float64(i%10)/10, at.UnixMilli())
			if full != (i == 199) {
				t.Fatalf("full after %d events", i+1)
			}
		}
		s.CloseTick(closed)
	}
	s.Flush()
}

// scrape returns the exposition of a monitor behind the door.
func scrape(t *testing.T, m *drift.Monitor) string {
	t.Helper()
	door := newDoor(t, func(o *Options) {
		registry := NewRegistry()
		registry.MustRegister(NewDriftCollector(m, "0a0b0c0d9999"))
		o.Gatherer, o.Monitor = registry, m
	})
	recorder := httptest.NewRecorder()
	door.ServeHTTP(recorder, httptest.NewRequest("GET", "/metrics", nil))
	return recorder.Body.String()
}

func want(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !regexp.MustCompile(`(?m)^` + line + `$`).MatchString(text) {
			t.Errorf("no line %s", line)
		}
	}
}

func TestDriftMetrics(t *testing.T) {
	m := newDriftMonitor(t)
	now := time.Unix(1_800_000_000, 0)
	calm, drifted := m.Shard("0"), m.Shard("1")
	observe(t, calm, 3, false, now, now)
	observe(t, drifted, 6, true, now, now.Add(time.Minute))
	text := scrape(t, m)
	want(t, text,
		`fraudstream_feature_cell_total{baseline="0a0b0c0d",cell="02",feature="amount"} 1260`,
		`fraudstream_feature_cell_total{baseline="0a0b0c0d",cell="00",feature="score"} .*`,
		`fraudstream_feature_quality_total{baseline="0a0b0c0d",cell="00",feature="amount"} 1800`,
		`fraudstream_feature_quality_total{baseline="0a0b0c0d",cell="03",feature="amount"} 0`,
		`fraudstream_feature_baseline_count{baseline="0a0b0c0d",cell="02",feature="amount"} 10000`,
		`fraudstream_drift_alarm{feature="amount",kind="values",partition="0"} 0`,
		`fraudstream_drift_alarm{feature="amount",kind="values",partition="1"} 1`,
		`fraudstream_drift_alarm{feature="amount",kind="quality",partition="1"} 0`,
		`fraudstream_drift_alarm{feature="score",kind="values",partition="1"} .*`,
		`fraudstream_drift_log_evidence{feature="age",kind="quality",partition="1"} .*`,
		`fraudstream_drift_last_tick_timestamp_seconds{partition="0"} 1.8e\+09`,
		`fraudstream_drift_last_tick_timestamp_seconds{partition="1"} 1.80000006e\+09`,
		`fraudstream_drift_psi{feature="amount"} .*`,
		`fraudstream_drift_tv{feature="amount"} 0\.[56].*`,
		`fraudstream_feature_mean_ratio{feature="age"} 1.5125`,
		`fraudstream_feature_std_ratio{feature="age"} 0.05`,
	)
	for _, absent := range []string{
		`fraudstream_feature_cell_total.*feature="age".*cell="01"`, `fraudstream_drift_psi{feature="age"}`,
		`fraudstream_drift_alarm{feature="age",kind="values"`, `fraudstream_drift_alarm{feature="score",kind="quality"`,
		`fraudstream_feature_std_ratio{feature="amount"}`,
	} {
		if regexp.MustCompile(absent).MatchString(text) {
			t.Errorf("there is a series %s", absent)
		}
	}
}

// TestDriftMetricsOfAPartitionGoWithIt would page for ever if a partition left its alarm behind.
func TestDriftMetricsOfAPartitionGoWithIt(t *testing.T) {
	m := newDriftMonitor(t)
	now := time.Unix(1_800_000_000, 0)
	s := m.Shard("1")
	observe(t, s, 6, true, now, now)
	s.Close()
	text := scrape(t, m)
	if strings.Contains(text, `partition="1"`) {
		t.Error("a series of the partition has stayed")
	}
	want(t, text, `fraudstream_feature_cell_total{baseline="0a0b0c0d",cell="02",feature="amount"} 1200`)
}

// TestReplayedDriftSetsNoGauge lets the same drift pass an hour late: it stands in the report, marked, and pages nobody.
func TestReplayedDriftSetsNoGauge(t *testing.T) {
	m := newDriftMonitor(t)
	now := time.Unix(1_800_000_000, 0)
	s := m.Shard("1")
	observe(t, s, 6, true, now.Add(-time.Hour), now)
	want(t, scrape(t, m), `fraudstream_drift_alarm{feature="amount",kind="values",partition="1"} 0`)
	report := m.Report()
	if len(report.Alarms) == 0 || !report.Alarms[0].Replay {
		t.Errorf("alarms %+v", report.Alarms)
	}
}

// TestDriftReportHasTheKeysOfTheContract reads /drift before there is a figure, and after an alarm.
func TestDriftReportHasTheKeysOfTheContract(t *testing.T) {
	m := newDriftMonitor(t)
	door := newDoor(t, func(o *Options) { o.Monitor = m })
	var report map[string]any
	ask(t, door, "GET", "/drift", "", &report)
	features := report["features"].([]any)
	if amount := features[0].(map[string]any); amount["psi"] != nil || amount["alarmed"] != false || amount["epsilon"] == nil || amount["log_m"] != nil {
		t.Errorf("with nothing observed: %v", amount)
	}
	if alarms, ok := report["alarms"].([]any); !ok || len(alarms) != 0 {
		t.Errorf("alarms %v", report["alarms"])
	}

	now := time.Unix(1_800_000_000, 0)
	observe(t, m.Shard("1"), 6, true, now, now)
	ask(t, door, "GET", "/drift", "", &report)
	for path, keys := range map[string]string{
		"":           "events model features score alarms",
		"features 0": "name n psi psi_unsmoothed js hellinger tv ks w1_over_std mean missing tolerance epsilon log_m threshold alarmed quality recent moved",
		"features 1": "name n psi tv ks quality recent moved",
		"score":      "name psi log_m threshold alarmed moved",
		"alarms 0":   "feature kind event tick half_life log_m threshold replay tv psi w1_over_std moved",
		"model":      "name version",
	} {
		at := any(report)
		for step := range strings.FieldsSeq(path) {
			if list, ok := at.([]any); ok {
				at = list[step[0]-'0']
			} else {
				at = at.(map[string]any)[step]
			}
		}
		for key := range strings.FieldsSeq(keys) {
			if _, there := at.(map[string]any)[key]; !there {
				t.Errorf("%s has no %s", path, key)
			}
		}
	}
	amount := report["features"].([]any)[0].(map[string]any)
	if amount["alarmed"] != true || amount["w1_over_std"] != nil || amount["quality"].(map[string]any)["alarmed"] != false {
		t.Errorf("with the drift: %v", amount)
	}
	if tv := amount["tv"].(float64); math.Abs(tv-0.9) > 1e-9 {
		t.Errorf("tv %v", tv)
	}
}

// TestMetricsPassPromtool hands a scrape to promtool, which knows the conventions for names and help. It finds one name
// that the contract fixes and that conventions would have otherwise.
func TestMetricsPassPromtool(t *testing.T) {
	promtool := os.Getenv("FRAUDSTREAM_PROMTOOL")
	if promtool == "" {
		t.Skip("FRAUDSTREAM_PROMTOOL is not set: the path of promtool, of Debian's package prometheus")
	}
	m := newDriftMonitor(t)
	now := time.Unix(1_800_000_000, 0)
	observe(t, m.Shard("1"), 6, true, now, now)
	check := exec.CommandContext(t.Context(), promtool, "check", "metrics")
	check.Stdin = strings.NewReader(scrape(t, m))
	var said bytes.Buffer
	check.Stdout, check.Stderr = &said, &said
	err := check.Run()
	const fixed = "fraudstream_feature_baseline_count non-histogram and non-summary metrics should not have \"_count\" suffix\n"
	if said.String() != fixed {
		t.Errorf("promtool check metrics: %v\n%s", err, &said)
	}
}

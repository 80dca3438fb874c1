package web

import (
	"encoding/json"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fraudstream/drift"
)

// driftReport is the report of the contract: what the monitor says, and of which model it says it.
type driftReport struct {
	*drift.Report
	Model modelName `json:"model"`
}

type modelName struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

func (s *Server) drift(w http.ResponseWriter, _ *http.Request) {
	b := &s.options.Scorer.Bundle
	text, err := json.Marshal(driftReport{s.options.Monitor.Report(), modelName{b.Name, b.Version}})
	if err != nil {
		s.options.Log.Error("the drift report could not be written", "error", err)
		http.Error(w, "the drift report could not be written", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(text, '\n')) // a client that has gone needs no answer
}

// DriftCollector shows a monitor to Prometheus. The counters are of all rows since the start and add up over
// processes; the distances are of the recent rows of this process.
type DriftCollector struct {
	monitor  *drift.Monitor
	baseline string // label: another baseline starts new series

	cells, quality, base, ticked *prometheus.Desc
	distances                    []distance

	mu    sync.Mutex
	ticks map[int32]time.Time
}

// distance is one gauge and where its figure stands.
type distance struct {
	desc *prometheus.Desc
	of   func(*drift.Distances) drift.Figure
}

// NewDriftCollector returns a collector; metadataSHA256 names the baseline.
func NewDriftCollector(m *drift.Monitor, metadataSHA256 string) *DriftCollector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("fraudstream_"+name, help, labels, nil)
	}
	c := &DriftCollector{
		monitor:  m,
		baseline: metadataSHA256[:min(8, len(metadataSHA256))],
		ticks:    map[int32]time.Time{},
		cells:    describe("feature_cell_total", "Events by value cell of a feature.", "feature", "cell", "baseline"),
		quality:  describe("feature_quality_total", "Events by quality cell of a feature: 00 ok, 01 missing, 02 outside, 03 unseen.", "feature", "cell", "baseline"),
		base:     describe("feature_baseline_count", "Training rows by value cell of a feature.", "feature", "cell", "baseline"),
		ticked:   describe("drift_last_tick_timestamp_seconds", "When the last drift interval of a partition was closed.", "partition"),
	}
	for _, d := range []struct {
		name, help string
		of         func(*drift.Distances) drift.Figure
	}{
		{"psi", "Population stability index of recent events against training, smoothed.", func(d *drift.Distances) drift.Figure { return d.PSI }},
		{"js", "Jensen-Shannon distance (base e) of recent events from training.", func(d *drift.Distances) drift.Figure { return d.JS }},
		{"ks", "Kolmogorov-Smirnov distance over the bins of recent events from training.", func(d *drift.Distances) drift.Figure { return d.KS }},
		{"tv", "Total variation of recent events from training: the share that changed cell.", func(d *drift.Distances) drift.Figure { return d.TV }},
		{"w1_over_std", "Earth mover's distance of recent events from training, in training standard deviations.", func(d *drift.Distances) drift.Figure { return d.W1OverStd }},
	} {
		c.distances = append(c.distances, distance{describe("drift_"+d.name, d.help, "feature"), d.of})
	}
	return c
}

// Ticked notes that a partition has closed a drift interval.
func (c *DriftCollector) Ticked(partition int32, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ticks[partition] = at
}

// Gone forgets a partition that moved away.
func (c *DriftCollector) Gone(partition int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ticks, partition)
}

// Describe is part of prometheus.Collector.
func (c *DriftCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.cells, c.quality, c.base, c.ticked} {
		ch <- d
	}
	for _, d := range c.distances {
		ch <- d.desc
	}
}

// Collect is part of prometheus.Collector.
func (c *DriftCollector) Collect(ch chan<- prometheus.Metric) {
	report := c.monitor.Report()
	for i := range report.Features {
		c.feature(ch, &report.Features[i])
	}
	if report.Score != nil {
		c.feature(ch, report.Score)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for partition, at := range c.ticks {
		ch <- prometheus.MustNewConstMetric(c.ticked, prometheus.GaugeValue, float64(at.UnixMilli())/1000, strconv.Itoa(int(partition)))
	}
}

// feature sends the series of one feature. A distance that has no figure yet has no series: 0 would mean no drift.
func (c *DriftCollector) feature(ch chan<- prometheus.Metric, f *drift.FeatureReport) {
	counter := func(d *prometheus.Desc, n int64, cell int) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), f.Name, drift.CellLabel(cell), c.baseline)
	}
	for i, n := range f.Cells {
		counter(c.cells, n, i)
	}
	for i, n := range f.Quality.Counts {
		counter(c.quality, n, i)
	}
	for i, n := range f.Baseline {
		ch <- prometheus.MustNewConstMetric(c.base, prometheus.GaugeValue, float64(n), f.Name, drift.CellLabel(i), c.baseline)
	}
	for _, d := range c.distances {
		if v := float64(d.of(&f.Recent.Distances)); v == v {
			ch <- prometheus.MustNewConstMetric(d.desc, prometheus.GaugeValue, v, f.Name)
		}
	}
}

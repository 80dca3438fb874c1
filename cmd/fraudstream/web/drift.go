package web

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"

	"fraudstream/drift"
	"fraudstream/scoring"
)

// DriftReport is the report of the contract: what the monitor says, and of which model it says it. Its JSON is also
// what the description of the door is derived from, so a field that is added to drift.Report appears there by itself.
type DriftReport struct {
	*drift.Report
	Model modelName `json:"model"`
}

// modelName is the member model of a report, in the words that decisions have for it. SHA256 is of the model file.
type modelName struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
}

// NewDriftReport joins the two.
func NewDriftReport(r *drift.Report, b *scoring.Bundle) DriftReport {
	return DriftReport{r, modelName{b.Name, b.Version, b.SHA256}}
}

// drift answers GET /drift. The report is encoded as a whole before the first byte of it is sent, so that an encoder
// that fails can still be answered with 500; a report of some dozens of features has some tens of kilobytes.
func (s *Server) drift(w http.ResponseWriter, r *http.Request) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // a cell is called "> 1000"; the type of the content keeps browsers from reading tags
	if err := encoder.Encode(NewDriftReport(s.options.Monitor.Report(), &s.options.Scorer.Bundle)); err != nil {
		s.options.Log.Error("the drift report could not be written", "error", err)
		s.fail(w, r, http.StatusInternalServerError, fault{Code: codeInternal, Message: "the drift report could not be written"})
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text.Bytes()) // a client that has gone needs no answer
}

// DriftCollector shows a monitor to Prometheus. The counters are of all rows since the start and add up over
// processes; the distances are of the recent rows of this process; evidence and alarms are of one partition each, and
// move with it. Whoever wants a distance over several processes takes the counters feature_cell_total and
// feature_baseline_count and computes it from their sums, since distances of parts do not add up. The label baseline
// keeps the counts of a retrained model apart from those of the one before.
type DriftCollector struct {
	monitor  *drift.Monitor
	baseline string // label: another baseline starts new series

	cells, quality, base    *prometheus.Desc
	ticked, evidence, alarm *prometheus.Desc
	figures                 []figure
}

// figure is one gauge of a feature and where it stands in the report. The function picks it when metrics are
// collected, so that one list serves both the description and the collection.
type figure struct {
	desc *prometheus.Desc
	of   func(*drift.FeatureReport) drift.Figure
}

// NewDriftCollector returns a collector; metadataSHA256 names the baseline. Of the hash eight characters become the
// label: enough to tell the baselines of one service apart, and short enough for a legend.
func NewDriftCollector(m *drift.Monitor, metadataSHA256 string) *DriftCollector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("fraudstream_"+name, help, labels, nil)
	}
	c := &DriftCollector{
		monitor:  m,
		baseline: metadataSHA256[:min(8, len(metadataSHA256))],
		cells:    describe("feature_cell_total", "Events by value cell of a feature.", "feature", "cell", "baseline"),
		quality:  describe("feature_quality_total", "Events by quality cell of a feature: 00 ok, 01 missing, 02 outside, 03 unseen.", "feature", "cell", "baseline"),
		base:     describe("feature_baseline_count", "Training rows by value cell of a feature.", "feature", "cell", "baseline"),
		ticked:   describe("drift_last_tick_timestamp_seconds", "When the last drift interval of a partition was closed.", "partition"),
		evidence: describe("drift_log_evidence", "Evidence of a detector against the baseline, a natural logarithm: the largest of its half-lives, after the last drift interval.", "feature", "kind", "partition"),
		alarm:    describe("drift_alarm", "1 while an alarm of live events is open: from the alarm until the feature has been back within its tolerance for 30 drift intervals.", "feature", "kind", "partition"),
	}
	for _, f := range []struct {
		name, help string
		of         func(*drift.FeatureReport) drift.Figure
	}{
		{"drift_psi", "Population stability index of recent events against training, smoothed.", func(f *drift.FeatureReport) drift.Figure { return f.Recent.PSI }},
		{"drift_js", "Jensen-Shannon distance (base e) of recent events from training.", func(f *drift.FeatureReport) drift.Figure { return f.Recent.JS }},
		{"drift_ks", "Kolmogorov-Smirnov distance over the bins of recent events from training.", func(f *drift.FeatureReport) drift.Figure { return f.Recent.KS }},
		{"drift_tv", "Total variation of recent events from training: the share that changed cell.", func(f *drift.FeatureReport) drift.Figure { return f.Recent.TV }},
		{"drift_w1_over_std", "Earth mover's distance of recent events from training, in training standard deviations.", func(f *drift.FeatureReport) drift.Figure { return f.Recent.W1OverStd }},
		{"feature_mean_ratio", "Mean of a feature since the start over that of training.", func(f *drift.FeatureReport) drift.Figure { return f.MeanRatio }},
		{"feature_std_ratio", "Standard deviation of a feature since the start over that of training; only where the baseline has no counts.", func(f *drift.FeatureReport) drift.Figure { return f.StdRatio }},
	} {
		c.figures = append(c.figures, figure{describe(f.name, f.help, "feature"), f.of})
	}
	return c
}

// Describe is part of prometheus.Collector. Every series that Collect may send is of one of these, whether there is a
// figure for it yet or not, so that a registry refuses a second collector of the same names at the start and not at
// the first scrape.
func (c *DriftCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.cells, c.quality, c.base, c.ticked, c.evidence, c.alarm} {
		ch <- d
	}
	for _, f := range c.figures {
		ch <- f.desc
	}
}

// Collect is part of prometheus.Collector. The registry calls it for each scrape, from a goroutine of its own; two
// scrapes at a time make two reports.
func (c *DriftCollector) Collect(ch chan<- prometheus.Metric) {
	report := c.monitor.Report()
	for i := range report.Features {
		c.feature(ch, &report.Features[i])
	}
	if report.Score != nil {
		c.feature(ch, report.Score)
	}
	for i := range report.Partitions {
		c.partition(ch, &report.Partitions[i])
	}
}

// partition sends what the detectors of one partition know. A partition that has closed no interval yet has no time
// of one: 0 would read as 1970, and rules take a partition whose last tick is old for one that is not judged. An
// alarm that is closed is sent as 0, so that a graph shows when it ended.
func (c *DriftCollector) partition(ch chan<- prometheus.Metric, p *drift.PartitionReport) {
	if !p.LastTick.IsZero() {
		ch <- gauge(c.ticked, float64(p.LastTick.UnixMilli())/1000, p.Partition)
	}
	for _, e := range p.Evidence {
		alarmed := 0.0
		if e.Alarmed {
			alarmed = 1
		}
		ch <- gauge(c.evidence, e.LogM, e.Feature, e.Kind, p.Partition)
		ch <- gauge(c.alarm, alarmed, e.Feature, e.Kind, p.Partition)
	}
}

// feature sends the series of one feature. What has no figure yet has no series: 0 would mean no drift.
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
		ch <- gauge(c.base, float64(n), f.Name, drift.CellLabel(i), c.baseline)
	}
	for _, g := range c.figures {
		if v := float64(g.of(f)); v == v {
			ch <- gauge(g.desc, v, f.Name)
		}
	}
}

func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

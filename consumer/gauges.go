package consumer

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// partitionGauges describes the partitions that this process has now. The set changes only when a generation begins
// or ends. A scrape, the health check and Status read it in goroutines of their own, and take nothing from a pipeline
// but atomic values: so no scrape holds one up.
type partitionGauges struct {
	mu     sync.Mutex
	states map[*state]bool
}

// The descriptions are made at each scrape: they are few, and the package keeps no global state.
func lagRecordsDesc() *prometheus.Desc {
	return prometheus.NewDesc("fraudstream_consumer_lag_records",
		"Offsets between the last acknowledged event and the end of the partition.", []string{"topic", "partition"}, nil)
}

func lagSecondsDesc() *prometheus.Desc {
	return prometheus.NewDesc("fraudstream_consumer_lag_seconds",
		"Age of the last acknowledged event while there are more to come; the largest of this process's partitions.", nil, nil)
}

func pausedDesc() *prometheus.Desc {
	return prometheus.NewDesc("fraudstream_partition_paused",
		"1 while a partition stands still, with the operation that fails, corrupt_batch, out_of_range, letter_too_large, memory or breaker as reason.",
		[]string{"topic", "partition", "reason"}, nil)
}

func progressDesc() *prometheus.Desc {
	return prometheus.NewDesc("fraudstream_partition_progress_timestamp_seconds",
		"When the partition last moved, or was found to be at its end; Unix seconds.", []string{"topic", "partition"}, nil)
}

// Describe sends the descriptions.
func (g *partitionGauges) Describe(out chan<- *prometheus.Desc) {
	out <- lagRecordsDesc()
	out <- lagSecondsDesc()
	out <- pausedDesc()
	out <- progressDesc()
}

// Collect reads the pipelines.
func (g *partitionGauges) Collect(out chan<- prometheus.Metric) {
	lag, paused, progress := lagRecordsDesc(), pausedDesc(), progressDesc()
	now, behind := time.Now(), 0.0
	for _, s := range g.current() {
		topic, partition := s.topic, itoa(s.partition)
		out <- gauge(lag, float64(s.lag()), topic, partition)
		out <- gauge(progress, float64(s.progress.Load())/1e9, topic, partition)
		if reason := s.paused.Load(); reason != nil {
			out <- gauge(paused, 1, topic, partition, *reason)
		}
		behind = max(behind, s.behind(now))
	}
	out <- gauge(lagSecondsDesc(), behind)
}

// current is one state per partition. Two consumers of one process may both have one for a moment, when a partition
// moves from one to the other; the further one counts.
func (g *partitionGauges) current() map[string]*state {
	g.mu.Lock()
	defer g.mu.Unlock()
	latest := map[string]*state{}
	for s := range g.states {
		if other := latest[s.name()]; other == nil || s.next.Load() >= other.next.Load() {
			latest[s.name()] = s
		}
	}
	return latest
}

// gauge is one value of one scrape; labels are in the order in which the description names them.
func gauge(d *prometheus.Desc, v float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

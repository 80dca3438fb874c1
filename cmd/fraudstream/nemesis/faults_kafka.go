package nemesis

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// KafkaFaults need real brokers behind proxies: see [kafkatest.StartProxied].
func KafkaFaults() []Fault {
	return append(append(brokerFaults(), networkFaults()...), logFaults()...)
}

// eventually waits for something that must come.
func (w *World) eventually(what string, patience time.Duration, done func() bool) {
	w.T.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.T.Errorf("waited %v for %s", patience, what)
			return
		}
	}
}

// services are the subjects that run the service.
func (w *World) services() []*Subject {
	var all []*Subject
	for _, s := range w.Subjects {
		if !s.Plain {
			all = append(all, s)
		}
	}
	return all
}

// refused is how often the workers of each service have met an error code.
func (w *World) refused(code string) map[*Subject]float64 {
	counts := map[*Subject]float64{}
	for _, s := range w.services() {
		counts[s] = s.countedWhere("fraudstream_retries_total", fmt.Sprintf("code=%q", code))
	}
	return counts
}

// more tells whether the counts of every service have grown.
func (w *World) more(before, now map[*Subject]float64) bool {
	for _, s := range w.services() {
		if now[s] <= before[s] {
			return false
		}
	}
	return true
}

// countedWhere adds up those series of a metric that have a label, as name="value", over every worker that ever was.
func (s *Subject) countedWhere(name, label string) float64 {
	s.mu.Lock()
	all := append(append([]*Worker(nil), s.live...), s.gone...)
	s.mu.Unlock()
	sum := 0.0
	for _, w := range all {
		w.mu.Lock()
		for key, v := range w.figures {
			if strings.HasPrefix(key, name+"{") && strings.Contains(key, label) {
				sum += v
			}
		}
		w.mu.Unlock()
	}
	return sum
}

// said counts a text in everything that the workers of a subject have said so far.
func (s *Subject) said(text string) int {
	files, _ := filepath.Glob(filepath.Join(s.logs, s.Name+"-*.log"))
	n := 0
	for _, file := range files {
		log, _ := os.ReadFile(file)
		n += strings.Count(string(log), text)
	}
	return n
}

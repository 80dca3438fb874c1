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

// eventually waits for something that must come, looking ten times a second. What does not come in time fails the
// test and does not end it, so that the fault is mended and the run goes on. It is asked once at least, however short
// the patience.
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

// refused is how often the workers of each service have met an error code: a number of Kafka's, or a word of the
// service's own such as corrupt. It is what their counters of failed attempts said when they were last asked, about a
// second ago.
func (w *World) refused(code string) map[*Subject]float64 {
	counts := map[*Subject]float64{}
	for _, s := range w.services() {
		counts[s] = s.countedWhere(retriesTotal, fmt.Sprintf("code=%q", code))
	}
	return counts
}

// troubled is how often the workers of each service have had to try something again, whatever it was.
func (w *World) troubled() map[*Subject]float64 {
	counts := map[*Subject]float64{}
	for _, s := range w.services() {
		for _, worker := range s.Workers() {
			worker.scrape()
		}
		counts[s] = s.counted(retriesTotal)
	}
	return counts
}

// MetTrouble says that the workers of each service have had to try things again since a count was taken. The plain
// loop counts no attempts and is left out: a fault that uses this says of it by something else that it was met.
func (w *World) MetTrouble(before map[*Subject]float64) {
	for s, n := range w.troubled() {
		w.Met(s, "attempts that failed", int(n-before[s]))
	}
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
// Like counted, it is a lower bound.
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

// said counts a text in everything that the workers of a subject have said so far, those that have ended included. A
// file that cannot be read has said nothing.
func (s *Subject) said(text string) int {
	files, _ := filepath.Glob(filepath.Join(s.logs, s.Name+"-*.log"))
	n := 0
	for _, file := range files {
		log, _ := os.ReadFile(file)
		n += strings.Count(string(log), text)
	}
	return n
}

// saidOf counts the lines of a subject's workers that hold both texts.
func (s *Subject) saidOf(text, about string) int {
	files, _ := filepath.Glob(filepath.Join(s.logs, s.Name+"-*.log"))
	n := 0
	for _, file := range files {
		log, _ := os.ReadFile(file)
		for line := range strings.Lines(string(log)) {
			if strings.Contains(line, text) && strings.Contains(line, about) {
				n++
			}
		}
	}
	return n
}

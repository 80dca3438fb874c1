// Package console is the page at /: what the service does at this moment, for people, in a browser and without anything
// from the network but this process.
//
//	GET /                 the page
//	GET /console/NAME     its script, its style, the charts and the sign in the tab
//	GET /console/events   server-sent events: all there is to know on connection, then an update a second
//	GET /console/state    the same once, as JSON
//
// # How the figures come here
//
// A source is asked for a [State] once a second: of the own process ([Own]), or of several ([Merge]), as in the demo.
// From two states the console makes a [Point] of its charts and keeps those of five minutes, so that whoever opens
// the page sees what has just been. Each update is encoded once, however many are looking.
//
// # Why it costs the stream nothing
//
// The counters are those that Prometheus scrapes; they are added to once a fetched run, console or not. Of decisions,
// the loop of a partition sets one aside when somebody has asked for one, and it learns that from a flag which it
// looks at once in 256 events. Drift is reported once a second while somebody is looking, and every ten seconds while
// nobody is.
//
// # Why a slow reader is dropped
//
// There are at most 32 readers, and each may be eight updates behind; then its connection is closed, and the page
// connects again by itself. So what the console holds is bounded, and one telephone in a tunnel holds up nobody.
//
// # What it does not show
//
// Ids are masked or hashed as the configuration says ([fraudstream/cmd/fraudstream/privacy]), and of refused events
// the code, the field and the place are shown. Reasons are texts of the model's bundle. No value of an event reaches
// the page, but for those of the fields that privacy.show names, masked and cut short: what an analyst recognises a
// payment by.
package console

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"fraudstream/consumer"
)

// The limits of what one console holds.
const (
	maxReaders = 32
	maxBehind  = 8   // updates that a reader may be late
	maxPoints  = 300 // of the charts: five minutes
	maxLines   = 40  // of what happened
	window     = 5   // seconds that quantiles are taken over
)

// Options is what a console needs. Source is called by one goroutine, once each Every, and told whether anybody is
// looking; what is dear to find out it may then leave out.
type Options struct {
	Source func(watched bool) State
	Every  time.Duration // default 1 s
	Log    *slog.Logger
}

// Console is the page and those who look at it.
type Console struct {
	o Options

	mu      sync.Mutex
	readers map[*reader]bool
	points  []Point
	latest  State
	recent  []sample // for rates and quantiles
	story   story
	stopped bool
	asked   time.Time // for the state, by somebody who comes back for it
}

// reader is one connection. Its channel is closed when it is dropped.
type reader struct{ updates chan []byte }

// sample is what of a state the next points need.
type sample struct {
	at     int64
	totals Totals
}

// New returns a console that does not run yet.
func New(o Options) *Console {
	if o.Every <= 0 {
		o.Every = time.Second
	}
	return &Console{o: o, readers: map[*reader]bool{}}
}

// Run asks the source until ctx ends. Then all connections are closed, so that a server that drains need not wait.
func (c *Console) Run(ctx context.Context) {
	defer c.stop()
	tick := time.NewTicker(c.o.Every)
	defer tick.Stop()
	for {
		c.update(c.o.Source(c.watched()))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// watched tells the source whether what it finds out will be seen: by a reader, or by whoever asked for the state
// within five seconds.
func (c *Console) watched() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.readers) > 0 || time.Since(c.asked) < 5*time.Second
}

// message is one update: the state, and the points that the reader has not seen.
type message struct {
	State
	Points []Point `json:"points"`
}

// update takes a new state and tells every reader. A state may be late by what the source took; points bear its time
// and not that of the tick. The lock is held while the readers are told: none of them is waited for.
func (c *Console) update(s State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.point(&s)
	if c.points = append(c.points, p); len(c.points) > maxPoints {
		c.points = append(c.points[:0], c.points[1:]...)
	}
	c.story.follow(&c.latest, &s)
	s.Log = c.story.among(s.Log)
	c.latest = s
	if len(c.readers) == 0 {
		return
	}
	text := c.encode(message{s, []Point{p}})
	for r := range c.readers {
		select {
		case r.updates <- text:
		default:
			c.drop(r)
		}
	}
}

// encode never fails on what a source may return: figures that are no numbers are null.
func (c *Console) encode(m message) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(m); err != nil {
		c.o.Log.Error("the console's state could not be encoded", "error", err)
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// point compares a state with the ones before it.
func (c *Console) point(s *State) Point {
	p := Point{At: s.At}
	for i := range s.Partitions {
		p.Lag += s.Partitions[i].Lag
	}
	if n := len(c.recent); n > 0 {
		last, first := c.recent[n-1], c.recent[0]
		if seconds := float64(s.At-last.at) / 1e3; seconds > 0 {
			p.Rate = float64(max(s.Totals.Events-last.totals.Events, 0)) / seconds
		}
		between := subtract(s.Totals.Latency.Counts, first.totals.Latency.Counts)
		p.P50, p.P99 = quantile(s.Totals.Latency.Bounds, between, .5), quantile(s.Totals.Latency.Bounds, between, .99)
	}
	if c.recent = append(c.recent, sample{s.At, s.Totals}); len(c.recent) > window {
		c.recent = append(c.recent[:0], c.recent[1:]...)
	}
	return p
}

// subtract is what was counted between two looks; all of now where the one before had other buckets.
func subtract(now, before []int64) []int64 {
	between := make([]int64, len(now))
	for i := range now {
		between[i] = now[i]
		if len(before) == len(now) {
			between[i] = max(now[i]-before[i], 0)
		}
	}
	return between
}

// quantile is the value below which a share of the counted ones lie. Within its bucket they are taken to be spread
// evenly, as Prometheus does it; what lies above all bounds is told as the last one. Null where nothing was counted.
func quantile(bounds []float64, counts []int64, share float64) *float64 {
	var total, below int64
	for _, n := range counts {
		total += n
	}
	if total == 0 {
		return nil
	}
	rank, low := share*float64(total), 0.0
	for i, bound := range bounds {
		if n := counts[i]; n > 0 && float64(below+n) >= rank {
			at := low + (bound-low)*(rank-float64(below))/float64(n)
			return &at
		}
		below += counts[i]
		low = bound
	}
	return &low
}

// join lets a connection read from now on. It gets what is known and all points; nil where there are too many readers.
func (c *Console) join() (*reader, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped || len(c.readers) >= maxReaders {
		return nil, false
	}
	r := &reader{updates: make(chan []byte, maxBehind)}
	c.readers[r] = true
	if c.latest.At != 0 {
		r.updates <- c.encode(message{c.latest, c.points})
	}
	return r, true
}

// leave forgets a connection that has ended by itself.
func (c *Console) leave(r *reader) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(r)
}

// drop closes a reader's channel, once. The lock is held.
func (c *Console) drop(r *reader) {
	if c.readers[r] {
		delete(c.readers, r)
		close(r.updates)
	}
}

// stop drops all readers and lets nobody join any more.
func (c *Console) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	for r := range c.readers {
		c.drop(r)
	}
}

// snapshot is the latest state with all points.
func (c *Console) snapshot() []byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = time.Now()
	return c.encode(message{c.latest, c.points})
}

// newTotals has maps to count in.
func newTotals() Totals {
	return Totals{Decisions: map[string]int64{}, Refused: map[string]int64{}}
}

// totalsOf are those of a stream.
func totalsOf(t consumer.Totals) Totals {
	return Totals{
		Events: t.Consumed, Skipped: t.Skipped, Decisions: t.Decisions, Refused: t.DeadLetters, Score: t.Score, Latency: t.Latency,
	}
}

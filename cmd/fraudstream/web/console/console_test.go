package console

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fraudstream/cmd/fraudstream/privacy"
	"fraudstream/consumer"
	"fraudstream/scoring"
	"fraudstream/scoring/program"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opened is a console that runs on a server with short timeouts, until the test ends.
func opened(t *testing.T, source func(bool) State) (*Console, string) {
	t.Helper()
	c := New(Options{Source: source, Every: 20 * time.Millisecond, Log: slog.New(slog.DiscardHandler)})
	mux := http.NewServeMux()
	for _, r := range c.Routes() {
		mux.HandleFunc("GET "+r.Path, r.Handle)
	}
	server := httptest.NewUnstartedServer(mux)
	server.Config.ReadTimeout, server.Config.WriteTimeout = 100*time.Millisecond, 100*time.Millisecond
	server.Start()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { c.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended; server.Close(); http.DefaultClient.CloseIdleConnections() })
	return c, server.URL
}

// counting is a source whose events grow by ten with every look.
func counting() func(bool) State {
	var n atomic.Int64
	return func(bool) State {
		i := n.Add(1)
		t := newTotals()
		t.Events = 10 * i
		t.Latency = consumer.Buckets{Bounds: []float64{.001, .01}, Counts: []int64{5 * i, 5 * i, 0}}
		return State{At: 1000 * i, Scope: "a test", Totals: t, Partitions: []Partition{{Lag: i}}}
	}
}

// follow reads the events of a connection until the function says that it is enough.
func follow(t *testing.T, url string, each func(message) bool) *http.Response {
	t.Helper()
	r, err := http.Get(url + "/console/events")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	lines := bufio.NewScanner(r.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "data: ")
		var m message
		if ok && json.Unmarshal([]byte(text), &m) != nil {
			t.Fatalf("no JSON: %s", text)
		}
		if ok && !each(m) {
			return r
		}
	}
	t.Fatalf("the connection has ended: %v", lines.Err())
	return nil
}

// One message with everything comes first, then updates with one point each; the timeouts of the server, which are for
// requests that end, do not end it.
func TestEvents(t *testing.T) {
	c, url := opened(t, counting())
	time.Sleep(100 * time.Millisecond)
	began, messages, last := time.Now(), 0, int64(0)
	r := follow(t, url, func(m message) bool {
		if messages == 0 && len(m.Points) < 3 || messages > 0 && len(m.Points) != 1 || m.At <= last {
			t.Errorf("message %d at %d has %d points", messages, m.At, len(m.Points))
		}
		messages, last = messages+1, m.At
		if p := m.Points[len(m.Points)-1]; messages > 8 && (p.Rate != 10 || p.Lag == 0 || *p.P50 != .001 || *p.P99 < .009) {
			t.Errorf("%+v, p50 %v, p99 %v", p, *p.P50, *p.P99)
		}
		return time.Since(began) < 500*time.Millisecond
	})
	if got := r.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("the type is %q", got)
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		c.mu.Lock()
		n := len(c.readers)
		c.mu.Unlock()
		if n == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d readers are left of a connection that has ended", n)
		}
	}
}

// A reader that does not read is dropped when it is too far behind, and the others go on.
func TestSlowReaderIsDropped(t *testing.T) {
	c := New(Options{})
	slow, _ := c.join()
	quick, _ := c.join()
	source, got := counting(), 0
	for range maxBehind + 5 {
		c.update(source(true))
		if _, ok := <-quick.updates; ok {
			got++
		}
	}
	left := 0
	for range slow.updates { // ends, because it was closed
		left++
	}
	if got != maxBehind+5 || left != maxBehind || len(c.readers) != 1 {
		t.Errorf("the quick one got %d, the slow one %d, %d readers are left", got, left, len(c.readers))
	}
	c.leave(slow) // as its handler does at the end, once more
}

// There is room for so many readers; the next one is told when to come again. When the console ends, all are let go.
func TestReadersAreBounded(t *testing.T) {
	c := New(Options{})
	for range maxReaders {
		if _, ok := c.join(); !ok {
			t.Fatal("no room")
		}
	}
	w := httptest.NewRecorder()
	c.events(w, httptest.NewRequest("GET", "/console/events", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("status %d, %v", w.Code, w.Header())
	}
	c.stop()
	if _, ok := c.join(); ok || len(c.readers) != 0 {
		t.Errorf("%d readers after the end", len(c.readers))
	}
}

// What is kept does not grow with time.
func TestHistoryIsBounded(t *testing.T) {
	c, source := New(Options{}), counting()
	for i := range 2 * maxPoints {
		s := source(false)
		s.Partitions[0].Worker = string(rune('a' + i%2)) // moves each second
		c.update(s)
	}
	if len(c.points) != maxPoints || len(c.latest.Log) != maxLines || len(c.recent) != window {
		t.Errorf("%d points, %d lines, %d states", len(c.points), len(c.latest.Log), len(c.recent))
	}
}

// The page and all that it names is there, under a policy without inline scripts, and nothing comes from elsewhere.
func TestPage(t *testing.T) {
	_, url := opened(t, counting())
	get := func(path string) (*http.Response, string) {
		r, err := http.Get(url + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		text, err := io.ReadAll(r.Body)
		if err != nil {
			t.Fatal(err)
		}
		return r, string(text)
	}
	page, text := get("/")
	if p := page.Header.Get("Content-Security-Policy"); !strings.Contains(p, "script-src 'self';") || strings.Contains(p, "unsafe") {
		t.Errorf("the policy is %q", p)
	}
	for _, inline := range []string{"<style", "style=", " onclick", "http://", "https://", "//cdn"} {
		if strings.Contains(text, inline) {
			t.Errorf("the page has %q", inline)
		}
	}
	for name, kind := range map[string]string{
		"app.js": "text/javascript", "charts.js": "text/javascript", "dom.js": "text/javascript", "drift.js": "text/javascript",
		"uplot.js": "text/javascript", "app.css": "text/css", "uplot.css": "text/css", "favicon.svg": "image/svg+xml", "uplot.LICENSE": "text/plain",
	} {
		r, body := get("/console/" + name)
		if r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), kind) || body == "" {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.Header.Get("Content-Type"))
		}
	}
	if r, _ := get("/console/console.go"); r.StatusCode != 404 {
		t.Errorf("status %d for a file that is none of the page's", r.StatusCode)
	}
	var m message
	if _, body := get("/console/state"); json.Unmarshal([]byte(body), &m) != nil || m.Scope != "a test" {
		t.Errorf("the state is %s", body)
	}
}

func TestQuantile(t *testing.T) {
	bounds := []float64{1, 2, 4}
	for _, c := range []struct {
		counts []int64
		share  float64
		want   float64
	}{
		{[]int64{10, 0, 0, 0}, .5, .5},
		{[]int64{0, 10, 0, 0}, .5, 1.5},
		{[]int64{5, 0, 5, 0}, .75, 3},
		{[]int64{0, 0, 0, 3}, .5, 4}, // above all bounds
	} {
		if got := quantile(bounds, c.counts, c.share); got == nil || *got != c.want {
			t.Errorf("%v of %v is %v, want %v", c.share, c.counts, got, c.want)
		}
	}
	if got := quantile(bounds, []int64{0, 0, 0, 0}, .5); got != nil {
		t.Errorf("%v of nothing", *got)
	}
}

// Requests are counted once each, whatever came of them, and what is remembered of refused ones is their place and code.
func TestDoor(t *testing.T) {
	d := NewDoor(func(value []byte) map[string]string { return map[string]string{"v": string(value)} })
	if got := d.samples(); got != nil {
		t.Errorf("%q was set aside for nobody", got)
	}
	origin := scoring.Origin{Request: "q", Index: 1}
	refused := scoring.Result{Outcome: scoring.Refused, Err: scoring.EventError{Code: scoring.WrongType, Field: "amount"}, Decision: scoring.Decision{Origin: origin}}
	for range 2 * shown {
		d.Count([]scoring.Event{{}, {Value: []byte("second")}}, []scoring.Result{{Outcome: scoring.Skipped}, refused}, 3*time.Millisecond)
	}
	s := State{}
	d.tell(&s)
	if s.Totals.Events != 4*shown || s.Totals.Skipped != 2*shown || s.Totals.Refused["wrong_type"] != 2*shown || len(s.Refused) != shown {
		t.Errorf("%+v, %d refused are remembered", s.Totals, len(s.Refused))
	}
	if r := s.Refused[0]; r.Source != "http/q/1" || r.Code != "wrong_type" || r.Field != "amount" || r.Shown["v"] != "second" {
		t.Errorf("%+v", r)
	}
	b := newBuckets(1, 2)
	for _, v := range []float64{.5, 1, 1.5, 9} {
		count(&b, v)
	}
	if b.Counts[0] != 2 || b.Counts[1] != 1 || b.Counts[2] != 1 {
		t.Errorf("%v", b.Counts)
	}
}

// What was set aside when people looked away is not shown as new when they look again; what came since they look is.
func TestNothingStaleAfterAPause(t *testing.T) {
	o := &Own{Scorer: &scoring.Scorer{Program: &program.Program{}}, Door: NewDoor(nil)}
	ids := func(watched bool, expected ...string) {
		t.Helper()
		var got []string
		for _, d := range o.State(watched).Decisions {
			got = append(got, d.Source)
		}
		if !slices.Equal(got, expected) {
			t.Errorf("shown are %v, not %v", got, expected)
		}
	}
	decide := func(id string) { // as Count does when a sample is wanted
		if o.Door.wanted {
			o.Door.sample, o.Door.wanted = &consumer.Sample{Decision: []byte(`{"decision_id":"` + id + `"}`)}, false
		}
	}
	ids(true)
	decide("seen")
	ids(true, "seen")
	decide("as they went") // the last look has asked for it
	ids(false, "seen")
	decide("unseen")
	ids(true, "seen")
	decide("back")
	ids(true, "back", "seen")
}

// Of a decision only the masked id, the place, the score, the verdict and the first reason's text are shown, and of its event
// the fields that were picked.
func TestSampleIsMasked(t *testing.T) {
	o := &Own{Masker: privacy.New(privacy.Options{})}
	o.sample(&consumer.Sample{Shown: map[string]string{"country": "GB"}, Decision: []byte(`{"decision_id":"t/0/7","transaction_id":"4111111111111111","score":0.9,"decision":"block",
		"reasons":[{"code":"R01","feature":"amount","text":"unusual amount","contribution":1.8}],"secret":"4111111111111111"}`)}, 5)
	want := Decision{At: 5, ID: "*1111", Source: "t/0/7", Score: .9, Decision: "block", Reason: "R01 unusual amount", Shown: map[string]string{"country": "GB"}}
	if len(o.sampled) != 1 || !reflect.DeepEqual(o.sampled[0], want) {
		t.Errorf("%+v", o.sampled)
	}
	for range 2 * shown {
		o.sample(&consumer.Sample{Decision: []byte(`{"transaction_id":12345678}`)}, 6)
	}
	if len(o.sampled) != shown || o.sampled[0].ID != "*78" {
		t.Errorf("%d are kept: %+v", len(o.sampled), o.sampled[0])
	}
}

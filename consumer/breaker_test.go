package consumer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"fraudstream/consumer/deadletter"
	"fraudstream/scoring"
)

// breakerOpens is the whole story: events that can be scored, then only ones that cannot. The stream stops before they
// empty into the dead letters, says so, keeps its place in the group through a restart, and goes on when somebody
// accepts them; later failures are judged anew.
func breakerOpens(t *testing.T, b *broker) {
	s := newStage(t, b, 1, 1)
	alerts := s.name + ".alerts"
	s.create(alerts, 1)
	registry := prometheus.NewRegistry()
	o := s.options()
	o.Metrics, o.Alerts, o.Breaker = NewMetrics(registry), alerts, Breaker{Share: .5, Events: 100}
	sent := s.sendEvents("good", 150, 1)
	c := s.consumer(o)
	c.timing.breaker = 50 * time.Millisecond
	stop := s.start(c)
	s.await("the good ones", func() bool { return s.count(s.output()) == 150 })

	s.produceBroken(1000)
	paused := func() bool {
		_, series := metric(t, registry, "fraudstream_partition_paused", "reason", "breaker")
		return series == 1
	}
	s.await("the pause", paused)
	s.await("the alert", func() bool { return s.count(alerts) == 1 })
	letters := s.count(s.letters())
	if letters > 150 {
		t.Errorf("%d of 1000 broken events became dead letters before the pause", letters)
	}
	if n, _ := metric(t, registry, "fraudstream_rebalances_total"); n != 1 {
		t.Errorf("%v generations", n)
	}
	if text := s.logs.String(); !strings.Contains(text, "too many events fail") || !strings.Contains(text, "dlq resume") || !strings.Contains(text, "code=bad_json") {
		t.Errorf("the log: %s", s.logs.tail())
	}
	stop() // in good time, although a run is held

	// A process that starts anew pauses at the same place: nothing of the run that is held was published or committed.
	registry = prometheus.NewRegistry()
	o.Metrics = NewMetrics(registry)
	c = s.consumer(o)
	c.timing.breaker = 50 * time.Millisecond
	stop = s.start(c)
	s.await("the pause again", paused)
	if got := s.count(s.letters()); got != letters {
		t.Errorf("%d letters after a restart, %d before it", got, letters)
	}

	accepted, err := s.consumer(o).Accept(t.Context())
	if err != nil || accepted[0] < 1150 {
		t.Fatalf("accepted %v, %v", accepted, err)
	}
	sent = append(sent, s.sendEvents("after", 50, 1)...)
	s.await("the end of the lag", s.groupAtEnd)
	if got := s.count(s.letters()); got != 1000 {
		t.Errorf("%d letters, want all 1000", got)
	}
	s.await("the end of the pause", func() bool { return !paused() })

	s.produceBroken(300)
	s.await("the next pause", paused)
	stop()
	s.assertOnce(sent, s.decisionIDs())
	assertAlerts(t, s, alerts, letters+150)
}

// produceBroken sends n events that are no JSON.
func (s *stage) produceBroken(n int) {
	s.t.Helper()
	var records []*kgo.Record
	for i := range n {
		records = append(records, &kgo.Record{Value: fmt.Appendf(nil, `{"transaction_id":"bad-%d",`, i)})
	}
	s.produce(records...)
}

// assertAlerts demands an alert for the first pause, the same again after the restart, its end, and the next pause.
func assertAlerts(t *testing.T, s *stage, topic string, offset int64) {
	t.Helper()
	var states, episodes []string
	for _, r := range s.read(topic) {
		var a breakerAlert
		if err := json.Unmarshal(r.Value, &a); err != nil || a.Kind != "breaker" || a.Partition != "0" || a.Allowed != .5 {
			t.Fatalf("%s: %v", r.Value, err)
		}
		if header(r, "ce_type") != breakerType || header(r, "ce_id") != a.Episode+"/"+a.State {
			t.Errorf("headers %v", r.Headers)
		}
		states, episodes = append(states, a.State), append(episodes, a.Episode)
		if len(states) == 1 && (a.Offset != offset || a.Share <= .5 || a.Code != "bad_json") {
			t.Errorf("%s, want offset %d", r.Value, offset)
		}
	}
	if !slices.Equal(states, []string{"open", "open", "closed", "open"}) || episodes[0] != episodes[1] || episodes[1] != episodes[2] || episodes[3] == episodes[0] {
		t.Errorf("states %v, episodes %v", states, episodes)
	}
}

// A few failures among many, and many failures among few, are no reason to pause.
func TestBreakerWindow(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	b := &breaker{o: Breaker{Share: .5, Events: 100}}
	for _, step := range []struct {
		after  time.Duration
		run    outcome
		passes bool
	}{
		{0, outcome{99, 99}, true}, // below the number of events
		{0, outcome{1, 1}, false},
		{0, outcome{200, 51}, true}, // 150 of 299, but enough of this run can be scored
		{0, outcome{100, 0}, true},
		{59 * time.Second, outcome{100, 100}, false}, // 250 of 499
		{2 * time.Second, outcome{40, 40}, true},     // the first minute is forgotten
		{0, outcome{60, 60}, false},
		{0, outcome{60, 0}, true},
		{0, outcome{20, 20}, true}, // 60 of 120 is not over half
		{0, outcome{1, 1}, false},
	} {
		now = now.Add(step.after)
		if got := b.admit(now, step.run); got != step.passes {
			t.Errorf("at %v %+v: %v", now.Unix(), step.run, got)
		}
	}
	for _, share := range []float64{0, 1} {
		off := &breaker{o: Breaker{Share: share}}
		if !off.admit(now, outcome{1000, 1000}) {
			t.Errorf("share %v is no breaker", share)
		}
	}
}

// A model that can score the run closes the breaker, and the run is scored with it.
func TestBreakerClosesWithAnotherModel(t *testing.T) {
	t.Parallel()
	s := newStage(t, newFake(t), 1, 1)
	o := s.options()
	o.Breaker = Breaker{Share: .1, Events: 10}
	other, err := scoring.Load("testdata/fraud_model.pkl", scoring.Options{Features: []string{"wages", "debt"}})
	if err != nil {
		t.Fatal(err)
	}
	c := New(o, other)
	c.timing = s.consumer(o).timing
	c.timing.breaker = 20 * time.Millisecond
	sent := s.sendEvents("a", 50, 1)
	stop := s.start(c)
	s.await("the pause", func() bool { return strings.Contains(s.logs.String(), "too many events fail") })
	c.scorer.Store(testScorer(t))
	s.await("the end of the lag", s.groupAtEnd)
	stop()
	s.assertOnce(sent, s.decisionIDs())
	if n := s.count(s.letters()); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

// lettersInEveryMode: what of an event stands in its letter.
func lettersInEveryMode(t *testing.T, b *broker) {
	value := []byte(`{"transaction_id":"t-1","income":"4111 1111","debt":7}`)
	for _, c := range []struct {
		mode       deadletter.Mode
		key, value string
		headers    []string
		says       string
	}{
		{deadletter.Raw, "card-4111", string(value), []string{"traceparent", "tracestate", "secret"}, ""},
		{deadletter.Redacted, "xxxx-9999", `{"transaction_id":"t-1","income":"9999 9999","debt":9}`, []string{"traceparent"}, "redacted"},
		{deadletter.Reference, "", "", []string{"traceparent"}, "omitted"},
	} {
		s := newStage(t, b, 1, 1)
		s.produce(&kgo.Record{Key: []byte("card-4111"), Value: value, Headers: []kgo.RecordHeader{
			{Key: "traceparent", Value: []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")},
			{Key: "tracestate", Value: []byte("card=4111 1111")},
			{Key: "secret", Value: []byte("4111 1111")},
		}})
		o := s.options()
		o.ExitAtEnd, o.LetterMode, o.LetterKeep = true, c.mode, []string{"transaction_id"}
		if err := s.consumer(o).Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		letters := s.read(s.letters())
		if len(letters) != 1 {
			t.Fatalf("%v: %d letters", c.mode, len(letters))
		}
		l := letters[0]
		if string(l.Key) != c.key || string(l.Value) != c.value || (l.Value == nil) != (c.mode == deadletter.Reference) {
			t.Errorf("%v: key %q value %q", c.mode, l.Key, l.Value)
		}
		if header(l, deadletter.HeaderValue) != c.says || header(l, deadletter.HeaderOffset) != "0" || header(l, deadletter.HeaderCode) != "wrong_type" {
			t.Errorf("%v: headers %v", c.mode, l.Headers)
		}
		for _, name := range []string{"traceparent", "tracestate", "secret"} {
			if (header(l, name) != "") != slices.Contains(c.headers, name) {
				t.Errorf("%v: header %s is %q", c.mode, name, header(l, name))
			}
		}
		if c.mode != deadletter.Raw {
			for _, h := range l.Headers {
				if bytes.Contains(h.Value, []byte("4111 1111")) || bytes.Contains(h.Value, []byte("card-4111")) {
					t.Errorf("%v: header %s holds the card", c.mode, h.Key)
				}
			}
		}
	}
}

package consumer

import (
	"encoding/json"
	"strconv"
	"testing"

	"fraudstream/scoring"
)

// What people are shown is what the topics hold: the position that the group has, a decision as it was published and
// only after somebody has asked for one, and the place of a refused event without any of its bytes.
func statusOfAStream(t *testing.T, b *broker) {
	s := newStage(t, b, 2, 2)
	o := s.options()
	o.Show = func(value []byte) map[string]string { return map[string]string{"bytes": strconv.Itoa(len(value))} }
	c := s.consumer(o)
	stop := s.start(c)
	defer stop()
	s.sendEvents("a", 20, 2)
	s.await("the first decisions", func() bool { return s.count(s.output()) >= 20 })
	if early := c.Samples(); len(early) != 0 {
		t.Errorf("%q was set aside for nobody", early)
	}
	s.sendEvents("b", 20, 2)
	s.produceBroken(3) // to partition 0, where 20 events are
	s.await("all that came of them", func() bool { return s.countOf(s.output())+s.countOf(s.letters()) >= 43 })
	var status Status
	s.await("the commit", func() bool {
		status = c.Status()
		return len(status.Partitions) == 2 && status.Partitions[0].Committed == status.Partitions[0].End && status.Partitions[1].Committed == 20
	})
	for i, p := range status.Partitions {
		if p.Partition != int32(i) || p.Lag != 0 || p.Behind != 0 || p.Paused != "" || p.Next < 20 {
			t.Errorf("%+v", p)
		}
	}
	if n := len(status.Refused); n != 3 {
		t.Fatalf("%d refused events are remembered: %+v", n, status.Refused)
	}
	if r := status.Refused[0]; r.Code != "bad_json" || r.Partition != 0 || r.Offset != 20 || r.At == 0 || r.Shown["bytes"] == "" {
		t.Errorf("%+v", r)
	}
	samples := c.Samples()
	if len(samples) != 2 {
		t.Fatalf("%d samples of two partitions: %q", len(samples), samples)
	}
	for _, sample := range samples {
		text := sample.Decision
		var d struct {
			ID string `json:"transaction_id"`
		}
		if err := json.Unmarshal(text, &d); err != nil || s.decisionIDs()[d.ID] != 1 || sample.Shown["bytes"] != strconv.Itoa(len(event(d.ID))) {
			t.Errorf("%s with %v is no published decision: %v", text, sample.Shown, err)
		}
	}
}

// Of many refused events the last ones are remembered, and however many a run holds, it remembers few.
func TestRefusals(t *testing.T) {
	var all refusals
	looked := 0
	shown := func([]byte) map[string]string { looked++; return nil }
	for run := range 3 {
		var w tally
		for i := range 10_000 {
			w.keep(1, int64(run*10_000+i), &scoring.EventError{Code: scoring.BadJSON}, shown, nil)
		}
		all.add(w.refused, int64(run))
	}
	if looked != 3*keptRefusals {
		t.Errorf("%d events were looked into", looked)
	}
	got := all.all()
	if len(got) != keptRefusals || got[0].Offset != 20_000 || got[keptRefusals-1].Offset != 20_000+keptRefusals-1 || got[0].At != 2 {
		t.Errorf("%+v", got)
	}
}

// A decision is set aside without a copy of the whole chunk: nothing is allocated while nobody asks.
func TestSampleIsAskedFor(t *testing.T) {
	p, w := scoringPartition(t), fetchedRun(t, 1000, 0)
	if err := p.score(w); err != nil || w.sample != nil {
		t.Fatalf("sample %v of a run that nobody looks at, %v", w.sample, err)
	}
	p.state.wanted.Store(true)
	w.clearOutput()
	if err := p.score(w); err != nil || w.sample == nil || p.state.wanted.Load() {
		t.Fatalf("sample %v, still wanted: %v, %v", w.sample, p.state.wanted.Load(), err)
	}
	p.state.advance(&w.receipt)
	p.exhibit(&w.receipt)
	if got := p.state.sample.Load(); got == nil || got != w.sample {
		t.Error("what was set aside is not shown when the run counts")
	}
}

// Totals are the figures of a scrape.
func TestTotals(t *testing.T) {
	c := New(Options{}, testScorer(t))
	r := receipt{model: "m@1", tally: tally{consumed: 5, skipped: [scoring.Skips]int{scoring.SkipWhere: 1}, decided: []decided{{score: .004}, {score: .5, verdict: scoring.Block}, {score: .5, verdict: scoring.Block}}}}
	r.tally.refuse(scoring.BadJSON)
	c.o.Metrics.count(&r)
	r.model = "m@2"
	c.o.Metrics.count(&r)
	got := c.Totals()
	if got.Consumed != 10 || got.Skipped != 2 || got.Decisions["approve"] != 2 || got.Decisions["block"] != 4 || got.DeadLetters["bad_json"] != 2 {
		t.Errorf("%+v", got)
	}
	if n := got.Score.Counts; n[0] != 2 || n[7] != 4 || got.Score.Bounds[7] != .5 || len(n) != len(got.Score.Bounds)+1 {
		t.Errorf("scores %+v", got.Score)
	}
}

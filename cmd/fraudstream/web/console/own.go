package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"fraudstream/cmd/fraudstream/privacy"
	"fraudstream/consumer"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// shown is how many decisions, and how many refused events, the page has room for. Whoever counts keeps no more than
// so many either: what would not be shown need not be held.
const shown = 12

// Own is the source of one process: the parts that it asks. Consumer or Door is nil, whichever is not the traffic,
// and so may Monitor and Masker be. Features and Score are what the monitor was made of. The last four fields are
// what it remembers between two looks. It has no lock: the console calls State from one goroutine, and nothing else
// reads it.
type Own struct {
	Scope      string
	Scorer     *scoring.Scorer
	Thresholds scoring.Thresholds // in force
	From       string             // where they stand, as the page says it: of the bundle, of the configuration
	Stream     *Stream
	Consumer   *consumer.Consumer
	Door       *Door
	Monitor    *drift.Monitor
	Features   []drift.Feature
	Score      *drift.Feature
	Masker     *privacy.Masker
	Shows      []string // fields of events that people see, for the page to say so

	sampled []Decision // the newest first
	watched bool       // at the last look
	drift   *Drift     // of the last look
	looked  time.Time
}

// unwatched is how often drift is looked at while nobody is: often enough to tell later when an alarm came. The line
// about it bears the time of the look that found it.
const unwatched = 10 * time.Second

// State asks the parts. While nobody is watching, no decision is set aside and drift is reported only every ten
// seconds: a report adds the shards of all partitions up and measures every feature. What comes back is the
// console's: slices and maps are copies, or are never written again, since the state is encoded while the next one is
// made.
func (o *Own) State(watched bool) State {
	now := time.Now()
	s := State{
		At: now.UnixMilli(), Scope: o.Scope, Model: o.model(), Stream: o.Stream, Totals: newTotals(), Shows: o.Shows,
		Partitions: []Partition{}, Log: []Line{}, Refused: []Refusal{},
	}
	var samples []consumer.Sample
	if watched {
		samples = o.samples()
		if !o.watched { // they were set aside when people looked away, and the page would say that they are of now
			samples = nil
		}
	}
	o.watched = watched
	if watched || now.Sub(o.looked) >= unwatched {
		o.drift, o.looked = o.report(), now
	}
	if o.Consumer != nil {
		s.Totals = totalsOf(o.Consumer.Totals())
		o.stream(&s)
	}
	if o.Door != nil {
		o.Door.tell(&s)
		for i := range s.Refused { // a caller may call a request, or a field, as it likes
			r := &s.Refused[i]
			r.Source, r.Field = o.Masker.Text(r.Source), o.Masker.Text(r.Field)
		}
	}
	for i := range samples {
		o.sample(&samples[i], s.At)
	}
	s.Decisions, s.Drift = slices.Clone(o.sampled), o.drift
	if s.Decisions == nil {
		s.Decisions = []Decision{}
	}
	return s
}

// samples are the decisions that were set aside since the last call; the call asks for the next ones, so the first
// after a pause brings what was set aside when the pause began, which State leaves out.
func (o *Own) samples() []consumer.Sample {
	if o.Consumer != nil {
		return o.Consumer.Samples()
	}
	return o.Door.samples()
}

// report is nil where nothing is watched.
func (o *Own) report() *Drift {
	if o.Monitor == nil {
		return nil
	}
	return driftOf(o.Monitor.Report(), o.Features, o.Score)
}

// stream says where the partitions stand, and what of them was refused: the newest first, as many as the page has
// room for. The place of an event is told as topic/partition/offset, the form of a decision id. Paused says in words
// why a partition stands still, and is empty while it moves.
func (o *Own) stream(s *State) {
	status := o.Consumer.Status()
	for _, p := range status.Partitions {
		s.Partitions = append(s.Partitions, Partition{
			Number: p.Partition, Committed: p.Committed, End: p.End, Lag: p.Lag, Behind: p.Behind, Paused: p.Paused,
		})
	}
	for _, r := range slices.Backward(status.Refused) {
		if len(s.Refused) == shown {
			break
		}
		s.Refused = append(s.Refused, Refusal{
			At: r.At, Source: fmt.Sprintf("%s/%d/%d", o.Stream.Input, r.Partition, r.Offset), Code: string(r.Code), Field: o.Masker.Text(r.Field),
			Shown: r.Shown,
		})
	}
}

// model describes the model in force. The golden rows were compared when it was loaded: a model that misses its
// tolerance is not in force, so all that can be said of one is how many rows there were and how many agree to the
// last bit. Review and Block are nil where the pipeline's own predict decides.
func (o *Own) model() Model {
	b := &o.Scorer.Bundle
	m := Model{
		Name: b.Name, Version: b.Version, SHA256: b.SHA256, SignedBy: b.SignedBy, Features: len(o.Scorer.Program.Columns),
		Review: o.Thresholds.Review, Block: o.Thresholds.Block, Thresholds: o.From, Golden: "none in the bundle",
	}
	if b.GoldenRows > 0 {
		// A model that missed them would not have been loaded.
		m.Golden = fmt.Sprintf("%d of %d rows agree with scikit-learn, %d bit for bit", b.GoldenRows, b.GoldenRows, b.GoldenBitEqual)
		m.GoldenOK = true
	}
	return m
}

// sample takes from a decision what may be shown, and nothing else: its id masked, the reason that the bundle has
// words for, and the fields of its event that were picked where it was made. The newest twelve are kept. What is read
// here is the very JSON that was published, so the page can never show more of a decision than its readers get.
func (o *Own) sample(sample *consumer.Sample, at int64) {
	var d struct {
		ID          string          `json:"decision_id"`
		Transaction json.RawMessage `json:"transaction_id"`
		Score       float64         `json:"score"`
		Decision    string          `json:"decision"`
		Reasons     []struct{ Code, Feature, Text string }
	}
	if err := json.Unmarshal(sample.Decision, &d); err != nil {
		return // what the service has published is JSON
	}
	shownDecision := Decision{
		At: at, ID: o.Masker.ID(transaction(d.Transaction)), Source: o.Masker.Text(d.ID), Score: d.Score, Decision: d.Decision,
		Shown: sample.Shown,
	}
	if len(d.Reasons) > 0 {
		r := d.Reasons[0]
		shownDecision.Reason = strings.TrimSpace(r.Code + " " + r.Text)
		if r.Text == "" {
			shownDecision.Reason = r.Feature
		}
	}
	o.sampled = append([]Decision{shownDecision}, o.sampled[:min(len(o.sampled), shown-1)]...)
}

// transaction is the text of an id, which is a string or a number. A number keeps the digits that it was written
// with, of which a float64 holds the first fifteen.
func transaction(token json.RawMessage) string {
	var text string
	if err := json.Unmarshal(token, &text); err == nil {
		return text
	}
	return string(bytes.TrimSpace(token))
}

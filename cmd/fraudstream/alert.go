package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"

	"fraudstream/consumer"
	"fraudstream/drift"
)

// alert is one event of the alerts topic: an episode of drift that has begun or ended. The same events give the same
// bytes, so that a reader can drop what a crash repeats. The members of drift.Episode stand beside the others, not
// below them; severity, text, model and guarantee are what a reader needs who has never seen the report.
type alert struct {
	drift.Episode
	ClosedTick int64  `json:"closed_tick,omitempty"` // of an episode that has ended; tick is that of its first alarm
	Severity   string `json:"severity"`              // warning: a ticket; page: somebody must look now
	Text       string `json:"text"`                  // what moved, for people
	Model      string `json:"model"`                 // name@version
	Guarantee  string `json:"guarantee"`
}

// alert hands over an episode that the tick has opened or closed, and says it in the log. The record is keyed by the
// feature, so that what is told of one feature stays in order, and its id is that of the episode with its state:
// whoever has seen the id has seen the alert. It waits in the notes until a fetched run carries it to the topic, in
// the same transaction where delivery is exactly-once.
func (o *observer) alert(tick *drift.Tick, e *drift.Episode) {
	a := alert{
		Episode: *e, Severity: e.Severity(), Text: e.Describe(), Model: o.model, Guarantee: o.monitor.Guarantee(),
	}
	a.Partition = o.label
	if e.State == drift.EpisodeClosed {
		a.ClosedTick = tick.Number
	}
	var value bytes.Buffer
	text := json.NewEncoder(&value)
	text.SetEscapeHTML(false) // "> 1000" is the name of a cell, and nobody puts it into a page as it stands
	if err := text.Encode(&a); err != nil {
		panic(err) // figures write themselves, and the rest is text and whole numbers
	}
	o.notes.Alerts = append(o.notes.Alerts, consumer.Alert{
		ID: e.ID + "/" + e.State, Key: e.Feature, Value: bytes.TrimSuffix(value.Bytes(), []byte("\n")),
	})
	sayEpisode(o.log, &a.Episode)
}

// sayEpisode puts an episode that has begun or ended into the log, for whoever has no reader on the topic: a warning
// when it opens, and a plain line with the number of its alarms when it is over. Evidence and threshold are natural
// logarithms, as everywhere.
func sayEpisode(log *slog.Logger, e *drift.Episode) {
	attributes := []any{
		"feature", e.Feature, "kind", e.Kind, "partition", e.Partition, "episode", e.ID, "severity", e.Severity(),
		"moved", e.Describe(), "evidence", fmt.Sprintf("%.1f", float64(e.LogM)), "threshold", fmt.Sprintf("%.1f", float64(e.Threshold)),
		"replay", e.Replay,
	}
	if e.State == drift.EpisodeClosed {
		log.Info("drift is over", append(attributes, "alarms", e.Alarms)...)
		return
	}
	log.Warn("drift alarm", attributes...)
}

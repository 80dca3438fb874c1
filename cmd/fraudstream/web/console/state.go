package console

import (
	"fraudstream/consumer"
)

// State is what the page shows at one moment: totals since the start, which add up over processes, and how things stand
// now. It is also what a console that stands for several processes reads of each of them.
type State struct {
	At    int64  `json:"at"`    // Unix milliseconds
	Scope string `json:"scope"` // whose figures these are, in a sentence
	Model Model  `json:"model"`

	Stream     *Stream     `json:"stream"` // null: requests are the traffic
	Totals     Totals      `json:"totals"`
	Partitions []Partition `json:"partitions"`
	Decisions  []Decision  `json:"decisions"` // a sample, the newest first
	Refused    []Refusal   `json:"refused"`   // the newest first
	Drift      *Drift      `json:"drift"`     // null: not watched

	Workers []Worker `json:"workers,omitempty"` // processes, where there are several
	Log     []Line   `json:"log"`               // what happened, the oldest first
	Tries   []string `json:"tries,omitempty"`   // commands to try
	Shows   []string `json:"shows,omitempty"`   // fields of events that people see, masked
}

// Model says which model decides, and what its load gate has found.
type Model struct {
	Name       string   `json:"name"`
	Version    string   `json:"version"`
	SHA256     string   `json:"sha256"`
	SignedBy   string   `json:"signed_by"`
	Golden     string   `json:"golden"` // in words
	GoldenOK   bool     `json:"golden_ok"`
	Features   int      `json:"features"`
	Review     *float64 `json:"review"` // thresholds in force; null: none
	Block      *float64 `json:"block"`
	Thresholds string   `json:"thresholds"` // where they are from
}

// Stream names what the process reads and writes.
type Stream struct {
	Delivery   string `json:"delivery"`
	Group      string `json:"group"`
	Input      string `json:"input"`
	Output     string `json:"output"`
	DeadLetter string `json:"dead_letter"`
}

// Totals count since the start. They never fall while a process lives; what happened in between is the difference of
// two of them.
type Totals struct {
	Events    int64            `json:"events"` // decided, refused or skipped
	Skipped   int64            `json:"skipped"`
	Decisions map[string]int64 `json:"decisions"` // by decision
	Refused   map[string]int64 `json:"refused"`   // by error code
	Score     consumer.Buckets `json:"score"`
	Latency   consumer.Buckets `json:"latency"` // seconds
}

// Partition is where one partition of the input stands. Lag counts the records up to End that are not acknowledged
// yet; Behind is the age of the last one that is, while there are more to come.
type Partition struct {
	Number    int32   `json:"number"`
	Worker    string  `json:"worker,omitempty"`
	Committed int64   `json:"committed"` // -1: nothing yet
	End       int64   `json:"end"`       // -1: not known yet
	Lag       int64   `json:"lag"`
	Behind    float64 `json:"behind"` // seconds
	Paused    string  `json:"paused,omitempty"`
}

// Decision is one decision of the sample. What stands here is all that a console is told of an event.
type Decision struct {
	At       int64   `json:"at"` // when it was seen here, Unix milliseconds
	ID       string  `json:"id"` // of the transaction, masked
	Source   string  `json:"source"`
	Score    float64 `json:"score"`
	Decision string  `json:"decision"`
	Reason   string  `json:"reason"`

	Shown map[string]string `json:"shown,omitempty"` // fields of the event that the configuration lets people see
}

// Refusal is an event that could not be scored: where it lies and what is wrong with it, and of its fields those that
// the configuration lets people see.
type Refusal struct {
	At     int64  `json:"at"`
	Source string `json:"source"`
	Code   string `json:"code"`
	Field  string `json:"field"`

	Shown map[string]string `json:"shown,omitempty"`
}

// Worker is one of several processes. Nothing here controls it; the page shows it beside its partitions.
type Worker struct {
	Name       string `json:"name"`
	State      string `json:"state"` // starting, running, draining, killed, ended
	Address    string `json:"address"`
	Partitions int    `json:"partitions"`
	Events     int64  `json:"events"`
}

// Line is one thing that happened.
type Line struct {
	At   int64  `json:"at"`
	Kind string `json:"kind"` // scene, note, alarm, calm, bad, good
	Text string `json:"text"`
}

// The kinds of a line. A scene is also a mark in the charts.
const (
	Scene = "scene"
	Note  = "note"
	Alarm = "alarm"
	Calm  = "calm"
	Bad   = "bad"
	Good  = "good"
)

// Point is one second of the charts. What cannot be told for want of events is null. The console keeps 300 of them,
// at its pace of one a second five minutes. The quantiles are over the last five seconds, the rate over the last one.
type Point struct {
	At   int64    `json:"at"`
	Rate float64  `json:"rate"` // events in a second
	P50  *float64 `json:"p50"`  // seconds
	P99  *float64 `json:"p99"`
	Lag  int64    `json:"lag"`
}

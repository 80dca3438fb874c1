package drift

import "strings"

// The two kinds of detector.
const (
	kindValues  = "values"  // of value cells
	kindQuality = "quality" // of quality cells
)

// Tick is what came of a closed tick of one partition.
type Tick struct {
	Number   int64      // 1 is the partition's first
	Events   int64      // observed by the partition up to the tick's end, this one's included
	Rows     int64      // in the tick
	Alarms   []Alarm    // by feature, values before quality
	Episodes []Episode  // that this tick opened or closed
	Evidence []Evidence // of every detector, in the order of Monitor.Report
	Counts   []byte     // with Options.Pooled: the tick's counts, for Shard.Merge of the pool; else nil
}

// Alarm says that the law of a feature's cells has left the tolerance ball. Its JSON is an entry of the report's alarms.
type Alarm struct {
	Feature   string `json:"feature"` // the score's is "score"
	Kind      string `json:"kind"`    // values or quality
	Partition string `json:"partition,omitempty"`
	Event     int64  `json:"event"`       // 1-based number of the last event of the tick
	Tick      int64  `json:"tick"`        // its number
	HalfLife  int    `json:"half_life"`   // of the expert that has the evidence, in ticks
	LogM      Figure `json:"log_m"`       // its evidence, a natural logarithm
	Threshold Figure `json:"threshold"`   // which log_m has reached
	Epsilon   Figure `json:"epsilon"`     // radius of the tolerance ball at this tick
	Replay    bool   `json:"replay"`      // the tick's median event time is over 15 minutes old
	TV        Figure `json:"tv"`          // distances over the expert's memory, as in the report
	PSI       Figure `json:"psi"`         //
	W1OverStd Figure `json:"w1_over_std"` // numeric values only
	Moved     []Cell `json:"moved"`       // the three cells with the largest |live - baseline|, largest first
}

// Severity is "page" where somebody must look now (fields that go missing or turn to rubbish, a score that shifts) and
// "warning", a ticket, for the values of a feature.
func (a *Alarm) Severity() string {
	if a.Kind == kindQuality || a.Feature == scoreName {
		return "page"
	}
	return "warning"
}

// Describe says in one line what moved: "amount over 1,000: 0.4 % → 3.1 %; amount up to 5: 20 % → 18 %". Of quality it
// leaves out the cell ok, which has only lost what the others have gained.
func (a *Alarm) Describe() string {
	texts := make([]string, 0, len(a.Moved))
	for _, c := range a.Moved {
		if a.Kind != kindQuality || c.Name != ok.String() || len(a.Moved) == 1 {
			texts = append(texts, c.Text)
		}
	}
	return strings.Join(texts, "; ")
}

// States of an episode.
const (
	EpisodeOpen   = "open"
	EpisodeClosed = "closed"
)

// Episode is a drift from its first alarm to its end. All alarms of one detector that come while it is open belong to
// it. It closes when what detector remembers at half-life 64 has been inside the ball for 30 ticks.
type Episode struct {
	ID     string `json:"episode"` // the same wherever and whenever the same events are observed
	State  string `json:"state"`
	Alarms int64  `json:"alarms"` // so far
	Alarm         // the first
}

// Evidence is the state of one detector after a tick.
type Evidence struct {
	Feature   string
	Kind      string
	LogM      float64 // the largest of its experts, before the restart that an alarm brings
	Threshold float64
	TV        float64 // between what it remembers at half-life 64 and the baseline
	Alarmed   bool    // an episode is open, and not of replayed events alone
}

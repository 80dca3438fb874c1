package demo

import (
	"os"
	"path/filepath"
	"strconv"
)

// tickEvents is the length of a drift interval in the show. The service's own are 10 s and at least 200 events of each
// partition; a show of a minute that waited for those would be over before an alarm could be sure.
const tickEvents = 100

// configuration is that of the workers, beyond their flags.
//
// The evidence of all partitions is pooled, because each partition has the payments of some cards only: four thousand
// customers, who are another mix than the sixteen thousand of the training data.
const configuration = `# what the demo's workers run with, beside their flags
kafka: {alerts: ` + alerts + `, drift_state: ` + driftState + `, drift_ticks: ` + driftTicks + `}
drift: {pool: true}
`

// writeConfiguration writes it into dir and returns the flags that it needs.
func writeConfiguration(dir string) ([]string, error) {
	path := filepath.Join(dir, "fraud.yaml")
	return []string{"--config", path, "--drift-tick-events", strconv.Itoa(tickEvents)},
		os.WriteFile(path, []byte(configuration), 0o644)
}

// An alarm is what the reader takes from a record of the alerts topic. Episode names one stretch of drift of
// one feature, whose state is open until it ends; LogM is the evidence and Threshold what it had to exceed,
// both as natural logarithms; Text is the sentence for people.
type alarm struct {
	Episode   string
	State     string
	Feature   string
	Severity  string
	LogM      float64 `json:"log_m"`
	Threshold float64
	Tick      int64
	Text      string
}

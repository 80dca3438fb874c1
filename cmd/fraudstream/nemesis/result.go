package nemesis

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Result is what one strike of a fault did to one subject: a line of the results file. Times are in seconds, to a
// hundredth.
type Result struct {
	Ground  string  `json:"ground"`
	Seed    uint64  `json:"seed"`
	Number  int     `json:"number"` // of the strike in its run, from 1
	Fault   string  `json:"fault"`
	Subject string  `json:"subject"`
	Runs    int     `json:"runs"`    // how many times the fault struck in it
	Events  int     `json:"events"`  // acknowledged from its beginning until all had recovered and their groups were at rest
	Seconds float64 `json:"seconds"` // so long did that take
	Tally
	Recoveries []float64      `json:"recoveries_s"`     // from the end of each harm until all events acknowledged by then were answered
	Wait       float64        `json:"wait_s"`           // the longest that an event sent meanwhile waited for a visible answer
	Stuck      bool           `json:"stuck"`            // it did not recover in time, and its workers were started anew
	Failed     bool           `json:"failed,omitempty"` // the test has failed by it
	Met        map[string]int `json:"met,omitempty"`    // what the subject has met of the fault, and how often
	Notes      map[string]any `json:"notes,omitempty"`
}

// Append writes results as lines of JSON, one after the other, so that several runs may share a file. The order is
// theirs; a verdict ends the lines of a run.
func Append(w io.Writer, results []Result) error {
	encoder := json.NewEncoder(w)
	for i := range results {
		if err := encoder.Encode(&results[i]); err != nil {
			return err
		}
	}
	return nil
}

// Read reads lines of results. A line that has been cut short is an error: nobody can tell what it would have said.
func Read(r io.Reader) ([]Result, error) {
	var all []Result
	for decoder := json.NewDecoder(r); ; {
		var one Result
		if err := decoder.Decode(&one); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
}

// cell adds up what one fault did to one subject. What the table has no column for, such as events that were decided
// and refused, is not in it: a run in which the service has done such a thing has failed, and is left out. A nil cell
// is a subject that the fault was never tried on.
type cell struct {
	runs, lost, deleted, duplicated, phantoms, disordered, stuck int
	recoveries                                                   []float64
}

// add adds one strike.
func (c *cell) add(r *Result) {
	c.runs += r.Runs
	c.lost += r.Lost
	c.deleted += r.Deleted
	c.duplicated += r.Duplicated
	c.phantoms += r.Phantoms
	c.disordered += r.Disordered
	if r.Stuck {
		c.stuck++
	}
	c.recoveries = append(c.recoveries, r.Recoveries...)
}

// columns are the subjects of the table, in its order.
func columns() []string { return []string{"exactly-once", "at-least-once", "plain"} }

// Table adds results up into the table of the README, in Markdown: a row for each fault, in the order in which they
// are listed, and a last one for all of them. Each subject has three columns: lost, duplicated, and the recovery in
// seconds (the median, of an even number the larger one in the middle, and the longest), with what else went wrong,
// and with the number of recoveries that were measured where that is not the number of runs. The runs of a row are
// those of the subject with the most.
func Table(results []Result) string {
	cells := map[string]map[string]*cell{}
	runs := map[string]int{}
	for i := range results {
		r := &results[i]
		if cells[r.Fault] == nil {
			cells[r.Fault] = map[string]*cell{}
		}
		c := cells[r.Fault][r.Subject]
		if c == nil {
			c = &cell{}
			cells[r.Fault][r.Subject] = c
		}
		c.add(r)
		runs[r.Fault] = max(runs[r.Fault], c.runs)
	}
	var b strings.Builder
	b.WriteString("| fault | runs | exactly-once: lost | duplicated | recovery s | at-least-once: lost | duplicated | recovery s | plain loop: lost | duplicated | recovery s |\n")
	b.WriteString("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n")
	total := map[string]*cell{}
	sum := 0
	for _, fault := range inOrder(maps.Keys(runs)) {
		fmt.Fprintf(&b, "| %s | %d", fault, runs[fault])
		sum += runs[fault]
		for _, subject := range columns() {
			c := cells[fault][subject]
			b.WriteString(c.text())
			if total[subject] == nil {
				total[subject] = &cell{}
			}
			total[subject].merge(c)
		}
		b.WriteString(" |\n")
	}
	fmt.Fprintf(&b, "| **all** | %d", sum)
	for _, subject := range columns() {
		if c := total[subject]; c.recoveries == nil && c.stuck == 0 {
			b.WriteString((*cell)(nil).text())
		} else {
			b.WriteString(c.text())
		}
	}
	b.WriteString(" |\n")
	return b.String()
}

// inOrder sorts faults as the lists for Apache Kafka have them, first those without logins; the others, such as those
// of the in-process broker, come behind, by name.
func inOrder(faults iter.Seq[string]) []string {
	known := append(OnKafka(), SecureFaults()...)
	place := func(name string) int {
		if i := slices.IndexFunc(known, func(f Fault) bool { return f.Name == name }); i >= 0 {
			return i
		}
		return len(known)
	}
	return slices.SortedFunc(faults, func(a, b string) int { return cmp.Or(place(a)-place(b), cmp.Compare(a, b)) })
}

// merge adds another cell; nil is an empty one.
func (c *cell) merge(other *cell) {
	if other == nil {
		return
	}
	c.runs += other.runs
	c.lost += other.lost
	c.deleted += other.deleted
	c.duplicated += other.duplicated
	c.phantoms += other.phantoms
	c.disordered += other.disordered
	c.stuck += other.stuck
	c.recoveries = append(c.recoveries, other.recoveries...)
}

// text is the cell's three columns, with a dash where nothing was measured. Invented events are phantoms, and out of
// order is what Disordered counts. It sorts the recoveries, of which nobody needs the order any more.
func (c *cell) text() string {
	if c == nil {
		return " | – | – | –"
	}
	lost := fmt.Sprint(c.lost)
	if c.deleted > 0 {
		lost += fmt.Sprintf(" (+%d deleted)", c.deleted)
	}
	if c.phantoms > 0 {
		lost += fmt.Sprintf(", %d invented", c.phantoms)
	}
	duplicated := fmt.Sprint(c.duplicated)
	if c.disordered > 0 {
		duplicated += fmt.Sprintf(", %d out of order", c.disordered)
	}
	recovery := "–"
	if n := len(c.recoveries); n > 0 {
		slices.Sort(c.recoveries)
		recovery = fmt.Sprintf("%.1f (%.1f)", c.recoveries[n/2], c.recoveries[n-1])
		if n != c.runs {
			recovery += fmt.Sprintf(", %d measured", n)
		}
	}
	if c.stuck > 0 {
		recovery += fmt.Sprintf(", stuck %d×", c.stuck)
	}
	return fmt.Sprintf(" | %s | %s | %s", lost, duplicated, recovery)
}

// seconds rounds for the results file. A hundredth is finer than anything here is measured.
func seconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Millisecond)) / float64(time.Second)
}

// Silences tells, for each cluster, broker session and subject, how long the partitions that a killed broker led were
// silent: the least, the median, what nine of ten stay within, and the most, of the longest pauses between two
// decisions. The session is that which a broker has with its controller: until it is over nobody else leads what the
// dead one led. It takes what that fault has noted, and is empty if it has not struck.
func Silences(results []Result) string {
	all := map[string][]float64{}
	for i := range results {
		r := &results[i]
		noted, ok := r.Notes["silent_s"].(map[string]any)
		if !ok {
			continue
		}
		name := fmt.Sprintf("%s, a broker's session of %v s, %s", r.Ground, r.Notes["broker_session_s"], r.Subject)
		partitions, _ := noted[r.Subject].([]any)
		for _, silent := range partitions {
			if s, ok := silent.(float64); ok {
				all[name] = append(all[name], s)
			}
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		silent := all[name]
		slices.Sort(silent)
		n := len(silent)
		fmt.Fprintf(&b, "%s: silent for %.1f s at least, %.1f s (median), %.1f s (nine tenths), %.1f s at most; %d partitions of killed leaders\n",
			name, silent[0], silent[n/2], silent[n*9/10], silent[n-1], n)
	}
	return b.String()
}

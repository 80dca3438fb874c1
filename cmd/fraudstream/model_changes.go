package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"fraudstream/scoring"
)

// A modelDiff is what differs between the model in force (A) and another (B): in what they want of an event, in what
// they make of the same rows, and in what people wrote of them. Lists are there even where they are empty, and JSON
// has [] for them.
type modelDiff struct {
	A        modelSide       `json:"a"`
	B        modelSide       `json:"b"`
	Features []featureChange `json:"features"`
	Scores   *scoreChanges   `json:"scores"`
	Metadata []valueChange   `json:"metadata"`
}

// A modelSide says which model stands on one side, and what its scores are.
type modelSide struct {
	Name       string             `json:"name"`
	Version    string             `json:"version"`
	SHA256     string             `json:"sha256"`
	Output     string             `json:"output"`
	Thresholds scoring.Thresholds `json:"thresholds"`
}

// sideOf describes a model by the thresholds that it would decide with. No configuration is involved, so those are
// the thresholds of the bundle.
func sideOf(s *scoring.Scorer) modelSide {
	b := &s.Bundle
	return modelSide{b.Name, b.Version, b.SHA256, s.Program.Output, s.Thresholds()}
}

// A featureChange is a feature that one model has alone ("added", "removed"), that stands elsewhere ("moved"), or of
// which something differs ("changed"). Places are numbered from 1, as people count columns.
type featureChange struct {
	Name   string        `json:"name"`
	Change string        `json:"change"`
	What   []valueChange `json:"what,omitempty"`
}

// A valueChange is a value on both sides; null where one has none. Values are compared with ==, or as they are
// printed, and are texts, numbers and booleans.
type valueChange struct {
	Key string `json:"key"`
	A   any    `json:"a"`
	B   any    `json:"b"`
}

// featureChanges compares the features by name: first those of A in its order, then those that B adds. Order matters
// to a model that was fitted on an array, and so a feature that stands elsewhere is a change of its own. A feature
// that was given another name is one that was removed and one that was added: nothing tells that they are the same.
func featureChanges(a, b []scoring.InspectedFeature) []featureChange {
	changes := []featureChange{}
	place := func(list []scoring.InspectedFeature, name string) int {
		return slices.IndexFunc(list, func(f scoring.InspectedFeature) bool { return f.Name == name })
	}
	for i, f := range a {
		j := place(b, f.Name)
		if j < 0 {
			changes = append(changes, featureChange{Name: f.Name, Change: "removed"})
			continue
		}
		var what []valueChange
		for _, v := range []valueChange{
			{"kind", f.Kind, b[j].Kind},
			{"dtype", f.DType, b[j].DType},
			{"missing", f.Missing, b[j].Missing},
			{"missing_as", f.MissingAs, b[j].MissingAs},
			{"from", f.From, b[j].From},
			{"categories", f.Categories, b[j].Categories},
			{"baseline", f.Baseline, b[j].Baseline},
		} {
			if v.A != v.B {
				what = append(what, v)
			}
		}
		switch {
		case what != nil:
			changes = append(changes, featureChange{f.Name, "changed", what})
		// A feature that changed is told for that; its place matters only where nothing else differs.
		case i != j:
			changes = append(changes, featureChange{f.Name, "moved", []valueChange{{"place", i + 1, j + 1}}})
		}
	}
	for _, f := range b {
		if place(a, f.Name) < 0 {
			changes = append(changes, featureChange{Name: f.Name, Change: "added"})
		}
	}
	return changes
}

// listedElsewhere are the keys of metadata.json that hold long lists: features are compared one by one, and baselines
// differ whenever the data do. All else of the file is compared, known to this program or not: somebody wrote it for
// a reason.
var listedElsewhere = []string{"features", "score"}

// metadataChanges compares two files of metadata by dotted keys, in order. The keys of both sides are sorted
// together, so that the same two models print the same list.
func metadataChanges[V ~[]byte](a, b map[string]V) []valueChange {
	left, right := flattened(a), flattened(b)
	changes := []valueChange{}
	keys := maps.Clone(left)
	maps.Copy(keys, right)
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		x, inA := left[key]
		y, inB := right[key]
		// Printed values are compared: numbers that JSON writes alike are the same, and so are lists.
		if inA != inB || fmt.Sprint(x) != fmt.Sprint(y) {
			changes = append(changes, valueChange{key, x, y})
		}
	}
	return changes
}

// flattened turns nested objects into dotted keys; lists stay whole. A value that is no JSON is left out.
func flattened[V ~[]byte](metadata map[string]V) map[string]any {
	flat := make(map[string]any)
	// An empty object leaves no key, and is thereby the same as none.
	var add func(key string, value any)
	add = func(key string, value any) {
		object, ok := value.(map[string]any)
		if !ok {
			flat[key] = value
			return
		}
		for k, v := range object {
			add(key+"."+k, v)
		}
	}
	for key, raw := range metadata {
		var value any
		if !slices.Contains(listedElsewhere, key) && json.Unmarshal(raw, &value) == nil {
			add(key, value)
		}
	}
	return flat
}

// verdicts are the rows and columns of the table of decisions. Refused is one of them, since an event that only one
// of two models can read is the largest of all differences.
var verdicts = []string{"approve", "review", "block", "refused"}

// scoreChanges compares scores and decisions, row by row. Differences are B − A, over the rows that both have scored.
// Of each such row the size of its difference is kept, in 8 bytes, because quantiles are wanted exact and want all of
// them.
type scoreChanges struct {
	From      string                    `json:"from"`
	Rows      int                       `json:"rows"`
	Compared  int                       `json:"compared"`
	Equal     int                       `json:"bit_equal"`
	Mean      *float64                  `json:"mean_difference"`
	Max       *float64                  `json:"max_difference"`     // by size, with its sign
	MaxRow    int64                     `json:"max_difference_row"` // 1-based
	Quantiles map[string]float64        `json:"absolute_difference_quantiles"`
	Predicted int                       `json:"predicted_changed"`
	Changed   int                       `json:"decisions_changed"` // refusals count as decisions
	Decisions map[string]map[string]int `json:"decisions"`         // [of A][of B]

	sizes []float64
	sum   float64
}

// newScoreChanges makes the table of decisions with all its cells, so that JSON shows the zeros too. The rows are
// those of A, the model in force.
func newScoreChanges() *scoreChanges {
	c := &scoreChanges{Quantiles: make(map[string]float64), Decisions: make(map[string]map[string]int)}
	for _, v := range verdicts {
		c.Decisions[v] = make(map[string]int)
		for _, w := range verdicts {
			c.Decisions[v][w] = 0
		}
	}
	return c
}

// add compares what the two models a and b made of one row, x and y; row counts from 1. A difference of 0 is counted
// as equal to the last bit: scores are finite, so no other pair gives it but 0 and -0.
func (c *scoreChanges) add(row int64, a, b *scoring.Scorer, x, y *scoring.Result) {
	c.Rows++
	was, is := verdictOn(x), verdictOn(y)
	c.Decisions[was][is]++
	if was != is {
		c.Changed++
	}
	if x.Outcome != scoring.Decided || y.Outcome != scoring.Decided {
		return
	}
	c.Compared++
	if label(a, x) != label(b, y) {
		c.Predicted++
	}
	difference := y.Decision.Score - x.Decision.Score
	if difference == 0 {
		c.Equal++
	}
	if c.Max == nil || math.Abs(difference) > math.Abs(*c.Max) {
		c.Max, c.MaxRow = &difference, row
	}
	c.sum += difference
	c.sizes = append(c.sizes, math.Abs(difference))
}

// verdictOn is the row or column of the table in which a result is counted. Whatever is no decision counts as refused.
func verdictOn(r *scoring.Result) string {
	if r.Outcome != scoring.Decided {
		return "refused"
	}
	return r.Decision.Verdict.String()
}

// label is the predicted class as people write it; a model without classes has none.
func label(s *scoring.Scorer, r *scoring.Result) string {
	if class := r.Decision.Class; class >= 0 && class < len(s.Program.Classes) {
		return s.Program.Classes[class].String()
	}
	return ""
}

// finish works out what needs all rows. A quantile is the smallest size that at least that share does not exceed. It
// is called once, after the last row; without a row that both have scored there is no mean and no quantile, and JSON
// has null and {}.
func (c *scoreChanges) finish() {
	if c.Compared == 0 {
		return
	}
	mean := c.sum / float64(c.Compared)
	c.Mean = &mean
	slices.Sort(c.sizes)
	for _, percent := range []int{50, 90, 99} {
		at := (percent*len(c.sizes) + 99) / 100
		c.Quantiles[fmt.Sprintf("p%d", percent)] = c.sizes[at-1]
	}
}

// print writes the comparison for a person. The blocks come in the order in which they matter to whoever decides: the
// scores, then the features, then what is written of them.
func (d *modelDiff) print(w io.Writer) error {
	t := newTable(w)
	t.row("", "MODEL", "OUTPUT", "THRESHOLDS")
	t.row("A", d.A.Name+" "+d.A.Version, d.A.Output, d.A.Thresholds)
	t.row("B", d.B.Name+" "+d.B.Version, d.B.Output, d.B.Thresholds)
	d.Scores.print(t)
	t.row("")
	t.row("FEATURES", same(len(d.Features)))
	for _, f := range d.Features {
		var what []string
		for _, v := range f.What {
			what = append(what, fmt.Sprintf("%s %s → %s", v.Key, short(v.A), short(v.B)))
		}
		t.row(f.Name, strings.TrimSpace(f.Change+" "+strings.Join(what, ", ")))
	}
	t.row("")
	t.row("METADATA", same(len(d.Metadata)))
	for _, v := range d.Metadata {
		t.row(v.Key, short(v.A)+" → "+short(v.B))
	}
	return t.flush()
}

// print writes the figures and the table of decisions.
func (c *scoreChanges) print(t table) {
	t.row("")
	t.row("rows", fmt.Sprintf("%d (%s), %d scored by both", c.Rows, c.From, c.Compared))
	if c.Compared > 0 {
		t.row("scores bit-equal", c.Equal)
		t.row("mean difference", fmt.Sprintf("%+.3g", *c.Mean))
		t.row("largest difference", fmt.Sprintf("%+.3g (row %d)", *c.Max, c.MaxRow))
		for _, q := range slices.Sorted(maps.Keys(c.Quantiles)) {
			t.row("|difference| "+q, fmt.Sprintf("%.3g", c.Quantiles[q]))
		}
		t.row("predicted changed", c.Predicted)
	}
	t.row("decisions changed", c.Changed)
	t.row("")
	t.row("A \\ B", "approve", "review", "block", "refused")
	for _, v := range verdicts {
		n := c.Decisions[v]
		t.row(v, n["approve"], n["review"], n["block"], n["refused"])
	}
}

// same says so where there is no change, so that an empty block is not taken for one that was forgotten.
func same(changes int) string {
	if changes == 0 {
		return "the same"
	}
	return fmt.Sprintf("%d differ", changes)
}

// short is a value on one line, cut where it is long; a dash for none. It counts characters and not bytes, so that no
// letter is cut in two.
func short(value any) string {
	text, err := json.Marshal(value)
	if err != nil || value == nil {
		return "-"
	}
	if runes := []rune(string(text)); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return cmp.Or(string(text), "-")
}

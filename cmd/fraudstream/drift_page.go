package main

import (
	"bufio"
	_ "embed" // of the page's template
	"errors"
	"fmt"
	"html/template"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"fraudstream/drift"
)

//go:embed drift_page.html
var pageText string

// A page is the report as one HTML file. It needs no network and no script: the charts are SVG that the template
// draws, in shapes that stretch with the window; all text stands beside them and does not stretch. The template reads
// fields and calls Headline, and computes nothing.
type page struct {
	*findings
	Input  string // base name of the file
	Extent string
	Hash   string // of the model, shortened
	Cards  []card
	Alarms []pageAlarm
	More   string // alarms that are not listed, in words
}

// maxAlarms is how many alarms are listed; every card shows those of its feature all the same. They are the first
// ones, since what began is of more use than what followed from it.
const maxAlarms = 50

// pageAlarm is a line of the list of alarms: one episode, from its first alarm on, however often it alarmed again.
// Its figures are those of the first alarm, when the drift was found; how far it went is in the card of the feature.
type pageAlarm struct {
	drift.Episode
	When    string
	Until   string
	Card    string // its anchor
	Page    bool   // somebody is to be called; else it is a ticket
	Moved   []string
	Against string // evidence of threshold
}

// card shows one feature: its state, what moved, training and live side by side, the evidence over the file, the
// distances and the quality. All texts are ready for the template, which decides nothing but what is there. Where the
// bundle has no baseline for a feature, Bins and Categories are nil and the card has only its figures.
type card struct {
	*watched
	ID, State, Tone string  // Tone is a class of the style sheet
	Meter           float64 // width of the bar of evidence, in percent: an alarm is at 50
	Evidence        string
	Changed         string
	Tolerated       string
	PSIText         string
	ChanceText      string
	Moved           []string
	Figures         []labelled
	Bins            *binChart      // numeric
	Categories      []categoryLine // categorical
	Folded          string         // categories that have no line of their own, in words
	Curves          *evidenceChart
	Quality         []qualityLine
}

// labelled is a figure with its name, and what it is to be held against; all three are texts, ready to be read.
type labelled struct{ Name, Value, Note string }

// writePage writes the page. Names of features and categories come from a model and from traffic, and anybody may
// have chosen them: html/template escapes each for the place where it stands. The file is created when the report is
// ready, and an error leaves what was written of it; it is returned with the others.
func (f *findings) writePage(path string) error {
	t, err := template.New("page").Parse(pageText)
	if err != nil {
		return err
	}
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriter(out)
	return errors.Join(t.Execute(buffered, f.page()), buffered.Flush(), out.Close())
}

// page lays out the report: the alarms in the order in which they came, for the story, and the cards in the order of
// what matters, for the work. Anchors are numbers and not names, since a name may hold anything.
func (f *findings) page() *page {
	p := &page{
		findings: f, Input: filepath.Base(f.input), Hash: f.Model.SHA256[:min(16, len(f.Model.SHA256))],
		Extent: f.extent(),
	}
	if f.input == "-" {
		p.Input = "standard input"
	}
	anchors := map[string]string{}
	// The list names the features, and the cards have the anchors, so these are made first.
	all := f.watched()
	for i := range all {
		anchor := "feature-" + strconv.Itoa(i+1)
		anchors[all[i].Name] = anchor
		p.Cards = append(p.Cards, f.card(&all[i], anchor))
	}
	listed := min(len(f.episodes), maxAlarms)
	if more := len(f.episodes) - listed; more > 0 {
		p.More = plural(int64(more), "later alarm")
	}
	for i := range f.episodes[:listed] {
		e := &f.episodes[i]
		a := pageAlarm{
			Episode: e.Episode, Until: e.ending(), Card: anchors[e.Feature], Page: e.Severity() == "page",
			Against: evidenceOf(float64(e.LogM), float64(e.Threshold)), When: "event " + count(e.Event),
		}
		if f.timed && e.when != 0 {
			a.When += ", " + clockTime(e.when)
		}
		for _, c := range e.moved() {
			a.Moved = append(a.Moved, unbroken(c.Text))
		}
		p.Alarms = append(p.Alarms, a)
	}
	return p
}

// ending says whether an episode is over, as until does, in the words of the page, where there is room for more of
// them.
func (e *episode) ending() string {
	if e.closedTick == 0 {
		return "still open"
	}
	return "over at interval " + count(e.closedTick)
}

// Headline says in a sentence how it went. It is exported for the template alone. That nothing could alarm is said
// first: a page without alarms must not look like a good one where none was possible.
func (p *page) Headline() string {
	open := 0
	for i := range p.episodes {
		if p.episodes[i].closedTick == 0 {
			open++
		}
	}
	switch n := len(p.episodes); {
	case p.Guarantee == "":
		return "Not watched for drift"
	case n == 0:
		return "No drift alarm"
	case n == 1:
		return "1 drift alarm, " + []string{"over by the end", "still open at the end"}[open]
	default:
		return fmt.Sprintf("%d drift alarms, %d still open at the end", n, open)
	}
}

// card lays out what is known of one feature. The bar of evidence is full at two thresholds, so that an alarm stands
// in its middle and what comes near one can be seen to come near. The words of the states are those of the terminal,
// but for the capitals of ALARM, in whose place the page has a colour.
func (f *findings) card(w *watched, anchor string) card {
	c := card{
		watched: w, ID: anchor, State: w.state(), Evidence: w.evidenceText(), Meter: tenth(100 * min(1, w.evidence()/2)),
		Changed: percent(float64(w.TV)), Tolerated: percent(float64(w.Epsilon)),
		PSIText: figureText(float64(w.PSI)), ChanceText: figureText(float64(w.PSICut)),
	}
	switch c.State {
	case "ALARM":
		c.State, c.Tone = "alarm", "alarm"
	case "alarm over", "suspicious":
		c.Tone = "warn"
	case "calm":
		c.Tone = "calm"
	default:
		c.Tone = "quiet"
	}
	for _, cell := range w.FeatureReport.Moved {
		c.Moved = append(c.Moved, unbroken(cell.Text))
	}
	c.Figures = w.figures()
	c.Curves = f.evidenceChart(w)
	if !w.score {
		c.Quality = w.qualityLines()
	}
	if feature := f.feature(w); len(w.Baseline) > 0 && feature != nil {
		if feature.Categorical {
			c.Categories, c.Folded = categoryLines(feature, w.Baseline, w.Cells)
		} else {
			c.Bins = newBinChart(feature, w.Baseline, w.Cells)
		}
	}
	return c
}

// feature is the baseline of what is watched; nil where the monitor has none of that name.
func (f *findings) feature(w *watched) *drift.Feature {
	if w.score {
		return f.options.Score
	}
	for i := range f.options.Features {
		if f.options.Features[i].Name == w.Name {
			return &f.options.Features[i]
		}
	}
	return nil
}

// figures are the distances, each with what it is to be held against: PSI against what it exceeds by chance alone,
// the share that changed cell against what is tolerated, mean and deviation against those of training. Distances
// without a unit have three digits; the earth mover's is in standard deviations of training.
func (w *watched) figures() []labelled {
	all := []labelled{
		{"changed cell", percent(float64(w.TV)), "tolerated " + percent(float64(w.Epsilon))},
		{"PSI", figureText(float64(w.PSI)), "chance ≤ " + figureText(float64(w.PSICut))},
		{"Jensen–Shannon", figureText(float64(w.JS)), ""},
		{"KS", figureText(float64(w.KS)), ""},
		{"Wasserstein", figureText(float64(w.W1OverStd)), "deviations"},
		{"mean", figureText(float64(w.Mean)), "× " + figureText(float64(w.MeanRatio)) + " of training"},
		{"deviation", "× " + figureText(float64(w.StdRatio)), "of training"},
		{"lately: PSI", figureText(float64(w.Recent.PSI)), "changed cell " + percent(float64(w.Recent.TV))},
	}
	// What a feature has no figure for is left out; so is what there is nothing to hold it against.
	all = slices.DeleteFunc(all, func(l labelled) bool { return strings.TrimPrefix(l.Value, "× ") == "-" })
	for i := range all {
		if strings.HasSuffix(all[i].Note, " -") || strings.Contains(all[i].Note, " - ") {
			all[i].Note = ""
		}
	}
	return all
}

// qualityLine is one quality cell, as shares of all events in training and live. Training is empty where the baseline
// tells nothing of quality.
type qualityLine struct {
	Name, Training, Live string
	More                 bool // more than in training, where there was an alarm
}

// qualityLines are the four quality cells in their order. What has grown stands out only where the detector has
// alarmed: a cell that has grown by chance is nothing to look at.
func (w *watched) qualityLines() []qualityLine {
	var lines []qualityLine
	base, live := w.Quality.Baseline, w.Quality.Counts
	var m, n float64
	for i := range base {
		m, n = m+float64(base[i]), n+float64(live[i])
	}
	alarmed := slices.ContainsFunc(w.episodes, func(e episode) bool { return e.Kind == kindQuality })
	for i, name := range []string{"in order", "missing", "out of range", "never seen"} {
		p, q := float64(base[i])/m, float64(live[i])/n // NaN where there are none
		training := ""
		if m > 0 {
			training = percent(p)
		}
		lines = append(lines, qualityLine{name, training, percent(q), alarmed && i > 0 && q > p})
	}
	return lines
}

// unbroken keeps "10 % → 12 %" on one line.
func unbroken(text string) string {
	return strings.NewReplacer(" %", "\u00a0%", " →", "\u00a0→", "→ ", "→\u00a0").Replace(text)
}

// tenth rounds a coordinate: more digits would make the page large and no chart finer.
func tenth(x float64) float64 { return math.Round(10*x) / 10 }

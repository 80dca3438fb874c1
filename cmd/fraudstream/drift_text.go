package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"fraudstream/drift"
)

// The kinds of detector, as the report has them.
const (
	kindValues  = "values"
	kindQuality = "quality"
)

// watched is one line of the table and one card of the page: a feature, or the score, with all that is known of it.
// The score has value cells alone, and no quality: it is never missing.
type watched struct {
	*drift.FeatureReport
	score           bool
	values, quality curve
	episodes        []episode // in the order in which they were opened
}

// watched returns the features and the score, what matters first: those that alarmed, by evidence; then by the
// evidence that they came to; then by how much of their traffic has changed cell.
func (f *findings) watched() []watched {
	var all []watched
	for i := range f.Features {
		all = append(all, watched{FeatureReport: &f.Features[i]})
	}
	if f.Score != nil {
		all = append(all, watched{FeatureReport: f.Score, score: true})
	}
	for i := range all {
		w := &all[i]
		w.values, w.quality = f.history.of(w.Name, kindValues), f.history.of(w.Name, kindQuality)
		for _, e := range f.episodes {
			if e.Feature == w.Name {
				w.episodes = append(w.episodes, e)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b watched) int {
		return cmp.Or(
			-compareBool(len(a.episodes) > 0, len(b.episodes) > 0),
			-cmp.Compare(a.evidence(), b.evidence()),
			-cmp.Compare(a.TV, b.TV), // NaN, where there is none, comes last
		)
	})
	return all
}

// evidence is the largest that one of the two detectors came to, in thresholds: 1 is an alarm. Thresholds make
// detectors comparable that do not have the same one. It is the peak over the whole file, and not how things stand at
// its end, since an alarm restarts the evidence.
func (w *watched) evidence() float64 {
	largest := 0.0
	for _, c := range []curve{w.values, w.quality} {
		if c.threshold > 0 && c.largest > 0 {
			largest = max(largest, c.largest/c.threshold)
		}
	}
	return largest
}

// state says in a word or two where a feature stands at the end of the file: ALARM while an episode is open, "alarm
// over" where it has closed, "off" and "not watched" where nothing could have alarmed, "suspicious" where the evidence
// has been more than half of what an alarm needs, and calm.
func (w *watched) state() string {
	open := 0
	for i := range w.episodes {
		if w.episodes[i].closedTick == 0 {
			open++
		}
	}
	switch {
	case open > 0:
		return "ALARM"
	case len(w.episodes) > 0:
		return "alarm over"
	case w.Off:
		return "off"
	case len(w.values.points)+len(w.quality.points) == 0:
		return "not watched"
	case w.evidence() > 0.5:
		return "suspicious"
	default:
		return "calm"
	}
}

// compareBool orders false before true. The standard library has no order for booleans.
func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}

// print writes the report for a person: first what it was of and whether there is anything to do, then the alarms, then
// every feature with its distances. BY CHANCE is what PSI exceeds once in a thousand times without drift; a PSI is to
// be held against it and not against a number that is the same for all samples.
//
// EVIDENCE is a natural logarithm with its threshold behind it; CHANGED and TOLERATED are shares of the traffic that
// stand in another cell than in training, as total variation has it; W1/STD is the earth mover's distance in standard
// deviations of training; NOT OK is the share of values that are missing, out of range or never seen.
func (f *findings) print(w io.Writer) error {
	t := newTable(w)
	t.row("model", f.Model.Name+" "+f.Model.Version)
	t.row("read", f.extent())
	t.row("alarms", f.summary())
	if f.Guarantee != "" {
		t.row("guarantee", f.Guarantee)
	}
	if len(f.episodes) > 0 {
		t.row("")
		t.row("ALARM", "SEVERITY", "AT EVENT", "INTERVAL", "EVIDENCE", "ALARMS", "STATE", "WHAT MOVED MOST")
		for i := range f.episodes {
			e := &f.episodes[i]
			t.row(e.Feature+" "+e.Kind, e.Severity(), e.Event, e.Tick, evidenceOf(float64(e.LogM), float64(e.Threshold)), e.Alarms, e.until(), mostMoved(e.moved()))
		}
	}
	t.row("")
	t.row("FEATURE", "STATE", "EVIDENCE", "CHANGED", "TOLERATED", "PSI", "BY CHANCE", "W1/STD", "NOT OK", "MOVED MOST")
	for _, x := range f.watched() {
		t.row(x.Name, x.state(), x.evidenceText(), percent(float64(x.TV)), percent(float64(x.Epsilon)),
			figureText(float64(x.PSI)), figureText(float64(x.PSICut)), figureText(float64(x.W1OverStd)), percent(x.notOK()), x.movedMost())
	}
	return t.flush()
}

// extent says how much the file held: "60,000 events in 120 intervals, 2026-11-02 08:00:34 to 2026-11-08 20:45:30".
// Times are those of the first and the last event by their own time, whatever their order in the file.
func (f *findings) extent() string {
	text := plural(f.Events, "event") + " in " + plural(f.ticks, "interval")
	if f.timed {
		text += ", " + clockTime(f.first) + " to " + clockTime(f.last)
	}
	return text
}

// plural counts things: "1 event", "2 events".
func plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return count(n) + " " + thing + "s"
}

// summary counts the alarms in words. Where none could have come it says why, so that silence is not read as calm. It
// counts episodes and not alarms: a drift that lasts alarms again and again.
func (f *findings) summary() string {
	switch n := len(f.episodes); {
	case f.Resampled:
		return "none can be given: the baseline was counted on resampled rows"
	case f.Guarantee == "":
		return "none can be given: the model brings no baseline, or every feature is off"
	case f.ticks == 0:
		return "none, but no interval was complete either: give more events, or a smaller --tick-events"
	case n == 0:
		return "none"
	default:
		return plural(int64(n), "drift")
	}
}

// clockTime is a time of an event in UTC, to the second.
func clockTime(millis int64) string {
	return time.UnixMilli(millis).UTC().Format("2006-01-02 15:04:05")
}

// until tells whether an episode is over, and since which interval.
func (e *episode) until() string {
	if e.closedTick == 0 {
		return "open"
	}
	return fmt.Sprintf("over at %d", e.closedTick)
}

// moved are the cells of the first alarm, the most telling first: what went wrong with the quality of a feature, and
// then that it is in order less often.
func (e *episode) moved() []drift.Cell {
	cells := slices.Clone(e.Episode.Moved)
	if e.Kind == kindQuality {
		slices.SortStableFunc(cells, func(a, b drift.Cell) int { return compareBool(a.Name == "ok", b.Name == "ok") })
	}
	return cells
}

// evidenceText is the larger of the two detectors' evidence, of its threshold: "3.1 of 13.8". Larger is meant in
// thresholds, as evidence has it, and the figures are the detector's own.
func (w *watched) evidenceText() string {
	c := w.values
	if !(c.largest/c.threshold >= w.quality.largest/w.quality.threshold) {
		c = w.quality
	}
	if c.threshold == 0 {
		c = w.values
	}
	return evidenceOf(c.largest, c.threshold)
}

// evidenceOf writes evidence and threshold, both natural logarithms; - where there is no detector. Less than nothing is
// written as 0: how far a calm detector is from an alarm tells nobody anything.
func evidenceOf(logM, threshold float64) string {
	if threshold == 0 || math.IsNaN(logM) {
		return "-"
	}
	return fmt.Sprintf("%.1f of %.1f", max(logM, 0), threshold)
}

// notOK is the share of values that are missing, outside or unseen, between 0 and 1; NaN for the score, which is
// never any of it, and before there is an event.
func (w *watched) notOK() float64 {
	if w.score || w.N == 0 {
		return math.NaN()
	}
	return float64(w.N-w.Quality.Counts[0]) / float64(w.N)
}

// mostMoved is the cell whose share has changed most, in words; - where there is none. The list is sorted by whoever
// gives it.
func mostMoved(cells []drift.Cell) string {
	if len(cells) == 0 {
		return "-"
	}
	return cells[0].Text
}

// movedMost is the cell of a feature whose share has changed most. A baseline without counts has no cells; what it can
// tell is how the mean and the spread of the values have changed.
func (w *watched) movedMost() string {
	if len(w.Baseline) > 0 || math.IsNaN(float64(w.MeanRatio)) {
		return mostMoved(w.FeatureReport.Moved)
	}
	return fmt.Sprintf("%s mean × %s, deviation × %s of training", w.Name, figureText(float64(w.MeanRatio)), figureText(float64(w.StdRatio)))
}

// percent is a share of traffic; - where there is none. There are one or two digits behind the point, two where one
// would be 0.0 or 100.0; nothing at all and everything have none.
func percent(share float64) string {
	switch {
	case math.IsNaN(share):
		return "-"
	case share == 0 || share == 1:
		return strconv.FormatFloat(100*share, 'f', 0, 64) + " %"
	case share < 0.001 || share > 0.999:
		return strconv.FormatFloat(100*share, 'f', 2, 64) + " %"
	default:
		return strconv.FormatFloat(100*share, 'f', 1, 64) + " %"
	}
}

// count writes a number of things: 12,345.
func count(n int64) string { return grouped(strconv.FormatInt(n, 10)) }

// grouped parts the digits of a whole number by threes.
func grouped(text string) string {
	digits := strings.TrimPrefix(text, "-")
	sign := text[:len(text)-len(digits)]
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// figureText is a figure to three digits, or to all before the point; - where there is none.
func figureText(x float64) string {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0):
		return "-"
	case math.Abs(x) >= 1e15:
		return strconv.FormatFloat(x, 'g', 3, 64)
	case math.Abs(x) >= 1000:
		return grouped(strconv.FormatFloat(x, 'f', 0, 64))
	case x != 0 && math.Abs(x) < 1e-4:
		return "<0.0001"
	default:
		return strconv.FormatFloat(x, 'g', 3, 64)
	}
}

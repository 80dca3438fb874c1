package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"fraudstream/drift"
)

// binChart is the histogram of a numeric feature: for each bin a broad bar of training and a narrow one of live
// before it. Bins are equally wide, whatever their edges: training put about as many rows in each. Width is in the
// units of the drawing, X too.
type binChart struct {
	Width float64
	Bars  []binBar
	Edges []edgeLabel
}

// binBar is one bin; heights are of 100. Words stand under the pointer, so that the numbers can be had where a bar is
// too small to be read.
type binBar struct {
	X, Training, Live float64
	Words             string
}

// edgeLabel is a number of the axis. It stands under the line between two bins; At is in percent of the width.
type edgeLabel struct {
	At   float64
	Text string
}

// The measures of the charts. A chart of bins is as wide as it has bins, one of evidence as it has points, and both are
// 100 high; the page stretches them to the window.
const (
	binWidth = 10  // of a bin in the chart
	axisRoom = 42  // characters of labels, and of the gaps between them, for which there is room on a phone
	maxLines = 12  // categories with a line of their own
	chartTop = 1.6 // thresholds that the evidence chart is high
)

// newBinChart draws the shares of the value cells; the highest bar of the two is as high as the chart. Where the
// edges are too many for their labels, only every second or third one has one, see edgeLabels.
func newBinChart(f *drift.Feature, baseline, live []int64) *binChart {
	p, q := shares(baseline), shares(live)
	highest := max(slices.Max(p), slices.Max(q))
	c := &binChart{Width: float64(binWidth * len(p))}
	for i := range p {
		c.Bars = append(c.Bars, binBar{
			X: float64(binWidth * i), Training: tenth(100 * p[i] / highest), Live: tenth(100 * q[i] / highest),
			Words: fmt.Sprintf("%s: training %s, live %s", f.CellWords(i), percent(p[i]), percent(q[i])),
		})
	}
	c.Edges = edgeLabels(f.Edges, len(p))
	return c
}

// edgeLabels are as many as there is room for, equally far from each other, of the edges between so many bins. The
// longest of them decides for all, with a gap of two characters behind it.
func edgeLabels(edges []float64, bins int) (labels []edgeLabel) {
	longest := 0
	for _, edge := range edges {
		longest = max(longest, len(axisText(edge)))
	}
	most := axisRoom / (longest + 2)
	step := max(1, (len(edges)+most-1)/most)
	for i := (len(edges) - 1) % step / 2; i < len(edges); i += step {
		labels = append(labels, edgeLabel{tenth(100 * float64(i+1) / float64(bins)), axisText(edges[i])})
	}
	return labels
}

// axisText is a number as short as an axis needs it.
func axisText(x float64) string {
	if a := math.Abs(x); a >= 1000 && a < 1e6 {
		return grouped(strconv.FormatFloat(x, 'f', 0, 64))
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// shares are counts over their sum; all 0 where there is nothing. They add up to 1 but for rounding, however many
// events there are, so training and live can be drawn side by side.
func shares(counts []int64) []float64 {
	var sum float64
	for _, n := range counts {
		sum += float64(n)
	}
	all := make([]float64, len(counts))
	for i, n := range counts {
		all[i] = float64(n) / max(sum, 1)
	}
	return all
}

// categoryLine is one category: its bars are in percent of the largest. The texts are the shares of all events, which
// the widths are not.
type categoryLine struct {
	Label                  string
	Training, Live         float64
	TrainingText, LiveText string
}

// categoryLines gives the largest categories a line each, by the larger of their two shares, and counts the others. By
// the larger of the two, because a category that has vanished matters as much as one that has come.
func categoryLines(f *drift.Feature, baseline, live []int64) (lines []categoryLine, folded string) {
	p, q := shares(baseline), shares(live)
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(max(p[b], q[b]), max(p[a], q[a])) })
	highest := max(slices.Max(p), slices.Max(q))
	var restP, restQ float64
	for rank, i := range order {
		if rank >= maxLines && len(order) > maxLines+1 {
			restP, restQ = restP+p[i], restQ+q[i]
			continue
		}
		lines = append(lines, categoryLine{
			f.CellWords(i), tenth(100 * p[i] / highest), tenth(100 * q[i] / highest), percent(p[i]), percent(q[i]),
		})
	}
	if n := len(order) - len(lines); n > 0 {
		folded = fmt.Sprintf("%d smaller ones together: training %s, live %s", n, percent(restP), percent(restQ))
	}
	return lines, folded
}

// evidenceChart is the evidence of a feature's detectors over the file. It ends at chartTop thresholds: how far beyond
// an alarm the evidence went matters less than how it came there.
type evidenceChart struct {
	Width           float64
	Values, Quality string  // points of the two curves; empty: no such detector
	Threshold       float64 // y of the line
	Episodes        []span  // while an alarm was open
	From, To        string  // what stands under the ends
}

// span is a stretch of the chart, in points, with the words that stand for it under the pointer.
type span struct {
	X, Width float64
	Words    string
}

// evidenceChart draws what history has kept of a feature's two detectors; nil where it has none. A point may stand for
// many intervals, and so the number of an interval is divided by the history's stride to find its place.
func (f *findings) evidenceChart(w *watched) *evidenceChart {
	points := max(len(w.values.points), len(w.quality.points))
	if points == 0 {
		return nil
	}
	c := &evidenceChart{
		Width: float64(max(points-1, 1)), Threshold: tenth(100 - 100/chartTop),
		Values: w.values.polyline(), Quality: w.quality.polyline(),
		From: "event 1", To: "event " + count(f.Events),
	}
	if f.timed {
		c.From, c.To = clockTime(f.first), clockTime(f.last)
	}
	place := func(tick int64) float64 { return tenth(float64(tick-1) / float64(f.history.stride)) }
	for i := range w.episodes {
		e := &w.episodes[i]
		from, to, end := place(e.Tick), c.Width, "the end"
		if e.closedTick != 0 {
			to, end = place(e.closedTick), fmt.Sprintf("interval %d", e.closedTick)
		}
		c.Episodes = append(c.Episodes, span{
			from, max(tenth(to-from), 0.5), fmt.Sprintf("%s: alarm from interval %d to %s", e.Kind, e.Tick, end),
		})
	}
	return c
}

// polyline is the curve in the chart's coordinates, as the attribute points of SVG: x is the point's number, y goes
// down from the top, 0 to 100. A single point is drawn twice, since a line of one point is not seen. Evidence below
// zero is drawn as zero: how much a bet has lost tells nothing of drift.
func (c *curve) polyline() string {
	var text strings.Builder
	for i, v := range c.points {
		y := 100 - 100*min(max(v/c.threshold, 0), chartTop)/chartTop
		fmt.Fprintf(&text, "%d,%v ", i, tenth(y))
	}
	if len(c.points) == 1 {
		fmt.Fprintf(&text, "1,%v ", tenth(100-100*min(max(c.points[0]/c.threshold, 0), chartTop)/chartTop))
	}
	return strings.TrimSpace(text.String())
}

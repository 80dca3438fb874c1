package main

import (
	"math"

	"fraudstream/drift"
)

// historyPoints is how many points of a curve are kept, however long the file is: about what a chart can show. It is
// even, so that the point which is one too many is alone when the others are joined two by two.
const historyPoints = 240

// history keeps the evidence of every detector over the ticks. Where there are more ticks than points, a point is the
// largest of its ticks: a peak that came near an alarm is never smoothed away. Its size does not depend on the file:
// 240 points at most for each detector, two for each feature.
type history struct {
	stride int // ticks to a point
	filled int // ticks in the last point
	curves []curve
}

// curve is the evidence of one detector: its points, the largest of all, and the threshold that they are to be seen
// against.
type curve struct {
	feature, kind string
	threshold     float64
	largest       float64
	points        []float64
}

// add appends the evidence after one tick. All ticks have the same detectors in the same order. A point in the middle
// of its ticks holds the largest so far. The threshold is that of the first tick, as a backtest has one set of
// detectors from its beginning to its end.
func (h *history) add(evidence []drift.Evidence) {
	if h.curves == nil {
		h.stride = 1
		for _, e := range evidence {
			h.curves = append(h.curves, curve{feature: e.Feature, kind: e.Kind, threshold: e.Threshold})
		}
	}
	next := h.filled == 0 || h.filled == h.stride
	if next {
		h.filled = 0
	}
	for i := range h.curves {
		c, x := &h.curves[i], evidence[i].LogM
		c.largest = max(c.largest, x)
		if next {
			c.points = append(c.points, x)
		} else {
			last := &c.points[len(c.points)-1]
			*last = max(*last, x)
		}
	}
	h.filled++
	if len(h.curves) > 0 && len(h.curves[0].points) > historyPoints {
		h.halve()
	}
}

// halve joins the points two by two; the last one has just been begun. From then on a point stands for twice as many
// ticks.
func (h *history) halve() {
	for i := range h.curves {
		p := h.curves[i].points
		for j := range len(p) / 2 {
			p[j] = max(p[2*j], p[2*j+1])
		}
		p[len(p)/2] = p[len(p)-1]
		h.curves[i].points = p[:len(p)/2+1]
	}
	h.stride *= 2
}

// of returns the curve of a detector; one without points, and without a largest, where there is none.
func (h *history) of(feature, kind string) curve {
	for _, c := range h.curves {
		if c.feature == feature && c.kind == kind {
			return c
		}
	}
	return curve{largest: math.NaN()}
}

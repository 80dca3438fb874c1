package main

import (
	"fmt"
	"log/slog"
	"maps"
	"math"
	"slices"
	"time"

	"fraudstream/drift"
	"fraudstream/scoring"
)

// newMonitor makes the drift monitor of a model as the configuration wants it, and says in the log what it departs
// from the bundle in. A bundle without baselines gives a monitor that counts and has nothing to compare with. options
// are those of driftOptions, with what the caller has set over them.
func newMonitor(model *scoring.Scorer, options drift.Options, log *slog.Logger) (*drift.Monitor, error) {
	monitor, err := drift.NewMonitor(options)
	if err != nil {
		return nil, err
	}
	if options.Resampled && !options.Pooled {
		log.Warn("the baseline was counted on resampled rows: drift is shown, and no alarm is given", "model", modelName(model))
	}
	if said := monitor.Widened(); said != "" {
		log.Warn(said)
	}
	return monitor, nil
}

// driftOptions are what the bundle says of the baseline and of how drift is to be judged, with what the configuration
// says over it. A line about each override, in force or lapsed, goes to say. An override of a feature that the model
// does not have is an error: whoever wrote it believes that something is accepted which is not. Overrides are applied
// in the order of their names, so that the lines of the log are the same at every start. now is the wall clock, by
// which an override of a day that is over is passed by.
func driftOptions(model *scoring.Scorer, c DriftConfig, now time.Time, say func(string)) (drift.Options, error) {
	b := &model.Bundle
	options := drift.Options{Resampled: b.Resampled, FalseAlarmEvery: c.FalseAlarmEvery}
	for i := range b.Features {
		f := driftFeature(&b.Features[i], b.Features[i].Baseline)
		if f.Name == "score" { // the name of the model's own score, in alarms and in metrics
			f.Name = "score (input)"
		}
		options.Features = append(options.Features, f)
	}
	if b.Score != nil {
		score := driftFeature(&scoring.Feature{Name: "score"}, b.Score)
		score.Edges = loosened(score.Edges, b.GoldenTolerance)
		options.Score = &score
	}
	for _, name := range slices.Sorted(maps.Keys(c.Features)) {
		f, err := featureOf(&options, name)
		if err != nil {
			return options, err
		}
		if err := c.Features[name].apply(f, modelName(model), now, say); err != nil {
			return options, fmt.Errorf("drift.features: %s: %w", name, err)
		}
	}
	return options, nil
}

// loosened moves the edges between bins of the score up by what a score may be off. An edge is often a score that
// many rows share, and a last digit more must not move all of them to the next bin. The tolerance is that of the
// golden rows: a difference of scores up to 1, and a share of them above.
func loosened(edges []float64, tolerance float64) []float64 {
	moved := make([]float64, len(edges))
	for i, e := range edges {
		moved[i] = e + tolerance*max(1, math.Abs(e))
	}
	return moved
}

// featureOf finds a feature by its name, to be changed in place; the score has one too. An error names what is near,
// or all that there is. A feature that is called score is renamed before (see driftOptions), so score is always the
// model's own.
func featureOf(o *drift.Options, name string) (*drift.Feature, error) {
	var names []string
	for i := range o.Features {
		if o.Features[i].Name == name {
			return &o.Features[i], nil
		}
		names = append(names, o.Features[i].Name)
	}
	if o.Score != nil {
		if name == o.Score.Name {
			return o.Score, nil
		}
		names = append(names, o.Score.Name)
	}
	if near := nearest(name, names); near != "" {
		return nil, fmt.Errorf("drift.features: the model has no feature %q; did you mean %q?", name, near)
	}
	return nil, fmt.Errorf("drift.features: the model has no feature %q; it has %v", name, names)
}

// driftFeature copies a baseline across the wall: drift knows numbers and no neighbour. A feature without a baseline
// is counted all the same, with its detectors off; one of a simple companion has mean, deviation and range, and no
// counts. Slices are shared and not copied: neither side changes them.
func driftFeature(f *scoring.Feature, b *scoring.Baseline) drift.Feature {
	out := drift.Feature{Name: f.Name, Categorical: f.Categorical, Off: f.DriftDisabled, Tolerance: f.DriftTolerance}
	if b == nil {
		out.Off = true
		return out
	}
	out.Edges, out.Counts, out.Sums = b.Edges, b.Counts, b.Sums
	out.Values, out.Labels, out.Known, out.KnownGiven = b.Values, b.Labels, b.Known, b.KnownGiven
	out.Rows, out.Missing, out.Infinite, out.Other = b.Rows, b.Missing, b.Infinite, b.Other
	out.Min, out.Max, out.HasRange = b.Min, b.Max, true // infinite where nothing tells
	out.Mean, out.Std, out.HasMoments = b.Mean, b.Std, b.HasMoments
	if s := b.Seasonal; s != nil {
		out.Seasonal = &drift.Seasonal{Values: s.Values, Quality: s.Quality}
	}
	return out
}

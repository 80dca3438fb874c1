package scoring

import (
	"cmp"
	"math"

	"fraudstream/scoring/program"
)

// Bundle is what is known of the model beside its arithmetic.
//
// It is filled by the gate, belongs to the [Scorer] and is not changed afterwards; slices and pointers in it
// are shared and only read.
type Bundle struct {
	Name, Version   string // of the metadata; else the base name of the path and the first 12 hex digits of the hash
	SHA256          string // of the model file
	MetadataSHA256  string // empty for a bare file
	SignedBy        string // id of the trusted key that signed the metadata; empty: not checked, or not signed
	Features        []Feature
	Score           *Baseline // of the score; nil: none
	Rows            int64     // baseline rows
	Resampled       bool      // baseline.weighting is "resampled"
	GoldenRows      int       // checked; 0: no golden rows
	GoldenMaxDiff   float64
	GoldenBitEqual  int
	GoldenPredicted int               // rows whose predicted class was given and is the model's
	GoldenTolerance float64           // that was in force
	GoldenAUC       *float64          // of the scores against the truth of golden.json; nil: no truth
	Thresholds      Thresholds        // the bundle's own, even where the configuration has others
	ReasonMethod    string            // how reasons are found: linear, path_log_odds, path_probability or none
	ReasonsNone     string            // why there are none; empty where there are
	ReasonsGap      float64           // the largest |bias + Σ contributions - additive output| of the golden rows
	Calibration     *Calibration      // of the score; nil: none
	Unknown         map[string]string // keys of the metadata that mean nothing here (owner, approval, …), as JSON
	Warnings        []string          // one line each, to be logged
}

// nameless gives a model a name and a version where nothing else does.
func (b *Bundle) nameless(base string) {
	b.Name = cmp.Or(b.Name, base)
	b.Version = cmp.Or(b.Version, b.SHA256[:12])
}

// Feature is a column as the bundle describes it. They stand in training order, and a feature's index here is
// its index in x.
type Feature struct {
	Name           string
	Categorical    bool
	Baseline       *Baseline // nil: none
	DriftDisabled  bool
	DriftTolerance float64 // 0: default
	From           string  // how it is computed from the event, for people; empty: it is a field of its own
	ReasonCode     string  // of a decision that this feature moved; empty: none
	ReasonText     string
}

// Baseline is what training looked like. Categorical baselines have Values, numeric ones Edges; a simple companion
// has neither, only Mean, Std, Min, Max and Missing. Min and Max are infinite where nothing tells them.
//
// Counts has one number for each bin or listed category, Sums one for each bin, where they are given. Values,
// Known and the edges are in the numbers of x, so that the monitor compares without knowing what a category is
// called; Labels are for people. All counts are of rows.
type Baseline struct {
	Rows                     int64
	Edges, Sums              []float64
	Counts                   []int64
	Min, Max, Mean, Std      float64
	HasMoments               bool
	Missing, Infinite, Other int64
	Labels                   []string  // of Values, for people
	Values                   []float64 // what x holds for each listed category
	Known                    []float64 // what x holds for further trained categories
	KnownGiven               bool      // the metadata or the encoder names all trained categories
	Seasonal                 *Seasonal // nil: the mix does not follow the clock
}

// Seasonal splits the cells of a baseline by the hour of the week in UTC; hour 0 begins on Monday at 00:00.
// Each column, summed over the hours, is the cell of the baseline that it splits.
type Seasonal struct {
	Values  [][]int64 // 168 rows of value cells: Counts, and Other behind them for a categorical baseline
	Quality [][]int64 // 168 rows of ok, missing, outside, unseen
}

// Calibration maps a score to a probability, piecewise linear through the points (X[i], Y[i]). A score outside
// of the points is for its reader to place: scoring itself decides by the raw score and not by this.
type Calibration struct {
	X []float64 `json:"x"` // strictly ascending
	Y []float64 `json:"y"` // within 0 and 1
}

// baseline turns checked counts into the numbers that x carries. rows are those of the metadata, nil where nothing
// tells. The column is that of a categorical feature, else nil; categories that the model never compares get codes of
// their own in its domain. at is the JSON path for errors. Where the metadata gives neither the baseline nor
// all of them a number of rows, it is the sum of the cells.
func (c *counts) baseline(at string, column *program.Column, dtype string, rows *int64) (*Baseline, error) {
	b := &Baseline{
		Edges: c.Edges, Sums: c.Sums, Counts: c.Counts,
		Min: math.Inf(-1), Max: math.Inf(1), Mean: orZero(c.Mean), Std: orZero(c.Std),
		HasMoments: c.Mean != nil && c.Std != nil,
		Missing:    orZero(c.Missing), Infinite: orZero(c.Infinite), Other: orZero(c.Other),
		Labels: c.Values,
	}
	b.Rows = c.total()
	if c.Rows != nil {
		b.Rows = *c.Rows
	} else if rows != nil {
		b.Rows = *rows
	}
	if c.Min != nil {
		b.Min = *c.Min
	}
	if c.Max != nil {
		b.Max = *c.Max
	}
	if s := c.Seasonal; s != nil {
		b.Seasonal = &Seasonal{Values: s.Values, Quality: s.Quality}
	}
	if column == nil {
		return b, nil
	}
	return b, c.code(b, at, column.Domain, dtype)
}

package scoring

import (
	"fmt"
	"math"
	"slices"

	"fraudstream/scoring/program"

	"github.com/go-json-experiment/json/jsontext"
)

// describe joins what the metadata says of the features with the columns of the program: names where the metadata
// has none, kinds, baselines as the numbers that x carries. After it the metadata's features are complete and
// as many as the program's columns, which is what the schema and the reasons count on.
func (g *gate) describe() error {
	columns := g.program.Columns
	if len(g.meta.Features) == 0 {
		for _, c := range columns {
			g.meta.Features = append(g.meta.Features, featureEntry{Name: c.Name})
		}
	}
	rows := g.meta.baselineRows()
	for i := range g.meta.Features {
		f := &g.meta.Features[i]
		if f.Name == "" {
			return refuse(schemaMismatch, "features", "the model was fitted on an array of %d columns without names; "+
				"name them in training order", len(columns))
		}
		at := fmt.Sprintf("features[%d]", i)
		if err := f.settle(at, &columns[i]); err != nil {
			return err
		}
		feature := Feature{
			Name: f.Name, Categorical: f.Kind == "categorical",
			DriftDisabled: f.Drift.Enabled != nil && !*f.Drift.Enabled, DriftTolerance: orZero(f.Drift.Tolerance),
		}
		if f.From != nil {
			feature.From = f.From.describe()
		}
		if f.Baseline != nil {
			var err error
			var categories *program.Column
			if feature.Categorical {
				categories = &columns[i]
			}
			if feature.Baseline, err = f.Baseline.baseline(at+".baseline", categories, f.DType, rows); err != nil {
				return err
			}
		}
		g.bundle.Features = append(g.bundle.Features, feature)
	}
	return g.describeScore()
}

// settle fills in what the metadata leaves to the model, and refuses a kind that cannot be. A kind that is merely
// not the model's is the author's choice of a baseline: codes such as 5411 may be counted in bins or one by one,
// whether the pipeline encodes them or computes with them. What a missing category was can be told only by an
// encoder that knows None and does not know NaN; in any other case it is NaN, as pandas has it.
func (f *featureEntry) settle(at string, c *program.Column) error {
	kind := "numeric"
	if c.Kind == program.Categorical {
		kind = "categorical"
	}
	switch {
	case f.Kind == "" && f.Baseline != nil && f.Baseline.Values != nil && c.Domain.Len() == 0:
		f.Kind = "categorical"
	case f.Kind == "":
		f.Kind = kind
	case f.Kind == "numeric" && c.Domain.Type() == program.String:
		return refuse(metadataInvalid, at+".kind", "is numeric, but the model compares %q with texts", f.Name)
	}
	if f.MissingAs == "" {
		f.MissingAs = "nan"
		known := c.Domain.Constants()
		if slices.Contains(known, program.Constant{Type: program.NoneType}) &&
			!slices.Contains(known, program.Constant{Type: program.NaN}) {
			f.MissingAs = "none"
		}
	}
	return nil
}

// describeScore adds the baseline of the score and what there is to say of all baselines. That a baseline is
// missing refuses nothing: a model without one scores as well, and is watched less.
func (g *gate) describeScore() error {
	if b := g.meta.Score.Baseline; b != nil {
		score, err := b.baseline("score.baseline", nil, "", g.meta.Training.Rows)
		if err != nil {
			return err
		}
		g.bundle.Score = score
	}
	if g.bundle.Resampled {
		g.warn("baseline.weighting is resampled: drift is shown and never alarms; count baselines on natural rows")
	}
	without := 0
	for _, f := range g.bundle.Features {
		if f.Baseline == nil {
			without++
		}
	}
	if g.source.bundle != nil && without > 0 {
		g.warn("%d of %d features have no baseline: their drift is not watched", without, len(g.bundle.Features))
	}
	return nil
}

// specs are the features as the schema wants them. They are made after settle, so that every word in them has
// been decided.
func (g *gate) specs() []featureSpec {
	specs := make([]featureSpec, len(g.meta.Features))
	for i, f := range g.meta.Features {
		specs[i] = featureSpec{
			Name: f.Name, DType: f.DType, Categorical: f.Kind == "categorical",
			MissingRejected: f.Missing == "rejected", NoneIsMissing: f.MissingAs == "none", From: f.From,
		}
	}
	return specs
}

// fraudIsLow tells whether a low score means fraud: what the metadata says, else low for the outputs of an
// IsolationForest (whose classes are -1, the outlier, and 1) and for a binary decision_function that grows towards
// the class that is not fraud. Everything that has a direction asks it: thresholds, reasons and the area under
// the curve.
func (g *gate) fraudIsLow() bool {
	if word := g.meta.Model.FraudIs; word != "" {
		return word == "low"
	}
	p := g.program
	if p.Output == "predict_proba" || p.Positive != 0 || len(p.Classes) != 2 {
		return false
	}
	outliers := p.Classes[0] == program.NumberConstant(-1) && p.Classes[1] == program.NumberConstant(1)
	return outliers || p.Output == "decision_function"
}

// thresholds are those in force and where they are from: "bundle" or "config". Both are checked. Both are
// checked even where the configuration covers the bundle's, because a bundle with crossed thresholds is a
// mistake somebody will meet again.
func (g *gate) thresholds() (Thresholds, string, error) {
	g.bundle.Thresholds = g.meta.Thresholds
	if err := g.checkThresholds("thresholds", g.meta.Thresholds); err != nil {
		return Thresholds{}, "", err
	}
	override := g.options.Thresholds
	if override == nil || !override.Set() {
		return g.meta.Thresholds, "bundle", nil
	}
	inForce := override.over(g.meta.Thresholds)
	return inForce, "config", g.checkThresholds("thresholds of the configuration", inForce)
}

// checkThresholds refuses thresholds that are crossed or that no score reaches. A probability lies within 0 and
// 1, any other output is only finite. Equal cuts are allowed: then nothing is ever reviewed.
func (g *gate) checkThresholds(at string, t Thresholds) error {
	low, high := math.Inf(-1), math.Inf(1)
	if g.program.Output == "predict_proba" {
		low, high = 0, 1
	}
	names := []string{".review", ".block"}
	for i, cut := range []*float64{t.Review, t.Block} {
		if cut != nil && !(*cut >= low && *cut <= high && !math.IsInf(*cut, 0)) {
			return refuse(metadataInvalid, at+names[i], "%g is outside the range of %s", *cut, g.program.Output)
		}
	}
	if t.Review == nil || t.Block == nil {
		return nil
	}
	if g.fraudIsLow() && *t.Review < *t.Block || !g.fraudIsLow() && *t.Review > *t.Block {
		return refuse(metadataInvalid, at, "crossed: review %g, block %g; an event is blocked before it would be reviewed",
			*t.Review, *t.Block)
	}
	return nil
}

// unknownKeys keeps what the contract does not name, as JSON text.
func unknownKeys(keys map[string]jsontext.Value) map[string]string {
	if len(keys) == 0 {
		return nil
	}
	texts := make(map[string]string, len(keys))
	for key, raw := range keys {
		texts[key] = string(raw)
	}
	return texts
}

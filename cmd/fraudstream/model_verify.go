package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"fraudstream/cmd/fraudstream/privacy"
	"fraudstream/scoring"
)

// modelVerifyCommand takes a model through the whole gate, as run and serve would, and prints the figures. It belongs
// into the pipeline that publishes models: what passes here will load there, and what does not is refused with the
// same reason. A refusal is printed as a result, on standard output, and the code alone says that it is one.
type modelVerifyCommand struct {
	Path       string   `arg:"" help:"Bundle folder or model file." type:"path"`
	Features   []string `help:"Feature names in training order, for a model file without them." placeholder:"A,B"`
	TrustedKey []string `help:"Public key, or a file with one, that must have signed the bundle; may be repeated." sep:"none" placeholder:"KEY"`
	JSON       bool     `help:"Print JSON." name:"json"`
}

// A verification is what the gate found. Its JSON is for pipelines, and so ok stands for itself and does not have to
// be concluded from what is absent. What a refused model does not tell is left out. Seconds are those of the whole
// gate, golden rows included.
type verification struct {
	OK       bool         `json:"ok"`
	Refused  *verdict     `json:"refused,omitempty"`
	Name     string       `json:"name,omitempty"`
	Version  string       `json:"version,omitempty"`
	SHA256   string       `json:"sha256,omitempty"`
	SignedBy string       `json:"signed_by,omitempty"`
	Features int          `json:"features"`
	Output   string       `json:"output,omitempty"`
	Golden   *goldenTally `json:"golden,omitempty"` // absent: the model has no golden rows
	Reasons  *reasonFacts `json:"reasons,omitempty"`
	Seconds  float64      `json:"load_seconds"`
	Warnings []string     `json:"warnings"`
}

// A verdict is the stable word of a reason with what is wrong: the word for programs and for metrics, the message for
// people.
type verdict struct {
	Reason  string `json:"reason"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message"`
}

// A goldenTally compares the model here with scikit-learn, over the golden rows: whether it is the same model is not
// a matter of belief but of so many rows and such a largest difference. The AUC is of the rows whose truth is known;
// they are few, and it tells that rows and labels belong together rather than how good the model is. Differences are
// absolute, of scores; tolerance is what the gate allows them to be.
type goldenTally struct {
	Rows           int      `json:"rows"`
	MaxDifference  float64  `json:"max_difference"`
	Tolerance      float64  `json:"tolerance"`
	BitExact       int      `json:"bit_exact"`
	BitExactShare  float64  `json:"bit_exact_share"`
	Predicted      int      `json:"predicted"` // rows with a stated prediction; the gate lets none differ
	PredictedAgree int      `json:"predicted_agree"`
	ReasonsGap     float64  `json:"reasons_gap"` // the largest |bias + Σ contributions - additive output|
	AUC            *float64 `json:"auc"`
}

// Run prints the figures of a model that would be served, or why it would be refused (code 3). With keys a bundle
// must be signed by one of them, as run demands with model.require_signature; without any no signature is asked for.
func (c *modelVerifyCommand) Run(s streams) error {
	trust, err := trustOf(ModelConfig{TrustedKeys: c.TrustedKey, RequireSignature: len(c.TrustedKey) > 0})
	if err != nil {
		return &exitError{exitUsage, fmt.Errorf("--trusted-key: %w", err)}
	}
	began := time.Now()
	model, err := scoring.Load(c.Path, scoring.Options{Features: c.Features, Trust: trust})
	v := verification{Seconds: time.Since(began).Seconds(), Warnings: []string{}}
	if err != nil {
		v.Refused = verdictOf(err)
	} else {
		v.describe(model)
	}
	if c.JSON {
		err = printJSON(s.out, &v)
	} else {
		err = v.print(s.out)
	}
	if err == nil && !v.OK {
		return &exitError{code: exitFindings}
	}
	return err
}

// verdictOf takes an error of the gate apart. Its message repeats the path that it was given, which is anybody's
// text. The field is that of metadata.json where one is at fault, and empty for a model file without one.
func verdictOf(err error) *verdict {
	r := &verdict{Reason: scoring.Reason(err), Message: privacy.New(privacy.Options{}).Text(err.Error())}
	if bundle, ok := errors.AsType[*scoring.BundleError](err); ok {
		r.Field = bundle.Field
	}
	return r
}

// describe takes over what the gate found of a sound model. That all predictions agree is no figure of its own: the
// gate lets no model pass of which one differs.
func (v *verification) describe(model *scoring.Scorer) {
	b := &model.Bundle
	v.OK = true
	v.Name, v.Version, v.SHA256, v.SignedBy = b.Name, b.Version, b.SHA256, b.SignedBy
	v.Features, v.Output = len(model.Program.Columns), model.Program.Output
	v.Warnings = append(v.Warnings, b.Warnings...)
	v.Reasons = &reasonFacts{b.ReasonMethod, b.ReasonsNone}
	if b.GoldenRows > 0 {
		v.Golden = &goldenTally{
			Rows: b.GoldenRows, MaxDifference: b.GoldenMaxDiff, Tolerance: b.GoldenTolerance,
			BitExact: b.GoldenBitEqual, BitExactShare: float64(b.GoldenBitEqual) / float64(b.GoldenRows),
			Predicted: b.GoldenPredicted, PredictedAgree: b.GoldenPredicted, AUC: b.GoldenAUC,
			ReasonsGap: b.ReasonsGap,
		}
	}
}

// print writes the figures for a person, one a line; of a model that is refused only why. What a model does not have,
// such as golden rows, has no line. The last line is the verdict, for whoever reads the end of a log.
func (v *verification) print(w io.Writer) error {
	if v.Refused != nil {
		_, err := fmt.Fprintf(w, "refused (%s)\n%s\n", v.Refused.Reason, v.Refused.Message)
		return err
	}
	t := newTable(w)
	t.row("model", v.Name+" "+v.Version)
	t.row("sha256", v.SHA256)
	if v.SignedBy != "" {
		t.row("signed by", v.SignedBy)
	}
	t.row("features", v.Features)
	t.row("output", v.Output)
	if g := v.Golden; g != nil {
		t.row("golden rows", g.Rows)
		t.row("largest difference", fmt.Sprintf("%.3g (allowed %.3g)", g.MaxDifference, g.Tolerance))
		t.row("bit-exact", fmt.Sprintf("%d of %d (%.1f %%)", g.BitExact, g.Rows, 100*g.BitExactShare))
		if g.Predicted > 0 {
			t.row("predicted agree", fmt.Sprintf("%d of %d", g.PredictedAgree, g.Predicted))
		}
		if g.AUC != nil {
			t.row("AUC on golden rows", fmt.Sprintf("%.6f", *g.AUC))
		}
	}
	t.row("reasons", v.Reasons)
	if v.Golden != nil && v.Reasons.None == "" {
		t.row("reasons add up to", fmt.Sprintf("the output within %.3g", v.Golden.ReasonsGap))
	}
	t.row("loaded in", fmt.Sprintf("%.1f ms", 1000*v.Seconds))
	for _, warning := range v.Warnings {
		t.row("warning", warning)
	}
	t.row("verdict", "ok")
	return t.flush()
}

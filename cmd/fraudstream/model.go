package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"golang.org/x/term"

	"fraudstream/cmd/fraudstream/privacy"
	"fraudstream/cmd/fraudstream/web"
	"fraudstream/scoring"
)

// newLogger writes text to a terminal and JSON to anything else: a person reads the one, and whatever gathers the
// logs of a cluster the other, without an option that somebody forgets. It always goes to stderr, where no result can
// be mixed with it, and holds no card number. The level is info and stays so; commands that are over in a moment need
// no other.
func newLogger(w io.Writer) *slog.Logger { return newLoggerAt(w, new(slog.LevelVar)) }

// newLoggerAt is one whose level can be changed while it runs. Masking wraps the handler, so it holds for messages,
// attributes and groups alike.
func newLoggerAt(w io.Writer, level *slog.LevelVar) *slog.Logger {
	options := &slog.HandlerOptions{Level: level}
	var lines slog.Handler = slog.NewJSONHandler(w, options)
	if isTerminal(w) {
		lines = slog.NewTextHandler(w, options)
	}
	return slog.New(privacy.New(privacy.Options{}).Handler(lines))
}

// isTerminal tells whether a person looks at w. It looks through the masking of standard error, which is no file
// itself.
func isTerminal(w io.Writer) bool {
	if masked, ok := w.(*privacy.Writer); ok {
		w = masked.Unwrap()
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// loadModel takes the model through the whole gate, says what it found and counts the outcome. The line "model
// verified" is the record of what this process decides by: name, version and hash of the model, how many golden rows
// it was held against and how far it was off, and who has signed it. It is called once, before anything listens or
// joins a group, and takes as long as the golden rows do. A model that is refused counts under the stable word of its
// reason; what is wrong with the keys of model.trusted_keys is no refusal of a model and counts as none.
func loadModel(c Config, features []string, log *slog.Logger, loads *web.ModelMetrics) (*scoring.Scorer, error) {
	began := time.Now()
	trust, err := trustOf(c.Model)
	if err != nil {
		return nil, err
	}
	model, err := scoring.Load(c.Model.Path, scoring.Options{
		Features: features, Mapping: c.Event.Mapping, Thresholds: c.Thresholds, Trust: trust, Reasons: c.Reasons,
	})
	if err != nil {
		loads.Refused(scoring.Reason(err))
		return nil, refusal(c, err)
	}
	b := &model.Bundle
	loads.Loaded(b)
	for _, warning := range b.Warnings {
		log.Warn(warning, "model", b.Name)
	}
	if said := overridden(c, model); said != "" {
		log.Info(said)
	}
	log.Info("model verified", "model", b.Name, "version", b.Version, "sha256", b.SHA256[:12],
		"features", len(model.Program.Columns), "golden_rows", b.GoldenRows, "bit_equal", b.GoldenBitEqual,
		"max_difference", b.GoldenMaxDiff, "signed_by", b.SignedBy, "reasons", b.ReasonMethod, "took", time.Since(began).Round(time.Millisecond).String())
	return model, nil
}

// refusal names the model where it is the model's fault; a fault of the mapping names its own key.
func refusal(c Config, err error) error {
	if scoring.Reason(err) == "other" {
		return err
	}
	return fmt.Errorf("model %s: %w", c.Model.Path, err)
}

// overridden says which thresholds hold in place of the bundle's; nothing where those hold.
func overridden(c Config, model *scoring.Scorer) string {
	if c.Thresholds == nil || !c.Thresholds.Set() {
		return ""
	}
	return fmt.Sprintf("thresholds of the configuration are in force: %v; the bundle's: %v", model.Thresholds(), model.Bundle.Thresholds)
}

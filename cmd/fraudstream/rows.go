package main

import (
	"context"
	"fmt"
	"io"

	"fraudstream/cmd/fraudstream/batch"
	"fraudstream/scoring"
)

// rowsFlags are what the commands that read a file have in common: score, which writes decisions, and drift, which
// shows them to the monitor. Both load the model through the same gate as the service, so that what a backtest says is
// what the service would have done.
type rowsFlags struct {
	Config   string   `help:"Configuration file (YAML): model and event are used, and by score thresholds and reasons, by drift drift." type:"path" placeholder:"FILE"`
	Model    string   `help:"Bundle folder or model file; goes over that of the configuration." type:"path" placeholder:"PATH"`
	Features []string `help:"Feature names in training order, for a model file without them." placeholder:"A,B"`
	In       string   `help:"File to read; - is standard input." default:"-" placeholder:"FILE"`
}

// load takes the model through the gate, with the mapping as the format of the file wants it, and says on stderr what
// whoever reads the results should know: overrides in force, warnings of the bundle. reasons go over those of the
// configuration where they are given.
//
// The columns of CSV have no structure, so there a path with dots is one name; Parquet has no envelope.
func (f *rowsFlags) load(format batch.Format, reasons *scoring.Reasons, stderr io.Writer) (*scoring.Scorer, Config, error) {
	config, err := modelConfig(f.Config, f.Model)
	if err != nil {
		return nil, config, err
	}
	if reasons != nil {
		config.Reasons = *reasons
	}
	switch format {
	case batch.CSV:
		config.Event.Mapping = batch.Flatten(config.Event.Mapping)
	case batch.Parquet:
		config.Event.Mapping.Format = "json" // a table has no envelope
	}
	trust, err := trustOf(config.Model)
	if err != nil {
		return nil, config, err
	}
	model, err := scoring.Load(config.Model.Path, scoring.Options{
		Features: f.Features, Mapping: config.Event.Mapping, Thresholds: config.Thresholds, Trust: trust,
		Reasons: config.Reasons,
	})
	if err != nil {
		return nil, config, refusal(config, err)
	}
	if said := overridden(config, model); said != "" {
		fmt.Fprintln(stderr, said)
	}
	for _, warning := range model.Bundle.Warnings {
		fmt.Fprintln(stderr, "warning:", warning)
	}
	return model, config, nil
}

// open opens the file and warns, on stderr, of what is odd about it. The context ends a wait for standard input, on
// which nothing may ever come. bar is a terminal to draw the progress on, or nil.
func (f *rowsFlags) open(ctx context.Context, format batch.Format, model *scoring.Scorer, config Config, s streams, bar io.Writer) (*batch.Input, error) {
	in, err := batch.Open(f.In, model, batch.Options{
		Format: format, Mapping: config.Event.Mapping, Stdin: &patientReader{ctx, s.in}, Bar: bar,
	})
	if err != nil {
		return nil, err
	}
	for _, warning := range in.Warnings {
		fmt.Fprintln(s.err, "warning:", warning)
	}
	return in, nil
}

// terminal is what to draw a progress bar on; nil where nobody looks. The interface that is returned then is nil
// itself, which is what the bar takes for nobody.
func terminal(w io.Writer) io.Writer {
	if isTerminal(w) {
		return w
	}
	return nil
}

package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"fraudstream/scoring"
)

// rowsFlags are what the commands that read a file have in common: score, which writes decisions, and drift, which
// shows them to the monitor. Both load the model through the same gate as the service, so that what a backtest says is
// what the service would have done.
type rowsFlags struct {
	Config   string   `help:"Configuration file (YAML); model, event, thresholds and drift are used." type:"path" placeholder:"FILE"`
	Model    string   `help:"Bundle folder or model file." type:"path" placeholder:"PATH"`
	Features []string `help:"Feature names in training order, for a model file without them." placeholder:"A,B"`
	In       string   `help:"File to read; - is standard input." default:"-" placeholder:"FILE"`
}

// fileFormat is that of the name's extension; ndjson where it tells nothing, as for standard input.
func fileFormat(path string) string {
	if strings.EqualFold(filepath.Ext(path), ".csv") {
		return "csv"
	}
	return "ndjson"
}

// load takes the model through the gate and says on stderr what whoever reads the results should know. reasons go over
// those of the configuration where they are given.
func (f *rowsFlags) load(format string, reasons *scoring.Reasons, stderr io.Writer) (*scoring.Scorer, Config, error) {
	config, err := modelConfig(f.Config, f.Model)
	if err != nil {
		return nil, config, err
	}
	if reasons != nil {
		config.Reasons = *reasons
	}
	if format == "csv" {
		config.Event.Mapping = flatten(config.Event.Mapping)
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

// rowsFile is an input file that is being read. Whatever its format, source gives JSON, and progress counts the bytes
// as they come off the disk.
type rowsFile struct {
	source   rowSource
	progress *progress
	io.Closer
}

// open opens the file and reads its header, if the format has one.
func (f *rowsFlags) open(ctx context.Context, format string, model *scoring.Scorer, config Config, s streams) (*rowsFile, error) {
	in, size, err := openInput(ctx, f.In, s.in)
	if err != nil {
		return nil, err
	}
	file := &rowsFile{progress: newProgress(s.err, size), Closer: in}
	read := io.TeeReader(in, file.progress)
	file.source = ndjsonRows(read)
	if format == "csv" {
		if file.source, err = csvRows(read, model, config.Event.Mapping); err != nil {
			_ = in.Close() // it was only read
			return nil, err
		}
	}
	return file, nil
}

package main

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"fraudstream/cmd/fraudstream/web"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// serveCommand is the HTTP door alone, for whoever has callers and no Kafka. Its traffic is live traffic, so it has a
// monitor of its own, which the door of run has not: there the live traffic is the stream, and requests are questions
// beside it.
//
// The monitor is that of one process. What it has counted is gone when the process ends, and several processes behind
// one address each know their share of the traffic: pooled evidence, and detectors that survive, need the topics of
// run.
type serveCommand struct {
	Config   string   `help:"Configuration file (YAML); model, event, thresholds, reasons, drift, tracing, http, admin and privacy are used." type:"path" placeholder:"FILE"`
	Model    string   `help:"Bundle folder or model file." type:"path" placeholder:"PATH"`
	Features []string `help:"Feature names in training order, for a model file without them." placeholder:"A,B"`
	NoDrift  bool     `help:"Do not compare the traffic with the training baseline."`

	httpFlags

	Reasons *scoring.Reasons `help:"Which decisions carry reasons: flagged (to review and to block), all or none. Default: flagged." placeholder:"WORD"`
}

// Run serves until a signal, and answers what is under way then. Everything is made before anything listens, and the
// first address that cannot be had ends it.
func (c *serveCommand) Run(ctx context.Context, s streams) error {
	config, err := c.config()
	if err != nil {
		return err
	}
	level := new(slog.LevelVar)
	log := newLoggerAt(s.err, level)
	registry := web.NewRegistry()
	model, err := loadModel(config, c.Features, log, web.NewModelMetrics(registry))
	if err != nil {
		return &exitError{exitConfig, err}
	}
	spans, err := config.Tracing.open(log)
	if err != nil {
		return &exitError{exitConfig, err}
	}
	defer spans.close()
	options := web.Options{Scorer: model, Gatherer: registry, Requests: web.NewRequestMetrics(registry), Log: log, Tracer: spans.tracer()}
	var wanted drift.Options
	if !c.NoDrift {
		if wanted, err = config.watchRequests(&options); err != nil {
			return &exitError{exitConfig, err}
		}
		registry.MustRegister(web.NewDriftCollector(options.Monitor, model.Bundle.MetadataSHA256))
	}
	options.Console = config.doorConsole(model, &wanted, &options)
	door, err := config.door(options)
	if err != nil {
		return &exitError{exitConfig, err}
	}
	listening, err := config.listen(door, level, log)
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	listening.serve(ctx, group)
	return group.Wait()
}

// config is the file with the flags over it. Its errors have their exit codes: a command line that leaves out what is
// needed is one thing, and a configuration that does not hold another. Thresholds, drift and all else of the file
// hold as they do for run.
func (c *serveCommand) config() (Config, error) {
	config, err := modelConfig(c.Config, c.Model)
	if _, said := errors.AsType[*exitError](err); said {
		return config, err
	}
	if err == nil {
		err = c.over(&config)
	}
	if err != nil {
		return config, &exitError{exitConfig, err}
	}
	if config.HTTP.Listen == "" {
		return config, &exitError{exitUsage, errors.New("--listen: serve has nothing to do without an address")}
	}
	if c.Reasons != nil {
		config.Reasons = *c.Reasons
	}
	return config, nil
}

// watchRequests gives the door a monitor that counts its requests, and returns what that was made of. There is no
// topic for alerts: what begins or ends is said in the log. Ticked is called by the worker whose request has ended
// the interval, before that request is answered.
func (c *Config) watchRequests(o *web.Options) (wanted drift.Options, err error) {
	log := o.Log
	wanted, err = driftOptions(o.Scorer, c.Drift, time.Now(), func(line string) { log.Info(line) })
	if err != nil {
		return wanted, err
	}
	if o.Monitor, err = newMonitor(o.Scorer, wanted, log); err != nil {
		return wanted, err
	}
	o.Observe = true
	o.Ticked = func(tick drift.Tick) {
		for i := range tick.Episodes {
			sayEpisode(log, &tick.Episodes[i])
		}
	}
	return wanted, nil
}

// modelConfig is the configuration of the doors that know no Kafka, with the flag --model over it. The section kafka
// may hold anything, or nothing: these doors never look at it. Errors of the file come as they are; a missing model
// is an error of the command line.
func modelConfig(path, model string) (Config, error) {
	config, err := loadConfig(path)
	if err != nil {
		return config, err
	}
	if model != "" {
		config.Model.Path = model
	}
	if config.Model.Path == "" {
		return config, &exitError{exitUsage, errors.New("no model: give --model PATH or model.path in the configuration file")}
	}
	return config, nil
}

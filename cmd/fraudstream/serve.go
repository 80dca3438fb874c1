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

// serveCommand is the HTTP door alone. Its traffic is live traffic, so it has a monitor of its own.
type serveCommand struct {
	Config   string   `help:"Configuration file (YAML); model, event, thresholds, reasons, drift, tracing, http, admin and privacy are used." type:"path" placeholder:"FILE"`
	Model    string   `help:"Bundle folder or model file." type:"path" placeholder:"PATH"`
	Features []string `help:"Feature names in training order, for a model file without them." placeholder:"A,B"`
	NoDrift  bool     `help:"Do not compare the traffic with the training baseline."`

	httpFlags

	Reasons *scoring.Reasons `help:"Which decisions carry reasons: flagged (to review and to block), all or none. Default: flagged." placeholder:"WORD"`
}

// Run serves until a signal.
func (c *serveCommand) Run(ctx context.Context, s streams) error {
	config, err := modelConfig(c.Config, c.Model)
	if _, said := errors.AsType[*exitError](err); said {
		return err
	}
	if err != nil {
		return &exitError{exitConfig, err}
	}
	if err := c.over(&config); err != nil {
		return &exitError{exitConfig, err}
	}
	if config.HTTP.Listen == "" {
		return &exitError{exitUsage, errors.New("--listen: serve has nothing to do without an address")}
	}
	if c.Reasons != nil {
		config.Reasons = *c.Reasons
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
		wanted, err = driftOptions(model, config.Drift, time.Now(), func(line string) { log.Info(line) })
		if err != nil {
			return &exitError{exitConfig, err}
		}
		monitor, err := newMonitor(model, wanted, log)
		if err != nil {
			return &exitError{exitConfig, err}
		}
		registry.MustRegister(web.NewDriftCollector(monitor, model.Bundle.MetadataSHA256))
		options.Monitor, options.Observe = monitor, true
		options.Ticked = func(tick drift.Tick) {
			for i := range tick.Episodes {
				sayEpisode(log, &tick.Episodes[i])
			}
		}
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

// modelConfig is the configuration of the doors that know no Kafka.
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

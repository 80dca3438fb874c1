package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fraudstream/cmd/fraudstream/web"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// serveCommand is the HTTP door alone. Its traffic is live traffic, so it has a monitor of its own.
type serveCommand struct {
	Config   string   `help:"Configuration file (YAML); model, event, thresholds, drift and tracing are used." type:"path" placeholder:"FILE"`
	Model    string   `help:"Bundle folder or model file." type:"path" placeholder:"PATH"`
	Features []string `help:"Feature names in training order, for a model file without them." placeholder:"A,B"`
	Listen   string   `help:"Address to listen on." default:"127.0.0.1:8080"`
	NoDrift  bool     `help:"Do not compare the traffic with the training baseline."`

	Reasons *scoring.Reasons `help:"Which decisions carry reasons: flagged (to review and to block), all or none. Default: flagged." placeholder:"WORD"`
}

// Run serves until a signal.
func (c *serveCommand) Run(ctx context.Context, s streams) error {
	config, err := modelConfig(c.Config, c.Model)
	if err != nil {
		return &exitError{exitConfig, err}
	}
	if c.Reasons != nil {
		config.Reasons = *c.Reasons
	}
	log := newLogger(s.err)
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
	options := web.Options{Scorer: model, Gatherer: registry, Log: log, Tracer: spans.tracer()}
	if !c.NoDrift {
		wanted, err := driftOptions(model, config.Drift, time.Now(), func(line string) { log.Info(line) })
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
	door := web.New(options)
	if err := door.Listen(c.Listen); err != nil {
		return &exitError{exitConfig, fmt.Errorf("--listen: %w", err)}
	}
	log.Info("listening", "address", "http://"+door.Addr())
	return door.Serve(ctx)
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
		return config, errors.New("no model: give --model PATH or model.path in the configuration file")
	}
	return config, nil
}

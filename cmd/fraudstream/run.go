package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"fraudstream/cmd/fraudstream/web"
	"fraudstream/consumer"
	"fraudstream/scoring"
)

// runCommand is the service: from one Kafka topic to another, with a door of HTTP beside it. A flag that is given wins
// over the configuration file, and so does its variable FRAUDSTREAM_…; the defaults are those of defaultConfig.
//
// # How it starts, and in which order
//
// What can be told without the network is told first: keys, flags, the model, the overrides of drift, certificates. So
// a mistake that a restart cannot mend ends the process with code 78 before it has joined a group and taken partitions
// away from a process that works. Then it listens, and only then does it look for the cluster: whoever asks for its
// health is answered meanwhile.
//
// # How it ends
//
// A signal ends the context, and the streams publish and commit what they have. After SIGTERM the code is 0, after
// Ctrl-C 130. With --exit-at-end it is 130 after either: a backfill that was stopped has not come to its end.
type runCommand struct {
	Config     string   `help:"Configuration file (YAML)." type:"path" placeholder:"FILE"`
	Brokers    []string `help:"Kafka bootstrap addresses." placeholder:"HOST:PORT,…"`
	Input      string   `help:"Topic to read." placeholder:"TOPIC"`
	Output     string   `help:"Topic for decisions." placeholder:"TOPIC"`
	DeadLetter string   `help:"Topic for events that cannot be scored." placeholder:"TOPIC"`
	Group      string   `help:"Consumer group." placeholder:"NAME"`
	Model      string   `help:"Bundle folder or model file." type:"path" placeholder:"PATH"`
	Features   []string `help:"Feature names in training order, for a model file without them." placeholder:"A,B"`
	Delivery   string   `help:"Delivery guarantee: at-least-once or exactly-once." placeholder:"at-least-once"`
	Start      string   `help:"Where a group without offsets begins: earliest, latest or an RFC 3339 time." default:"earliest"`
	ExitAtEnd  bool     `help:"Stop at the end offsets seen at the start."`

	httpFlags

	Reasons *scoring.Reasons `help:"Which decisions carry reasons: flagged (to review and to block), all or none. Default: flagged." placeholder:"WORD"`

	// For shows and tests, which cannot wait: drift intervals of so many events instead of 10 s.
	DriftTickEvents int `hidden:""`
}

// Run loads the model, then serves HTTP and consumes until a signal or, with --exit-at-end, the end.
func (r *runCommand) Run(ctx context.Context, s streams) error {
	config, err := r.config()
	if err != nil {
		return &exitError{exitConfig, err}
	}
	start, err := parseStart(r.Start)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	level := new(slog.LevelVar)
	log := newLoggerAt(s.err, level)
	registry := web.NewRegistry()
	model, watch, err := r.watched(config, web.NewModelMetrics(registry), log)
	if err != nil {
		return &exitError{exitConfig, err}
	}
	registry.MustRegister(web.NewDriftCollector(watch.monitor, model.Bundle.MetadataSHA256))
	options, err := config.streamOptions(watch, consumer.NewMetrics(registry), log)
	if err != nil {
		return &exitError{exitConfig, err}
	}
	spans, err := config.Tracing.open(log)
	if err != nil {
		return &exitError{exitConfig, err}
	}
	defer spans.close()
	options.Start, options.ExitAtEnd, options.Tracer = start, r.ExitAtEnd, spans.tracer()
	streams := watch.streams(options, config.Kafka.DriftTicks, model)
	door, err := config.door(web.Options{
		Scorer: model, Gatherer: registry, Requests: web.NewRequestMetrics(registry), Monitor: watch.monitor, Log: log, Tracer: spans.tracer(),
		Ready: streams[0].Ready, Healthy: streams[0].Healthy, Topics: config.topics(),
		Console: config.streamConsole(model, watch, streams[0], log),
	})
	if err != nil {
		return &exitError{exitConfig, err}
	}
	listening, err := config.listen(door, level, log)
	if err != nil {
		return err
	}
	if err := runAll(ctx, listening, streams); err != nil || !r.ExitAtEnd {
		return err
	}
	return ctx.Err() // a backfill that a signal has ended is not at its end
}

// watched takes the model through the gate and makes what watches the drift of its inputs. They come together: the
// baseline that live values are compared with is the model's own. An error of either is one of the configuration: a
// refused model, or an override that fits none of its features.
func (r *runCommand) watched(config Config, loads *web.ModelMetrics, log *slog.Logger) (*scoring.Scorer, *driftWatch, error) {
	model, err := loadModel(config, r.Features, log, loads)
	if err != nil {
		return nil, nil, err
	}
	watch, err := newDriftWatch(config, model, r.DriftTickEvents, log)
	return model, watch, err
}

// streamOptions are what the stream of events is told by the configuration. Where it begins and ends is said by flags
// alone: that is about one run, and the file is about all of them. The options of a stream are these and the start,
// the end and the tracer that the flags and the tracing add.
func (c *Config) streamOptions(watch *driftWatch, metrics *consumer.Metrics, log *slog.Logger) (consumer.Options, error) {
	options, err := c.clusterOptions(log)
	if err != nil {
		return options, err
	}
	options.Reset, options.LibraryProtocol = consumer.Reset(c.Kafka.OffsetReset), c.Kafka.LibraryProtocol
	options.Metrics, options.Observer, options.Show = metrics, watch.partition, c.shown()
	return options, c.remember(&options, log)
}

// runAll runs what listens beside the streams, of which the first is that of the events; its end, for whatever cause,
// ends all. Where one of them fails the others are told to end, and the first error is the one that is returned. A
// fault of the set-up, which only a change mends, has the code 78.
func runAll(ctx context.Context, listening *listeners, streams []*consumer.Consumer) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	listening.serve(ctx, group)
	group.Go(func() error {
		defer cancel()
		return streams[0].Run(ctx)
	})
	for _, stream := range streams[1:] {
		group.Go(func() error { return stream.Run(ctx) })
	}
	err := group.Wait()
	if _, ok := errors.AsType[*consumer.SetupError](err); ok {
		return &exitError{exitConfig, err}
	}
	return err
}

// config is the file with the flags over it, checked as a whole: what the flags have changed is held to the same rules
// as what the file says, and a stream needs more than a file of rows does (a model, a group, topics that differ).
func (r *runCommand) config() (Config, error) {
	c, err := loadConfig(r.Config)
	if err != nil {
		return c, err
	}
	if len(r.Brokers) > 0 {
		c.Kafka.Brokers = r.Brokers
	}
	k := &c.Kafka
	override(map[*string]string{
		&k.Input: r.Input, &k.Output: r.Output, &k.DeadLetter: r.DeadLetter, &k.Group: r.Group,
		&c.Model.Path: r.Model, &c.Delivery: r.Delivery,
	})
	if r.Reasons != nil {
		c.Reasons = *r.Reasons
	}
	if err := r.over(&c); err != nil {
		return c, err
	}
	if c.Model.Path == "" {
		return c, errors.New("no model: give --model PATH or model.path in the configuration file")
	}
	if err := c.Kafka.validate(); err != nil {
		return c, err
	}
	if err := c.validatePool(); err != nil {
		return c, err
	}
	return c, c.validate()
}

// parseStart reads --start. It holds for a group without offsets alone; where there are some, the group goes on
// there. A time means the first event written at or after it, in each partition.
func parseStart(text string) (consumer.Start, error) {
	switch text {
	case "earliest":
		return consumer.Start{}, nil
	case "latest":
		return consumer.Start{Latest: true}, nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return consumer.Start{}, fmt.Errorf("--start %q is neither earliest, latest nor a time such as 2026-11-01T00:00:00Z", text)
	}
	return consumer.Start{Time: t}, nil
}

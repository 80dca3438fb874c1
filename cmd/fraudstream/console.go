package main

import (
	"log/slog"

	"fraudstream/cmd/fraudstream/web"
	"fraudstream/cmd/fraudstream/web/console"
	"fraudstream/consumer"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// own is what the console is told of this process, whatever its traffic is. Without a monitor there is no drift to
// show, and wanted, from which the monitor was made, is not looked at. Where thresholds come from is said in words,
// because the page shows them to an analyst who has seen neither bundle nor configuration.
func (c *Config) own(model *scoring.Scorer, monitor *drift.Monitor, wanted *drift.Options) *console.Own {
	o := &console.Own{
		Scorer: model, Thresholds: model.Thresholds(), From: "of the bundle", Monitor: monitor, Masker: c.Privacy.masker(), Shows: c.Privacy.Show,
	}
	if c.Thresholds != nil && c.Thresholds.Set() {
		o.From = "of the configuration"
	}
	if monitor != nil {
		o.Features, o.Score = wanted.Features, wanted.Score
	}
	return o
}

// streamConsole shows a stream, as far as this process has a part in it, and the drift that watch has counted there.
// Neither is asked for anything before the door runs the console.
func (c *Config) streamConsole(model *scoring.Scorer, watch *driftWatch, stream *consumer.Consumer, log *slog.Logger) *console.Console {
	o := c.own(model, watch.monitor, &watch.options)
	o.Scope = "This process: its partitions of " + c.Kafka.Input + ", and what it has counted since it started."
	o.Stream = &console.Stream{
		Delivery: c.Delivery, Group: c.Kafka.Group, Input: c.Kafka.Input, Output: c.Kafka.Output, DeadLetter: c.Kafka.DeadLetter,
	}
	o.Consumer = stream
	return console.New(console.Options{Source: o.State, Log: log})
}

// doorConsole shows requests, where they are the traffic, and has them counted. It is called before the door is made,
// and puts what counts into the door's options.
func (c *Config) doorConsole(model *scoring.Scorer, wanted *drift.Options, options *web.Options) *console.Console {
	o := c.own(model, options.Monitor, wanted)
	o.Scope = "This process answers HTTP without Kafka; its requests are the live traffic."
	o.Door = console.NewDoor(c.shown())
	options.Traffic = o.Door
	return console.New(console.Options{Source: o.State, Log: options.Log})
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"fraudstream/consumer"
	"fraudstream/drift"
	"fraudstream/scoring"
)

// configCommand looks at a configuration before a service runs by it. check says whether it holds, print what is in
// force, schema what may be written; init, beside it, writes the file to begin with.
type configCommand struct {
	Check  configCheckCommand  `cmd:"" help:"Say whether a configuration holds: keys, files, the model and, unless --offline, the cluster."`
	Print  configPrintCommand  `cmd:"" help:"Print the configuration that is in force, and where each value is from."`
	Schema configSchemaCommand `cmd:"" help:"Print the JSON Schema of the configuration file, for editors."`
}

// configFlags are the flags of run that go over the file. They are what decides whether a configuration holds: the
// other flags of run are about one run.
type configFlags struct {
	clusterFlags
	Model    string `help:"Bundle folder or model file." type:"path" placeholder:"PATH"`
	Delivery string `help:"Delivery guarantee: at-least-once or exactly-once." placeholder:"at-least-once"`
}

// load is the configuration with the flags over it. The model may be missing, which run refuses: to look at a
// configuration that has none yet is among what these commands are for.
func (f *configFlags) load() (Config, error) {
	c, err := f.clusterFlags.load()
	if err != nil {
		return c, err
	}
	override(map[*string]string{&c.Model.Path: f.Model, &c.Delivery: f.Delivery})
	return c, c.validate()
}

// configCheckCommand is what a deployment runs before it starts the service, or a pipeline before it merges a change.
// It looks at what run looks at before it takes a partition, by the same functions.
type configCheckCommand struct {
	configFlags
	Features []string `help:"Feature names in training order, for a model file without them." placeholder:"A,B"`
	Offline  bool     `help:"Ask no broker."`
	JSON     bool     `help:"Print JSON." name:"json"`
}

// Run prints a line for each part: the keys, the files that they name, the model through its whole gate with the
// mapping and the overrides of drift, and last the cluster. It ends with 78 where only a change helps, with 1 where a
// broker is away. A configuration that cannot be read at all is an error and no line: nothing after it would mean
// anything.
func (c *configCheckCommand) Run(ctx context.Context, s streams) error {
	config, err := c.load()
	if err != nil {
		return &exitError{exitConfig, err}
	}
	lines := []consumer.Finding{{Subject: "configuration", Detail: config.origin() + ": every key is known and every value holds"}}
	lines = append(lines, config.checkFiles()...)
	lines = append(lines, config.checkModel(c.Features)...)
	if !c.Offline {
		stream, err := open(&config, slog.New(slog.DiscardHandler))
		if err != nil {
			return &exitError{exitConfig, err}
		}
		lines = append(lines, stream.Diagnose(ctx)...)
	}
	return showFindings(s.out, lines, c.JSON)
}

// origin is the path of the file, or the words that there is none.
func (c *Config) origin() string {
	if c.source == nil {
		return "without a file"
	}
	return c.source.path
}

// unfit is the line of what a restart cannot mend, with the line of the file that the error is about, where it has
// one. Such a line has the level fail, and so the code 78.
func (c *Config) unfit(subject string, err error) consumer.Finding {
	text := err.Error()
	if c.source != nil && c.source.keys != nil {
		if at := c.source.keys.locate(err); at[0] != ' ' {
			text = "line " + at
		}
	}
	return consumer.Finding{Level: consumer.Fail, Subject: subject, Detail: text}
}

// checkFiles opens the files that the keys name, certificates and tokens, and finds keys that want each other. What
// it finds is said of all of them, and not of the first alone: whoever deploys wants to mend a configuration once.
func (c *Config) checkFiles() (lines []consumer.Finding) {
	silent := slog.New(slog.DiscardHandler)
	if _, _, err := c.Kafka.access(silent); err != nil {
		lines = append(lines, c.unfit("access to Kafka", err))
	}
	if c.HTTP.TLS.Enabled() {
		if _, err := c.HTTP.TLS.Config(silent); err != nil {
			lines = append(lines, c.unfit("certificates", fmt.Errorf("http.%w", err)))
		}
	}
	if err := c.validatePool(); err != nil {
		lines = append(lines, c.unfit("drift", err))
	}
	return lines
}

// checkModel takes the model through the whole gate, the mapping of events and the overrides of drift with it: what
// it passes, run takes. No model is a warning and no failure, since a command line may name it. Nothing of it touches
// the network, so a pipeline can ask for it with --offline.
func (c *Config) checkModel(features []string) []consumer.Finding {
	if c.Model.Path == "" {
		return []consumer.Finding{{
			Level: consumer.Warn, Subject: "model", Detail: "none is named, and none was loaded", Advice: "set model.path, or give --model to run and serve",
		}}
	}
	trust, err := trustOf(c.Model)
	if err != nil {
		return []consumer.Finding{c.unfit("model", err)}
	}
	model, err := scoring.Load(c.Model.Path, scoring.Options{
		Features: features, Mapping: c.Event.Mapping, Thresholds: c.Thresholds, Trust: trust, Reasons: c.Reasons,
	})
	if err != nil {
		return []consumer.Finding{c.unfit("model", refusal(*c, err))}
	}
	b := &model.Bundle
	lines := []consumer.Finding{{Subject: "model", Detail: fmt.Sprintf("%s, %d features, %d golden rows, at most %.2g apart",
		modelName(model), len(b.Features), b.GoldenRows, b.GoldenMaxDiff)}}
	for _, w := range b.Warnings {
		lines = append(lines, consumer.Finding{Level: consumer.Warn, Subject: "model", Detail: w})
	}
	options, err := driftOptions(model, c.Drift, time.Now(), func(string) {})
	if err == nil {
		_, err = drift.NewMonitor(options)
	}
	if err != nil {
		lines = append(lines, c.unfit("drift", err))
	}
	return lines
}

// initCommand writes the file to begin with. All of its keys are there, most of them behind a #, each with what it is
// for: it is the reference of the configuration as well.
type initCommand struct {
	Out string `arg:"" optional:"" help:"File to write; - is standard output." default:"fraudstream.yaml" placeholder:"FILE"`
}

// Run writes the file, unless there is one: what stands there may be somebody's work. The mode leaves it to the umask
// who may read it: the file holds references to secrets and need not hold one.
func (c *initCommand) Run(s streams) error {
	if c.Out == "-" {
		_, err := fmt.Fprint(s.out, initFile)
		return err
	}
	err := writeNew(c.Out, []byte(initFile), 0o666)
	if errors.Is(err, fs.ErrExist) {
		return &exitError{exitUsage, fmt.Errorf("%s is there already, and is left as it is; name another file", c.Out)}
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(s.err, "wrote %s; next: set model.path, then fraudstream config check --config %s\n", c.Out, c.Out)
	return nil
}

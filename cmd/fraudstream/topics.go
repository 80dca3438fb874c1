package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"fraudstream/consumer"
)

// topicsCommand looks after the topics that the service reads and writes.
type topicsCommand struct {
	Check  topicsCheckCommand  `cmd:"" help:"Say whether cluster, topics, access and group are as the service needs them."`
	Create topicsCreateCommand `cmd:"" help:"Create the topics that are missing."`
}

// topicsCheckCommand is the preflight of run by itself: to be run where the service will run, by its user, before it
// does. It writes nothing, so that it may be run beside a service that works.
type topicsCheckCommand struct {
	clusterFlags
	JSON bool `help:"Print JSON." name:"json"`
}

// Run prints a line for each finding. It ends with 78 where only a change helps, with 1 where a broker is away.
func (c *topicsCheckCommand) Run(ctx context.Context, s streams) error {
	_, stream, err := c.connect(s)
	if err != nil {
		return err
	}
	return showFindings(s.out, stream.Diagnose(ctx), c.JSON)
}

// topicsCreateCommand makes what is missing, and leaves alone what is there: how many partitions a topic has and how
// long it keeps its records is the decision of whoever made it. What the service needs of its own topics (compaction,
// one partition, as many as the input) it sets.
type topicsCreateCommand struct {
	clusterFlags
	Partitions  int           `help:"Partitions of the input, where it is missing; the others have as many as the input." default:"6" placeholder:"N"`
	Replication int           `help:"Copies of each; 0 is the brokers' default." default:"0" placeholder:"N"`
	Retention   time.Duration `help:"How long decisions and alerts are kept, such as 168h; 0 is the brokers' default." default:"0"`
	DryRun      bool          `help:"Say what would be created, and let the brokers check it."`
	JSON        bool          `help:"Print JSON." name:"json"`
}

// Run prints a line for each topic. A topic that is there is a line as well and no failure, so the command may be run
// again and again.
func (c *topicsCreateCommand) Run(ctx context.Context, s streams) error {
	if c.Partitions < 1 || c.Replication < 0 || c.Replication > 1<<15-1 || c.Retention < 0 {
		return &exitError{exitUsage, fmt.Errorf("--partitions must be at least 1, --replication and --retention not negative")}
	}
	_, stream, err := c.connect(s)
	if err != nil {
		return err
	}
	return showFindings(s.out, stream.CreateTopics(ctx, consumer.Layout{
		Partitions: c.Partitions, Replication: c.Replication, Retention: c.Retention, DryRun: c.DryRun,
	}), c.JSON)
}

// clusterFlags are what every command takes that meets the cluster without scoring anything.
type clusterFlags struct {
	Config     string   `help:"Configuration file (YAML); kafka is used." type:"path" placeholder:"FILE"`
	Brokers    []string `help:"Kafka bootstrap addresses." placeholder:"HOST:PORT,…"`
	Input      string   `help:"Topic that the service reads." placeholder:"TOPIC"`
	Output     string   `help:"Topic for decisions." placeholder:"TOPIC"`
	DeadLetter string   `help:"Topic for events that cannot be scored." placeholder:"TOPIC"`
	Group      string   `help:"Consumer group." placeholder:"NAME"`
}

// connect is the beginning of each of these commands: the configuration, and a client of its cluster. Nothing is
// connected yet: a broker that is away is found by the first question.
func (c *clusterFlags) connect(s streams) (Config, *consumer.Consumer, error) {
	config, err := c.load()
	if err != nil {
		return config, nil, &exitError{exitConfig, err}
	}
	stream, err := open(&config, newLogger(s.err))
	if err != nil {
		return config, nil, &exitError{exitConfig, err}
	}
	return config, stream, nil
}

// load is the configuration with the flags over it. Only the section kafka is checked once more: it alone has flags
// here.
func (c *clusterFlags) load() (Config, error) {
	config, err := loadConfig(c.Config)
	if err != nil {
		return config, err
	}
	k := &config.Kafka
	if len(c.Brokers) > 0 {
		k.Brokers = c.Brokers
	}
	override(map[*string]string{&k.Input: c.Input, &k.Output: c.Output, &k.DeadLetter: c.DeadLetter, &k.Group: c.Group})
	return config, k.validate()
}

// open gives a consumer that scores nothing: it knows the cluster and its topics. It is for the commands that look at
// the cluster or speak to the group from beside it; nothing is connected before one of its methods asks. The client
// writes to log; a command whose findings say it all gives one that is silent.
func open(config *Config, log *slog.Logger) (*consumer.Consumer, error) {
	options, err := config.clusterOptions(log)
	if err != nil {
		return nil, err
	}
	options.Ticks = config.Kafka.DriftTicks
	return consumer.New(options, nil), nil
}

// clusterOptions are what every client is told alike, whether it scores or only looks: where the cluster is, how to log
// in, what the topics are called, how dead letters and commits are made. Because the commands share them with the
// service, topics check sees the service's cluster and dlq list reads the letters that it wrote.
func (c *Config) clusterOptions(log *slog.Logger) (consumer.Options, error) {
	k := &c.Kafka
	dial, login, err := k.access(log)
	if err != nil {
		return consumer.Options{}, err
	}
	options := consumer.Options{
		Brokers: k.Brokers, Group: k.Group, Input: k.Input, Output: k.Output, DeadLetter: k.DeadLetter,
		Alerts: k.Alerts, State: k.DriftState,
		Dial: dial, SASL: login, Log: log,
	}
	c.letters(&options)
	c.deliver(&options)
	return options, nil
}

// override puts flags that are given over what the file says. An empty flag is one that is not given, so that a
// variable which a template leaves empty changes nothing.
func override(keys map[*string]string) {
	for key, flag := range keys {
		if flag != "" {
			*key = flag
		}
	}
}

// showFindings prints the lines, aligned, and gives the exit code that they call for: 78 where one says what only a
// change helps against, else 1 where one says what may pass, such as a broker that is away, else 0. Warnings call for
// nothing.
func showFindings(out io.Writer, all []consumer.Finding, asJSON bool) error {
	if asJSON {
		if err := printJSON(out, all); err != nil {
			return err
		}
	} else {
		width := 0
		for _, f := range all {
			width = max(width, len(f.Subject))
		}
		for _, f := range all {
			fmt.Fprintf(out, "%-4s  %-*s  %s", f.Level, width, f.Subject, f.Detail)
			if f.Advice != "" {
				fmt.Fprintf(out, "; %s", f.Advice)
			}
			fmt.Fprintln(out)
		}
	}
	code := 0
	for _, f := range all {
		switch {
		case f.Level != consumer.Fail:
		case !f.Passing:
			code = exitConfig
		case code == 0:
			code = exitFailure
		}
	}
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}

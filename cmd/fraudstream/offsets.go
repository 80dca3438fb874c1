package main

import (
	"context"
	"fmt"

	"fraudstream/consumer"
)

// offsetsCommand says where a partition goes on that cannot go on by itself.
//
// It has one verb, and none that sets offsets at will: a group that works needs none, and while its members run,
// brokers take its offsets from nobody else. Skip is for the partition that stands still, and takes effect only while
// it does.
type offsetsCommand struct {
	Skip offsetsSkipCommand `cmd:"" help:"Let a partition that stands before a corrupt batch, or before offsets that are gone, go on at another offset."`
}

// offsetsSkipCommand is what whoever is on call says after looking. The processes of the group may run meanwhile: they
// ask for it while they stand.
type offsetsSkipCommand struct {
	clusterFlags
	Topic     string `help:"Topic that the partition belongs to: the input." required:"" placeholder:"TOPIC"`
	Partition int32  `help:"Partition that stands still." required:"" placeholder:"N"`
	To        int64  `help:"First offset to read again; those before it are lost, and counted as skipped." required:"" placeholder:"OFFSET"`
	JSON      bool   `help:"Print JSON." name:"json"`
}

// skipped is the answer in JSON.
type skipped struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	At        int64  `json:"at"` // where the group stands
	To        int64  `json:"to"`
}

// Run names the offset, and prints where the group stands. The topic must be given although it can only be the input:
// whoever types it has looked at which stream it is that will lose events.
func (c *offsetsSkipCommand) Run(ctx context.Context, s streams) error {
	config, err := c.load()
	if err != nil {
		return &exitError{exitConfig, err}
	}
	if c.Topic != config.Kafka.Input {
		return &exitError{exitUsage, fmt.Errorf("--topic %s is not the input, which is %s", c.Topic, config.Kafka.Input)}
	}
	stream, err := open(&config, newLogger(s.err))
	if err != nil {
		return &exitError{exitConfig, err}
	}
	at, err := stream.Skip(ctx, c.Partition, c.To)
	if err != nil {
		return setupFailure(err)
	}
	if c.JSON {
		return printJSON(s.out, skipped{c.Topic, c.Partition, at, c.To})
	}
	_, err = fmt.Fprintf(s.out, "%s/%d: the group stands at offset %d; if it cannot be read there, it goes on at %d within seconds\n",
		c.Topic, c.Partition, at, c.To)
	return err
}

// offsetResets are the words of kafka.offset_reset: where a partition goes on whose next offset the topic no longer
// has.
func offsetResets() []string {
	return []string{string(consumer.ResetEarliest), string(consumer.ResetLatest), string(consumer.ResetStop)}
}

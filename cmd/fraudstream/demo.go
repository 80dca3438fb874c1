package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"fraudstream/cmd/fraudstream/demo"
)

// demoCommand is the first thing that a new user runs: it needs nothing but this binary, which it starts again as its
// workers, with the Kafka of package demo between them. What is shown is therefore the service itself and no film of
// it. The same seed draws the same transactions, and no two shows are the same for all that, since processes are
// killed in it.
type demoCommand struct {
	For      time.Duration `help:"Length of the show." default:"75s"`
	Fast     bool          `help:"Without waits, in a few seconds."`
	Seed     int64         `help:"Seed of the generated transactions." default:"1"`
	Plain    bool          `help:"No colour and no control codes."`
	Listen   string        `help:"Address of the console, and of the first worker's /predict, /metrics and /drift." default:"127.0.0.1:8080"`
	Delivery string        `help:"Delivery guarantee of the workers: at-least-once or exactly-once." enum:"at-least-once,exactly-once" default:"exactly-once"`
}

// Run shows the demo and fails if an event was lost or, where that is promised not to happen, answered twice. Whether
// one was is not for the workers to say: an independent reader counts what stands in the topics at the end. An
// interrupt ends the show and is no failure of it: what was sent by then is counted all the same.
func (d *demoCommand) Run(ctx context.Context, s streams) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("the demo starts this binary again as its workers: %w", err)
	}
	summary, err := demo.Run(ctx, demo.Options{
		For: d.For, Fast: d.Fast, Seed: d.Seed, Plain: d.Plain || !isTerminal(s.out), Listen: d.Listen,
		Out: s.out, Executable: executable, ExactlyOnce: d.Delivery == exactlyOnce,
	})
	if err != nil {
		return err
	}
	if summary.Lost > 0 {
		return &exitError{exitFailure, fmt.Errorf("%d events were lost", summary.Lost)}
	}
	if d.Delivery == exactlyOnce && summary.Duplicated > 0 {
		return &exitError{exitFailure, fmt.Errorf("%d events were answered twice", summary.Duplicated)}
	}
	return nil
}

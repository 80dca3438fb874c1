// Command fraudstream scores card transactions with a scikit-learn model and watches their drift.
//
//	fraudstream demo     everything on this machine: Kafka, a model, transactions
//	fraudstream run      the service: from one Kafka topic to another
//	fraudstream serve    the same model over HTTP
//	fraudstream score    the same model over a file
//	fraudstream drift    what the drift monitor would have said of a file
//	fraudstream model    what a model holds, whether it would load, who vouches for it
//	fraudstream dlq      what could not be scored: a list, a replay, and the word that a paused stream waits for
//	fraudstream topics   whether a cluster is as the service needs it; makes the topics that are missing
//	fraudstream offsets  where a partition goes on that stands before events which cannot be read
//	fraudstream ready    whether a running process is ready: a container's health check
//	fraudstream config   whether a configuration holds, what is in force, the schema for editors
//	fraudstream init     a configuration file to begin with
//	fraudstream version  what this binary is
//
// This package is the only reader of flags, environment and configuration, and the only place where the rooms meet:
// it loads a [scoring.Scorer], makes a [drift.Monitor] of the bundle's baseline and hands both to the door that was
// asked for. There is one file per subcommand.
//
// # Reading it
//
// main.go has the whole command line as one structure, which kong makes flags and variables of. run.go is the service,
// wired from top to bottom, and serve.go and score.go are the other two doors; beyond the wiring, http.go says what
// both listeners are given, and package batch how a file is read and written.
//
// config.go and its neighbours config_*.go are the configuration. A section that belongs to one matter stands with it:
// delivery.go, deadletters.go, memory.go, override.go, private.go, tracing.go. Between the stream and the drift monitor
// stand monitor.go, which makes a monitor of bundle and configuration; observer.go, which feeds it from a partition's
// loop; pool.go and acceptance.go. backtest.go does the same from a file, and drift_text.go, drift_page.go and
// drift_charts.go show what came of it. The commands for whoever is on call are dlq.go, topics.go and offsets.go.
//
// # Exit codes
//
// 0 ok, 1 failure, 2 usage, 3 findings (rows that could not be scored, a model that the model command refuses), 78 a
// configuration that a restart cannot mend, 130 interrupted (by Ctrl-C, or before a file or a backfill was done; a
// service that SIGTERM stops has done its work: 0). Results go to stdout, everything else to stderr.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"fraudstream/cmd/fraudstream/privacy"
)

// The exit codes of the contract.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitFindings    = 3
	exitConfig      = 78
	exitInterrupted = 130
)

// cli is the whole command line: kong derives the help, the flags and their environment variables from it.
type cli struct {
	Demo    demoCommand    `cmd:"" help:"Show everything on this machine: an in-process Kafka, a model, generated card transactions."`
	Run     runCommand     `cmd:"" help:"Score a Kafka topic."`
	Serve   serveCommand   `cmd:"" help:"Score over HTTP, without Kafka."`
	Score   scoreCommand   `cmd:"" help:"Score a file."`
	Drift   driftCommand   `cmd:"" help:"Compare a file with the training data: distances and alarms, for a backtest."`
	Model   modelCommand   `cmd:"" help:"Look at a model, check it, sign it, compare it with another."`
	Dlq     dlqCommand     `cmd:"" help:"List and replay dead letters; end a pause of the breaker."`
	Topics  topicsCommand  `cmd:"" help:"Check and create the topics of a Kafka cluster."`
	Offsets offsetsCommand `cmd:"" help:"Let a partition that stands still go on elsewhere."`
	Ready   readyCommand   `cmd:"" help:"Ask a running process whether it is ready, for the health check of a container."`
	Config  configCommand  `cmd:"" help:"Check and print the configuration."`
	Init    initCommand    `cmd:"" help:"Write a commented configuration file."`
	Version versionCommand `cmd:"" help:"Print what this binary is."`
}

// streams are the three standard streams, so that tests can give others.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// An exitError ends the process with a code of its own; err may be nil where everything has been said.
type exitError struct {
	code int
	err  error
}

// Error is the message of the error, or the code where all has been said.
func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

// Unwrap gives the error; nil where there is none.
func (e *exitError) Unwrap() error { return e.err }

func main() {
	os.Exit(execute(os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}))
}

// execute runs one command line and returns the exit code. Nothing that it prints on standard error holds a card
// number, that of a panic included; only what the runtime prints of a panic in another goroutine is out of reach.
func execute(args []string, s streams) (code int) {
	ctx, stop := untilSignal()
	defer stop()
	s.err = privacy.New(privacy.Options{}).Writer(s.err)
	defer func() {
		if cause := recover(); cause != nil {
			fmt.Fprintf(s.err, "fraudstream: panic: %v\n\n%s", cause, debug.Stack())
			code = exitFailure
		}
	}()

	exited := -1
	parser, err := kong.New(&cli{},
		kong.Name("fraudstream"),
		kong.Description("Score card transactions with a scikit-learn model, from Kafka, over HTTP or in a file."),
		kong.DefaultEnvars("FRAUDSTREAM"),
		kong.Writers(s.out, s.err),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintln(s.err, "fraudstream:", err)
		return exitFailure
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help has printed itself
	}
	if err != nil {
		fmt.Fprintf(s.err, "fraudstream: %v; see fraudstream --help\n", err)
		return exitUsage
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(s)
	if err == nil && errors.Is(context.Cause(ctx), errInterrupted) {
		return exitInterrupted // drained and committed, but not what a script waits for
	}
	return exitCode(err, s.err)
}

// exitCode says on stderr what went wrong, once, and maps it to a code.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	code := exitFailure
	if exit, ok := errors.AsType[*exitError](err); ok {
		code = exit.code
		err = exit.err
	} else if errors.Is(err, context.Canceled) {
		return exitInterrupted
	}
	if err != nil {
		fmt.Fprintln(stderr, "fraudstream:", err)
	}
	return code
}

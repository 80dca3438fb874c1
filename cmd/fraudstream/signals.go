package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// errInterrupted is the cause of a context that a person's Ctrl-C has ended.
var errInterrupted = errors.New("interrupted")

// untilSignal returns a context that the first SIGINT or SIGTERM ends. A second one ends the process at once, because
// the first one has put the default handling back. The cause of the context tells the two apart: a service that is
// asked to stop has done its work, and whoever presses Ctrl-C has not got what they waited for. The function that is
// returned ends the context and the goroutine behind it, and is to be called in any case.
func untilSignal() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		defer signal.Stop(signals)
		select {
		case s := <-signals:
			if s == os.Interrupt {
				cancel(errInterrupted)
			}
			cancel(nil)
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(nil) }
}

// patientReader reads a terminal or a pipe on which the next byte may never come, and gives up when ctx ends. The
// read that is under way then is left behind, with its buffer: the process is about to end. One Read is under way at
// a time, as of any reader.
type patientReader struct {
	ctx context.Context
	in  io.Reader
}

// Read waits for bytes or for the end of the context, whichever comes first.
func (r *patientReader) Read(p []byte) (int, error) {
	type outcome struct {
		got []byte
		err error
	}
	done := make(chan outcome, 1)
	go func() {
		buffer := make([]byte, len(p)) // not p, which belongs to the caller again once Read has returned
		n, err := r.in.Read(buffer)
		done <- outcome{buffer[:n], err}
	}()
	select {
	case o := <-done:
		return copy(p, o.got), o.err
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
}

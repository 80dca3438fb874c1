package demo

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// patience is how long a worker may take to drain after SIGTERM; the service promises 10 s.
const patience = 12 * time.Second

// A worker is a child process: this same binary as `fraudstream run`.
//
// Wait is called by one goroutine, once; whoever wants to know how the process ended waits for gone to be
// closed and reads err then.
type worker struct {
	name    string
	listen  string // address of its HTTP door
	log     string // file with what it said on stderr
	command *exec.Cmd
	ending  atomic.Bool // it was told to end, or killed
	killed  atomic.Bool
	gone    chan struct{} // closed when the process has ended
	err     error         // how it ended; valid once gone is closed
}

// startWorker starts the executable with the flags of `run`. Its bundle and its log are in dir. It returns as
// soon as the process runs, long before it is ready. Its output goes to a file and not to the screen, which
// belongs to the show.
func (o *Options) startWorker(name, dir, listen string, brokers []string) (*worker, error) {
	w := &worker{name: name, listen: listen, log: filepath.Join(dir, name+".log"), gone: make(chan struct{})}
	log, err := os.Create(w.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own copy
	watch, err := writeConfiguration(dir)
	if err != nil {
		return nil, err
	}
	delivery := "at-least-once"
	if o.ExactlyOnce {
		delivery = "exactly-once"
	}
	w.command = exec.Command(o.Executable, append([]string{
		"run",
		"--brokers", strings.Join(brokers, ","), "--input", input, "--output", output, "--dead-letter", deadLetter,
		"--group", group, "--model", filepath.Join(dir, "bundle"), "--listen", listen, "--delivery", delivery,
	}, watch...)...)
	w.command.Stdout, w.command.Stderr = log, log
	w.command.Env = append(withoutOwnVariables(os.Environ()), o.environment...)
	w.command.SysProcAttr = childAttributes()
	if err := w.command.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		w.err = w.command.Wait()
		close(w.gone)
	}()
	return w, nil
}

// withoutOwnVariables keeps settings that were meant for the demo from its workers, which have all they need as flags.
func withoutOwnVariables(environment []string) []string {
	var kept []string
	for _, v := range environment {
		if !strings.HasPrefix(v, "FRAUDSTREAM_") {
			kept = append(kept, v)
		}
	}
	return kept
}

// Kill ends the worker as a power failure would, and returns when it is gone. No worker is ever looked for by name:
// the process that was started is the one that is killed.
func (w *worker) Kill() {
	w.ending.Store(true)
	w.killed.Store(true)
	_ = w.command.Process.Kill() // fails only where the process has ended
	<-w.gone
}

// Drain asks the worker to finish what it has begun and waits for it. It returns an error where the time ran
// out or the worker ended with another status than 0: a drain that fails is a finding.
func (w *worker) Drain() error {
	w.ending.Store(true)
	if err := w.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		w.Kill() // no such signal on this system
		return nil
	}
	select {
	case <-w.gone:
	case <-time.After(patience):
		w.Kill()
		return fmt.Errorf("%s did not drain within %v of SIGTERM", w.name, patience)
	}
	if w.err != nil {
		return w.failure("did not end well after SIGTERM")
	}
	return nil
}

// Gone tells whether the process has ended.
func (w *worker) Gone() bool {
	select {
	case <-w.gone:
		return true
	default:
		return false
	}
}

// Failed tells how the worker ended, if it did so without being told.
func (w *worker) Failed() error {
	if !w.Gone() || w.ending.Load() {
		return nil
	}
	return w.failure("ended early")
}

// failure is an error with the last lines of the worker's log. Five lines are enough for a reason and too few
// to bury it.
func (w *worker) failure(what string) error {
	text, _ := os.ReadFile(w.log)
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	last := bytes.Join(lines[max(0, len(lines)-5):], []byte("\n  "))
	return fmt.Errorf("%s %s (%v); it said last:\n  %s", w.name, what, w.command.ProcessState, last)
}

// freeAddress is a free port of this machine: so the show knows where its workers listen before they do. Should another
// program take the port in between, the worker ends and the show says so.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("no free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

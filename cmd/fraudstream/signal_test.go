package main

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// seedModel is the smallest model there is: two numbers, and no bundle around it.
const seedModel = "../../scoring/testdata/fixtures/seed/fraud_model.pkl"

// TestSignals tells a service that was asked to stop, which is success, from a person's Ctrl-C and from work that was
// not finished.
func TestSignals(t *testing.T) {
	model := []string{"--model", seedModel, "--features", "income,debt"}
	serve := append([]string{"serve", "--listen", "127.0.0.1:0"}, model...)
	backfill := append([]string{"run", "--brokers", "127.0.0.1:1", "--listen", "", "--exit-at-end"}, model...)
	for name, c := range map[string]struct {
		args   []string
		signal syscall.Signal
		want   int
	}{
		"a service is asked to stop":      {serve, syscall.SIGTERM, 0},
		"a service is interrupted":        {serve, syscall.SIGINT, exitInterrupted},
		"a backfill is asked to stop":     {backfill, syscall.SIGTERM, exitInterrupted},
		"a batch that waits for its rows": {append([]string{"score"}, model...), syscall.SIGINT, exitInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := exitAfter(t, c.signal, c.args); got != c.want {
				t.Errorf("exit code %d, want %d", got, c.want)
			}
		})
	}
}

// exitAfter starts the command, sends it the signal when it has said something, and returns its exit code. Its
// standard input stays open.
func exitAfter(t *testing.T, s syscall.Signal, args []string) int {
	t.Helper()
	cmd := exec.Command("fraudstream", args...)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	if _, err := io.ReadFull(said, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(200 * time.Millisecond) // until it reads, listens or connects
	if err := cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, said)
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

package demo

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestNoOrphans kills a show without warning: its workers must not outlive it.
func TestNoOrphans(t *testing.T) {
	show := exec.CommandContext(t.Context(), os.Args[0], "parent", t.TempDir())
	show.Stderr = os.Stderr
	out, err := show.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := show.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if !running(pid) {
		t.Fatal("the worker is not running")
	}
	if err := show.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = show.Wait() // killed, as intended
	for deadline := time.Now().Add(5 * time.Second); running(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("worker %d outlives its show", pid)
		}
	}
}

// running is false for a process that has ended, whether or not anybody has asked how.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

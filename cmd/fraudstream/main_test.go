package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary stand in for the fraudstream command: scripts call it by that name, and the demo
// finds its workers in the same executable.
//
// More tests run at a time than there are cores, since most of them wait: for processes that start, join a group, drain.
// The flag -parallel still counts.
func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "6")
	testscript.Main(m, map[string]func(){"fraudstream": main})
}

// TestScripts runs the command lines of testdata/script, each in a folder of its own. They are the place to look for how a
// command is used and what it prints; the variables below lead to models that are good, old, and not to be loaded.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			root, err := os.Getwd()
			env.Setenv("FIXTURES", root+"/../../scoring/testdata/fixtures")
			env.Setenv("SEED", root+"/../../scoring/testdata/fixtures/seed")
			env.Setenv("REFUSE", root+"/../../scoring/testdata/refuse")
			env.Setenv("BUNDLE", root+"/demo/bundle")
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"payments": writePayments, "exits": exits},
	})
}

// exits runs a command that must end with a code: exits 78 fraudstream config check.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT...]")
	}
	code, err := 0, ts.Exec(args[1], args[2:]...)
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		code = ended.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("%v ends with %d, want %s", args[1:], code, args[0])
	}
}

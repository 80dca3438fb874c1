package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets the test binary stand in for the fraudstream command: scripts call it by that name, and the demo
// finds its workers in the same executable.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fraudstream": main})
}

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
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"payments": writePayments},
	})
}

package web

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// TestSchemathesis lets Schemathesis make requests up from the description, sound ones and broken ones, and look for
// an answer that the description does not have: a failure, a status, a type, a header, a body that is taken or refused
// and should not have been, a path that forgets to ask for the token. The examples of the description are for a test of
// our own, since it cannot send one of CSV. It has one worker: CPython 3.11 parses its own source wrongly, now and then,
// when two threads do so at once (SystemError: AST constructor recursion depth mismatch), and Schemathesis ends red.
func TestSchemathesis(t *testing.T) {
	schemathesis := os.Getenv("FRAUDSTREAM_SCHEMATHESIS")
	if schemathesis == "" {
		t.Skip("FRAUDSTREAM_SCHEMATHESIS is not set: the path of schemathesis, which .ci/python schemathesis installs")
	}
	const token = "a token for one test"
	s := newCards(t, func(o *Options) { o.Token, o.Table = token, commaTable(o.Scorer) })
	address, _ := listening(t, s)
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	run := exec.CommandContext(t.Context(), schemathesis, "--config-file", filepath.Join(here, "testdata/schemathesis.toml"), "run",
		"http://"+address+"/openapi.json", "--header", "Authorization: Bearer "+token, "--checks", "all",
		"--phases", "coverage,fuzzing", "--max-examples", "40", "--seed", "1", "--workers", "1", "--request-timeout", "20",
		"--no-color", "--suppress-health-check", "all")
	run.Dir = t.TempDir() // where it leaves its notes
	run.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1", "HYPOTHESIS_STORAGE_DIRECTORY="+run.Dir,
		"SCHEMATHESIS_HOOKS="+filepath.Join(here, "testdata/schemathesis_hooks.py"))
	said, err := run.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, said)
	}
	// The sum stands at the end: how many cases there were, of which operations, and how long they took.
	t.Logf("%s", said[max(0, len(said)-600):])
	cases := regexp.MustCompile(`(\d+) generated`).FindSubmatch(said)
	if cases == nil || len(cases[1]) < 4 {
		t.Errorf("fewer than 1,000 cases were made up: %s", cases)
	}
}

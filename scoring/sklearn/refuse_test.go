package sklearn

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// TestRefuse loads hostile, damaged and unsupported models. Each is refused for the reason that expect.json gives.
// "either" models may load. A class that is not understood yet is refused as such, whatever else is wrong with it.
func TestRefuse(t *testing.T) {
	var expect map[string]string
	readJSON(t, "testdata/refuse/expect.json", &expect)
	if len(expect) < 60 {
		t.Fatalf("only %d models", len(expect))
	}
	for file, reason := range expect {
		t.Run(file, func(t *testing.T) {
			spec := program.Spec{}
			if strings.HasSuffix(reason, "no-probability") {
				spec.Output = "predict_proba"
			}
			_, err := compileFile(t, filepath.Join("testdata/refuse", file), spec)
			wanted, either := strings.CutPrefix(reason, "either ")
			got := reasonOf(t, err)
			switch {
			case got == wanted || either && got == "" || wanted == "no-crash":
			case got == "unsupported-estimator" && !isUnderstood(err):
				t.Logf("%s rather than %s: %v", got, wanted, err)
			default:
				t.Fatalf("got %q (%v), want %q", got, err, wanted)
			}
			if err != nil && strings.Contains(err.Error(), "%!") {
				t.Errorf("badly formatted: %v", err)
			}
		})
	}
}

func reasonOf(t *testing.T, err error) string {
	t.Helper()
	var syntax *pickle.SyntaxError
	var unsupported *program.UnsupportedError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &syntax):
		return syntax.Reason
	case errors.As(err, &unsupported):
		return unsupported.Reason
	}
	t.Fatalf("an error of type %T: %v", err, err)
	return ""
}

func isUnderstood(err error) bool {
	var u *program.UnsupportedError
	return errors.As(err, &u) && (transformerOf(u.Class) != nil || classifierOf(u.Class) != nil)
}

package scoring

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// freshRows is the number of rows over which a model trained afresh is compared.
const freshRows = 2000

// TestFresh trains every family anew with the libraries that FRAUDSTREAM_PYTHON has, on data and with options drawn
// from a seed that is new in each run, and takes each model through the whole gate, which compares all its scores and
// predictions. FRAUDSTREAM_FRESH_SEED replays a run.
func TestFresh(t *testing.T) {
	python := os.Getenv("FRAUDSTREAM_PYTHON")
	if python == "" {
		t.Skip("skipped: FRAUDSTREAM_PYTHON names no Python with scikit-learn, XGBoost and LightGBM to train models with")
	}
	seed := os.Getenv("FRAUDSTREAM_FRESH_SEED")
	if seed == "" {
		seed = fmt.Sprint(rand.IntN(1_000_000))
	}
	t.Logf("FRAUDSTREAM_FRESH_SEED=%s", seed)
	folder := t.TempDir()
	script := exec.Command(python, "testdata/fresh/fresh.py", folder, seed)
	script.Env = append(os.Environ(), "OMP_NUM_THREADS=1") // models this small are slower on several threads
	out, err := script.CombinedOutput()
	if _, absent, ok := bytes.Cut(out, []byte("ModuleNotFoundError: ")); ok {
		t.Skipf("skipped: the Python of FRAUDSTREAM_PYTHON lacks a library, .ci/python newest installs one: %s", absent)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	bundles, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil || len(bundles) < 100 {
		t.Fatalf("%d models (%v)", len(bundles), err)
	}
	worst := map[string]float64{}
	for _, path := range bundles {
		t.Run(filepath.Base(path), func(t *testing.T) {
			s, err := Load(path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			b := &s.Bundle
			if b.GoldenRows != freshRows || b.GoldenPredicted != b.GoldenRows {
				t.Errorf("%d rows, %d predictions", b.GoldenRows, b.GoldenPredicted)
			}
			library := "scikit-learn and LightGBM"
			if b.GoldenTolerance > defaultTolerance {
				library = "XGBoost"
			}
			worst[library] = max(worst[library], b.GoldenMaxDiff)
		})
	}
	t.Logf("%d models over %d rows each, largest differences: %v", len(bundles), freshRows, worst)
}

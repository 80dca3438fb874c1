package sklearn

import (
	"math"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// Promises of Compile for any model that decodes: what it may allocate, and five times the time that it may take.
const (
	compileMemory   = 64 << 20
	compilePatience = 500 * time.Millisecond
)

// compileWithin compiles a decoded model and fails where it takes more than is promised. Bytes count always; time
// only where three attempts all took too long, for others use the machine as well.
func compileWithin(t *testing.T, v pickle.Value) (p *program.Program, err error) {
	var before, after runtime.MemStats
	best := time.Duration(math.MaxInt64)
	for range 3 {
		runtime.ReadMemStats(&before)
		began := time.Now()
		p, err = Compile(v, program.Spec{})
		best = min(best, time.Since(began))
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > compileMemory {
			t.Fatalf("compiling allocated %d MiB", n>>20)
		}
		if best <= compilePatience {
			return p, err
		}
	}
	t.Fatalf("compiling took %v", best)
	return nil, nil
}

// FuzzCompile changes bytes of sound models and of those that are refused: whatever still decodes is compiled or
// refused, within bounds, and what compiles runs.
func FuzzCompile(f *testing.F) {
	for _, name := range []string{
		"seed", "container-joblib-none-sk1.9.1", "container-pickle-5-sk0.24.2", "ct-onehot-drop-infrequent-sk1.4.2",
		"tree-sk1.2.2", "dict-artefact-sk1.4.2",
	} {
		files, err := filepath.Glob(filepath.Join("../testdata/fixtures", name, "*.[jp]*"))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			if filepath.Ext(file) != ".json" {
				f.Add(readFile(f, file))
			}
		}
	}
	hostile, err := filepath.Glob("testdata/refuse/*.[jp][ok][bl]*")
	if err != nil || len(hostile) < 60 {
		f.Fatal(hostile, err)
	}
	for _, file := range hostile {
		if data := readFile(f, file); len(data) < 20_000 {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := pickle.Decode(data, pickle.Limits{Inflated: 16 << 20})
		if err != nil {
			return
		}
		p, err := compileWithin(t, v)
		if err != nil {
			reasonOf(t, err)
			return
		}
		frame := p.NewFrame(1)
		for _, x := range []float64{0, -1, 1e30, program.Missing} {
			frame.Rows = 1
			for j := range frame.Row(0) {
				frame.Row(0)[j] = x
			}
			p.Run(frame)
			if c := frame.Predicted(0); frame.Fault(0).Code == 0 && (c < 0 || c >= len(p.Classes)) {
				t.Fatalf("predicted class %d of %d", c, len(p.Classes))
			}
		}
	})
}

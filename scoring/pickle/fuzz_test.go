package pickle

import (
	"errors"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// seed gives a fuzz target everything under testdata that is not too long to mutate well.
func seed(f *testing.F) {
	f.Helper()
	for _, folder := range []string{"models", "samples", "refuse"} {
		paths, err := filepath.Glob(filepath.Join("testdata", folder, "*.*"))
		if err != nil {
			f.Fatal(err)
		}
		for _, path := range paths {
			if data := readFile(f, path); len(data) < 20_000 {
				f.Add(data)
			}
		}
	}
}

// fuzzLimits keep one run short; the proportions are those of the defaults.
func fuzzLimits() Limits {
	return Limits{File: 1 << 20, Inflated: 8 << 20, Objects: 1 << 16, Memo: 1 << 15, Expanded: 1 << 18}
}

// FuzzDecode holds the promise of the package over any bytes: a value or a *SyntaxError, no panic, bounded memory and
// time, and a value whose every array and scalar can be read through the accessors.
func FuzzDecode(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		root, err := Decode(data, fuzzLimits())
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		for i := 0; i < 2 && took > slowdown*patience; i++ { // others use the machine as well
			began = time.Now()
			_, _ = Decode(data, fuzzLimits())
			took = min(took, time.Since(began))
		}
		if took > slowdown*patience {
			t.Fatalf("%d bytes took %v", len(data), took)
		}
		// 64 MiB for the work itself; a compressed file may have asked for a window of 64 MiB on each of two passes.
		if n := after.TotalAlloc - before.TotalAlloc; n > 64<<20+2*maxDictionary {
			t.Fatalf("%d bytes made it allocate %d MiB", len(data), n>>20)
		}
		var syntax *SyntaxError
		if err != nil && (!errors.As(err, &syntax) || syntax.Reason == "" || syntax.Offset > 8<<20) {
			t.Fatalf("refused without reason or place: %v", err)
		}
		if err == nil {
			touch(t, root)
		}
	})
}

// FuzzStream feeds the stack machine alone: what the bytes mean inside a container is not the fuzzer's to guess.
func FuzzStream(f *testing.F) {
	seed(f)
	f.Fuzz(func(_ *testing.T, data []byte) {
		l := fuzzLimits().withDefaults()
		if root, err := newMachine(data, l).run(); err == nil {
			_ = checkGraph(root, l)
		}
	})
}

// FuzzContainer decompresses bytes in every format that they claim to be in.
func FuzzContainer(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		c := containerOf(data)
		if c == nil {
			return
		}
		limit := fuzzLimits().inflated(len(data), c.ratio)
		out, err := c.inflate(data, limit)
		if err == nil && int64(len(out)) > limit {
			t.Fatalf("%s inflated to %d bytes, the limit is %d", c.name, len(out), limit)
		}
	})
}

// touch reads everything that can be reached from v, as a compiler of models would.
func touch(t *testing.T, v Value) {
	t.Helper()
	seen := map[Value]bool{}
	queue := []Value{v}
	for len(queue) > 0 {
		v, queue = queue[0], queue[1:]
		switch c := v.(type) {
		case *Scalar:
			_, _ = c.Value()
			continue
		case *Array:
			touchArray(t, c)
		case *List, *Tuple, *Set, *Dict, *Object:
		default:
			continue
		}
		if seen[v] {
			continue
		}
		seen[v] = true
		_, _ = Strings(v)
		for i := 0; ; i++ {
			next, ok := child(v, i)
			if !ok {
				break
			}
			queue = append(queue, next)
		}
	}
}

func touchArray(t *testing.T, a *Array) {
	t.Helper()
	n := a.Len()
	if a.Type.Kind == 'O' && len(a.Objects) != n || a.Type.Kind != 'O' && len(a.Data) != n*a.Type.Size {
		t.Fatalf("an array of shape %v holds %d objects and %d bytes", a.Shape, len(a.Objects), len(a.Data))
	}
	for _, field := range a.Type.Fields {
		if column, err := a.Field(field.Name); err != nil || column.Len() != n {
			t.Fatalf("field %q: %v", field.Name, err)
		}
	}
	_, _ = a.Float64s()
	_, _ = a.Int64s()
	_, _ = a.Values()
	_, _ = a.Row(0)
}

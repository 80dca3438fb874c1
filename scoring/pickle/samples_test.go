package pickle

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestSamples compares values of every kind, in every protocol and container, with what Python reads from the same
// bytes; testdata/samples/make.py wrote both.
func TestSamples(t *testing.T) {
	var expected struct {
		Value any
		Files []string
	}
	if err := json.Unmarshal(readFile(t, "testdata", "samples", "expected.json"), &expected); err != nil {
		t.Fatal(err)
	}
	if len(expected.Files) != 24 {
		t.Fatalf("%d samples, want 24", len(expected.Files))
	}
	for _, file := range expected.Files {
		t.Run(file, func(t *testing.T) {
			got := spell(t, mustDecode(t, readFile(t, "testdata", "samples", file)))
			compare(t, "", got, expected.Value)
		})
	}
}

// TestAgainstPython reads every fixture with Python as well, with stand-ins for all classes that are not numpy's, and
// compares the whole value: every attribute, array element and string.
func TestAgainstPython(t *testing.T) {
	python, shared := os.Getenv("FRAUDSTREAM_PYTHON"), sharedFixtures(t)
	if python == "" || shared == "" {
		t.Skip("FRAUDSTREAM_PYTHON names no Python (numpy, joblib from 1.6 on, lz4), or there are no shared fixtures: reading was not compared with Python")
	}
	var index struct {
		Fixtures []struct{ Folder, File, Format string }
	}
	if err := json.Unmarshal(readFile(t, shared, "index.json"), &index); err != nil {
		t.Fatal(err)
	}
	arguments := []string{"-B", filepath.Join("testdata", "samples", "spell.py")}
	var files []string
	for _, f := range index.Fixtures {
		if f.Format == "joblib" || f.Format == "pickle" {
			files = append(files, filepath.Join(shared, f.Folder, f.File))
		}
	}
	out, err := exec.CommandContext(t.Context(), python, append(arguments, files...)...).Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		t.Fatalf("Python: %v", err)
	}
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	if len(lines) != len(files) || len(files) == 0 {
		t.Fatalf("Python read %d of %d files", len(lines), len(files))
	}
	for i, path := range files {
		t.Run(filepath.Base(filepath.Dir(path)), func(t *testing.T) {
			var want any
			if err := json.Unmarshal(lines[i], &want); err != nil {
				t.Fatal(err)
			}
			compare(t, "", spell(t, mustDecode(t, readFile(t, path))), want)
		})
	}
}

// compare reports the first few places at which two spelled values differ.
func compare(t *testing.T, path string, got, want any) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok && len(g) == len(w) {
			for key := range w {
				compare(t, path+"/"+key, g[key], w[key])
			}
			return
		}
	case []any:
		if g, ok := got.([]any); ok && len(g) == len(w) {
			for i := range w {
				compare(t, path+"/"+strconv.Itoa(i), g[i], w[i])
			}
			return
		}
	}
	t.Errorf("%s: got %.200v, want %.200v", path, got, want)
}

// spell writes a value in the notation of expected.json.
func spell(t *testing.T, v Value) any {
	t.Helper()
	switch v := v.(type) {
	case nil, string:
		return v
	case bool:
		return map[string]any{"bool": v}
	case int64:
		return map[string]any{"int": strconv.FormatInt(v, 10)}
	case *big.Int:
		return map[string]any{"int": v.String()}
	case float64:
		return map[string]any{"float": hexFloat(v)}
	case Bytes:
		return map[string]any{"bytes": hex.EncodeToString(v)}
	case *List:
		return map[string]any{"list": spellAll(t, v.Items)}
	case *Tuple:
		return map[string]any{"tuple": spellAll(t, v.Items)}
	case *Set:
		items := spellAll(t, v.Items)
		slices.SortFunc(items, func(a, b any) int { return strings.Compare(spelled(a), spelled(b)) })
		return map[string]any{"set": items}
	case *Dict:
		pairs := make([]any, v.Len())
		for i, key := range v.Keys {
			pairs[i] = []any{spell(t, key), spell(t, v.Values[i])}
		}
		return map[string]any{"dict": pairs}
	case *Scalar:
		plain, err := v.Value()
		if err != nil {
			t.Fatal(err)
		}
		return map[string]any{"scalar": spellType(v.Type), "value": spell(t, plain)}
	case *Array:
		shape := make([]any, len(v.Shape))
		for i, dim := range v.Shape {
			shape[i] = float64(dim)
		}
		return map[string]any{"array": spellType(v.Type), "shape": shape, "values": spellElements(t, v)}
	case *DType:
		return map[string]any{"dtype": spellType(v)}
	case Global:
		return map[string]any{"name": v.String()}
	case *Object:
		return spellObject(t, v)
	}
	t.Fatalf("a value of type %T", v)
	return nil
}

func spellObject(t *testing.T, o *Object) any {
	t.Helper()
	pairs := Value(o.Pairs)
	if o.Pairs == nil {
		pairs = &Dict{}
	}
	return map[string]any{
		"object": o.Class.String(), "args": spellAll(t, o.Args), "state": spell(t, o.State),
		"items": spellAll(t, o.Items), "pairs": spell(t, pairs),
	}
}

func spellAll(t *testing.T, items []Value) []any {
	t.Helper()
	out := make([]any, len(items))
	for i, item := range items {
		out[i] = spell(t, item)
	}
	return out
}

func spelled(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

func spellType(d *DType) string {
	if d.Fields != nil {
		return "record"
	}
	return fmt.Sprintf("%c%d", d.Kind, d.Size)
}

func spellElements(t *testing.T, a *Array) any {
	t.Helper()
	if a.Type.Fields != nil {
		columns := map[string]any{}
		for _, f := range a.Type.Fields {
			column, err := a.Field(f.Name)
			if err != nil {
				t.Fatal(err)
			}
			columns[f.Name] = spellElements(t, column)
		}
		return columns
	}
	if a.Type.Kind == 'O' {
		return spellAll(t, a.Objects)
	}
	if n := strings.IndexByte("iu", a.Type.Kind); n >= 0 && a.Type.Size == 8 {
		ints, err := a.Int64s()
		if err != nil {
			t.Fatal(err)
		}
		out := make([]any, len(ints))
		for i, n := range ints {
			out[i] = map[string]any{"int": strconv.FormatInt(n, 10)}
		}
		return out
	}
	plain, err := a.Values()
	if err != nil {
		t.Fatal(err)
	}
	return spellAll(t, plain)
}

// hexFloat writes a float as Python's float.hex does.
func hexFloat(f float64) string {
	switch {
	case f != f:
		return "nan"
	case f > 1.7976931348623157e308:
		return "inf"
	case f < -1.7976931348623157e308:
		return "-inf"
	}
	sign, abs := "", f
	if s := strconv.FormatFloat(f, 'g', -1, 64); s[0] == '-' {
		sign, abs = "-", -f
	}
	if abs == 0 {
		return sign + "0x0.0p+0"
	}
	// Go normalises subnormals, Python does not.
	if abs < 2.2250738585072014e-308 {
		bits := strconv.FormatUint(uint64(abs/5e-324), 16)
		return sign + "0x0." + strings.Repeat("0", 13-len(bits)) + bits + "p-1022"
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(abs, 'x', 13, 64), "p")
	n, _ := strconv.Atoi(exponent)
	return fmt.Sprintf("%s%sp%+d", sign, mantissa, n)
}

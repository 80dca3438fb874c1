package pickle

import (
	"bytes"
	"compress/gzip"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// compressed returns one compressed sample for every container.
func compressed(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "samples", "joblib-*-1.joblib"))
	if err != nil || len(paths) != 6 {
		t.Fatalf("%d compressed samples, want 6: %v", len(paths), err)
	}
	return paths
}

// reasonOf is the reason of a SyntaxError, and empty for no error or another one.
func reasonOf(err error) string {
	if syntax, ok := errors.AsType[*SyntaxError](err); ok {
		return syntax.Reason
	}
	return ""
}

// TestContainerNames goes by the content alone: a file may be called anything.
func TestContainerNames(t *testing.T) {
	for _, path := range compressed(t) {
		want := strings.Split(filepath.Base(path), "-")[1]
		c := containerOf(readFile(t, path))
		if c == nil || c.name != want {
			t.Errorf("%s taken for %v", path, c)
		}
	}
	if c := containerOf(readFile(t, "testdata", "samples", "pickle-4.pkl")); c != nil {
		t.Errorf("a bare pickle taken for %s", c.name)
	}
}

// TestContainerCutOff cuts compressed files at fifty lengths: what is left must be called truncated, or be too short to
// tell what it is, and never be read.
func TestContainerCutOff(t *testing.T) {
	for _, path := range compressed(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data := readFile(t, path)
			step := len(data)/50 + 1
			for n := len(data) - 1; n > 6; n -= step {
				if _, err := Decode(data[:n], Limits{}); reasonOf(err) != ReasonTruncated {
					t.Fatalf("%d of %d bytes: %v", n, len(data), err)
				}
			}
		})
	}
}

// TestContainerGoesOn puts something behind the stream. What a reader stops at and another reads on from is
// where two programs can be made to see two different models in one file.
func TestContainerGoesOn(t *testing.T) {
	for _, path := range compressed(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			data := readFile(t, path)
			for _, tail := range []string{"x", "\x00\x00\x00\x00", string(data)} {
				_, err := Decode(append(slices.Clip(data), tail...), Limits{})
				if strings.Contains(path, "bz2") && len(tail) < 4 && reasonOf(err) == ReasonTruncated {
					continue // too short to tell from the beginning of another stream, which bzip2 allows
				}
				if reasonOf(err) != ReasonTrailingData {
					t.Errorf("%d bytes behind the stream: %v", len(tail), err)
				}
			}
		})
	}
}

// TestContainerSecondPass inflates more than the first pass keeps, and checks the whole length.
func TestContainerSecondPass(t *testing.T) {
	pickled := []byte("\x80\x04B\x00\x00\x60\x00") // BINBYTES of 6 MiB
	for i := range 6 << 20 {
		pickled = append(pickled, byte(i>>8^i))
	}
	var file bytes.Buffer
	z, err := gzip.NewWriterLevel(&file, gzip.NoCompression) // the race detector makes any other slow
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(append(pickled, '.')); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if got, ok := mustDecode(t, file.Bytes()).(Bytes); !ok || !bytes.Equal(got, pickled[7:]) {
		t.Errorf("%d bytes, not the %d that were compressed", len(got), len(pickled)-7)
	}
}

// TestContainerLimit holds the bound to the byte: a file at its limit passes, and one byte more is a bomb.
func TestContainerLimit(t *testing.T) {
	for _, path := range compressed(t) {
		data := readFile(t, path)
		c := containerOf(data)
		whole, err := c.inflate(data, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.inflate(data, int64(len(whole))); err != nil {
			t.Errorf("%s: refused at its own size: %v", c.name, err)
		}
		if _, err := c.inflate(data, int64(len(whole))-1); reasonOf(err) != ReasonInflateBomb {
			t.Errorf("%s: one byte above the limit: %v", c.name, err)
		}
	}
}

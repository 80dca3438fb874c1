package pickle

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sharedFixtures returns the folder of all fixtures beside the repository, or "" where there is none.
func sharedFixtures(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
	shared := filepath.Join(dir, "..", "shared", "fixtures")
	if _, err := os.Stat(filepath.Join(shared, "index.json")); err != nil {
		return ""
	}
	return shared
}

func readFile(t testing.TB, path ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// models returns the files under testdata/models.
func models(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", "models", "*"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no models under testdata: %v", err)
	}
	return paths
}

// mustDecode decodes a file that is sound.
func mustDecode(t testing.TB, data []byte) Value {
	t.Helper()
	v, err := Decode(data, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// find returns the first object that can be reached from v and has an attribute.
func find(v Value, attribute string) (*Object, Value) {
	seen := map[Value]bool{}
	queue := []Value{v}
	for len(queue) > 0 {
		v, queue = queue[0], queue[1:]
		switch c := v.(type) {
		case *Object:
			if value, ok := c.Attr(attribute); ok {
				return c, value
			}
		case *List, *Tuple, *Set, *Dict, *Array:
		default:
			continue
		}
		if seen[v] {
			continue
		}
		seen[v] = true
		for i := 0; ; i++ {
			next, ok := child(v, i)
			if !ok {
				break
			}
			queue = append(queue, next)
		}
	}
	return nil, nil
}

func TestModelsDecode(t *testing.T) {
	for _, path := range models(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			root := mustDecode(t, readFile(t, path))
			_, version := find(root, "_sklearn_version")
			_, want, named := strings.Cut(strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)), "-sk")
			if named && version != want {
				t.Errorf("the model says it is of scikit-learn %v, want %s", version, want)
			}
		})
	}
}

// TestEveryFixture decodes what real libraries wrote: scikit-learn 0.24.2 to 1.9.1, numpy 1.19 to 2.5.
func TestEveryFixture(t *testing.T) {
	shared := sharedFixtures(t)
	if shared == "" {
		t.Skip("no shared fixtures beside the repository: testdata/models stands for them")
	}
	var index struct {
		Fixtures []struct{ Folder, File, Format string }
	}
	if err := json.Unmarshal(readFile(t, shared, "index.json"), &index); err != nil {
		t.Fatal(err)
	}
	decoded := 0
	for _, f := range index.Fixtures {
		if f.Format != "joblib" && f.Format != "pickle" {
			continue
		}
		if _, err := Decode(readFile(t, shared, f.Folder, f.File), Limits{}); err != nil {
			t.Errorf("%s: %v", f.Folder, err)
		}
		decoded++
	}
	if decoded < 250 {
		t.Errorf("the index lists %d pickles and joblib files; it has lost some", decoded)
	}
}

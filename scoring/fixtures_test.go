package scoring

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fraudstream/scoring/program"
)

// Every entry of the index does what it expects: "load" gives its golden scores, all of them and within its own
// tolerance; "either" does so or is refused by name. The formats that are not read are refused as such. With -v the
// largest difference of every family is shown, for each version of scikit-learn.
func TestEveryFixture(t *testing.T) {
	path := sharedFixtures(t)
	table := differences{}
	loaded, refused := 0, map[string]int{}
	for _, f := range readIndex(t, path).Fixtures {
		s, err := Load(filepath.Join(path, f.Folder), Options{})
		unsupported, byName := errors.AsType[*program.UnsupportedError](err)
		switch {
		case slices.Contains([]string{"onnx", "skops", "pmml"}, f.Format):
			if Reason(err) != unsupportedFormat {
				t.Errorf("%s: loaded %v, error %v", f.Folder, s != nil, err)
			}
			refused[f.Format]++
		case f.Expect == "either" && byName && unsupported.Class != "":
			refused[unsupported.Class]++
		case err != nil:
			t.Errorf("%s: %v", f.Folder, err)
		case s.Bundle.GoldenRows != f.Rows || s.Bundle.GoldenTolerance > f.Tolerance:
			t.Errorf("%s: %d rows within %v, want %d within %v", f.Folder, s.Bundle.GoldenRows, s.Bundle.GoldenTolerance, f.Rows, f.Tolerance)
		default:
			loaded++
			table.add(f.Family, f.Environment.Version, s.Bundle.GoldenMaxDiff)
		}
	}
	t.Logf("%d loaded, refused: %v\n%s", loaded, refused, table)
	if loaded < 290 {
		t.Errorf("%d loaded", loaded)
	}
}

// differences are the largest by family and version.
type differences map[string]map[string]float64

func (d differences) add(family, version string, difference float64) {
	if d[family] == nil {
		d[family] = map[string]float64{}
	}
	d[family][version] = max(d[family][version], difference)
}

// String is a table in Markdown, a row for each family.
func (d differences) String() string {
	seen, families := map[string]bool{}, []string{}
	for family, cells := range d {
		families = append(families, family)
		for version := range cells {
			seen[version] = true
		}
	}
	versions := []string{}
	for version := range seen {
		versions = append(versions, version)
	}
	slices.Sort(versions) // 0.24.2, 1.0.2 … 1.9.1: no part has two digits but in the first
	slices.Sort(families)
	var b strings.Builder
	fmt.Fprintf(&b, "| family | %s |\n|---|%s\n", strings.Join(versions, " | "), strings.Repeat("---|", len(versions)))
	for _, family := range families {
		fmt.Fprintf(&b, "| %s |", family)
		for _, version := range versions {
			cell := ""
			if x, ok := d[family][version]; ok {
				cell = fmt.Sprintf("%.1e", x)
			}
			fmt.Fprintf(&b, " %s |", strings.Replace(cell, "0.0e+00", "0", 1))
		}
		b.WriteString("\n")
	}
	return b.String()
}

package batch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A witness is a disk that writes down what it was asked for, and what names were in the folder at that moment: before
// a power cut, nothing else is sure.
type witness struct {
	folder string
	asked  []string // NAME: NAMES
}

// sync is the disk.
func (w *witness) sync(f *os.File) error {
	names, err := filepath.Glob(filepath.Join(w.folder, "*"))
	for i := range names {
		names[i] = filepath.Base(names[i])
	}
	what := filepath.Base(f.Name())
	if f.Name() == w.folder {
		what = "folder"
	}
	w.asked = append(w.asked, what+": "+strings.Join(names, " "))
	return err
}

// TestOrderOnTheDisk holds what the disk is asked for against the promise that a power cut takes no finished work: the
// data of a file come before its name, a name before the journal that speaks of it, and the whole before what it was made
// of is removed.
func TestOrderOnTheDisk(t *testing.T) {
	t.Parallel()
	in := payments(t, filepath.Join(t.TempDir(), "in.ndjson"), 0, 300) // two chunks
	for name, want := range map[string][]string{
		"one.parquet": {
			"one.parquet.resume.new: one.parquet.resume.new", "folder: one.parquet.resume.new", "folder: one.parquet.resume",
			"one.parquet.part1: one.parquet.part1 one.parquet.resume", "folder: one.parquet one.parquet.resume",
		},
		"many.parquet": {
			"many.parquet.resume.new: many.parquet.resume.new", "folder: many.parquet.resume.new", "folder: many.parquet.resume",
			"many.parquet.part1: many.parquet.part1 many.parquet.resume",
			"many.parquet.resume.new: many.parquet.part1 many.parquet.resume many.parquet.resume.new",
			"folder: many.parquet.part1 many.parquet.resume many.parquet.resume.new", "folder: many.parquet.part1 many.parquet.resume",
			"many.parquet.part2: many.parquet.part1 many.parquet.part2 many.parquet.resume",
			"many.parquet.resume.new: many.parquet.part1 many.parquet.part2 many.parquet.resume many.parquet.resume.new",
			"folder: many.parquet.part1 many.parquet.part2 many.parquet.resume many.parquet.resume.new",
			"folder: many.parquet.part1 many.parquet.part2 many.parquet.resume",
			"many.parquet.new: many.parquet.new many.parquet.part1 many.parquet.part2 many.parquet.resume",
			"folder: many.parquet many.parquet.part1 many.parquet.part2 many.parquet.resume",
			"folder: many.parquet many.parquet.part1 many.parquet.part2",
		},
		"out.csv": {
			"out.csv: out.csv", "out.csv.resume.new: out.csv out.csv.resume.new", "folder: out.csv out.csv.resume.new", "folder: out.csv out.csv.resume",
			"out.csv: out.csv out.csv.resume", "folder: out.csv out.csv.resume",
		},
	} {
		source, err := Open(in, demoModel(t), Options{Format: NDJSON})
		if err != nil {
			t.Fatal(err)
		}
		w := &witness{folder: t.TempDir()}
		format, _ := FormatOf(name)
		out, err := Create(demoModel(t), Target{Path: filepath.Join(w.folder, name), Format: format, disk: w.sync})
		if err != nil {
			t.Fatal(err)
		}
		if name == "many.parquet" {
			out.every = 0 // a part for each chunk
		}
		if _, err := Score(t.Context(), demoModel(t), source, out); err != nil {
			t.Error(err)
		}
		if got := strings.Join(w.asked, "\n"); got != strings.Join(want, "\n") {
			t.Errorf("%s: the disk was asked for\n%s\nwant\n%s", name, got, strings.Join(want, "\n"))
		}
		if names, _ := filepath.Glob(filepath.Join(w.folder, "*")); len(names) != 1 {
			t.Errorf("left are %q", names)
		}
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	}
}

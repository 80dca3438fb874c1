package batch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"

	"fraudstream/scoring"
)

// A Format is how a file writes its rows.
type Format string

// The formats of the contract.
const (
	NDJSON  Format = "ndjson"
	CSV     Format = "csv"
	Parquet Format = "parquet"
)

// FormatOf tells the format by the extension, that of a compression aside; ok is false where it tells nothing, and
// the format is NDJSON then. rows.csv.gz is thus CSV, and what comes from a pipe without a name NDJSON.
func FormatOf(path string) (f Format, ok bool) {
	switch strings.ToLower(filepath.Ext(uncompressed(path))) {
	case ".csv":
		return CSV, true
	case ".parquet", ".pq":
		return Parquet, true
	case ".ndjson", ".jsonl", ".json":
		return NDJSON, true
	}
	return NDJSON, false
}

// An Input is a file that is being read, from its first row to its last, once. It belongs to one [Score] or [Each].
type Input struct {
	Warnings []string // what whoever reads the decisions should know of the file

	name     string // in messages
	rows     rows
	progress *progress
	closers  []func() error
}

// rows is how a format is read. read takes raw rows into a chunk, up to its limit, and gives io.EOF with the last of
// them or after; it is called by one goroutine. render makes them JSON, and is called by any; where that cannot be,
// the chunk has the error. count is how many were read, whether they have been rendered or not.
type rows struct {
	read   func(*chunk) error
	render func(*chunk)
	count  func(*chunk) int
}

// rawRows are rows that are not JSON yet, in the form of whichever format the file has.
type rawRows struct {
	cells  [][]string      // CSV; nil for a row that is none,
	faults []string        // of which the words are here, in order
	values []parquet.Value // Parquet: of one row after the other, column by column; texts lie in arena
	arena  []byte
	rows   int
}

// Options say how a file is read.
type Options struct {
	Format  Format
	Mapping scoring.Mapping // the one that the model was loaded with
	Stdin   io.Reader       // what - stands for
	Bar     io.Writer       // a terminal to draw a progress bar on; nil for none
}

// Open opens a file, or standard input for -, and reads its header or table of contents, if the format has one.
//
// A table in which nothing has the name of a column that the model reads is refused: its header is missing, or it is
// another table, and where missing values are allowed every row of it would get the same meaningless score.
func Open(path string, model *scoring.Scorer, o Options) (*Input, error) {
	in := &Input{name: path}
	if path == "-" {
		in.name = "standard input"
	}
	var err error
	if o.Format == Parquet {
		err = in.openParquet(path, model.Places(o.Mapping), o)
	} else {
		err = in.openText(path, model.Places(o.Mapping), o)
	}
	if _, named := errors.AsType[*fs.PathError](err); err != nil && !named {
		err = fmt.Errorf("%s: %w", in.name, err)
	}
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	return in, nil
}

// warn adds a warning about the file.
func (in *Input) warn(said string) {
	if said != "" {
		in.Warnings = append(in.Warnings, in.name+": "+said)
	}
}

// absentColumns says which columns that something reads the file does not have; "" where it has all of them.
func absentColumns(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "no column " + strings.Join(names, ", ") + ": absent in every row"
}

// errNoColumn is about a table that cannot be meant.
var errNoColumn = errors.New("no column is one of the model's; the first line names the columns")

// anyRead tells whether a table has a column that a feature, or what decides whether a row counts, is read from.
func anyRead(places []scoring.Place, absent []string) bool {
	return slices.ContainsFunc(places, func(p scoring.Place) bool { return !p.Optional && !slices.Contains(absent, p.Column) })
}

// openText opens a file that is read from its beginning to its end. The bar is over the bytes that come off the disk;
// of a pipe or a device nobody knows how much will come, and they get none.
func (in *Input) openText(path string, inputs []scoring.Place, o Options) error {
	read := o.Stdin
	size := int64(-1)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		in.closers = append(in.closers, f.Close)
		info, err := f.Stat()
		if err != nil {
			return err
		}
		switch {
		case info.IsDir():
			return errors.New("it is a folder: give a file")
		case info.Mode().IsRegular():
			size = info.Size()
		}
		read = f
	}
	in.progress = newProgress(o.Bar, size)
	read, done, err := decompress(path, io.TeeReader(read, in.progress))
	if err != nil {
		return err
	}
	in.closers = append(in.closers, done)
	text, err := opening(read)
	if err != nil {
		return err
	}
	if o.Format != CSV {
		in.warn(severalLines(text))
		in.rows = ndjsonRows(text)
		return nil
	}
	var absent []string
	in.rows, absent, err = csvRows(text, inputs)
	in.warn(absentColumns(absent))
	return err
}

// Finish takes the progress bar away, so that what is printed next has a clean line.
func (in *Input) Finish() { in.progress.finish() }

// Close closes the file, and what was opened over it first: a decoder goes before what it reads from.
func (in *Input) Close() (err error) {
	for _, each := range slices.Backward(in.closers) {
		err = errors.Join(err, each())
	}
	in.closers = nil
	return err
}

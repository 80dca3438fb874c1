package batch

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/parquet-go/parquet-go"

	"fraudstream/cmd/fraudstream/demo/cards"
	"fraudstream/scoring"
)

const testRows = 2000 // enough for several chunks

// ordinary is the demo's model, loaded once.
var ordinary = sync.OnceValues(func() (*scoring.Scorer, error) { return scoring.Load("../demo/bundle", scoring.Options{}) })

func demoModel(t testing.TB) *scoring.Scorer {
	t.Helper()
	model, err := ordinary()
	if err != nil {
		t.Fatal(err)
	}
	return model
}

// generated are payments, some of which are broken; the generator takes half a second to begin.
var generated = sync.OnceValue(func() (lines [][]byte) {
	generator := cards.New(1)
	for i := range testRows {
		payment := generator.Next()
		line := payment.AppendJSON(nil)
		if i%97 == 5 {
			line = line[:len(line)/2]
		}
		lines = append(lines, append(line, '\n'))
	}
	return lines
})

// payments writes a file of generated payments from row first on, compressed as its name says.
func payments(t testing.TB, path string, first, last int) string {
	t.Helper()
	text := bytes.Join(generated()[first:last], nil)
	if err := os.WriteFile(path, packed(t, path, text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// packed is the text compressed as the name says.
func packed(t testing.TB, path string, text []byte) []byte {
	t.Helper()
	c, err := newCompressor(path)
	if err != nil {
		t.Fatal(err)
	}
	if c == nil {
		return text
	}
	var small bytes.Buffer
	c.Reset(&small)
	if _, err := c.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	return small.Bytes()
}

// scoreFile scores in to out, and stops when as many rows as stop have been written; 0: never.
func scoreFile(model *scoring.Scorer, in, out string, resume bool, stop int64) (Tally, error) {
	format, _ := FormatOf(in)
	source, err := Open(in, model, Options{Format: format})
	if err != nil {
		return Tally{}, err
	}
	defer source.Close()
	format, _ = FormatOf(out)
	target, err := Create(model, Target{Path: out, Format: format, Resume: resume})
	if err != nil {
		return Tally{}, err
	}
	if stop > 0 {
		target.every = 0 // a checkpoint after every chunk
		target.sink = &stopping{sink: target.sink, left: stop}
	}
	return Score(context.Background(), model, source, target)
}

// stopping is a disk that is full after some rows.
type stopping struct {
	sink
	left int64
}

// deliver lets so many rows pass, and has no room for the chunk that would be too many.
func (s *stopping) deliver(c *chunk) error {
	if s.left -= int64(len(c.ends)); s.left <= 0 {
		return syscall.ENOSPC
	}
	return s.sink.deliver(c)
}

// written reads an output as lines of text, whatever its format and compression are.
func written(t *testing.T, path string) []string {
	t.Helper()
	if format, _ := FormatOf(path); format == Parquet {
		rows, err := parquet.ReadFile[decided[int64]](path)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, r := range rows {
			line := fmt.Sprintf("%d,%s,%s,%s,%s,%s", r.Row, r.DecisionID, r.TransactionID, r.Decision, r.Error, r.Reasons)
			if r.Score != nil {
				line += fmt.Sprintf(",%v,%d,%v", *r.Score, *r.Predicted, *r.IsFraud)
			}
			lines = append(lines, line)
		}
		return lines
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read, done, err := decompress(path, f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(read)
	if err := errors.Join(err, done()); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// TestOrder demands that row n of the output is about row n of the input, however many workers there were.
func TestOrder(t *testing.T) {
	model, dir := demoModel(t), t.TempDir()
	in := payments(t, filepath.Join(dir, "in.ndjson"), 0, testRows)
	tally, err := scoreFile(model, in, filepath.Join(dir, "out.ndjson"), false, 0)
	if err != nil {
		t.Fatal(err)
	}
	if tally.Rows() != testRows || tally.Refused != testRows/97+1 {
		t.Errorf("%v", tally)
	}
	lines := written(t, filepath.Join(dir, "out.ndjson"))
	for i, line := range lines {
		n := strconv.Itoa(i + 1)
		if !strings.HasPrefix(line, `{"decision_id":"row/`+n+`"`) && !strings.HasPrefix(line, `{"row":`+n+`,"error"`) {
			t.Fatalf("line %d is %s", i+1, line)
		}
	}
	if len(lines) != testRows {
		t.Errorf("%d lines", len(lines))
	}
}

// TestFormatsAgree scores the same payments from each compression and into each format: wherever they come from and go to,
// the decisions are the same, and nothing is left beside a file that is whole.
func TestFormatsAgree(t *testing.T) {
	model, dir := demoModel(t), t.TempDir()
	plain := payments(t, filepath.Join(dir, "in.ndjson"), 0, testRows)
	inputs := []string{plain, payments(t, filepath.Join(dir, "in.jsonl.gz"), 0, testRows), payments(t, filepath.Join(dir, "in.zst"), 0, testRows), payments(t, filepath.Join(dir, "in.json.lz4"), 0, testRows)}
	want := map[string][]string{}
	for i, in := range inputs {
		outputs := []string{"out.ndjson", "out.ndjson.gz", "out.csv", "out.csv.zst", "out.ndjson.lz4", "out.parquet"}
		if i > 0 {
			outputs = outputs[:1]
		}
		for _, out := range outputs {
			path := filepath.Join(dir, out)
			if _, err := scoreFile(model, in, path, false, 0); err != nil {
				t.Fatalf("%s to %s: %v", in, out, err)
			}
			got := written(t, path)
			if i == 0 {
				want[out] = got
			}
			if strings.Join(got, "\n") != strings.Join(want[out], "\n") {
				t.Errorf("%s to %s differs from what %s gives", in, out, plain)
			}
			if _, err := os.Stat(journal(path)); err == nil {
				t.Errorf("%s is whole and has a journal", out)
			}
		}
	}
	if strings.Join(want["out.ndjson"], "\n") != strings.Join(want["out.ndjson.gz"], "\n") || strings.Join(want["out.csv"], "\n") != strings.Join(want["out.csv.zst"], "\n") {
		t.Error("a compressed output differs")
	}
	records, err := csv.NewReader(strings.NewReader(strings.Join(want["out.csv"], "\n"))).ReadAll()
	if err != nil || len(records) != testRows+1 || len(want["out.parquet"]) != testRows {
		t.Fatalf("%d CSV records, %d Parquet rows, %v", len(records), len(want["out.parquet"]), err)
	}
	for i, record := range records[1:] {
		row := fmt.Sprintf("%s,%s,%s,%s,%s,%s", record[0], record[1], record[2], record[7], record[8], record[11])
		if record[4] != "" {
			score, err := strconv.ParseFloat(record[4], 64)
			if err != nil {
				t.Fatal(err)
			}
			row += fmt.Sprintf(",%v,%s,%s", score, record[5], record[6])
		}
		if want["out.parquet"][i] != row {
			t.Fatalf("row %d of Parquet is %s, of CSV %s", i+1, want["out.parquet"][i], row)
		}
	}
}

// TestResume interrupts a run, damages what a crash may damage, and goes on: the output is that of an unbroken run.
func TestResume(t *testing.T) {
	model, dir := demoModel(t), t.TempDir()
	in := payments(t, filepath.Join(dir, "in.ndjson"), 0, testRows)
	for _, out := range []string{"out.ndjson", "out.csv", "out.ndjson.gz", "out.csv.zst", "out.ndjson.lz4", "out.parquet"} {
		t.Run(out, func(t *testing.T) {
			path, whole := filepath.Join(dir, out), filepath.Join(dir, "whole-"+out)
			want, err := scoreFile(model, in, whole, false, 0)
			if err != nil {
				t.Fatal(err)
			}
			// Before the first chunk is written, and twice in the middle.
			for attempt, stop := range []int64{1, 700, 900} {
				if tally, err := scoreFile(model, in, path, true, stop); err == nil {
					t.Fatalf("attempt %d was not interrupted: %v", attempt, tally)
				}
				crash(t, path)
			}
			tally, err := scoreFile(model, in, path, true, 0)
			if err != nil {
				t.Fatal(err)
			}
			if tally != want {
				t.Errorf("the tally is %v, of an unbroken run %v", tally, want)
			}
			if strings.Join(written(t, path), "\n") != strings.Join(written(t, whole), "\n") {
				t.Error("the output differs from that of an unbroken run")
			}
			left, err := filepath.Glob(path + ".*")
			if err != nil || len(left) > 0 {
				t.Errorf("left behind: %q %v", left, err)
			}
		})
	}
}

// killedAtTheEnd ends a run when its file is whole and its journal is still there.
type killedAtTheEnd struct{ sink }

func (s killedAtTheEnd) finish(at *checkpoint) ([]string, error) {
	_, err := s.sink.finish(at)
	return nil, errors.Join(err, errKilled)
}

var errKilled = errors.New("killed")

// TestResumeOfTheWhole kills a run between the last two steps, in which a table of one part and one of many differ.
func TestResumeOfTheWhole(t *testing.T) {
	t.Parallel()
	model, dir := demoModel(t), t.TempDir()
	in := payments(t, filepath.Join(dir, "in.ndjson"), 0, testRows)
	for _, out := range []string{"many.parquet", "one.parquet", "out.csv.gz"} {
		path := filepath.Join(dir, out)
		source, err := Open(in, model, Options{Format: NDJSON})
		if err != nil {
			t.Fatal(err)
		}
		format, _ := FormatOf(out)
		target, err := Create(model, Target{Path: path, Format: format})
		if err != nil {
			t.Fatal(err)
		}
		target.sink = killedAtTheEnd{target.sink}
		if out == "many.parquet" {
			target.every = 0 // a part for each chunk
		}
		want, err := Score(t.Context(), model, source, target)
		if !errors.Is(err, errKilled) {
			t.Fatalf("%s: %v", out, err)
		}
		// The journal may speak of the last row, if it was written just then.
		if err := errors.Join(source.Close(), target.begun.write(path, fsync)); err != nil {
			t.Fatal(err)
		}
		got, err := scoreFile(model, in, path, true, 0)
		if err != nil || got != want {
			t.Errorf("%s: %v %v, want %v", out, got, err, want)
		}
		if rows := len(written(t, path)); rows != testRows && rows != testRows+1 { // a CSV file has a header
			t.Errorf("%s: %d rows", out, rows)
		}
		if left, err := filepath.Glob(path + ".*"); err != nil || len(left) > 0 {
			t.Errorf("left behind: %q %v", left, err)
		}
	}
}

// crash does what a kill in the middle of a write does: there are bytes in the file that the journal does not know of.
func crash(t *testing.T, path string) {
	t.Helper()
	if format, _ := FormatOf(path); format == Parquet {
		parts, err := filepath.Glob(path + ".part*")
		if err != nil {
			t.Fatal(err)
		}
		path = fmt.Sprintf("%s.part%d", path, len(parts)+1)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString("\x1f\x8bhalf a line")
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestResumeRefuses what would make a file of two halves that do not belong together.
func TestResumeRefuses(t *testing.T) {
	model, dir := demoModel(t), t.TempDir()
	in := payments(t, filepath.Join(dir, "in.ndjson"), 0, testRows)
	// One begins with another row, and one ends before the rows that were scored.
	other := payments(t, filepath.Join(dir, "other.ndjson"), 1, testRows)
	short := payments(t, filepath.Join(dir, "short.ndjson"), 0, 300)
	out := filepath.Join(dir, "out.ndjson")
	if _, err := scoreFile(model, in, out, false, 700); err == nil {
		t.Fatal("not interrupted")
	}
	refused := func(what string, err error, reason string) {
		t.Helper()
		if _, ok := errors.AsType[*ResumeError](err); !ok || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, want a refusal that says %q", what, err, reason)
		}
	}
	block := 0.5
	stricter, err := scoring.Load("../demo/bundle", scoring.Options{Thresholds: &scoring.Thresholds{Block: &block}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = scoreFile(stricter, in, out, true, 0)
	refused("other thresholds", err, "other thresholds")
	_, err = scoreFile(model, other, out, true, 0)
	refused("another input", err, "rows of the input are not those")
	_, err = scoreFile(model, short, out, true, 0)
	refused("a shorter input", err, "rows of the input are not those")
	_, err = Create(model, Target{Path: "-", Resume: true})
	refused("standard output", err, "--out FILE")
	if _, err := scoreFile(model, in, out, true, 0); err != nil {
		t.Errorf("after the refusals: %v", err)
	}
	_, err = scoreFile(model, in, out, true, 0)
	refused("a finished file", err, "is finished")
	if err := os.Remove(out); err != nil {
		t.Fatal(err)
	}
	if tally, err := scoreFile(model, in, out, true, 0); err != nil || tally.Rows() != testRows {
		t.Errorf("where nothing is to be resumed: %v %v", tally, err)
	}
}

package batch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"

	"github.com/parquet-go/parquet-go"

	"fraudstream/scoring"
	"fraudstream/scoring/program"
)

// rowsPerPart is how many rows a part of a table has: enough for a row group that readers like, few enough to be held
// while they are encoded. On standard output, which has no parts, a row group is flushed as often.
const rowsPerPart = 1 << 19

// decided is a row of the table that decisions are written to: the columns of the CSV output, with types. The
// predicted class is a number where every class is a whole number, and text where not. Pointers are null in the file
// where they are nil, and so is empty text. The columns with few different values have a dictionary.
type decided[P int64 | string] struct {
	Row           int64    `parquet:"row"`
	DecisionID    string   `parquet:"decision_id,optional"`
	TransactionID string   `parquet:"transaction_id,optional"`
	EventTime     string   `parquet:"event_time,optional"`
	Score         *float64 `parquet:"score,optional"`
	Predicted     *P       `parquet:"predicted,optional,dict"`
	IsFraud       *bool    `parquet:"is_fraud,optional"`
	Decision      string   `parquet:"decision,optional,dict"`
	Error         string   `parquet:"error,optional,dict"`
	ErrorField    string   `parquet:"error_field,optional,dict"`
	ErrorMessage  string   `parquet:"error_message,optional,dict"`
	Reasons       string   `parquet:"reasons,optional,dict"`
	ReasonMethod  string   `parquet:"reason_method,optional,dict"`
}

// A tableSink writes Parquet; P is the type of the column predicted. A Parquet file is readable when its last bytes
// are written, so one that shall survive a crash is written in parts, FILE.part1 and so on, each whole; at the end
// they become one file.
//
// Only encode is called by workers; all else belongs to the goroutine that delivers.
type tableSink[P int64 | string] struct {
	path    string // empty for standard output, which has no parts
	model   *scoring.Scorer
	classes []P
	parts   int                                // that are whole
	rows    int64                              // in the part that is being written
	file    io.WriteCloser                     // of the part that is being written; nil between two
	part    *parquet.GenericWriter[decided[P]] // into file
	disk    disk
}

// newTableSink begins a table whose first parts are there already; parts is their number. The type of its column
// predicted is decided here, by the model's classes. The schema of a Parquet file has one type for a column, so a
// model with labels of several types has them all as text.
func newTableSink(model *scoring.Scorer, t Target, parts int) (sink, error) {
	if ext := compression(t.Path); ext != "" {
		return nil, fmt.Errorf("%s: a Parquet file is compressed inside; leave out %s", t.Path, ext)
	}
	if numbers, ok := wholeClasses(model.Program.Classes); ok {
		return openTable(model, numbers, t, parts)
	}
	var names []string
	for _, class := range model.Program.Classes {
		names = append(names, class.String())
	}
	return openTable(model, names, t, parts)
}

// wholeClasses are the classes as integers; ok is false where one is none, or is over 2⁵³, from where on a float64
// cannot tell one whole number from the next.
func wholeClasses(classes []program.Constant) (whole []int64, ok bool) {
	for _, class := range classes {
		if class.Type == program.String || class.Num != math.Trunc(class.Num) || math.Abs(class.Num) > 1<<53 {
			return nil, false
		}
		whole = append(whole, int64(class.Num))
	}
	return whole, true
}

// openTable opens what is written to. Of a file the parts that are whole stay, and what a crash has left of the next is
// taken away; standard output gets one table, which is readable when it is complete.
func openTable[P int64 | string](model *scoring.Scorer, classes []P, t Target, parts int) (*tableSink[P], error) {
	s := &tableSink[P]{model: model, classes: classes, parts: parts, disk: t.disk}
	if t.Path == "-" {
		s.file = keepOpen{t.Stdout}
		s.part = s.writer(s.file)
		return s, nil
	}
	s.path = t.Path
	if parts == 1 {
		// Killed after its single part had become the file, a run has left a journal that speaks of the part.
		if _, err := os.Stat(s.partPath(1)); errors.Is(err, fs.ErrNotExist) {
			if err := os.Rename(s.path, s.partPath(1)); err != nil {
				return nil, err
			}
		}
	}
	for i := parts + 1; ; i++ { // what a run has left behind that its journal does not speak of
		err := os.Remove(s.partPath(i))
		if errors.Is(err, fs.ErrNotExist) {
			return s, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// keepOpen keeps standard output open: it is not ours to close.
type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }

// partPath is the file of part i, counted from 1.
func (s *tableSink[P]) partPath(i int) string { return s.path + ".part" + strconv.Itoa(i) }

// writer writes tables that name the model, so that the file tells by itself what decided.
func (s *tableSink[P]) writer(w io.Writer) *parquet.GenericWriter[decided[P]] {
	b := &s.model.Bundle
	return parquet.NewGenericWriter[decided[P]](w, parquet.Compression(&parquet.Zstd), parquet.CreatedBy("fraudstream", "", ""),
		parquet.KeyValueMetadata("fraudstream.model", b.Name+"@"+b.Version),
		parquet.KeyValueMetadata("fraudstream.model.sha256", b.SHA256))
}

// encode makes the rows of a chunk, in the memory of those that it had before. To lay them out in columns is left to
// deliver: the writer of the file is one, and the workers are several.
func (s *tableSink[P]) encode(c *chunk) error {
	table, _ := c.out.table.([]decided[P])
	table = table[:0]
	for i := range c.batch.Results {
		table = append(table, s.row(c.before+int64(i)+1, &c.batch.Results[i]))
	}
	c.out.table = table
	return nil
}

// row is the result of row n. What it has no value for is null in the file: empty text, and nil where a value may be
// 0. It copies what it takes: the result is a view of the batch, which the worker fills again.
func (s *tableSink[P]) row(n int64, r *scoring.Result) decided[P] {
	row := decided[P]{Row: n}
	switch r.Outcome {
	case scoring.Decided:
		d := &r.Decision
		row.DecisionID = string(d.AppendID(nil))
		row.TransactionID = transactionID(d, row.DecisionID)
		row.EventTime = string(d.AppendTime(nil))
		score, fraud := d.Score, d.IsFraud
		row.Score, row.Predicted, row.IsFraud, row.Decision = &score, &s.classes[d.Class], &fraud, d.Verdict.String()
		row.Reasons, row.ReasonMethod = reasonCells(d, s.model)
	case scoring.Skipped:
		row.Decision = "skipped"
	case scoring.Refused:
		row.Error, row.ErrorField, row.ErrorMessage = string(r.Err.Code), r.Err.Field, r.Err.Message
	}
	return row
}

// deliver writes a chunk's rows, and ends the part when it is large enough. A part is begun when there is a row for it,
// so that no file of one stands empty.
func (s *tableSink[P]) deliver(c *chunk) error {
	if s.part == nil {
		f, err := os.Create(s.partPath(s.parts + 1))
		if err != nil {
			return err
		}
		s.file, s.part = f, s.writer(f)
	}
	if _, err := s.part.Write(c.out.table.([]decided[P])); err != nil {
		return err
	}
	s.rows += int64(len(c.ends))
	if s.rows < rowsPerPart {
		return nil
	}
	s.rows = 0
	if s.path == "" {
		return s.part.Flush() // a row group
	}
	return s.endPart()
}

// endPart makes the part that is being written whole. A part counts only when the disk has it: the journal is written
// next and speaks of it.
func (s *tableSink[P]) endPart() error {
	if s.part == nil || s.path == "" {
		return nil
	}
	err := s.part.Close()
	if f, ok := s.file.(*os.File); ok && err == nil {
		err = s.disk(f)
	}
	err = errors.Join(err, s.file.Close())
	s.part, s.file, s.rows = nil, nil, 0
	if err == nil {
		s.parts++
	}
	return err
}

// flush ends the part, since only a whole one can be read after a crash. So no part is longer than from one
// checkpoint to the next.
func (s *tableSink[P]) flush(at *checkpoint) error {
	err := s.endPart()
	at.Parts = s.parts
	return err
}

// finish joins the parts to the file. A single part is the file. Several stay until the journal has gone: whoever is
// killed before that joins them once more. The joined file is written under another name and renamed when the disk has
// it, so that under the name of the output there is never half a table.
func (s *tableSink[P]) finish(at *checkpoint) (spent []string, err error) {
	if s.path == "" {
		return nil, s.part.Close()
	}
	if err := s.flush(at); err != nil {
		return nil, err
	}
	if s.parts == 1 {
		return nil, os.Rename(s.partPath(1), s.path)
	}
	whole := s.path + ".new"
	f, err := os.Create(whole)
	if err != nil {
		return nil, err
	}
	w := s.writer(f)
	for i := 1; i <= s.parts && err == nil; i++ {
		err = s.copyPart(w, i)
		spent = append(spent, s.partPath(i))
	}
	err = errors.Join(err, w.Close(), s.disk(f), f.Close())
	if err != nil {
		return nil, errors.Join(err, os.Remove(whole))
	}
	return spent, os.Rename(whole, s.path)
}

// copyPart appends the row groups of a part to the table, as row groups of their own. One part is open at a time, so
// memory does not grow with the file.
func (s *tableSink[P]) copyPart(w *parquet.GenericWriter[decided[P]], i int) error {
	f, err := os.Open(s.partPath(i))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	part, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		return fmt.Errorf("%s: %w", s.partPath(i), err)
	}
	for _, group := range part.RowGroups() {
		if _, err := w.WriteRowGroup(group); err != nil {
			return err
		}
	}
	return w.Flush()
}

// abort leaves the parts that are whole, and takes away the one that is not.
func (s *tableSink[P]) abort() error {
	if s.part == nil || s.path == "" {
		return nil
	}
	err := s.file.Close()
	return errors.Join(err, os.Remove(s.partPath(s.parts+1)))
}

package batch

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"fraudstream/scoring"
)

// Flatten turns paths into column names: in a CSV file the column "card.country" is what the path card.country names.
// The mapping is that of the stream, so that one configuration serves the topic and a file that was exported from it; a
// table has no objects to descend into, and a name with dots in it is simply the name of a column.
func Flatten(m scoring.Mapping) scoring.Mapping {
	m.ID.Path = quoted(m.ID.Path)
	m.Time.Path = quoted(m.Time.Path)
	if m.Where != nil {
		where := *m.Where
		where.Path = quoted(where.Path)
		m.Where = &where
	}
	fields := make(map[string]scoring.Field, len(m.Fields))
	for name, field := range m.Fields {
		field.Path = quoted(field.Path)
		fields[name] = field
	}
	m.Fields = fields
	m.Format = "json" // a table has no envelope
	return m
}

// quoted makes one segment of a path; an empty path stays the default.
func quoted(path string) string {
	if path == "" || strings.HasPrefix(path, `"`) {
		return path
	}
	return `"` + path + `"`
}

// column is how the cells of one CSV column are read.
type column struct {
	key  []byte // `"name":`; nil for a column that nothing reads
	text bool   // cells are text as they stand
}

// longestRow is how many bytes one row may have before the reading gives up. A quote that is never closed makes the
// rest of a file one cell, and that may be more than there is memory.
const longestRow = 16 << 20

// A ration lets as much be read as is left. It is filled up before each row, so that a file may be as long as it likes
// and a row may not.
type ration struct {
	io.Reader
	left int
}

// Read gives what is left and, when nothing is, an error that says where to look.
func (r *ration) Read(p []byte) (int, error) {
	if r.left <= 0 {
		return 0, fmt.Errorf("over %d MiB without an end: look for a quote that is not closed", longestRow>>20)
	}
	n, err := r.Reader.Read(p)
	r.left -= n
	return n, err
}

// csvRows reads a CSV file with a header line. An empty cell is null. A row that is no CSV, or has another number of
// cells than the header, is refused like a broken event, under its number; an error of the file itself ends the
// reading. absent are the columns that something reads and the file does not have.
func csvRows(r io.Reader, inputs []scoring.Place) (all rows, absent []string, err error) {
	bound := &ration{r, longestRow}
	reader := csv.NewReader(bufio.NewReaderSize(bound, 1<<16))
	reader.FieldsPerRecord = -1 // a row of another length is that row's fault, not the file's
	header, err := reader.Read()
	if errors.Is(err, io.EOF) {
		err = errors.New("there is none, the text is empty; the first line names the columns")
	}
	if err != nil {
		return rows{}, nil, fmt.Errorf("CSV header: %w", err)
	}
	columns, err := readHeader(header, columnTypes(inputs))
	if err != nil {
		return rows{}, nil, err
	}
	if absent, err = absentOf(columns, inputs); err != nil {
		return rows{}, nil, fmt.Errorf("CSV header: %w%s", err, otherSeparator(header))
	}
	f := &csvFile{reader, bound, columns}
	return rows{read: f.read, render: f.render, count: func(c *chunk) int { return len(c.raw.cells) }}, absent, nil
}

// A csvFile is a CSV file whose header has been read.
type csvFile struct {
	reader  *csv.Reader
	bound   *ration // that reader reads through
	columns []column
}

// read takes rows of cells into a chunk. One that is no CSV is nil among them, and what is wrong with it is in the
// faults.
func (f *csvFile) read(c *chunk) error {
	raw := &c.raw
	raw.cells, raw.faults = raw.cells[:0], raw.faults[:0]
	for size := 0; len(raw.cells) < c.limit && size < bytesPerChunk; {
		f.bound.left = longestRow
		row, err := f.reader.Read()
		if broken, ok := errors.AsType[*csv.ParseError](err); ok {
			row, err = nil, nil // its place is kept: the rows after it must not move up
			raw.faults = append(raw.faults, brokenRow(broken))
		}
		if err != nil {
			return err
		}
		raw.cells = append(raw.cells, row)
		for _, cell := range row {
			size += len(cell)
		}
	}
	return nil
}

// render makes JSON of the rows, and refuses those that are none. It reads of the file the columns alone, which do not
// change, and may be called by any worker.
func (f *csvFile) render(c *chunk) {
	faults := c.raw.faults
	for _, row := range c.raw.cells {
		if row == nil {
			c.add(&scoring.EventError{Code: "bad_json", Message: faults[0]})
			faults = faults[1:]
			continue
		}
		c.add(c.renderCells(f.columns, row))
	}
}

// brokenRow says where a row is that is no CSV. A quote that is not closed takes the lines after it along, and whoever
// counts lines would look for them in vain.
func brokenRow(e *csv.ParseError) string {
	if e.Line > e.StartLine {
		return fmt.Sprintf("lines %d to %d are no well-formed CSV: look for a quote that is not closed", e.StartLine, e.Line)
	}
	return fmt.Sprintf("line %d is no well-formed CSV: check its quotes", e.StartLine)
}

// absentOf lists the columns that something reads and the header does not have. All of them is an error.
func absentOf(columns []column, inputs []scoring.Place) (absent []string, err error) {
	for _, in := range inputs {
		key := append(appendText(nil, in.Column), ':')
		there := slices.ContainsFunc(columns, func(c column) bool { return bytes.Equal(c.key, key) })
		if !there && !in.Optional && !slices.Contains(absent, in.Column) {
			absent = append(absent, in.Column)
		}
	}
	if !anyRead(inputs, absent) {
		return nil, errNoColumn
	}
	return absent, nil
}

// otherSeparator says what a header of a single column seems to be separated by, where it is no comma.
func otherSeparator(header []string) string {
	if len(header) != 1 {
		return ""
	}
	for _, s := range [...]struct{ sign, name string }{{";", "semicolons"}, {"\t", "tabs"}, {"|", "bars"}} {
		if strings.Contains(header[0], s.sign) {
			return "; cells seem to be separated by " + s.name + ", and commas are read"
		}
	}
	return ""
}

// Table reads CSV row by row, for a door that has no use for chunks: each call appends a row as JSON to dst, or gives
// io.EOF. The mapping is one of [Flatten]. Of a table the same is refused as of a file.
func Table(r io.Reader, model *scoring.Scorer, m scoring.Mapping) (func(dst []byte) ([]byte, *scoring.EventError, error), error) {
	text, err := opening(r)
	if err != nil {
		return nil, err
	}
	all, _, err := csvRows(text, model.Places(m))
	if err != nil {
		return nil, err
	}
	c := &chunk{limit: 1}
	return func(dst []byte) ([]byte, *scoring.EventError, error) {
		if err := all.read(c); err != nil {
			return dst, nil, err
		}
		c.text, c.ends, c.bad = dst, c.ends[:0], c.bad[:0]
		all.render(c)
		return c.text, c.bad[0], nil
	}, nil
}

// renderCells appends a row as JSON. One of another length is refused whole: which of its cells is missing, or too
// many, nobody can tell, and each after it would be taken for its neighbour.
func (c *chunk) renderCells(columns []column, row []string) *scoring.EventError {
	if len(row) != len(columns) {
		return &scoring.EventError{Code: "bad_json", Message: fmt.Sprintf("the row has %d cells, the header %d", len(row), len(columns))}
	}
	c.text = appendRow(c.text, columns, row)
	return nil
}

// columnTypes tells for each column that something reads whether its cells are text as they stand. CSV has no types, so
// the reader has to know what is wanted: "007" is a category where the model was trained on texts, and 7 where it was
// trained on numbers. A column that two features read is text as soon as one of them wants text.
func columnTypes(inputs []scoring.Place) map[string]bool {
	types := map[string]bool{}
	for _, in := range inputs {
		types[in.Column] = types[in.Column] || in.Text
	}
	return types
}

// readHeader prepares the columns: the JSON key of each that is read, written once, and how its cells are to be taken.
// A name that comes twice is an error of the file, since either column could be meant.
func readHeader(header []string, types map[string]bool) ([]column, error) {
	columns := make([]column, len(header))
	seen := map[string]bool{}
	for i, name := range header {
		if seen[name] {
			return nil, fmt.Errorf("CSV header: column %q comes twice; rename one, if the first line names the columns, as it must", name)
		}
		seen[name] = true
		if text, ok := types[name]; ok {
			columns[i] = column{key: append(appendText(nil, name), ':'), text: text}
		}
	}
	return columns, nil
}

// appendRow appends the JSON object of one row, without the columns that nothing reads: to write and scan them again
// would cost as much as those that matter.
func appendRow(dst []byte, columns []column, row []string) []byte {
	dst = append(dst, '{')
	first := true
	for i, cell := range row {
		if columns[i].key == nil {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, columns[i].key...)
		dst = appendCell(dst, cell, columns[i].text)
	}
	return append(dst, '}')
}

// appendCell appends one cell: null, a number, a boolean or text. What looks like a number but is none to JSON is
// rewritten with the shortest digits that read back as the same float64; what is none to anybody, such as NA, stays
// text, which the feature's type will refuse rather than guess at.
func appendCell(dst []byte, cell string, text bool) []byte {
	switch {
	case cell == "":
		return append(dst, "null"...)
	case text:
		return appendText(dst, cell)
	case cell == "true" || cell == "True":
		return append(dst, "true"...)
	case cell == "false" || cell == "False":
		return append(dst, "false"...)
	case json.Valid([]byte(cell)) && strings.IndexByte("-0123456789", cell[0]) >= 0:
		return append(dst, cell...)
	}
	// Some programs write .5 or +1: numbers to people, not to JSON.
	if f, err := strconv.ParseFloat(cell, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
		return strconv.AppendFloat(dst, f, 'g', -1, 64)
	}
	return appendText(dst, cell)
}

// appendText appends a JSON string. Bytes that are no UTF-8 stay as they are: to find them is the corridor's task.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20:
			dst = fmt.Appendf(dst, `\u%04x`, c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// csvHeader is the first line of an output. Decided, skipped and refused rows have the same columns, so that whoever
// reads the file with a table program sees what is missing beside what is there: a refused row has an empty decision
// and a code in the column error.
var csvHeader = []string{"row", "decision_id", "transaction_id", "event_time", "score", "predicted", "is_fraud", "decision", "error", "error_field", "error_message", "reasons", "reason_method"}

// csvEncoder writes the lines of a chunk. There is one for each chunk: it keeps a record, whose cells are numbered as
// the names in csvHeader are.
type csvEncoder struct {
	writer *csv.Writer
	record []string
}

// newCSVEncoder writes to w, where the header is already.
func newCSVEncoder(w io.Writer) *csvEncoder {
	return &csvEncoder{writer: csv.NewWriter(w), record: make([]string, len(csvHeader))}
}

// encode writes a line for each of the chunk's results. A cell that a row has no value for is empty.
func (e *csvEncoder) encode(c *chunk, model *scoring.Scorer) error {
	for i := range c.batch.Results {
		r := &c.batch.Results[i]
		clear(e.record)
		e.record[0] = strconv.FormatInt(c.before+int64(i)+1, 10)
		switch r.Outcome {
		case scoring.Decided:
			decisionCells(e.record, &r.Decision, model)
		case scoring.Skipped:
			e.record[7] = "skipped"
		case scoring.Refused:
			e.record[8], e.record[9], e.record[10] = string(r.Err.Code), r.Err.Field, r.Err.Message
		}
		if err := e.writer.Write(e.record); err != nil {
			return err
		}
	}
	e.writer.Flush()
	return e.writer.Error()
}

// decisionCells fills the cells of a decision, from decision_id on. An event without an id of its own is called by its
// decision_id in both columns, as in the JSON; a text id loses its quotes, a number keeps its digits.
func decisionCells(record []string, d *scoring.Decision, model *scoring.Scorer) {
	record[1] = string(d.AppendID(nil))
	record[2] = transactionID(d, record[1])
	record[3] = string(d.AppendTime(nil))
	record[4] = strconv.FormatFloat(d.Score, 'g', -1, 64)
	record[5] = model.Program.Classes[d.Class].String()
	record[6] = strconv.FormatBool(d.IsFraud)
	record[7] = d.Verdict.String()
	record[11], record[12] = reasonCells(d, model)
}

// transactionID is the id of the event as a cell, or what stands in for it. The decision has the JSON of the id, in
// quotes or as a number.
func transactionID(d *scoring.Decision, standIn string) string {
	if d.TransactionID == nil {
		return standIn
	}
	var text string
	if json.Unmarshal(d.TransactionID, &text) == nil {
		return text
	}
	return string(d.TransactionID)
}

// reasonCells are the codes of the reasons, or the features where there are no codes, and how they were found. Both are
// empty where no reasons are told.
func reasonCells(d *scoring.Decision, model *scoring.Scorer) (codes, method string) {
	if !d.Reasoned() {
		return "", ""
	}
	var cell []byte
	for i := 0; ; i++ {
		from := len(cell)
		if i > 0 {
			cell = append(cell, ';')
		}
		longer, there := d.AppendReason(cell, i)
		if !there {
			return string(cell[:from]), model.Bundle.ReasonMethod
		}
		cell = longer
	}
}

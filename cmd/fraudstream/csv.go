package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"fraudstream/scoring"
	"fraudstream/scoring/program"
)

// flatten turns paths into column names: in a CSV file the column "card.country" is what the path card.country names.
// The mapping is that of the stream, so that one configuration serves the topic and a file that was exported from it; a
// table has no objects to descend into, and a name with dots in it is simply the name of a column.
func flatten(m scoring.Mapping) scoring.Mapping {
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

// csvRows reads a CSV file with a header line. An empty cell is null.
//
// Every row becomes the JSON object that the topic would have held, and goes through the same corridor as an event. So
// a file is refused, converted and scored by the same code as the stream, and no second reading of types can differ
// from the first. A row that is no CSV, or has another number of cells than the header, is refused like a broken event,
// under its number; an error of the file itself ends the reading.
func csvRows(r io.Reader, model *scoring.Scorer, m scoring.Mapping) (rowSource, error) {
	reader := csv.NewReader(r)
	reader.ReuseRecord = true
	reader.FieldsPerRecord = -1 // a row of another length is that row's fault, not the file's
	header, err := reader.Read()
	if err != nil {
		return nil, fmt.Errorf("CSV header: %w", err)
	}
	columns, err := readHeader(header, columnTypes(model, m))
	if err != nil {
		return nil, err
	}
	return func(dst []byte) ([]byte, *scoring.EventError, error) {
		row, err := reader.Read()
		if _, broken := errors.AsType[*csv.ParseError](err); broken {
			return dst, &scoring.EventError{Code: "bad_json", Message: "the row is not well-formed CSV: check its quotes"}, nil
		}
		if err != nil {
			return dst, nil, err
		}
		if len(row) != len(columns) {
			return dst, &scoring.EventError{Code: "bad_json", Message: fmt.Sprintf("the row has %d cells, the header %d", len(row), len(columns))}, nil
		}
		return appendRow(dst, columns, row), nil, nil
	}, nil
}

// columnTypes tells for each column that something reads whether its cells are text as they stand. CSV has no types, so
// the reader has to know what is wanted: "007" is a category where the model was trained on texts, and 7 where it was
// trained on numbers. A column that two features read is text as soon as one of them wants text.
func columnTypes(model *scoring.Scorer, m scoring.Mapping) map[string]bool {
	name := func(path, fallback string) string {
		if path == "" {
			return fallback
		}
		return strings.Trim(path, `"`)
	}
	types := map[string]bool{}
	if m.Where != nil {
		_, text := m.Where.In[0].(string)
		types[name(m.Where.Path, "")] = text
	}
	types[name(m.ID.Path, "transaction_id")] = true
	types[name(m.Time.Path, "event_time")] = m.Time.Type == "" || m.Time.Type == "rfc3339" || m.Time.Type == "layout"
	for _, c := range model.Program.Columns {
		field := m.Fields[c.Name]
		text := c.Domain.Type() == program.String
		if field.Type != "" && field.Type != "json" {
			text = true
		}
		key := name(field.Path, c.Name)
		types[key] = types[key] || text
	}
	return types
}

// readHeader prepares the columns: the JSON key of each that is read, written once, and how its cells are to be taken.
// A name that comes twice is an error of the file, since either column could be meant.
func readHeader(header []string, types map[string]bool) ([]column, error) {
	columns := make([]column, len(header))
	seen := map[string]bool{}
	for i, name := range header {
		if i == 0 {
			name = strings.TrimPrefix(name, "\ufeff") // spreadsheets put a byte order mark there
		}
		if seen[name] {
			return nil, fmt.Errorf("CSV header: column %q comes twice; rename one", name)
		}
		seen[name] = true
		if text, ok := types[name]; ok {
			columns[i] = column{key: append(appendText(nil, name), ':'), text: text}
		}
	}
	return columns, nil
}

// appendRow appends the JSON object of one row.
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

// csvSink writes a header and one line a row, in the order of the rows. Decided, skipped and refused rows have the same
// columns, so that whoever reads the file with a table program sees what is missing beside what is there: a refused row
// has an empty decision and a code in the column error.
func csvSink(w *bufio.Writer, model *scoring.Scorer) rowSink {
	writer := csv.NewWriter(w)
	record := []string{"row", "decision_id", "transaction_id", "event_time", "score", "predicted", "is_fraud", "decision", "error", "error_field", "error_message", "reasons", "reason_method"}
	err := writer.Write(record)
	return func(n int64, r *scoring.Result) error {
		if err != nil {
			return err
		}
		clear(record)
		record[0] = strconv.FormatInt(n, 10)
		switch r.Outcome {
		case scoring.Decided:
			decisionCells(record, &r.Decision, model)
		case scoring.Skipped:
			record[7] = "skipped"
		case scoring.Refused:
			record[8], record[9], record[10] = string(r.Err.Code), r.Err.Field, r.Err.Message
		}
		if err := writer.Write(record); err != nil {
			return err
		}
		writer.Flush()
		return writer.Error()
	}
}

// decisionCells fills the cells of a decision, from decision_id on. An event without an id of its own is called by its
// decision_id in both columns, as in the JSON; a text id loses its quotes, a number keeps its digits.
func decisionCells(record []string, d *scoring.Decision, model *scoring.Scorer) {
	record[1] = string(d.AppendID(nil))
	record[2] = record[1]
	if d.TransactionID != nil {
		record[2] = string(d.TransactionID)
		var text string
		if json.Unmarshal(d.TransactionID, &text) == nil {
			record[2] = text
		}
	}
	record[3] = string(d.AppendTime(nil))
	record[4] = strconv.FormatFloat(d.Score, 'g', -1, 64)
	record[5] = model.Program.Classes[d.Class].String()
	record[6] = strconv.FormatBool(d.IsFraud)
	record[7] = d.Verdict.String()
	record[11], record[12] = reasonCells(d, model)
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

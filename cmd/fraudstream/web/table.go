package web

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"fraudstream/scoring"
)

// A Table reads rows in another form than JSON, such as CSV, into events: next appends the JSON of a row to dst, or
// says what is wrong with the row; io.EOF ends the table. Scorer reads such events, whose fields stand under the
// names of columns and not at the paths of the stream's mapping. The door knows nothing of quoting, separators or
// byte-order marks; who opens a table is the package batch, so that a table over HTTP is read as the same table from
// a file is.
type Table struct {
	Scorer *scoring.Scorer
	Open   func(body io.Reader) (next func(dst []byte) ([]byte, *scoring.EventError, error), err error)
}

// predictTable scores a CSV table, a row at a time in the order of its rows, into the place's answer. A row that is
// no row of the table is refused under its number, like a bad event of an array. The whole answer is an array in the
// order of the rows, without the header; a table that has a header and no rows is answered with an empty one.
func (s *Server) predictTable(w *worker, p *place, id string, body []byte, reasons scoring.Reasons) *problem {
	next, err := s.options.Table.Open(bytes.NewReader(body))
	if err != nil {
		return &problem{http.StatusBadRequest, fault{Code: scoring.BadJSON, Message: headerMessage(err)}}
	}
	bad, failed := s.readTable(w, next)
	if failed != nil {
		return failed
	}
	results := w.score(s.options.Table.Scorer, id, w.events, bad, scoring.Untold, reasons)
	p.answer = appendResults(p.answer[:0], results, false)
	return nil
}

// headerMessage names the fault of a table that cannot be begun.
func headerMessage(err error) string {
	if errors.Is(err, io.EOF) {
		return "the table is empty: its first line names the columns"
	}
	return err.Error()
}

// readTable turns the rows into events; bad holds, by row, what is wrong with those that are none. Their events are
// empty, which keeps the numbers of the others. All rows are read before the first is scored. They share one buffer,
// which may move while it grows; so the places where they end are kept, and the views are cut at the end. A body that
// is over the limit of rows is refused as a whole, like an array.
func (s *Server) readTable(w *worker, next func([]byte) ([]byte, *scoring.EventError, error)) (bad map[int]*scoring.EventError, failed *problem) {
	w.rows, w.events = w.rows[:0], w.events[:0]
	bad = map[int]*scoring.EventError{}
	var ends []int
	for {
		grown, refused, err := next(w.rows)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, &problem{http.StatusBadRequest, fault{Code: scoring.BadJSON, Message: "the table could not be read: " + err.Error()}}
		}
		if len(ends) == s.limits.Rows {
			return nil, s.tooManyRows()
		}
		if refused != nil {
			bad[len(ends)] = refused
		} else {
			w.rows = grown
		}
		ends = append(ends, len(w.rows))
	}
	from := 0
	for _, end := range ends { // the rows do not move any more
		w.events = append(w.events, w.rows[from:end:end])
		from = end
	}
	return bad, nil
}

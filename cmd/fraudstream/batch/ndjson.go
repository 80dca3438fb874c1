package batch

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"fraudstream/scoring"
)

// maxRow is the largest row that is kept whole: one byte over what an event may have, so that a longer one is seen
// to be too large without being read into memory.
const maxRow = 1<<20 + 1

// Lines returns a function that appends the next line of r to dst, or gives io.EOF. Either line ending will do; the
// last line needs none. It does not look into the line: whether it is JSON, or empty, is for the corridor to say, in
// the words that the stream has for it. Of a line that is too long only as much is kept as shows that it is.
func Lines(r io.Reader) func(dst []byte) ([]byte, error) {
	lines := bufio.NewReaderSize(r, 1<<16)
	return func(dst []byte) ([]byte, error) {
		begin := len(dst)
		for {
			part, err := lines.ReadSlice('\n')
			dst = append(dst, part[:min(len(part), maxRow-(len(dst)-begin))]...)
			switch {
			case errors.Is(err, bufio.ErrBufferFull):
				continue
			case err != nil && (!errors.Is(err, io.EOF) || len(dst) == begin):
				return dst, err
			}
			return dst[:begin+len(bytes.TrimRight(dst[begin:], "\r\n"))], nil
		}
	}
}

// ndjsonRows reads one JSON value a line. The line is the event: there is nothing to render. An error of the file,
// such as of a compression that is damaged, ends the reading after the rows before it.
func ndjsonRows(r io.Reader) rows {
	next := Lines(r)
	read := func(c *chunk) error {
		for !c.full() {
			row, err := next(c.text)
			if err != nil {
				return err
			}
			c.text = row
			c.add(nil)
		}
		return nil
	}
	return rows{read: read, render: func(*chunk) {}, count: func(c *chunk) int { return len(c.ends) }}
}

// appendNDJSON appends one decision, or one error with its row number, and a line feed. A decision is the JSON of the
// stream, byte for byte but for its source; a row that was left out says why, rather than being missed in a count.
// The row number counts from 1; a decision bears it in its decision_id.
func appendNDJSON(dst []byte, n int64, r *scoring.Result) ([]byte, error) {
	switch r.Outcome {
	case scoring.Decided:
		dst = r.Decision.AppendJSON(dst)
	case scoring.Skipped:
		dst = fmt.Appendf(dst, `{"row":%d,"skipped":%q}`, n, r.Skip.String())
	case scoring.Refused:
		fault, err := json.Marshal(struct {
			Code    scoring.Code `json:"code"`
			Field   string       `json:"field"`
			Message string       `json:"message"`
		}{r.Err.Code, r.Err.Field, r.Err.Message})
		if err != nil {
			return dst, err
		}
		dst = fmt.Appendf(dst, `{"row":%d,"error":%s}`, n, fault)
	}
	return append(dst, '\n'), nil
}

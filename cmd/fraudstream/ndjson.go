package main

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

// ndjsonRows reads one JSON value a line, with either line ending; the last line needs none. It does not look into the
// value: whether it is JSON, or an empty line, is for the corridor to say, in the words that the stream has for it. Of
// a line that is too long only as much is kept as shows that it is.
func ndjsonRows(r io.Reader) rowSource {
	lines := bufio.NewReaderSize(r, 1<<16)
	return func(dst []byte) ([]byte, *scoring.EventError, error) {
		begin := len(dst)
		for {
			part, err := lines.ReadSlice('\n')
			dst = append(dst, part[:min(len(part), maxRow-(len(dst)-begin))]...)
			switch {
			case errors.Is(err, bufio.ErrBufferFull):
				continue
			case err != nil && (!errors.Is(err, io.EOF) || len(dst) == begin):
				return dst, nil, err
			}
			return dst[:begin+len(bytes.TrimRight(dst[begin:], "\r\n"))], nil, nil
		}
	}
}

// ndjsonSink writes one decision, or one error with its row number, a line. A decision is the JSON of the stream, byte
// for byte but for its source; a row that was left out by event.where says so, rather than being missed in a count.
func ndjsonSink(w *bufio.Writer) rowSink {
	var line []byte
	return func(n int64, r *scoring.Result) error {
		line = line[:0]
		switch r.Outcome {
		case scoring.Decided:
			line = r.Decision.AppendJSON(line)
		case scoring.Skipped:
			line = fmt.Appendf(line, `{"row":%d,"skipped":"where"}`, n)
		case scoring.Refused:
			fault, err := json.Marshal(struct {
				Code    scoring.Code `json:"code"`
				Field   string       `json:"field"`
				Message string       `json:"message"`
			}{r.Err.Code, r.Err.Field, r.Err.Message})
			if err != nil {
				return err
			}
			line = fmt.Appendf(line, `{"row":%d,"error":%s}`, n, fault)
		}
		_, err := w.Write(append(line, '\n'))
		return err
	}
}

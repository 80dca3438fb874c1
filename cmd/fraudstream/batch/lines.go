package batch

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"

	"fraudstream/scoring"
)

// A lineSink writes NDJSON or CSV, compressed or not.
//
// What is compressed is a row of members (of gzip) or frames (of zstd and lz4), one from each checkpoint to the next,
// which readers take for one text. A member is closed before its bytes are counted, so that every checkpoint is the end
// of one: a run that resumes cuts the file there and begins the next member, and need not take up a compressor's state.
type lineSink struct {
	model  *scoring.Scorer
	csv    bool
	file   *os.File // nil for standard output
	size   int64    // bytes written
	buffer *bufio.Writer
	packed compressor // nil for none
	disk   disk
	open   bool // a member of it has begun
}

// newLineSink opens the file, of which the first bytes, from in number, stay. The header of a CSV file is written
// where there are none: that of a file that is resumed is among them. size is the length of the file from here on,
// and goes into the journal; so it begins at from.
func newLineSink(model *scoring.Scorer, t Target, from int64) (*lineSink, error) {
	s := &lineSink{model: model, csv: t.Format == CSV, size: from, disk: t.disk}
	var err error
	if s.packed, err = newCompressor(t.Path); err != nil {
		return nil, err
	}
	to := t.Stdout
	if t.Path != "-" {
		if s.file, err = openAt(t.Path, from); err != nil {
			return nil, err
		}
		to = s.file
	}
	s.buffer = bufio.NewWriterSize(countBytes{to, &s.size}, 1<<16)
	if !s.csv || from > 0 {
		return s, nil
	}
	var header bytes.Buffer
	writer := csv.NewWriter(&header)
	err = writer.Write(csvHeader)
	writer.Flush()
	if err = errors.Join(err, s.write(header.Bytes())); err != nil {
		return nil, errors.Join(err, s.abort())
	}
	return s, nil
}

// openAt opens a file of which the first size bytes stay and the rest goes; none stay of a new one. A file that has
// fewer was changed since its journal was written, and what it holds is anybody's guess. What is cut off was written
// after the last checkpoint, and will be written again.
func openAt(path string, size int64) (*os.File, error) {
	if size == 0 {
		return os.Create(path)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.Size() < size:
		err = &ResumeError{fmt.Sprintf("%s has %d bytes, its journal speaks of %d", path, info.Size(), size)}
	default:
		if err = f.Truncate(size); err == nil {
			_, err = f.Seek(size, io.SeekStart)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// countBytes counts what goes through.
type countBytes struct {
	io.Writer
	n *int64
}

// Write counts what was written, and not what should have been.
func (w countBytes) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	*w.n += int64(n)
	return n, err
}

// encode makes the lines of a chunk in memory that belongs to the chunk: workers share nothing, and what one chunk has
// needed is there for the next that is filled into it.
func (s *lineSink) encode(c *chunk) (err error) {
	if s.csv {
		if c.out.csv == nil {
			c.out.csv = newCSVEncoder(&c.out.lines)
		}
		c.out.lines.Reset()
		return c.out.csv.encode(c, s.model)
	}
	c.out.text = c.out.text[:0]
	for i := range c.batch.Results {
		if c.out.text, err = appendNDJSON(c.out.text, c.before+int64(i)+1, &c.batch.Results[i]); err != nil {
			return err
		}
	}
	return nil
}

// deliver takes the lines that a worker has made. They may stay in the buffer until the next flush.
func (s *lineSink) deliver(c *chunk) error {
	if s.csv {
		return s.write(c.out.lines.Bytes())
	}
	return s.write(c.out.text)
}

// write writes lines; a member begins with the first of them.
func (s *lineSink) write(lines []byte) error {
	if s.packed == nil {
		_, err := s.buffer.Write(lines)
		return err
	}
	if !s.open {
		s.packed.Reset(s.buffer)
		s.open = true
	}
	_, err := s.packed.Write(lines)
	return err
}

// flush ends the member, empties the buffer, and waits until the disk has it all. Standard output is not waited for,
// and has no length that a run could go on at. The order is that of the layers, from the inside out: the compressor's
// last block, the buffer, the disk.
func (s *lineSink) flush(at *checkpoint) error {
	if s.open {
		s.open = false
		if err := s.packed.Close(); err != nil {
			return err
		}
	}
	if err := s.buffer.Flush(); err != nil || s.file == nil {
		return err
	}
	at.Bytes = s.size
	return s.disk(s.file)
}

// finish leaves a file that a decompressor can read even where no line was written.
func (s *lineSink) finish(at *checkpoint) ([]string, error) {
	err := s.write(nil)
	return nil, errors.Join(err, s.flush(at), s.abort())
}

// abort closes the file as it is. What was flushed can be resumed.
func (s *lineSink) abort() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

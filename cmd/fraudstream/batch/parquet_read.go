package batch

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"fraudstream/scoring"
)

// openParquet opens a table and finds the columns that the inputs name. Its contents are listed at its end, so that
// standard input is written to a temporary file first; the bar is over the rows, of which the list tells how many
// there are.
//
// What the reader opens goes into the closers in that order, and is closed in the reverse one: the pages before the
// file that they lie in.
func (in *Input) openParquet(path string, inputs []scoring.Place, o Options) error {
	if ext := compression(path); ext != "" {
		return fmt.Errorf("a Parquet file is compressed inside; decompress the %s first", ext)
	}
	f, err := in.openSeekable(path, o.Stdin)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	table, err := openTableFile(f, info.Size())
	if err != nil {
		return err
	}
	in.progress = newProgress(o.Bar, table.NumRows())
	in.progress.byRows = true
	reader, err := newTableReader(table, f, info.Size(), inputs)
	if err != nil {
		return err
	}
	in.closers = append(in.closers, reader.close)
	if !anyRead(inputs, reader.absent) {
		return errors.New("no column is one of the model's")
	}
	in.warn(absentColumns(reader.absent))
	in.rows = rows{read: guarded(reader.read), render: reader.render, count: func(c *chunk) int { return c.raw.rows }}
	return nil
}

// openSeekable opens a file that can be read anywhere. What standard input gave is on the disk until the input is
// closed, readable to this user alone. It takes as much room there as the input has bytes, and is removed even where
// the opening fails afterwards.
func (in *Input) openSeekable(path string, stdin io.Reader) (*os.File, error) {
	if path != "-" {
		f, err := os.Open(path)
		if err == nil {
			in.closers = append(in.closers, f.Close)
		}
		return f, err
	}
	f, err := os.CreateTemp("", "fraudstream-*.parquet")
	if err != nil {
		return nil, err
	}
	in.closers = append(in.closers, func() error { return errors.Join(f.Close(), os.Remove(f.Name())) })
	_, err = io.Copy(f, stdin)
	return f, err
}

// maxFooter bounds the list of contents, which is read as a whole.
const maxFooter = 64 << 20

// openTableFile reads the list of contents. The last eight bytes of a file are the length of the list, little-endian,
// and PAR1. The library answers some damaged files with a panic. Page indexes and bloom filters are for those who
// look for some of the rows, and are left unread.
func openTableFile(f *os.File, size int64) (table *parquet.File, err error) {
	defer recovered(&err)
	var tail [8]byte
	if _, err := f.ReadAt(tail[:], size-8); err != nil || string(tail[4:]) != "PAR1" {
		return nil, errors.New("no Parquet file: its last bytes are not PAR1, so it was not written to its end, or is of another format, which --format tells")
	}
	if n := uint32(tail[0]) | uint32(tail[1])<<8 | uint32(tail[2])<<16 | uint32(tail[3])<<24; n > maxFooter {
		return nil, fmt.Errorf("its list of contents has %d bytes, at most %d are read", n, maxFooter)
	}
	return parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
}

// recovered makes a panic an error of the file. It is to be deferred itself: only there can it recover. The library
// decodes in the reader's goroutine, and the workers read the values that it gave; a panic of any of them would end the
// process, and the other rows with it.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("the file is damaged: %v", r)
	}
}

// guarded is read, in which the library decodes pages, with a panic made an error of the file.
func guarded(read func(*chunk) error) func(*chunk) error {
	return func(c *chunk) (err error) {
		defer recovered(&err)
		return read(c)
	}
}

// A tableReader reads those columns of a table that something reads, and makes JSON objects of its rows.
//
// A table is stored in row groups, a group in columns, and a column in pages, whose ends fall on different rows in each
// column. So every column is read for itself, a row's values at a time, and a row is put together from what all of them
// have given. In memory are one page of each column, its dictionary, and the chunks under way.
type tableReader struct {
	table  *parquet.File
	group  int           // the next row group
	left   int64         // rows of the group before it that have not been taken
	leaves []*leafReader // one for each column that is read, in the order of the shape's
	shape  *shape
	absent []string // columns that are named and not there
}

// newTableReader matches the columns with what the inputs name, and looks at the sizes of all pages before one of
// them is decoded. All of it is done before the first row, so that a file that cannot be read costs no decision.
func newTableReader(table *parquet.File, f io.ReaderAt, size int64, inputs []scoring.Place) (r *tableReader, err error) {
	defer recovered(&err)
	r = &tableReader{table: table}
	if r.shape, r.absent, err = newShape(table.Root(), inputs); err != nil {
		return nil, err
	}
	for _, column := range r.shape.leaves {
		r.leaves = append(r.leaves, &leafReader{column: column})
	}
	return r, r.checkPages(f, size)
}

// read takes the next rows' values off the columns. Texts are copied, for the page that holds them is used again. A
// chunk ends at its limit of rows, at about a mebibyte of texts or at a million values, whichever is first; a row
// group may end within it.
func (r *tableReader) read(c *chunk) error {
	raw := &c.raw
	raw.values, raw.arena, raw.rows = raw.values[:0], raw.arena[:0], 0
	for raw.rows < c.limit && len(raw.arena) < bytesPerChunk && len(raw.values) < maxValues {
		for r.left == 0 {
			groups := r.table.RowGroups()
			if r.group >= len(groups) {
				return io.EOF
			}
			chunks := groups[r.group].ColumnChunks()
			r.left = groups[r.group].NumRows()
			r.group++
			for _, leaf := range r.leaves {
				if err := leaf.begin(chunks[leaf.column]); err != nil {
					return r.at(r.group, leaf.column, err)
				}
			}
		}
		for _, leaf := range r.leaves {
			if err := leaf.take(raw); err != nil {
				return r.at(r.group, leaf.column, err)
			}
		}
		r.left--
		raw.rows++
	}
	return nil
}

// at says of an error in which row group it was found, counted from 1, and in which column.
func (r *tableReader) at(group, column int, err error) error {
	return fmt.Errorf("row group %d, column %s: %w", group, strings.Join(r.table.Schema().Columns()[column], "."), err)
}

// render makes JSON of the values. It reads nothing of the reader but the shape and the list of contents, which do not
// change, and so may be called by any worker while the next chunk is read. A row that makes no sense ends the run, and
// is an error of the chunk.
func (r *tableReader) render(c *chunk) {
	defer recovered(&c.err)
	values := c.raw.values
	for i := range c.raw.rows {
		var bad *node
		if c.text, values, bad = r.shape.appendRow(c.text, values); bad != nil {
			row := c.before + int64(i) + 1
			err := errors.New("its values contradict those of another column: the file is damaged")
			c.err = fmt.Errorf("row %d: %w", row, r.at(r.groupOf(row), bad.index, err))
			return
		}
		c.add(nil)
	}
}

// groupOf is the row group that a row is in; both are counted from 1.
func (r *tableReader) groupOf(row int64) int {
	for i, group := range r.table.RowGroups() {
		if row -= group.NumRows(); row <= 0 {
			return i + 1
		}
	}
	return len(r.table.RowGroups())
}

// close gives back the pages that are open.
func (r *tableReader) close() (err error) {
	defer recovered(&err)
	for _, leaf := range r.leaves {
		err = errors.Join(err, leaf.close())
	}
	return err
}

// A leafReader reads the values of one column, one row at a time. The buffer saves a call of the library for each
// value. A page is given back when all of its values were taken, since texts in the buffer point into it until then.
type leafReader struct {
	column int
	pages  parquet.Pages
	page   parquet.Page
	values parquet.ValueReader
	buffer [256]parquet.Value
	begun  int // values of the buffer that were taken
	filled int // values that it holds
}

// begin goes to the column's chunk of the next row group, and gives back what it has of the one before.
func (l *leafReader) begin(chunk parquet.ColumnChunk) error {
	err := l.close()
	l.pages, l.begun, l.filled = chunk.Pages(), 0, 0
	return err
}

// close gives back the page and ends the column's chunk.
func (l *leafReader) close() error {
	if l.page != nil {
		parquet.Release(l.page)
	}
	l.page, l.values = nil, nil
	if l.pages == nil {
		return nil
	}
	return l.pages.Close()
}

// peek is the next value; io.EOF where the chunk has no more. It is valid until the next call, and the text in it
// until its page is given back. The library may give values and io.EOF together; the values count first.
func (l *leafReader) peek() (*parquet.Value, error) {
	for l.begun == l.filled {
		if l.values == nil {
			page, err := l.pages.ReadPage()
			if err != nil {
				return nil, err
			}
			l.page, l.values = page, page.Values()
		}
		n, err := l.values.ReadValues(l.buffer[:])
		l.begun, l.filled = 0, n
		if n == 0 && err == nil {
			return nil, io.ErrNoProgress
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if n == 0 {
			parquet.Release(l.page)
			l.page, l.values = nil, nil
		}
	}
	return &l.buffer[l.begun], nil
}

// maxValues bounds what one chunk, and so one row, may hold: more is no event. A chunk ends when it has so many; a
// single row is given up at twice as many.
const maxValues = 1 << 20

// take appends the values of one row: the next one and, of a repeated column, those that belong to it. The next row
// is known by a repetition level of 0, so the value after the last one has to be looked at and is left where it is.
func (l *leafReader) take(raw *rawRows) error {
	for first := true; ; first = false {
		v, err := l.peek()
		if errors.Is(err, io.EOF) && !first {
			return nil
		}
		if errors.Is(err, io.EOF) {
			return errors.New("it has fewer values than the row group has rows: the file is damaged")
		}
		if err != nil {
			return err
		}
		if !first && v.RepetitionLevel() == 0 {
			return nil
		}
		if first && v.RepetitionLevel() > 0 {
			return errors.New("it begins within a list: the file is damaged")
		}
		if len(raw.values) >= 2*maxValues || len(raw.arena) > maxArena {
			return errors.New("a row is larger than any event may be")
		}
		value := *v
		if kind := value.Kind(); kind == parquet.ByteArray || kind == parquet.FixedLenByteArray {
			value = raw.keep(value)
		}
		raw.values = append(raw.values, value)
		l.begun++
	}
}

// maxArena bounds the texts of one chunk. A row that would go beyond is an error of the file: no event is as large.
const maxArena = 64 << 20

// keep copies the bytes of a value. What is longer than an event may be is cut to one byte more, which is enough to be
// refused for.
func (raw *rawRows) keep(v parquet.Value) parquet.Value {
	data := v.ByteArray()
	data = data[:min(len(data), maxRow)]
	begin := len(raw.arena)
	raw.arena = append(raw.arena, data...)
	return parquet.ByteArrayValue(raw.arena[begin:len(raw.arena):len(raw.arena)]).
		Level(v.RepetitionLevel(), v.DefinitionLevel(), v.Column())
}

// Bounds of what the pages of one row group may take in memory when they are decoded, which the library believes the
// file for: a few bytes can claim a page of gigabytes.
const (
	maxPageBytes  = 128 << 20
	maxPageValues = 1 << 26
	maxHeader     = 1 << 20 // of one page; it may hold the smallest and the largest text
	maxGroupBytes = 1 << 30 // one page of each column that is read, and their dictionaries
)

// checkPages reads the headers of all pages of the columns that are read, before one is decoded. The sizes of the
// others do not matter: they are never asked for. That costs one small read for each page, which is little beside
// decoding it, and the only way to know before the library allocates what a header claims.
func (r *tableReader) checkPages(f io.ReaderAt, size int64) error {
	meta := r.table.Metadata()
	for g := range meta.RowGroups {
		var total int64
		for _, leaf := range r.leaves {
			column := &meta.RowGroups[g].Columns[leaf.column]
			largest, err := largestPages(f, size, &column.MetaData)
			if err != nil {
				return r.at(g+1, leaf.column, err)
			}
			total += largest
		}
		if total > maxGroupBytes {
			return fmt.Errorf("row group %d: its pages take %d MiB in memory, at most %d are given; write the file with smaller pages or dictionaries", g+1, total>>20, maxGroupBytes>>20)
		}
	}
	return nil
}

// largestPages is about how much memory, in bytes, the dictionary and the largest page of a column take. It reads
// headers alone and goes from one to the next by the size that each states, which costs one small read for each page.
func largestPages(f io.ReaderAt, size int64, meta *format.ColumnMetaData) (int64, error) {
	at := meta.DataPageOffset
	if meta.DictionaryPageOffset > 0 && meta.DictionaryPageOffset < at {
		at = meta.DictionaryPageOffset
	}
	if at < 0 || meta.TotalCompressedSize < 0 || at > size || meta.TotalCompressedSize > size-at {
		return 0, errors.New("the column lies outside of the file: it is damaged")
	}
	var dictionary, page int64
	buffer := bufio.NewReaderSize(nil, 512)
	for end := at + meta.TotalCompressedSize; at < end; {
		var header format.PageHeader
		section := io.NewSectionReader(f, at, min(end-at, maxHeader))
		buffer.Reset(section)
		if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(buffer)).Decode(&header); err != nil {
			return 0, fmt.Errorf("a page header cannot be read: %w", err)
		}
		if header.CompressedPageSize < 0 || header.UncompressedPageSize < 0 {
			return 0, errors.New("a page has a negative size: the file is damaged")
		}
		values := max(header.DataPageHeader.V.NumValues, header.DataPageHeaderV2.V.NumValues, header.DictionaryPageHeader.V.NumValues)
		if header.UncompressedPageSize > maxPageBytes || values > maxPageValues {
			return 0, fmt.Errorf("a page of %d bytes and %d values is too large; write the file with smaller pages", header.UncompressedPageSize, values)
		}
		// Besides its bytes a value has two levels and an offset or an index.
		memory := int64(header.UncompressedPageSize) + 6*int64(values)
		if header.Type == format.DictionaryPage {
			dictionary = max(dictionary, memory)
		} else {
			page = max(page, memory)
		}
		read, err := section.Seek(0, io.SeekCurrent)
		if err != nil {
			return 0, err
		}
		at += read - int64(buffer.Buffered()) + int64(header.CompressedPageSize)
	}
	return dictionary + page, nil
}

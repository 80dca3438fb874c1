package batch

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// maxWindow bounds what a zstd file may ask a reader to remember: the window of `zstd --long`.
const maxWindow = 128 << 20

// compression is the extension of a compression that is known, in lower case, else "". Known are more than are read, so
// that in rows.csv.zip it is the zip that is refused, by its name, and not a CSV file that makes no sense.
func compression(path string) string {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".gz", ".zst", ".lz4", ".bz2", ".xz", ".zip", ".z", ".snappy", ".br":
		return ext
	}
	return ""
}

// uncompressed is the name without the extension of a compression.
func uncompressed(path string) string { return path[:len(path)-len(compression(path))] }

// decompress reads what the extension says. Members and frames that follow each other are one text. done gives the
// decoder's memory and goroutines back. The errors of what it returns name the compression. Nothing is decompressed
// into memory as a whole, and a zstd file that wants a larger window than 128 MiB is refused.
func decompress(path string, r io.Reader) (read io.Reader, done func() error, err error) {
	done = func() error { return nil }
	r = bufio.NewReaderSize(r, 1<<16)
	switch ext := compression(path); ext {
	case "":
		return r, done, nil
	case ".gz":
		read, err = gzip.NewReader(r) // which reads the header at once; the others wait to be asked
		if err != nil {
			return nil, done, notPacked(ext, err)
		}
		return unpacker{read, ext}, done, nil
	case ".zst":
		d, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, done, err
		}
		return unpacker{d, ext}, func() error { d.Close(); return nil }, nil
	case ".lz4":
		return unpacker{lz4.NewReader(r), ext}, done, nil
	case ".bz2":
		return unpacker{bzip2.NewReader(r), ext}, done, nil
	default:
		return nil, done, fmt.Errorf("%s files are not read; .gz, .zst, .lz4 and .bz2 are: compress it anew, or pipe it in uncompressed", ext)
	}
}

// An unpacker reads what a decoder gives, with errors that say what is wrong with the file. Those of the file itself,
// such as of a disk, stay as they are.
type unpacker struct {
	io.Reader
	ext string
}

// Read reads on, with an error that names the compression in place of the decoder's own.
func (u unpacker) Read(b []byte) (int, error) {
	n, err := u.Reader.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = notPacked(u.ext, err)
	}
	return n, err
}

// notPacked explains the error of a decoder.
func notPacked(ext string, err error) error {
	switch _, disk := errors.AsType[*fs.PathError](err); {
	case disk:
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("the %s data ends in the middle: the file was not written, or not copied, to its end", ext)
	default:
		return fmt.Errorf("the %s data is damaged, or no %s data at all: %w", ext, ext, err)
	}
}

// A compressor is what the compressions of an output have in common. Reset begins another member, which readers take
// for the same text: so a file can be cut back to the end of any member and go on.
type compressor interface {
	io.WriteCloser
	Reset(io.Writer)
}

// newCompressor makes what the extension says; nil for none. It is given its place by the first Reset, and must not be
// written to before.
func newCompressor(path string) (compressor, error) {
	switch ext := compression(path); ext {
	case "":
		return nil, nil
	case ".gz":
		return gzip.NewWriter(io.Discard), nil
	case ".zst":
		return zstd.NewWriter(io.Discard)
	case ".lz4":
		return lz4.NewWriter(io.Discard), nil
	default:
		return nil, fmt.Errorf("%s files are not written; .gz, .zst and .lz4 are", ext)
	}
}

package pickle

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// Both figures are about memory: how much a stranger's header may ask for, and how much of a stranger's stream
// is held before anything is known of its length.
const (
	// maxDictionary is the largest LZMA window: the one of the highest preset of xz. Both readers would allocate what a
	// header asks for before they have seen a byte of data.
	maxDictionary = 64 << 20
	// headSize is how much of an inflated stream is kept in the first pass over it.
	headSize = 4 << 20
)

// A container is a compression that joblib writes, known by its first bytes. The magic is what joblib itself
// goes by when it loads a file; a name's ending is believed by neither.
type container struct {
	name, magic string
	open        func(*bytes.Reader) (io.Reader, error)
	ratio       int64                     // the largest of inflated to stored bytes
	check       func([]byte, int64) error // bounds what the headers state, before open; nil where they state nothing
}

// containerOf returns the compression of data, or nil if it is not compressed. The four of zlib are its levels:
// 0x78 means deflate with a window of 32 KiB, the second byte level and check bits (RFC 1950). No pickle begins
// so, for 0x78 is no opcode.
func containerOf(data []byte) *container {
	for _, c := range []container{
		{name: "zlib", magic: "\x78\x01", open: openZlib, ratio: maxRatio},
		{name: "zlib", magic: "\x78\x5e", open: openZlib, ratio: maxRatio},
		{name: "zlib", magic: "\x78\x9c", open: openZlib, ratio: maxRatio},
		{name: "zlib", magic: "\x78\xda", open: openZlib, ratio: maxRatio},
		{name: "gzip", magic: "\x1f\x8b", open: openGzip, ratio: maxRatio},
		{name: "bz2", magic: "BZh", open: openBzip2, ratio: maxRatio},
		{name: "xz", magic: "\xfd7zXZ\x00", open: openXz, ratio: maxRatio, check: checkXz},
		{name: "lz4", magic: "\x04\x22\x4d\x18", open: openLz4, ratio: maxRatio, check: checkLz4},
	} {
		if bytes.HasPrefix(data, []byte(c.magic)) {
			return &c
		}
	}
	if isLzma(data) {
		return &container{name: "lzma", open: openLzma, ratio: maxRatioLzma}
	}
	return nil
}

// isLzma knows the default properties, followed by the low byte of a round window (joblib looks no further) or by a
// length that is left open. The format has no magic of its own. 0x5d packs the properties lc=3, lp=0, pb=2,
// which every encoder uses unless it is told otherwise.
func isLzma(data []byte) bool {
	if len(data) < 2 || data[0] != 0x5d {
		return false
	}
	return data[1] == 0 || len(data) >= lzma.HeaderLen && string(data[5:13]) == "\xff\xff\xff\xff\xff\xff\xff\xff"
}

// openZlib checks the Adler-32 sum at the end of the stream.
func openZlib(r *bytes.Reader) (io.Reader, error) { return zlib.NewReader(r) }

// openBzip2 reads all streams of the file as one, as bzip2 does.
func openBzip2(r *bytes.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil }

// openLz4 reads frames with linked blocks, which is how Python writes them.
func openLz4(r *bytes.Reader) (io.Reader, error) { return lz4.NewReader(r), nil }

// openGzip reads one member only: joblib writes one, and what follows it is trailing data. Its CRC-32 is
// checked when the end is reached.
func openGzip(r *bytes.Reader) (io.Reader, error) {
	z, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return z, nil
}

// errDictionary says that a header asks for a window that no preset needs.
var errDictionary = errors.New("asks for a dictionary of more than 64 MiB")

// openXz asks for the smallest window; the library takes that of the block header, which checkXz has seen. One
// stream only, for the same reason as one gzip member.
func openXz(r *bytes.Reader) (io.Reader, error) {
	return xz.ReaderConfig{DictCap: lzma.MinDictCap, SingleStream: true}.NewReader(r)
}

// openLzma reads the window from the 13-byte header (properties, uint32 window, uint64 length) and caps it.
func openLzma(r *bytes.Reader) (io.Reader, error) {
	header := make([]byte, lzma.HeaderLen)
	if _, err := r.ReadAt(header, 0); err != nil {
		return nil, io.ErrUnexpectedEOF
	}
	if binary.LittleEndian.Uint32(header[1:]) > maxDictionary {
		return nil, errDictionary
	}
	return lzma.NewReader(r)
}

// inflate decompresses data whole, or refuses it. It first runs through the stream, keeping no more than its head, and
// makes room for the rest only once the length is known to be within bounds: a bomb costs time, never memory. A
// stream that fits into the head is inflated once, any longer one twice: time is what a bound on memory costs.
func (c *container) inflate(data []byte, limit int64) ([]byte, error) {
	if c.check != nil {
		if err := c.check(data, limit); err != nil {
			return nil, err
		}
	}
	in := bytes.NewReader(data)
	head, size, err := c.measure(in, limit)
	if err != nil {
		return nil, c.explain(err, len(data)-in.Len())
	}
	if in.Len() > 0 {
		return nil, refuse(ReasonTrailingData, len(data)-in.Len(), "%d bytes follow the %s stream", in.Len(), c.name)
	}
	if size == int64(len(head)) {
		return head, nil
	}
	out := make([]byte, size)
	again, err := c.open(bytes.NewReader(data))
	if err == nil {
		_, err = io.ReadFull(again, out)
	}
	if err != nil {
		return nil, c.explain(err, -1)
	}
	return out, nil
}

// measure returns the first headSize inflated bytes and the length of all. One byte more than the limit is
// asked for, which tells a stream that ends there from one that goes on. The writer is wrapped so that it has
// no ReadFrom of its own and the given buffer is used.
func (c *container) measure(in *bytes.Reader, limit int64) (head []byte, size int64, err error) {
	z, err := c.open(in)
	if err != nil {
		return nil, 0, err
	}
	bounded := io.LimitReader(z, limit+1)
	var kept bytes.Buffer
	size, err = io.CopyN(&kept, bounded, headSize)
	if err == nil {
		var rest int64
		rest, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, bounded, make([]byte, 64<<10))
		size += rest
	} else if errors.Is(err, io.EOF) {
		err = nil // fewer than headSize bytes in all
	}
	if err == nil && size > limit {
		err = refuse(ReasonInflateBomb, -1, "inflates to more than %d bytes from %d", limit, in.Size())
	}
	return kept.Bytes(), size, err
}

// explain names what is wrong with a compressed stream. The libraries have no common errors for what comes
// after a stream, hence the look at their words; a change of those would make a reason less exact and nothing
// worse.
func (c *container) explain(err error, offset int) error {
	var syntax *SyntaxError
	switch {
	case errors.As(err, &syntax):
		return syntax
	case strings.Contains(err.Error(), "unexpected data after stream"), // xz
		strings.Contains(err.Error(), "continuation file"): // bzip2
		return refuse(ReasonTrailingData, offset, "something else follows the %s stream", c.name)
	case errors.Is(err, errDictionary):
		return refuse(ReasonInflateBomb, offset, "the %s header %v", c.name, errDictionary)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return refuse(ReasonTruncated, offset, "the %s stream ends too early", c.name)
	default:
		return refuse(ReasonCorrupt, offset, "the %s stream is damaged: %v", c.name, err)
	}
}

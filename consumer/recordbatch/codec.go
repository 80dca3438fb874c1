package recordbatch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// Codec is the compression of a batch, by its number in the attributes.
type Codec int8

// The codecs that Kafka knows.
const (
	None Codec = iota
	Gzip
	Snappy
	LZ4
	Zstd
)

// String is the name of the codec as Kafka's compression.type spells it; what the three bits can hold beyond
// that is "unknown".
func (c Codec) String() string {
	if c < None || c > Zstd {
		return "unknown"
	}
	return [...]string{"none", "gzip", "snappy", "lz4", "zstd"}[c]
}

// errTooLarge answers a compression bomb: a few kilobytes on the wire may stand for gigabytes of zeros.
var errTooLarge = errors.New("over the limit")

// Decompressor unpacks batches for one reader. It keeps the state of the codecs between batches, so that unpacking
// does not allocate once they are warm. Limit bounds what one batch may become, in bytes. It must be set before
// the first call and not changed afterwards: the zstd decoder is made with it. A Decompressor belongs to one
// goroutine.
type Decompressor struct {
	Limit int

	source bytes.Reader
	gzip   *gzip.Reader
	lz4    *lz4.Reader
	zstd   *zstd.Decoder
}

// Append appends the decompressed records of b to dst. The error is a *CorruptError, and where the
// limit is passed a *TooLargeError.
func (d *Decompressor) Append(dst []byte, b *Batch) ([]byte, error) {
	out, err := d.append(dst, b)
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return dst, &TooLargeError{b.BaseOffset, b.Codec(), d.Limit}
	case err != nil:
		return dst, &CorruptError{b.BaseOffset, b.Codec().String() + ": " + err.Error()}
	}
	return out, nil
}

// A TooLargeError says that a batch would become larger than a [Decompressor] may make it. To whoever has no larger one
// the batch is corrupt: it is a *CorruptError, too.
type TooLargeError struct {
	Offset int64 // base offset of the batch
	Codec  Codec
	Limit  int // in bytes
}

func (e *TooLargeError) Error() string { return e.Unwrap().Error() }

// Unwrap gives the same as a *CorruptError.
func (e *TooLargeError) Unwrap() error {
	return &CorruptError{e.Offset, fmt.Sprintf("%v: decompresses to more than %d bytes", e.Codec, e.Limit)}
}

// append chooses the codec. Its errors are those of the libraries; Append says which batch they are about.
func (d *Decompressor) append(dst []byte, b *Batch) ([]byte, error) {
	switch b.Codec() {
	case None:
		return append(dst, b.Payload...), nil
	case Gzip:
		return d.appendGzip(dst, b.Payload)
	case Snappy:
		return d.appendSnappy(dst, b.Payload)
	case LZ4:
		return d.appendLZ4(dst, b.Payload)
	case Zstd:
		return d.appendZstd(dst, b.Payload)
	}
	return nil, errors.New("no such codec")
}

// appendGzip unpacks RFC 1952, whose own CRC-32 at the end the reader checks as well.
func (d *Decompressor) appendGzip(dst, payload []byte) ([]byte, error) {
	d.source.Reset(payload)
	var err error
	if d.gzip == nil {
		d.gzip, err = gzip.NewReader(&d.source)
	} else {
		err = d.gzip.Reset(&d.source)
	}
	if err != nil {
		return nil, err
	}
	return d.drain(dst, d.gzip)
}

// appendLZ4 unpacks the lz4 frame format. Its blocks may be linked or independent; Java writes independent
// ones.
func (d *Decompressor) appendLZ4(dst, payload []byte) ([]byte, error) {
	d.source.Reset(payload)
	if d.lz4 == nil {
		d.lz4 = lz4.NewReader(&d.source)
	} else {
		d.lz4.Reset(&d.source)
	}
	return d.drain(dst, d.lz4)
}

// appendZstd unpacks RFC 8878 frames. One goroutine decodes, since the reader's own loop waits for the result
// anyway.
func (d *Decompressor) appendZstd(dst, payload []byte) ([]byte, error) {
	if d.zstd == nil {
		var err error
		d.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(d.Limit)))
		if err != nil {
			return nil, err
		}
	}
	// The decoder bounds the whole of its output, so what dst holds already must not count.
	out, err := d.zstd.DecodeAll(payload, dst[len(dst):])
	if err != nil {
		return nil, err
	}
	if len(out) > d.Limit {
		return nil, errTooLarge
	}
	return append(dst, out...), nil // in place where dst had the room
}

// drain reads r to its end, which must come within the limit. It reads straight into the free end of dst, so
// the memory beyond the limit that a bomb can take is one growth of the slice.
func (d *Decompressor) drain(dst []byte, r io.Reader) ([]byte, error) {
	start := len(dst)
	for {
		dst = slices.Grow(dst, 4096)
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst)-start > d.Limit {
			return nil, errTooLarge
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// xerial begins the framing of the Java snappy library: magic, version and the oldest version that can read it.
const (
	xerialMagic  = "\x82SNAPPY\x00"
	xerialHeader = len(xerialMagic) + 8
)

// appendSnappy unpacks one block or, as Java clients write it, a framed run of blocks, each after its length.
// That framing is none that snappy's own description defines: the length is four bytes, big-endian, and a raw
// block follows it.
func (d *Decompressor) appendSnappy(dst, payload []byte) ([]byte, error) {
	start := len(dst)
	if !bytes.HasPrefix(payload, []byte(xerialMagic)) {
		return d.appendBlock(dst, payload, start)
	}
	if len(payload) < xerialHeader {
		return nil, io.ErrUnexpectedEOF
	}
	for rest := payload[xerialHeader:]; len(rest) > 0; {
		if len(rest) < 4 || int64(binary.BigEndian.Uint32(rest)) > int64(len(rest)-4) {
			return nil, io.ErrUnexpectedEOF
		}
		size := int(binary.BigEndian.Uint32(rest))
		var err error
		if dst, err = d.appendBlock(dst, rest[4:4+size], start); err != nil {
			return nil, err
		}
		rest = rest[4+size:]
	}
	return dst, nil
}

// appendBlock unpacks one raw snappy block. A block states its decompressed length up front, so a bomb is
// refused before any room is made for it; start is where the batch began in dst, for all blocks count together.
func (d *Decompressor) appendBlock(dst, block []byte, start int) ([]byte, error) {
	size, err := snappy.DecodedLen(block)
	if err != nil {
		return nil, err
	}
	if size < 0 || len(dst)-start+size > d.Limit {
		return nil, errTooLarge
	}
	end := len(dst) + size
	dst = slices.Grow(dst, size)[:end]
	out, err := snappy.Decode(dst[end-size:], block)
	if err != nil {
		return nil, err
	}
	if len(out) != size {
		return nil, io.ErrUnexpectedEOF
	}
	return dst, nil
}

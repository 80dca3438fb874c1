package pickle

import "encoding/binary"

const (
	xzHeaderLen   = 12   // of the stream: magic, flags, checksum
	xzLZMA2       = 0x21 // the one filter that joblib writes
	xzMaxDictByte = 28   // states a window of 64 MiB, as maxDictionary does
)

// An xz stream is a header, blocks, an index of them and a footer. A block is a header, which names the filters and the
// window, LZMA2 chunks up to a zero byte, padding to a multiple of four, and a checksum. A chunk begins with a control
// byte: 0 ends the block, 1 and 2 mean stored data, 0x80 and above compressed data; its sizes follow, each less one.

// checkXz walks the headers of an xz stream without decompressing it. Every LZMA2 chunk states how long it is and
// will be, so window and inflated length are known to be within bounds before the library makes room for them. There
// may be one block, as Python writes it: each further one would ask for a window of its own.
func checkXz(data []byte, limit int64) error {
	w := xzWalk{data: data}
	header, err := w.take(xzHeaderLen)
	if err != nil {
		return err
	}
	if none, err := w.blockHeader(); none || err != nil {
		return err
	}
	if err := w.chunks(); err != nil {
		return err
	}
	if w.inflated > limit {
		return refuse(ReasonInflateBomb, w.pos, "inflates to more than %d bytes from %d", limit, len(data))
	}
	checksum := map[byte]int{0: 0, 1: 4, 4: 8, 10: 32}[header[7]&15]
	if _, err := w.take((4-w.pos%4)%4 + checksum); err != nil { // all parts begin at multiples of four
		return err
	}
	index, err := w.take(1)
	if err == nil && index[0] != 0 {
		err = refuse(ReasonUnsupportedFormat, w.pos, "an xz stream of several blocks; Python writes one")
	}
	return err
}

// An xzWalk is a place in an xz stream and the inflated bytes that the chunks so far have announced.
type xzWalk struct {
	data     []byte
	pos      int
	inflated int64
}

// take returns the next n bytes as a view. n may come from the file and is at most 64 KiB and a little, so the
// comparison cannot overflow.
func (w *xzWalk) take(n int) ([]byte, error) {
	if n > len(w.data)-w.pos {
		return nil, refuse(ReasonTruncated, len(w.data), "the xz stream ends too early")
	}
	w.pos += n
	return w.data[w.pos-n : w.pos], nil
}

// blockHeader reads size, flags, optional sizes and the one filter; none says that there is no block. Its size
// byte counts units of four bytes, less one, itself included and the checksum too; zero in its place begins the
// index of a stream without blocks. What the optional sizes claim is passed over: the chunks are measured.
func (w *xzWalk) blockHeader() (none bool, err error) {
	start := w.pos
	size, err := w.take(1)
	if err != nil || size[0] == 0 {
		return err == nil, err
	}
	body, err := w.take(4*int(size[0]) + 3)
	if err != nil {
		return false, err
	}
	flags, at := body[0], 1
	for _, optional := range []byte{0x40, 0x80} {
		if flags&optional != 0 {
			_, n := binary.Uvarint(body[at:])
			at += max(n, 0)
		}
	}
	if flags&0x3f != 0 || at+3 > len(body) || body[at] != xzLZMA2 || body[at+1] != 1 {
		return false, refuse(ReasonUnsupportedFormat, start, "an xz block with another filter than LZMA2")
	}
	if body[at+2] > xzMaxDictByte {
		return false, refuse(ReasonInflateBomb, start, "the xz header %v", errDictionary)
	}
	return false, nil
}

// chunks walks over the LZMA2 chunks of a block, to the end marker. A compressed chunk holds 2 MiB at most and
// a stored one 64 KiB; the checksums are left to the library, which sees only what has passed here.
func (w *xzWalk) chunks() error {
	for {
		control, err := w.take(1)
		if err != nil || control[0] == 0 {
			return err
		}
		sizes, err := w.take(2)
		if err != nil {
			return err
		}
		size := int64(binary.BigEndian.Uint16(sizes)) + 1
		stored := int(size)
		if control[0] >= 0x80 { // compressed: five more bits of the inflated size, the stored size, perhaps properties
			size += int64(control[0]&0x1f) << 16
			if sizes, err = w.take(2); err != nil {
				return err
			}
			stored = int(binary.BigEndian.Uint16(sizes)) + 1
			if control[0] >= 0xc0 {
				stored++
			}
		}
		w.inflated += size
		if _, err := w.take(stored); err != nil {
			return err
		}
	}
}

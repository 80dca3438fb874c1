package pickle

import "encoding/binary"

const lz4TruncatedMsg = "the lz4 stream ends too early"

// An lz4 frame is a header (magic, flags, block size, optionally content size and dictionary id, checksum), blocks that
// each begin with their stored length, an end mark of four zero bytes, and optionally a checksum of the content. A block
// is a run of sequences: a token whose halves hold the lengths of literals and match, the literals, and the distance of
// the match. Lengths of 15 and more go on in further bytes.

// checkLz4 measures an lz4 frame without decompressing it, by adding up the lengths that its sequences state.
// The library's own limit is that of a block, 4 MiB at most, and not of a stream; and the content size in the
// header is optional and only a promise. Adding lengths up reads each byte of the file at most once and writes
// none.
func checkLz4(data []byte, limit int64) error {
	if len(data) < 7 {
		return refuse(ReasonTruncated, len(data), lz4TruncatedMsg)
	}
	flags, pos, checksum := data[4], 7, 0
	if flags&0x08 != 0 { // the size of the content is stated; the blocks are believed, not it
		pos += 8
	}
	if flags&0x01 != 0 { // the id of a dictionary
		pos += 4
	}
	if flags&0x10 != 0 {
		checksum = 4
	}
	var inflated int64
	for {
		if len(data)-pos < 4 {
			return refuse(ReasonTruncated, len(data), lz4TruncatedMsg)
		}
		header := binary.LittleEndian.Uint32(data[pos:])
		pos += 4
		if header == 0 { // the mark of the end
			return lz4End(data, pos, flags)
		}
		size := int(header &^ (1 << 31))
		if size > len(data)-pos-checksum {
			return refuse(ReasonTruncated, len(data), lz4TruncatedMsg)
		}
		if header>>31 == 1 { // stored as it is
			inflated += int64(size)
		} else {
			inflated += lz4BlockSize(data[pos : pos+size])
		}
		if inflated > limit {
			return refuse(ReasonInflateBomb, pos, "inflates to more than %d bytes from %d", limit, len(data))
		}
		pos += size + checksum
	}
}

// lz4End checks that the file ends with the frame, or with the checksum of its content.
func lz4End(data []byte, pos int, flags byte) error {
	if flags&0x04 != 0 {
		pos += 4
	}
	switch {
	case pos > len(data):
		return refuse(ReasonTruncated, len(data), lz4TruncatedMsg)
	case pos < len(data):
		return refuse(ReasonTrailingData, pos, "%d bytes follow the lz4 stream", len(data)-pos)
	}
	return nil
}

// lz4BlockSize adds up literals and matches of a block. What is malformed adds nothing: the decompressor
// refuses it. The last sequence of a block has literals and no match, so the block ends where a distance would
// begin. A match is four bytes at least, which its length leaves out.
func lz4BlockSize(block []byte) (size int64) {
	for i := 0; i < len(block); {
		token := block[i]
		literals, next := lz4Length(block, i+1, token>>4)
		size += int64(literals)
		i = next + literals + 2 // over the literals and the distance of the match
		if i > len(block) {
			return size
		}
		var match int
		match, i = lz4Length(block, i, token&15)
		size += int64(match) + 4
	}
	return size
}

// lz4Length reads a length of which the token holds the first 15: bytes are added until one is not 255. So one
// further byte of input lengthens the output by 255 bytes at most.
func lz4Length(block []byte, i int, nibble byte) (length, next int) {
	length = int(nibble)
	if nibble < 15 {
		return length, i
	}
	for ; i < len(block); i++ {
		length += int(block[i])
		if block[i] != 255 {
			return length, i + 1
		}
	}
	return length, i
}

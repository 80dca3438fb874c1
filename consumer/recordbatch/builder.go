package recordbatch

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	"github.com/pierrec/lz4/v4"
)

// Producer identifies an idempotent producer to the broker, which then drops a batch that it has already taken.
type Producer struct {
	ID            int64
	Epoch         int16
	Transactional bool
}

// Builder writes one batch, record by record. The zero value is empty and ready.
//
// The bytes that Finish returns belong to the Builder: it must not be Reset before the broker has answered, and never
// after a call that was given up, since the connection may still be writing them. A buffer that is reused too early
// is sent as another batch under the old sequence, and the broker drops it without a word.
type Builder struct {
	Codec Codec // None or LZ4

	raw        []byte // header, then records uncompressed
	packed     []byte // header, then records compressed
	lz4        *lz4.Writer
	count      int32
	last       int32 // place of the last record behind the base offset
	first, max int64 // timestamps
}

// Reset empties the builder and keeps its memory.
func (b *Builder) Reset() { b.raw, b.count, b.last = b.raw[:0], 0, 0 }

// Count is the number of records appended since Reset.
func (b *Builder) Count() int { return int(b.count) }

// Size is the length of the batch so far, before compression.
func (b *Builder) Size() int { return max(len(b.raw), headerSize) }

// Footprint is the memory that the builder holds on to, in bytes, whether or not there is something in it.
func (b *Builder) Footprint() int { return cap(b.raw) + cap(b.packed) }

// Append adds a record with a timestamp in Unix milliseconds. A nil key or value is null. Nothing is kept of the
// arguments. Timestamps may come in any order; the first one is what the deltas count from, and the largest
// stands in the header.
func (b *Builder) Append(timestamp int64, key, value []byte, h Headers) {
	b.AppendAt(b.count, timestamp, key, value, h)
}

// AppendAt is Append for a record that stands place offsets behind the base of its batch, as it does in a batch of which
// compaction has left some. The places must ascend. No broker takes such a batch from a producer; it is for whoever
// writes anew what was read from a log, see [Builder.FinishAt].
func (b *Builder) AppendAt(place int32, timestamp int64, key, value []byte, h Headers) {
	if b.count == 0 {
		b.raw = append(b.raw[:0], make([]byte, headerSize)...)
		b.first, b.max = timestamp, timestamp
	}
	delta := timestamp - b.first
	b.max, b.last = max(b.max, timestamp), place
	size := 1 + varintLen(delta) + varintLen(int64(place)) + fieldLen(key) + fieldLen(value) +
		varintLen(int64(h.Count)) + len(h.Raw)
	dst := binary.AppendVarint(b.raw, int64(size))
	dst = append(dst, 0)
	dst = binary.AppendVarint(dst, delta)
	dst = binary.AppendVarint(dst, int64(place))
	dst = appendField(dst, key)
	dst = appendField(dst, value)
	dst = binary.AppendVarint(dst, int64(h.Count))
	b.raw = append(dst, h.Raw...)
	b.count++
}

// Finish compresses the records, fills in the header and returns the batch. p.ID -1 makes it a batch without
// idempotence. It must be called once per Reset, with at least one record appended. sequence is that of the
// batch's first record among all that the producer has sent to this partition: the broker takes the next one,
// drops a batch that it has already, and refuses any other. The base offset is 0, because the broker gives it.
func (b *Builder) Finish(p Producer, sequence int32) []byte {
	return b.FinishAt(Position{Last: b.count - 1}, p, sequence)
}

// Position is what a broker's log says of a batch, beside its records. Base is the offset that the places count from.
// Last is the place of the last offset that belongs to the batch: it may lie behind the last record that is left, and
// never before it. Control marks the end of a transaction.
type Position struct {
	Base    int64
	Last    int32
	Control bool
}

// FinishAt is Finish for a batch that has its position in a log. It may hold no record at all: compaction keeps the
// header of a producer's last batch when all of its records are gone.
func (b *Builder) FinishAt(at Position, p Producer, sequence int32) []byte {
	if b.count == 0 {
		b.raw = append(b.raw[:0], make([]byte, headerSize)...)
		b.first, b.max = -1, -1
	}
	batch, codec := b.raw, None
	// The length and the checksum are those of what is sent, so the header is written after compression.
	if b.Codec == LZ4 && b.pack() {
		batch, codec = b.packed, LZ4
	}
	attributes := uint16(codec)
	if p.Transactional {
		attributes |= transactional
	}
	if at.Control {
		attributes |= control
	}
	binary.BigEndian.PutUint64(batch, uint64(at.Base))
	binary.BigEndian.PutUint32(batch[8:], uint32(len(batch)-prefixSize))
	binary.BigEndian.PutUint32(batch[12:], 1<<32-1) // leader epoch -1: unknown
	batch[16] = 2
	binary.BigEndian.PutUint16(batch[21:], attributes)
	binary.BigEndian.PutUint32(batch[23:], uint32(max(at.Last, b.last)))
	binary.BigEndian.PutUint64(batch[27:], uint64(b.first))
	binary.BigEndian.PutUint64(batch[35:], uint64(b.max))
	binary.BigEndian.PutUint64(batch[43:], uint64(p.ID))
	binary.BigEndian.PutUint16(batch[51:], uint16(p.Epoch))
	binary.BigEndian.PutUint32(batch[53:], uint32(sequence))
	binary.BigEndian.PutUint32(batch[57:], uint32(b.count))
	binary.BigEndian.PutUint32(batch[17:], crc32.Checksum(batch[crcStart:], castagnoli()))
	return batch
}

// pack compresses the records; false if that would not make the batch smaller.
func (b *Builder) pack() bool {
	b.packed = append(b.packed[:0], b.raw[:headerSize]...)
	sink := (*appender)(&b.packed)
	if b.lz4 == nil {
		b.lz4 = lz4.NewWriter(sink)
		// Java's reader wants independent blocks and no content size; the batch has a checksum of its own.
		if b.lz4.Apply(lz4.ChecksumOption(false), lz4.BlockSizeOption(lz4.Block256Kb), lz4.ConcurrencyOption(1)) != nil {
			return false
		}
	}
	b.lz4.Reset(sink)
	if _, err := b.lz4.Write(b.raw[headerSize:]); err != nil {
		return false
	}
	return b.lz4.Close() == nil && len(b.packed) < len(b.raw)
}

// appender is a byte slice that grows by what is written to it.
type appender []byte

func (a *appender) Write(p []byte) (int, error) {
	*a = append(*a, p...)
	return len(p), nil
}

// varintLen is the number of bytes that the zigzag encoding of v takes: 7 bits a byte.
func varintLen(v int64) int {
	u := uint64(v)<<1 ^ uint64(v>>63)
	return (bits.Len64(u|1) + 6) / 7
}

// fieldLen is the number of bytes that appendField writes.
func fieldLen(value []byte) int {
	if value == nil {
		return 1
	}
	return varintLen(int64(len(value))) + len(value)
}

// Package recordbatch is the grammar of Kafka's record batches (message format 2), both ways.
//
// A fetch response carries, per partition, a run of batches as they lie in the broker's log:
//
//	base offset 8 | length 4 | leader epoch 4 | magic 1 | crc 4 | attributes 2 | last offset delta 4 |
//	first timestamp 8 | max timestamp 8 | producer id 8 | producer epoch 2 | base sequence 4 | count 4 | records
//
// all big-endian; the CRC-32C covers everything from the attributes on. The records may be compressed as one block.
// [Next] cuts one batch off such a run and checks its CRC, [Batch.Records] walks its records, and [Builder] writes a
// batch that a broker takes as it is. The package knows the bytes only: which batches belong to an aborted
// transaction, and what to do with a corrupt one, is for the caller to decide.
//
// # Why views
//
// A [Record] points into the bytes it was read from: key, value and headers are slices of the fetch buffer or, for a
// compressed batch, of the decompressed block. An event is looked at once and its decision is written elsewhere, so a
// copy would be the largest cost of the loop. Whoever owns the buffer decides when the views die.
//
// # Why headers stay bytes
//
// The headers of a record are encoded alike in a fetched and in a produced batch, so a dead letter keeps the headers
// of its event by copying one range of bytes. [Headers] checks the range once and decodes a header when it is asked.
//
// # How a record is written
//
// Within the block, each record stands behind its length. Every number but the attributes is a zigzag varint, so
// that small ones of either sign take one byte:
//
//	length | attributes 1 byte | timestamp delta | offset delta |
//	key length | key | value length | value | header count | (key length | key | value length | value) ...
//
// The deltas count from the first timestamp and the base offset of the batch; a length of -1 is a null.
package recordbatch

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// headerSize is the length of a batch header, from the base offset to the record count.
const headerSize = 61

// prefixSize is what a batch's length field does not count: base offset and the length itself.
const prefixSize = 12

// crcStart is the first byte that the CRC covers. Base offset and leader epoch stand before it: the broker sets
// them when it appends the batch to its log, and need not compute the producer's sum anew.
const crcStart = 21

// The bits of a batch's attributes above the codec. The three lowest bits are the codec; bit 3 says that the
// timestamps are those of the broker's append and not of the producer.
const (
	logAppendTime = 1 << 3
	transactional = 1 << 4
	control       = 1 << 5
)

// A CorruptError says that bytes are no sound batch. Offset is the base offset of the batch. Detail names the
// field or the sum that gave them away, never the content of a record.
type CorruptError struct {
	Offset int64
	Detail string
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("corrupt record batch at offset %d: %s", e.Offset, e.Detail)
}

// Batch is the header of one batch and a view of its records. Payload points into the bytes given to [Next]. A
// Batch is filled anew by each call, so one of them serves a whole fetch; it is not to be shared between
// goroutines while it is being filled.
type Batch struct {
	BaseOffset      int64
	LastOffsetDelta int32
	FirstTimestamp  int64 // Unix milliseconds
	MaxTimestamp    int64
	ProducerID      int64 // -1: the producer was not idempotent
	ProducerEpoch   int16
	BaseSequence    int32
	Count           int32  // number of records; compaction may leave fewer than LastOffsetDelta+1
	Payload         []byte // the records, compressed by Codec

	attributes int16
}

// Codec tells how Payload is compressed.
func (b *Batch) Codec() Codec { return Codec(b.attributes & 7) }

// Transactional tells whether the batch belongs to a transaction, so that it counts only if that was committed.
func (b *Batch) Transactional() bool { return b.attributes&transactional != 0 }

// Control tells whether the batch is a transaction marker, which holds no record of the application.
func (b *Batch) Control() bool { return b.attributes&control != 0 }

// NextOffset is the offset after the batch. Compaction and markers make it larger than the last record's by more
// than one, so a reader goes on here and not after the last record that it saw.
func (b *Batch) NextOffset() int64 { return b.BaseOffset + int64(b.LastOffsetDelta) + 1 }

// Next cuts the first batch off data and returns what follows it. ok is false at the end of data: nothing is left, or
// only the beginning of a batch that the broker cut at the size asked for. The error is a *CorruptError, also where
// the CRC is wrong; then nothing of b may be used but BaseOffset.
func Next(data []byte, b *Batch) (rest []byte, ok bool, err error) {
	if len(data) < prefixSize {
		return nil, false, nil
	}
	b.BaseOffset = int64(binary.BigEndian.Uint64(data))
	length := int(int32(binary.BigEndian.Uint32(data[8:])))
	if length < headerSize-prefixSize {
		return nil, false, &CorruptError{b.BaseOffset, fmt.Sprintf("length field says %d", length)}
	}
	if len(data) > 16 && data[16] != 2 {
		return nil, false, &CorruptError{b.BaseOffset, fmt.Sprintf("message format %d, only 2 is read", data[16])}
	}
	if len(data) < prefixSize+length {
		return nil, false, nil
	}
	// The checksum comes before the other fields are believed: a length that a bit flip has made plausible
	// shows here.
	whole := data[:prefixSize+length]
	want, got := binary.BigEndian.Uint32(whole[17:]), crc32.Checksum(whole[crcStart:], castagnoli())
	if want != got {
		return nil, false, &CorruptError{b.BaseOffset, fmt.Sprintf("CRC-32C is %08x, the header says %08x", got, want)}
	}
	b.parseHeader(whole)
	if b.LastOffsetDelta < 0 || b.Count < 0 {
		return nil, false, &CorruptError{b.BaseOffset, "negative offset delta or record count"}
	}
	return data[len(whole):], true, nil
}

// parseHeader reads the fixed fields at the places that the package comment lists. The whole header is there:
// Next has compared the length.
func (b *Batch) parseHeader(whole []byte) {
	b.attributes = int16(binary.BigEndian.Uint16(whole[21:]))
	b.LastOffsetDelta = int32(binary.BigEndian.Uint32(whole[23:]))
	b.FirstTimestamp = int64(binary.BigEndian.Uint64(whole[27:]))
	b.MaxTimestamp = int64(binary.BigEndian.Uint64(whole[35:]))
	b.ProducerID = int64(binary.BigEndian.Uint64(whole[43:]))
	b.ProducerEpoch = int16(binary.BigEndian.Uint16(whole[51:]))
	b.BaseSequence = int32(binary.BigEndian.Uint32(whole[53:]))
	b.Count = int32(binary.BigEndian.Uint32(whole[57:]))
	b.Payload = whole[headerSize:]
}

// Marker is what a control batch says of its producer's transaction.
type Marker uint8

// A control batch of a type that is not known here is to be passed over.
const (
	UnknownMarker Marker = iota
	AbortMarker
	CommitMarker
)

// Marker reads the type of a control batch from the key of its only record: version and type, 2 bytes each.
func (b *Batch) Marker() (Marker, error) {
	records := b.Records(b.Payload)
	var r Record
	if ok, err := records.Next(&r); err != nil || !ok || len(r.Key) < 4 {
		return UnknownMarker, &CorruptError{b.BaseOffset, "control batch without a readable marker"}
	}
	switch binary.BigEndian.Uint16(r.Key[2:]) {
	// Kafka numbers the markers 0 for abort and 1 for commit; other numbers belong to the brokers' own metadata
	// log.
	case 0:
		return AbortMarker, nil
	case 1:
		return CommitMarker, nil
	}
	return UnknownMarker, nil
}

// castagnoli is the table that the CRC instruction of the processor stands behind; it is built once by the library.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

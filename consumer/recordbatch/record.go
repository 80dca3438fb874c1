package recordbatch

import "encoding/binary"

// Record is one record as views into the bytes of its batch. A nil Key or Value is null. The views live as long
// as the bytes do, and no longer.
type Record struct {
	Offset    int64
	Timestamp int64 // Unix milliseconds; -1: none
	Key       []byte
	Value     []byte
	Headers   Headers
}

// Records walks the records of one batch. It is a value without memory of its own: to walk a batch twice is to
// call [Batch.Records] twice.
type Records struct {
	rest    []byte
	left    int32
	base    int64 // offset
	first   int64 // timestamp that the deltas count from
	stamped int64 // time of the broker's append, for every record alike
	isStamp bool
}

// Records starts a walk over the records of the batch; payload is b.Payload after decompression.
func (b *Batch) Records(payload []byte) Records {
	return Records{
		rest: payload, left: b.Count, base: b.BaseOffset, first: b.FirstTimestamp,
		stamped: b.MaxTimestamp, isStamp: b.attributes&logAppendTime != 0,
	}
}

// Next reads the next record into r; false at the end. The error is a *CorruptError.
func (rs *Records) Next(r *Record) (bool, error) {
	if rs.left == 0 {
		if len(rs.rest) != 0 {
			return false, rs.corrupt("bytes after the last record")
		}
		return false, nil
	}
	rs.left--
	size, n := varint(rs.rest)
	if n == 0 || size < 0 || size > int64(len(rs.rest)-n) {
		return false, rs.corrupt("record length")
	}
	body := rs.rest[n : n+int(size)]
	rs.rest = rs.rest[n+int(size):]
	if !rs.parse(body, r) {
		return false, rs.corrupt("record does not fill its length")
	}
	return true, nil
}

// corrupt names the batch and not the record: the offsets within a batch that is not sound are not sound
// either.
func (rs *Records) corrupt(detail string) error { return &CorruptError{rs.base, detail} }

// parse reads the fields of one record, which must take up the whole body.
func (rs *Records) parse(body []byte, r *Record) bool {
	if len(body) < 1 {
		return false
	}
	body = body[1:] // attributes of a record, unused so far
	delta, n := varint(body)
	if n == 0 {
		return false
	}
	body = body[n:]
	place, n := varint(body)
	if n == 0 || place < 0 || place > 1<<31-1 {
		return false
	}
	r.Offset, r.Timestamp = rs.base+place, rs.first+delta
	if rs.isStamp {
		r.Timestamp = rs.stamped
	}
	var ok bool
	if r.Key, body, ok = field(body[n:]); !ok {
		return false
	}
	if r.Value, body, ok = field(body); !ok {
		return false
	}
	count, n := varint(body)
	// A header takes two bytes at least, so a count beyond the bytes that are left is a lie, found before it is
	// looped over.
	if n == 0 || count < 0 || count > int64(len(body)) {
		return false
	}
	r.Headers = Headers{Count: int(count), Raw: body[n:]}
	return r.Headers.sound()
}

// field reads a length and that many bytes; the length -1 is null.
func field(data []byte) (value, rest []byte, ok bool) {
	size, n := varint(data)
	if n == 0 || size < -1 || size > int64(len(data)-n) {
		return nil, nil, false
	}
	if size == -1 {
		return nil, data[n:], true
	}
	end := n + int(size)
	// The capacity ends with the view, so that nobody who appends to it writes over the field behind.
	return data[n:end:end], data[end:], true
}

// varint reads a zigzag-encoded integer; n is 0 where there is none. Encoded are the unsigned numbers 0, 1, 2,
// 3, … for 0, -1, 1, -2, …, seven bits a byte, the lowest first. Ten bytes hold any int64; a longer run is
// none.
func varint(data []byte) (v int64, n int) {
	if len(data) > 0 && data[0] < 0x80 { // most lengths and deltas take one byte
		u := uint64(data[0])
		return int64(u>>1) ^ -int64(u&1), 1
	}
	if v, n = binary.Varint(data); n < 0 {
		return 0, 0
	}
	return v, n
}

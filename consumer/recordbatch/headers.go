package recordbatch

import (
	"encoding/binary"
	"iter"
)

// Headers are the headers of one record as they stand on the wire: Count times key and value, each with its
// length. Raw does not include the count, which stands before it on the wire. Headers that came out of
// [Records.Next] are known to be sound; those that are built with Add are so by construction.
type Headers struct {
	Count int
	Raw   []byte
}

// All yields key and value of each header in order, as views; a nil value is null.
func (h Headers) All() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		rest := h.Raw
		for range h.Count {
			key, after, ok := field(rest)
			if !ok {
				return
			}
			value, after, ok := field(after)
			if !ok || !yield(key, value) {
				return
			}
			rest = after
		}
	}
}

// Add appends one header; a nil value is null.
func (h *Headers) Add(key string, value []byte) {
	h.Raw = binary.AppendVarint(h.Raw, int64(len(key)))
	h.Raw = append(h.Raw, key...)
	h.Raw = appendField(h.Raw, value)
	h.Count++
}

// AddText appends one header whose value is text. It is Add without the conversion of the value to bytes, which
// may cost an allocation each time.
func (h *Headers) AddText(key, value string) {
	h.Raw = binary.AppendVarint(h.Raw, int64(len(key)))
	h.Raw = append(h.Raw, key...)
	h.Raw = binary.AppendVarint(h.Raw, int64(len(value)))
	h.Raw = append(h.Raw, value...)
	h.Count++
}

// CopyOf makes h a copy of o, in h's own memory. What h held before is overwritten, and its memory is kept: so
// a dead letter may outlive the fetch that its event came with.
func (h *Headers) CopyOf(o Headers) {
	h.Count = o.Count
	h.Raw = append(h.Raw[:0], o.Raw...)
}

// sound tells whether Raw is exactly Count headers, each with a key that is not null.
func (h Headers) sound() bool {
	rest := h.Raw
	for range h.Count {
		key, after, ok := field(rest)
		if !ok || key == nil {
			return false
		}
		if _, rest, ok = field(after); !ok {
			return false
		}
	}
	return len(rest) == 0
}

// appendField is the counterpart of field: a length and that many bytes, or -1 for null. An empty value is none
// of the latter: it has the length 0.
func appendField(dst, value []byte) []byte {
	if value == nil {
		return append(dst, 1) // zigzag of -1
	}
	dst = binary.AppendVarint(dst, int64(len(value)))
	return append(dst, value...)
}

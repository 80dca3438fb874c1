package scoring

import (
	"bytes"
	"encoding/binary"
)

// A shape is the keys of a value in the order in which they stood. Events of one stream mostly have the same, so the
// scan compares each key with the one in its place before: no hashing, and as long as all agree, no key can be there
// twice.
//
// It is a guess that costs nothing when it is wrong: the scan then looks at every key by itself, as it would
// have done, and what it meets becomes the next guess.
type shape struct {
	keys   []shapeKey
	names  []byte // of all keys, each with its closing quote
	next   int    // the key expected next
	broken bool   // this value has another shape
	whole  bool   // the rest cannot be learnt
}

// A shapeKey is one key in its place: head and mask compare up to 8 bytes at once. mask has ones for the bytes
// of the key and its closing quote, up to eight, so one comparison says that a short key is the expected one
// and that it ends where it should.
type shapeKey struct {
	head, mask    uint64
	hash          uint64
	start, end    uint32 // in names, closing quote included
	object        uint32
	depth         int32
	parent, child int32 // nodes of the paths
}

// maxShape bounds what is remembered of a value. A value of more keys is compared as far as this and read key
// by key from there on.
const maxShape = 2048

// begin starts the comparison with a new value.
func (s *shape) begin() { s.next, s.broken, s.whole = 0, false, false }

// match compares the key at p, after its opening quote, with the one expected there. It returns the key's node and
// the offset after the closing quote, or -1 where it is another. A key of eight bytes or fewer with its quote
// needs no more than the first comparison. object and parent must agree as well: the same names in the same
// order may stand in other objects.
func (s *shape) match(data []byte, p int, object uint32, parent int32) (child int32, end int) {
	if s.broken || s.next >= len(s.keys) {
		return 0, -1
	}
	k := &s.keys[s.next]
	if binary.LittleEndian.Uint64(data[p:])&k.mask != k.head || k.object != object || k.parent != parent {
		return 0, -1
	}
	end = p + int(k.end-k.start)
	if k.end-k.start > 8 && (end > len(data) || !bytes.Equal(data[p+8:end], s.names[k.start+8:k.end])) {
		return 0, -1
	}
	s.next++
	return k.child, end
}

// name is the key's text.
func (s *shape) name(k *shapeKey) []byte { return s.names[k.start : k.end-1] }

// leave ends the comparison and forgets the keys from here on. It returns the number of those that agreed. What
// comes after is learnt from this value, so a stream that changes its events for good is slow for one of them.
func (s *shape) leave() int {
	s.broken = true
	s.keys = s.keys[:s.next]
	if s.next > 0 {
		s.names = s.names[:s.keys[s.next-1].end]
	} else {
		s.names = s.names[:0]
	}
	return s.next
}

// learn appends a key to the shape. A key with escapes ends what can be compared byte by byte. Names are
// bounded in number and in bytes, and a key beyond that ends the learning for the value.
func (s *shape) learn(name []byte, escaped bool, k shapeKey) {
	s.whole = s.whole || escaped || len(s.keys) >= maxShape || len(s.names) > 1<<16
	if s.whole {
		return
	}
	k.start = uint32(len(s.names))
	s.names = append(append(s.names, name...), '"')
	k.end = uint32(len(s.names))
	var eight [8]byte
	n := copy(eight[:], s.names[k.start:])
	k.head = binary.LittleEndian.Uint64(eight[:])
	k.mask = ^uint64(0) >> (64 - 8*n)
	s.keys = append(s.keys, k)
}

package scoring

import (
	"bytes"
	"hash/maphash"
)

// keySeed makes the collisions of keys unpredictable, so that no event can be made to be slow. It is drawn once
// for each process; no hash is ever written down or compared with one from elsewhere.
var keySeed = maphash.MakeSeed()

// hashKey is what both tables here go by. Without the seed, a sender could choose a thousand keys that all fall
// into one place and make each event cost their square.
func hashKey(name []byte) uint64 { return maphash.Bytes(keySeed, name) }

// A keyTable maps names to numbers: open addressing with linear probing, filled once and then only read. The
// number 0 means that there is no such name, so values begin at 1.
type keyTable struct {
	slots []keySlot // a power of two, at most half of them used
	used  int
}

// A keySlot keeps the hash beside the name, so that names are compared only where they will be equal.
type keySlot struct {
	hash  uint64
	name  []byte
	value int32
	used  bool
}

// lookup returns the number of name, whose hash is hash, or 0. At least half of the slots are free, so the walk
// ends soon, and it ends at all.
func (t *keyTable) lookup(name []byte, hash uint64) int32 {
	if t.used == 0 {
		return 0
	}
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		slot := &t.slots[i]
		if !slot.used {
			return 0
		}
		if slot.hash == hash && bytes.Equal(slot.name, name) {
			return slot.value
		}
	}
}

// insert adds a name that the table does not hold yet.
func (t *keyTable) insert(name string, value int32) {
	if 2*(t.used+1) > len(t.slots) {
		old := t.slots
		t.slots = make([]keySlot, max(8, 2*len(old)))
		for _, slot := range old {
			if slot.used {
				t.place(slot)
			}
		}
	}
	t.used++
	t.place(keySlot{hash: hashKey([]byte(name)), name: []byte(name), value: value, used: true})
}

// place puts a slot into the first free place from that of its hash on.
func (t *keyTable) place(slot keySlot) {
	mask := uint64(len(t.slots) - 1)
	i := slot.hash & mask
	for t.slots[i].used {
		i = (i + 1) & mask
	}
	t.slots[i] = slot
}

// A keySet holds the keys of the objects that a scan is inside of, to find duplicates. Keys leave in the reverse
// order in which they came, so linear probing needs no tombstones.
//
// A key that was placed behind others by probing was added after them, and with objects closing from the inside
// out it also goes before them: no gap can open in a run of slots that a later search would stop at.
type keySet struct {
	table []uint32 // index in keys, plus one; a power of two, at most half of them used
	keys  []openKey
}

// An openKey is a key of an object that is not closed yet. Its name is a view of the value or of the scan's
// scratch. slot is where it stands, so that it can leave without being searched for.
type openKey struct {
	name   []byte
	hash   uint64
	object uint32
	slot   uint32 // in table
}

// newKeySet has room for the keys of an ordinary event.
func newKeySet() keySet {
	return keySet{table: make([]uint32, 256), keys: make([]openKey, 0, 128)}
}

// add reports whether name was not yet among the keys of object. The factor is 2^64 divided by the golden
// ratio, which spreads consecutive numbers of objects over the whole table.
func (s *keySet) add(name []byte, hash uint64, object uint32) bool {
	hash += uint64(object) * 0x9e3779b97f4a7c15 // objects in arrays repeat the same names
	if 2*(len(s.keys)+1) > len(s.table) {
		s.grow()
	}
	mask := uint32(len(s.table) - 1)
	i := uint32(hash) & mask
	for ; s.table[i] != 0; i = (i + 1) & mask {
		k := &s.keys[s.table[i]-1]
		if k.hash == hash && k.object == object && bytes.Equal(k.name, name) {
			return false
		}
	}
	s.keys = append(s.keys, openKey{name: name, hash: hash, object: object, slot: i})
	s.table[i] = uint32(len(s.keys))
	return true
}

// close forgets the keys of object, the innermost. They are the last ones that were added: an object inside of
// it has been closed before.
func (s *keySet) close(object uint32) {
	n := len(s.keys)
	for ; n > 0 && s.keys[n-1].object == object; n-- {
		s.table[s.keys[n-1].slot] = 0
	}
	s.keys = s.keys[:n]
}

// reset forgets all keys: a scan that met a fault leaves objects open.
func (s *keySet) reset() {
	for i := range s.keys {
		s.table[s.keys[i].slot] = 0
	}
	s.keys = s.keys[:0]
}

// grow doubles the table, which stays: it is bounded by the limits of depth and of keys.
func (s *keySet) grow() {
	s.table = make([]uint32, 2*len(s.table))
	mask := uint32(len(s.table) - 1)
	for n := range s.keys {
		k := &s.keys[n]
		i := uint32(k.hash) & mask
		for s.table[i] != 0 {
			i = (i + 1) & mask
		}
		k.slot = i
		s.table[i] = uint32(n + 1)
	}
}

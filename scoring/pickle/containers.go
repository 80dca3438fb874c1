package pickle

import (
	"slices"
	"strconv"
	"strings"
)

// The containers that are filled here are the ones Python fills through APPEND and SETITEM, lists, dicts and sets, and
// objects of classes that subclass them, whose items and pairs are kept beside their state.

// collect makes one container of everything above the last mark. The items are a copy of that part of the
// stack, so the container does not change when the stack is used again.
func (m *machine) collect(op byte) error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	switch op {
	case opTuple:
		m.push(&Tuple{Items: items})
	case opList:
		m.push(&List{Items: items})
	case opFrozenSet:
		m.push(&Set{Items: items})
	case opDict:
		d := &Dict{}
		m.push(d)
		return m.fill(d, items)
	}
	return nil
}

// fill stores alternating keys and values.
func (m *machine) fill(d *Dict, items []Value) error {
	if len(items)%2 != 0 {
		return m.refuse(ReasonCorrupt, "a key without a value")
	}
	for i := 0; i < len(items); i += 2 {
		if err := m.setItem(d, items[i], items[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// setItem stores a pair. A long key counts as a copy, since one that is memoised could be hashed again and
// again. Hashing is what makes a long key expensive: two bytes of file, a memo reference, would otherwise buy a
// pass over megabytes, once for each pair.
func (m *machine) setItem(d *Dict, key, value Value) error {
	size := 0
	switch k := key.(type) {
	case string:
		size = len(k)
	case Bytes:
		size = len(k)
	case *Scalar:
		size = len(k.Data)
	}
	if size > freeKey {
		if err := m.spendCopy(size); err != nil {
			return err
		}
	}
	if !d.set(key, value) {
		return m.refuse(ReasonCorrupt, "a key of a dict that cannot be hashed")
	}
	return nil
}

// appendItems adds one value, or all above the last mark, to the container below. APPEND is for lists and for
// objects that subclass them; ADDITEMS is for sets. A set may hold what Python could not hash, since it is only
// ever listed here and never searched.
func (m *machine) appendItems(op byte) error {
	var items []Value
	var err error
	if op == opAppend {
		var item Value
		item, err = m.pop()
		items = []Value{item}
	} else {
		items, err = m.popMark()
	}
	if err != nil {
		return err
	}
	target, err := m.top()
	if err != nil {
		return err
	}
	switch t := target.(type) {
	case *List:
		if op != opAddItems {
			t.Items = append(t.Items, items...)
			return nil
		}
	case *Set:
		if op == opAddItems {
			t.Items = append(t.Items, items...)
			return nil
		}
	case *Object:
		t.Items = append(t.Items, items...)
		return nil
	}
	return m.refuse(ReasonCorrupt, "nothing that items can be added to")
}

// setItems stores one pair, or all above the last mark, in the dict or object below. The pairs of an object are
// those of a class that subclasses dict, and are kept apart from its attributes.
func (m *machine) setItems(op byte) error {
	var items []Value
	if op == opSetItem {
		pair, err := m.popTuple(2)
		if err != nil {
			return err
		}
		items = pair.Items
	} else {
		var err error
		if items, err = m.popMark(); err != nil {
			return err
		}
	}
	target, err := m.top()
	if err != nil {
		return err
	}
	switch t := target.(type) {
	case *Dict:
		return m.fill(t, items)
	case *Object:
		if t.Pairs == nil {
			t.Pairs = &Dict{}
		}
		return m.fill(t.Pairs, items)
	}
	return m.refuse(ReasonCorrupt, "nothing that pairs can be stored in")
}

// drop takes the top of the stack, or the mark if it is on top. So does protocol 0 throw a tuple away, mark and
// all, that turned out to hold itself and to be memoised already.
func (m *machine) drop() error {
	if n := len(m.marks); n > 0 && m.marks[n-1] == len(m.stack) {
		m.marks = m.marks[:n-1]
		return nil
	}
	_, err := m.pop()
	return err
}

// indexed reads a memo index of the given width and hands it to put or get.
func (m *machine) indexed(width int, use func(uint64) error) error {
	i, err := m.readUint(width)
	if err != nil {
		return err
	}
	return use(i)
}

// indexedLine does the same for protocol 0, which writes the index as decimal text.
func (m *machine) indexedLine(use func(uint64) error) error {
	line, err := m.readLine()
	if err != nil {
		return err
	}
	i, err := strconv.ParseUint(strings.TrimSpace(string(line)), 10, 32)
	if err != nil {
		return m.refuse(ReasonCorrupt, "no memo index")
	}
	return use(i)
}

// put stores the top of the stack in the memo. Picklers number entries from 0 (Python 2: from 1) without gaps.
// An index far beyond them would have the memo filled up to it: sixteen bytes of memory for each number
// skipped, out of five bytes of file. Entries in between are empty and cannot be read.
func (m *machine) put(i uint64) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if i > uint64(len(m.memo))+maxMemoGap {
		return m.refuse(ReasonMemoBomb, "memo index %d after %d entries", i, len(m.memo))
	}
	if len(m.memo) == cap(m.memo) {
		m.memo = slices.Grow(m.memo, len(m.memo)+64)
	}
	for uint64(len(m.memo)) <= i {
		if m.spent.memo++; m.spent.memo > m.limits.Memo {
			return m.refuse(ReasonBudget, "more than %d memo entries", m.limits.Memo)
		}
		m.memo = append(m.memo, empty{})
	}
	m.memo[i] = v
	return nil
}

// get pushes a memo entry. The value is shared, not copied: what fills it later fills it everywhere, as in Python.
func (m *machine) get(i uint64) error {
	if i < uint64(len(m.memo)) {
		if _, unset := m.memo[i].(empty); !unset {
			m.push(m.memo[i])
			return nil
		}
	}
	return m.refuse(ReasonCorrupt, "memo entry %d was never set", i)
}

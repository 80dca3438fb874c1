package pickle

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// A machine carries out the opcodes of one pickle. It is a loop over a stack, not a recursion: nesting in the file
// costs stack entries here, never Go stack. Only a pickle inside an object array starts a second machine. A
// machine serves one pickle and one goroutine, and is dropped when run returns.
type machine struct {
	data   []byte // the whole decompressed stream
	pos    int    // the next byte
	opcode int    // where the current opcode began, for errors

	stack []Value
	marks []int // heights of the stack at MARK
	memo  []Value

	unbuilt map[*Array]maker // arrays that wait for their BUILD, and what made them

	limits  Limits
	spent   *spending
	nesting int  // how many pickles this one sits in
	modern  bool // begins with PROTO, so protocol 2 or later

	refused *refusedNames // collects the names that are refused; nil to stop at the first
}

// spending is what the pickle and those inside it have used of their common limits. It is shared by pointer, so
// that a pickle within a pickle cannot begin with a full purse.
type spending struct{ opcodes, memo, copied int }

// empty marks a memo entry that was never set.
type empty struct{}

// newMachine returns a machine at the first byte of data, with nothing spent.
func newMachine(data []byte, l Limits) *machine {
	return &machine{data: data, limits: l, spent: &spending{}, unbuilt: map[*Array]maker{}}
}

// nested returns a machine for the pickle that begins at the next byte. Its memo is its own; the limits are
// shared. Each level is a recursion in Go, and therefore there are few.
func (m *machine) nested() (*machine, error) {
	if m.nesting == maxNesting {
		return nil, m.refuse(ReasonDepth, "object arrays nested more than %d deep", maxNesting)
	}
	inner := newMachine(m.data, m.limits)
	inner.pos, inner.opcode, inner.spent, inner.nesting = m.pos, m.pos, m.spent, m.nesting+1
	inner.refused = m.refused
	return inner, nil
}

// run carries out opcodes up to STOP and returns the value left on the stack. The value is popped, so a pickle
// that leaves more than one on its stack is read as Python reads it, by the top.
func (m *machine) run() (Value, error) {
	if m.pos == len(m.data) {
		return nil, m.refuse(ReasonCorrupt, "nothing to read")
	}
	m.modern = m.data[m.pos] == opProto
	for first := true; ; first = false {
		m.opcode = m.pos
		op, err := m.readByte()
		if err != nil {
			return nil, err
		}
		if op == opStop {
			return m.pop()
		}
		if m.spent.opcodes++; m.spent.opcodes > m.limits.Objects {
			return nil, m.refuse(ReasonBudget, "more than %d opcodes", m.limits.Objects)
		}
		if known, err := m.step(op); err != nil {
			return nil, err
		} else if !known {
			return nil, m.refuseOpcode(op, first)
		}
	}
}

// step carries out one opcode and says whether there is such a one.
func (m *machine) step(op byte) (known bool, err error) {
	if op >= opProto && !m.modern {
		return false, nil // no pickler writes these without PROTO; most likely this is some other file
	}
	for _, group := range [...]func(*machine, byte) (bool, error){
		(*machine).stepText, (*machine).stepNumber, (*machine).stepContainer, (*machine).stepMemo, (*machine).stepObject,
	} {
		if known, err = group(m, op); known || err != nil {
			return known, err
		}
	}
	return false, nil
}

// refuseOpcode tells a pickle with a forbidden instruction from a file that is none. A first byte that is no
// opcode means some other kind of file, and is worth other advice than an opcode that is known and not allowed.
func (m *machine) refuseOpcode(op byte, first bool) error {
	switch op {
	case opPersID, opBinPersID:
		return m.refuse(ReasonForbiddenOpcode, "a persistent id stands for something outside the file")
	case opExt1, opExt2, opExt4:
		return m.refuse(ReasonForbiddenOpcode, "an extension code stands for a class registered outside the file")
	case opNextBuffer, opReadonlyBuffer:
		return m.refuse(ReasonForbiddenOpcode, "an out-of-band buffer is not in the file: dump without buffer_callback")
	}
	if first || !m.modern {
		return m.refuse(ReasonCorrupt, "no pickle or joblib file")
	}
	return m.refuse(ReasonForbiddenOpcode, "unknown opcode 0x%02x", op)
}

// refuse makes a SyntaxError at the current opcode.
func (m *machine) refuse(reason, format string, args ...any) error {
	return refuse(reason, m.opcode, format, args...)
}

// shortage refuses a length that the rest of the file cannot hold: a file cut off, or, where no file allowed could be
// that long, a length that is not meant. The distinction is for people: a truncated upload is to be repeated, a
// file that lies about its lengths is to be asked about.
func (m *machine) shortage(n uint64, lie string) error {
	if n > uint64(m.limits.File) {
		return m.refuse(lie, "a length of %d bytes", n)
	}
	return m.refuse(ReasonTruncated, "%d bytes needed, %d left", n, len(m.data)-m.pos)
}

// spendCopy bounds the bytes that are copied out of values. Picklers write each value once, so that all copies together
// are no longer than the file; more means that one value is copied again and again.
func (m *machine) spendCopy(n int) error {
	if m.spent.copied += n; m.spent.copied > 2*len(m.data)+1024 {
		return m.refuse(ReasonMemoBomb, "the same bytes are copied over and over")
	}
	return nil
}

// readByte returns the next byte.
func (m *machine) readByte() (byte, error) {
	if m.pos == len(m.data) {
		return 0, m.shortage(1, ReasonTruncated)
	}
	m.pos++
	return m.data[m.pos-1], nil
}

// read returns the next n bytes as a view.
func (m *machine) read(n uint64) ([]byte, error) {
	if n > uint64(len(m.data)-m.pos) {
		return nil, m.shortage(n, ReasonCorrupt)
	}
	start := m.pos
	m.pos += int(n)
	return m.data[start:m.pos:m.pos], nil
}

// readUint returns a little-endian number of 1, 2, 4 or 8 bytes. Eight bytes may exceed an int: every caller
// compares before it converts.
func (m *machine) readUint(width int) (uint64, error) {
	b, err := m.read(uint64(width))
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[:], b)
	return binary.LittleEndian.Uint64(wide[:]), nil
}

// readCounted returns the bytes that follow their count of the given width.
func (m *machine) readCounted(width int) ([]byte, error) {
	n, err := m.readUint(width)
	if err != nil {
		return nil, err
	}
	return m.read(n)
}

// readLine returns the bytes up to the next newline, which it skips. A line has no length in front of it and
// needs no bound of its own, since it is a view.
func (m *machine) readLine() ([]byte, error) {
	n := bytes.IndexByte(m.data[m.pos:], '\n')
	if n < 0 {
		return nil, m.refuse(ReasonCorrupt, "a line without end")
	}
	line := m.data[m.pos : m.pos+n]
	m.pos += n + 1
	return line, nil
}

// push doubles the stack when it is full: append would grow a large one by a quarter, and copy it more often.
func (m *machine) push(v Value) {
	if len(m.stack) == cap(m.stack) {
		m.stack = slices.Grow(m.stack, len(m.stack)+64)
	}
	m.stack = append(m.stack, v)
}

// floor is the height below which the current mark does not let opcodes reach. Without it a hostile file could
// pop its own marks' values and leave marks above the top of the stack.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

// pop takes the top of the stack.
func (m *machine) pop() (Value, error) {
	if len(m.stack) <= m.floor() {
		return nil, m.refuse(ReasonCorrupt, "the stack is empty")
	}
	v := m.stack[len(m.stack)-1]
	m.stack = m.stack[:len(m.stack)-1]
	return v, nil
}

// top returns the top of the stack without taking it.
func (m *machine) top() (Value, error) {
	v, err := m.pop()
	if err == nil {
		m.push(v)
	}
	return v, err
}

// popMark takes everything above the last mark, and the mark. The result is a copy.
func (m *machine) popMark() ([]Value, error) {
	if len(m.marks) == 0 {
		return nil, m.refuse(ReasonCorrupt, "no mark")
	}
	floor := m.floor()
	m.marks = m.marks[:len(m.marks)-1]
	items := append([]Value(nil), m.stack[floor:]...)
	m.stack = m.stack[:floor]
	return items, nil
}

// popTuple takes n values, in the order in which they were pushed.
func (m *machine) popTuple(n int) (*Tuple, error) {
	if len(m.stack)-m.floor() < n {
		return nil, m.refuse(ReasonCorrupt, "the stack holds fewer than %d values", n)
	}
	t := &Tuple{Items: append([]Value(nil), m.stack[len(m.stack)-n:]...)}
	m.stack = m.stack[:len(m.stack)-n]
	return t, nil
}

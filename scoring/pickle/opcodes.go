package pickle

// The opcodes of protocols 0 to 5, named as in Python's pickletools. Each is one byte, and its operands follow:
// a line of text in protocol 0, lengths and numbers in binary from protocol 1 on. Protocol 2 (PEP 307) brought
// the opcodes with the high bit set, protocol 4 (PEP 3154) framing, MEMOIZE and 64-bit lengths, protocol 5 (PEP
// 574) byte arrays and buffers.
const (
	opMark           = '('
	opEmptyTuple     = ')'
	opStop           = '.'
	opPop            = '0'
	opPopMark        = '1'
	opDup            = '2'
	opBinBytes       = 'B'
	opShortBinBytes  = 'C'
	opFloat          = 'F'
	opBinFloat       = 'G'
	opInt            = 'I'
	opBinInt         = 'J'
	opBinInt1        = 'K'
	opLong           = 'L'
	opBinInt2        = 'M'
	opNone           = 'N'
	opPersID         = 'P'
	opBinPersID      = 'Q'
	opReduce         = 'R'
	opString         = 'S'
	opBinString      = 'T'
	opShortBinString = 'U'
	opUnicode        = 'V'
	opBinUnicode     = 'X'
	opEmptyList      = ']'
	opAppend         = 'a'
	opBuild          = 'b'
	opGlobal         = 'c'
	opDict           = 'd'
	opAppends        = 'e'
	opGet            = 'g'
	opBinGet         = 'h'
	opInst           = 'i'
	opLongBinGet     = 'j'
	opList           = 'l'
	opObj            = 'o'
	opPut            = 'p'
	opBinPut         = 'q'
	opLongBinPut     = 'r'
	opSetItem        = 's'
	opTuple          = 't'
	opSetItems       = 'u'
	opEmptyDict      = '}'

	// From here on protocol 2 and later; a stream that uses them begins with PROTO.

	opProto           = 0x80
	opNewObj          = 0x81
	opExt1            = 0x82
	opExt2            = 0x83
	opExt4            = 0x84
	opTuple1          = 0x85
	opTuple2          = 0x86
	opTuple3          = 0x87
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opLong1           = 0x8a
	opLong4           = 0x8b
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opBinBytes8       = 0x8e
	opEmptySet        = 0x8f
	opAddItems        = 0x90
	opFrozenSet       = 0x91
	opNewObjEx        = 0x92
	opStackGlobal     = 0x93
	opMemoize         = 0x94
	opFrame           = 0x95
	opByteArray8      = 0x96
	opNextBuffer      = 0x97
	opReadonlyBuffer  = 0x98
)

// newestProtocol is that of Python 3.8 to 3.14.
const newestProtocol = 5

// Operands that are popped come from above the last mark only: an opcode that reaches below it would take apart
// a container that is still being collected.
// The opcodes fall into five groups, each with a method that says whether an opcode is its own. An opcode that
// fails ends the machine, so that whatever it has pushed by then is never read.

// stepText carries out the opcodes of strings and bytes, and the two that frame a pickle. A bytearray becomes
// Bytes like any other, since nothing here ever changes one.
func (m *machine) stepText(op byte) (known bool, err error) {
	switch op {
	case opProto:
		return true, m.proto()
	case opFrame:
		return true, m.frame()
	case opShortBinUnicode:
		return true, m.text(1)
	case opBinUnicode:
		return true, m.text(4)
	case opBinUnicode8:
		return true, m.text(8)
	case opShortBinBytes:
		return true, m.bytes(1)
	case opBinBytes:
		return true, m.bytes(4)
	case opBinBytes8, opByteArray8:
		return true, m.bytes(8)
	case opShortBinString:
		return true, m.asciiText(1)
	case opBinString:
		return true, m.asciiText(4)
	case opString:
		return true, m.quotedText()
	case opUnicode:
		return true, m.escapedText()
	}
	return false, nil
}

// stepNumber carries out the opcodes of None, truth values and numbers. Fixed-width numbers are little-endian
// and unsigned, BININT and BINFLOAT excepted, which say so themselves.
func (m *machine) stepNumber(op byte) (known bool, err error) {
	switch op {
	case opNone:
		m.push(nil)
	case opNewTrue:
		m.push(true)
	case opNewFalse:
		m.push(false)
	case opBinInt1:
		return true, m.unsigned(1)
	case opBinInt2:
		return true, m.unsigned(2)
	case opBinInt:
		return true, m.signed32()
	case opBinFloat:
		return true, m.float64()
	case opLong1:
		return true, m.long(1)
	case opLong4:
		return true, m.long(4)
	case opInt:
		return true, m.decimal(false)
	case opLong:
		return true, m.decimal(true)
	case opFloat:
		return true, m.decimalFloat()
	default:
		return false, nil
	}
	return true, nil
}

// stepContainer carries out the opcodes of tuples, lists, dicts and sets. A dict, list or set begins empty and
// is filled by later opcodes, which is what lets it hold itself; a tuple and a frozenset are made whole.
func (m *machine) stepContainer(op byte) (known bool, err error) {
	switch op {
	case opMark:
		m.marks = append(m.marks, len(m.stack))
	case opEmptyTuple:
		m.push(&Tuple{})
	case opEmptyList:
		m.push(&List{})
	case opEmptyDict:
		m.push(&Dict{})
	case opEmptySet:
		m.push(&Set{})
	case opTuple1, opTuple2, opTuple3:
		t, err := m.popTuple(int(op-opTuple1) + 1)
		m.push(t)
		return true, err
	case opTuple, opList, opFrozenSet, opDict:
		return true, m.collect(op)
	case opAppend, opAppends, opAddItems:
		return true, m.appendItems(op)
	case opSetItem, opSetItems:
		return true, m.setItems(op)
	default:
		return false, nil
	}
	return true, nil
}

// stepMemo carries out the opcodes of the memo and those that only move the stack. The memo is how a pickle
// says "the same object again": picklers number what they write and refer to the number, so that the arrays of
// a model appear once however often they are shared.
func (m *machine) stepMemo(op byte) (known bool, err error) {
	switch op {
	case opMemoize:
		return true, m.put(uint64(len(m.memo)))
	case opBinPut:
		return true, m.indexed(1, m.put)
	case opLongBinPut:
		return true, m.indexed(4, m.put)
	case opPut:
		return true, m.indexedLine(m.put)
	case opBinGet:
		return true, m.indexed(1, m.get)
	case opLongBinGet:
		return true, m.indexed(4, m.get)
	case opGet:
		return true, m.indexedLine(m.get)
	case opPop:
		return true, m.drop()
	case opPopMark:
		_, err = m.popMark()
		return true, err
	case opDup:
		v, err := m.top()
		m.push(v)
		return true, err
	}
	return false, nil
}

// stepObject carries out the opcodes that would import, call and fill objects in Python. Here, and nowhere
// else, a file can ask for something to be done.
func (m *machine) stepObject(op byte) (known bool, err error) {
	switch op {
	case opGlobal:
		return true, m.global()
	case opStackGlobal:
		return true, m.stackGlobal()
	case opReduce:
		return true, m.reduce()
	case opNewObj:
		return true, m.newObject(false)
	case opNewObjEx:
		return true, m.newObject(true)
	case opInst:
		return true, m.inst()
	case opObj:
		return true, m.obj()
	case opBuild:
		return true, m.build()
	}
	return false, nil
}

package pickle

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// proto checks the protocol number. It is the operand of the first opcode from protocol 2 on, and the number
// decides nothing here: an opcode means the same in every protocol that has it.
func (m *machine) proto() error {
	version, err := m.readByte()
	if err == nil && version > newestProtocol {
		err = m.refuse(ReasonCorrupt, "protocol %d; there are 0 to %d", version, newestProtocol)
	}
	return err
}

// frame checks that a frame lies within the file. Its border has no other meaning to a reader that holds all
// bytes. Python writes frames (protocol 4) so that a reader of a pipe can fetch many small opcodes in one read.
func (m *machine) frame() error {
	n, err := m.readUint(8)
	if err == nil && n > uint64(len(m.data)-m.pos) {
		err = m.shortage(n, ReasonCorrupt)
	}
	return err
}

// text pushes a string of UTF-8. Python writes lone surrogates in the same scheme; they are no text, and refused.
func (m *machine) text(width int) error {
	b, err := m.readCounted(width)
	if err != nil {
		return err
	}
	if !utf8.Valid(b) {
		return m.refuse(ReasonCorrupt, "a string is no UTF-8")
	}
	m.push(string(b))
	return nil
}

// bytes pushes a view of the file: arrays of protocol 3 and later cost no copy. The view keeps the whole file
// in memory for as long as the value lives; a model is mostly its arrays, so little is held that would not be
// held anyway.
func (m *machine) bytes(width int) error {
	b, err := m.readCounted(width)
	m.push(Bytes(b))
	return err
}

// asciiText pushes a string of Python 2, which Python 3 reads as ASCII. Python would read the four-byte length
// as signed; as an unsigned one, a negative length is longer than what the default limits let a file be, and is
// refused as such.
func (m *machine) asciiText(width int) error {
	b, err := m.readCounted(width)
	if err != nil {
		return err
	}
	return m.pushASCII(string(b))
}

// pushASCII pushes text that must mean the same in every encoding.
func (m *machine) pushASCII(s string) error {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return m.refuse(ReasonCorrupt, "a string of Python 2 is no ASCII")
		}
	}
	m.push(s)
	return nil
}

// quotedText pushes a string written as repr does in Python 2.
func (m *machine) quotedText() error {
	line, err := m.readLine()
	if err != nil {
		return err
	}
	s := strings.TrimRight(string(line), " \r")
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '\'' && s[0] != '"' {
		return m.refuse(ReasonCorrupt, "a string without quotes")
	}
	quote, rest := s[0], s[1:len(s)-1]
	var out strings.Builder
	for rest != "" {
		// Go and Python agree on all escapes that repr writes, save that Go wants \' only within '.
		if c, short := strings.CutPrefix(rest, `\'`); short {
			out.WriteByte('\'')
			rest = c
			continue
		}
		r, _, tail, err := strconv.UnquoteChar(rest, quote)
		if err != nil || r >= utf8.RuneSelf {
			return m.refuse(ReasonCorrupt, "a quoted string is malformed")
		}
		out.WriteRune(r)
		rest = tail
	}
	return m.pushASCII(out.String())
}

// escapedText pushes a string of protocol 0: Latin-1 with the escapes \u (four digits) and \U (eight), and no
// other. Python's encoder writes the backslash, the newline and a few others as \u escapes too, so a line of
// the file is always a whole string.
func (m *machine) escapedText() error {
	line, err := m.readLine()
	if err != nil {
		return err
	}
	var out strings.Builder
	for i := 0; i < len(line); i++ {
		digits := 0
		if rest := line[i:]; bytes.HasPrefix(rest, []byte(`\u`)) {
			digits = 4
		} else if bytes.HasPrefix(rest, []byte(`\U`)) {
			digits = 8
		}
		if digits == 0 {
			out.WriteRune(rune(line[i]))
			continue
		}
		end := i + 2 + digits
		if end > len(line) {
			return m.refuse(ReasonCorrupt, "an escape in a string is cut off")
		}
		r, err := strconv.ParseUint(string(line[i+2:end]), 16, 32)
		if err != nil || !utf8.ValidRune(rune(r)) {
			return m.refuse(ReasonCorrupt, "an escape in a string is malformed")
		}
		out.WriteRune(rune(r))
		i = end - 1
	}
	m.push(out.String())
	return nil
}

// unsigned pushes a number of one or two bytes.
func (m *machine) unsigned(width int) error {
	n, err := m.readUint(width)
	m.push(int64(n))
	return err
}

// signed32 pushes BININT, the one fixed-width integer that can be negative.
func (m *machine) signed32() error {
	n, err := m.readUint(4)
	m.push(int64(int32(n)))
	return err
}

// float64 pushes a double; pickle writes it big-endian, unlike everything else.
func (m *machine) float64() error {
	b, err := m.read(8)
	if err != nil {
		return err
	}
	m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
	return nil
}

// long pushes a little-endian two's complement number of any length up to maxIntBytes. Go's integers have
// magnitude and sign apart, so the bytes are turned to big-endian and, where the highest bit is set, 2^bits is
// taken away. No bytes at all are the number 0.
func (m *machine) long(width int) error {
	b, err := m.readCounted(width)
	if err != nil {
		return err
	}
	if len(b) > maxIntBytes {
		return m.refuse(ReasonCorrupt, "an integer of %d bytes", len(b))
	}
	magnitude := slices.Clone(b)
	slices.Reverse(magnitude)
	n := new(big.Int).SetBytes(magnitude)
	if len(b) > 0 && b[len(b)-1] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	m.pushInteger(n)
	return nil
}

// pushInteger keeps the promise of Value that an integer is a *big.Int only where int64 is too narrow.
func (m *machine) pushInteger(n *big.Int) {
	if n.IsInt64() {
		m.push(n.Int64())
		return
	}
	m.push(n)
}

// decimal pushes an integer of protocol 0. INT writes truth values as 00 and 01; LONG ends in L. The length is
// bounded before it is parsed, for reading decimal digits into binary costs more than linear time.
func (m *machine) decimal(long bool) error {
	line, err := m.readLine()
	if err != nil {
		return err
	}
	if len(line) > 2*maxIntBytes {
		return m.refuse(ReasonCorrupt, "an integer of %d digits", len(line))
	}
	text := strings.TrimSpace(string(line))
	if !long && (text == "00" || text == "01") {
		m.push(text == "01")
		return nil
	}
	if long {
		text = strings.TrimSuffix(text, "L")
	}
	n, ok := new(big.Int).SetString(text, 10)
	if !ok {
		return m.refuse(ReasonCorrupt, "no integer")
	}
	m.pushInteger(n)
	return nil
}

// decimalFloat pushes a float of protocol 0, nan and inf included. Go would also take hexadecimal floats and
// underscores, neither of which repr of a Python float writes: they are refused.
func (m *machine) decimalFloat() error {
	line, err := m.readLine()
	if err != nil {
		return err
	}
	f, err := strconv.ParseFloat(strings.TrimSpace(string(line)), 64)
	if err != nil || strings.ContainsAny(string(line), "xX_") {
		return m.refuse(ReasonCorrupt, "no floating-point number")
	}
	m.push(f)
	return nil
}

package scoring

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
)

// text reads the string at p and returns the offset after its closing quote, or -1.
//
// Eight bytes at a time are looked at for something special; nothing but a quote, a backslash, a control
// character or a byte beyond ASCII is. A character beyond ASCII must be UTF-8 in its shortest form and no
// surrogate, which is what utf8.DecodeRune accepts. escaped says that the body is not yet the text.
func (s *scanner) text(p int) (end int, escaped bool) {
	p++
	for {
		eight := binary.LittleEndian.Uint64(s.data[p:])
		special := notPlain(eight)
		if special == 0 {
			p += 8
			continue
		}
		p += bits.TrailingZeros64(special) >> 3
		switch c := s.data[p]; {
		case c == '"':
			return p + 1, escaped
		case c == '\\':
			escaped = true
			p = s.escape(p)
		case c < ' ':
			p = s.fail(BadJSON, p)
		default:
			r, n := utf8.DecodeRune(s.data[p:s.size])
			if r == utf8.RuneError && n == 1 {
				p = s.fail(BadUTF8, p)
			} else {
				p += n
			}
		}
		if p < 0 {
			return -1, false
		}
	}
}

// notPlain has the highest bit set of the first byte that is a quote, a backslash, a control character or no ASCII,
// if there is one; of later bytes it says nothing. It is the search for a byte in a word: x^quote is zero in
// the bytes that are quotes, and subtracting one from each byte sets the highest bit of a zero. A borrow runs
// into the bytes behind, never into those before.
func notPlain(eight uint64) uint64 {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quote := eight ^ '"'*ones
	slash := eight ^ '\\'*ones
	return (eight | (eight - ' '*ones) | (quote - ones) | (slash - ones)) & highs
}

// escape checks the escape at p and returns the offset after it, or -1. Half of a surrogate pair stands for no
// character, so no UTF-8 can hold it. RFC 8259 allows eight letters after the backslash, and u with four
// digits. A character beyond U+FFFF is two such escapes, a high surrogate (d800 to dbff) and a low one.
func (s *scanner) escape(p int) int {
	switch c := s.data[p+1]; c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return p + 2
	case 'u':
		r, fault := hexRune(s.data, p)
		if fault > 0 {
			return s.unexpected(fault)
		}
		if r < 0xd800 || r > 0xdfff {
			return p + 6
		}
		if r < 0xdc00 && s.data[p+6] == '\\' && s.data[p+7] == 'u' {
			low, fault := hexRune(s.data, p+6)
			if fault > 0 {
				return s.unexpected(fault)
			}
			if low >= 0xdc00 && low <= 0xdfff {
				return p + 12
			}
		}
		return s.fail(BadUTF8, p)
	default:
		return s.unexpected(p + 1)
	}
}

// hexRune reads the \u escape of four digits at p; fault is the offset of a byte that is no hexadecimal digit,
// or 0. OR with 0x20 folds upper case into lower; it also folds some control characters into digits, which the
// comparison with '0' sorts out.
func hexRune(data []byte, p int) (r rune, fault int) {
	for i := p + 2; i < p+6; i++ {
		digit := bytes.IndexByte([]byte("0123456789abcdef"), data[i]|0x20)
		if digit < 0 || data[i] < '0' {
			return 0, i
		}
		r = r<<4 | rune(digit)
	}
	return r, 0
}

// appendUnescaped appends the characters that body, the inside of a valid JSON string, stands for. The scan has
// checked each escape, so nothing here can fail; the result is never longer than body.
func appendUnescaped(dst, body []byte) []byte {
	for {
		slash := bytes.IndexByte(body, '\\')
		if slash < 0 {
			return append(dst, body...)
		}
		dst = append(dst, body[:slash]...)
		body = body[slash:]
		n := 2
		switch body[1] {
		case 'b':
			dst = append(dst, '\b')
		case 'f':
			dst = append(dst, '\f')
		case 'n':
			dst = append(dst, '\n')
		case 'r':
			dst = append(dst, '\r')
		case 't':
			dst = append(dst, '\t')
		case 'u':
			r, _ := hexRune(body, 0)
			n = 6
			if r >= 0xd800 && r <= 0xdfff {
				low, _ := hexRune(body, 6)
				r = (r-0xd800)<<10 + low - 0xdc00 + 0x10000
				n = 12
			}
			dst = utf8.AppendRune(dst, r)
		default:
			dst = append(dst, body[1])
		}
		body = body[n:]
	}
}

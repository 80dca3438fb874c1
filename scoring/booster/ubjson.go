package booster

import (
	"encoding/binary"
	"math"
)

// ubjsonReader reads the part of UBJSON (draft 12) that XGBoost writes: objects without a stated count, arrays
// with and without a type and a count, big-endian numbers. at is the next byte to be read, depth how many arrays
// and objects are open.
//
// A document is a marker and what it announces: i, U, I, l and L an integer of one to eight bytes, of which U
// alone has no sign, d and D a float of four or eight, S a text behind its length, T, F and Z a constant, { and [
// what holds other values. Nothing is aligned.
type ubjsonReader struct {
	data   []byte
	class  string
	at     int
	depth  int
	values int
}

// parseUBJSON reads one document. The values are those that parseJSON gives, so that no later function knows
// which of the two a file was.
func parseUBJSON(class string, data []byte) (any, error) {
	r := &ubjsonReader{data: data, class: class}
	marker, err := r.marker()
	if err != nil {
		return nil, err
	}
	v, err := r.value(marker)
	if err == nil && r.at != len(data) {
		return nil, r.damaged("trailing-data", "bytes follow the document; copy the file again")
	}
	return v, err
}

// damaged refuses the document where the reader stands. The offset is the byte behind what was read last.
func (r *ubjsonReader) damaged(reason, advice string) error {
	return damaged(r.class, reason, r.at, advice)
}

// take returns the next n bytes. They are a part of the document itself and must not be changed.
func (r *ubjsonReader) take(n int) ([]byte, error) {
	if n < 0 || n > len(r.data)-r.at {
		return nil, r.damaged("truncated", adviceTruncated)
	}
	b := r.data[r.at : r.at+n]
	r.at += n
	return b, nil
}

// marker returns the next marker; N is a no-op that may stand anywhere.
func (r *ubjsonReader) marker() (byte, error) {
	for {
		b, err := r.take(1)
		// Nothing was taken where there is an error, and first makes 0 of that.
		if err != nil || b[0] != 'N' {
			return first(b), err
		}
	}
}

// first is the marker in what take returned, 0 where it returned nothing.
func first(b []byte) byte {
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

// sizes are the bytes of a number by its marker. 0 is the marker of no number.
var sizes = [256]int{'i': 1, 'U': 1, 'I': 2, 'l': 4, 'L': 8, 'd': 4, 'D': 8}

// number decodes the bytes of a number. An int64 beyond 2^53 is rounded; models count no further. b has as many
// bytes as sizes says for the marker, or more.
func number(marker byte, b []byte) float64 {
	switch marker {
	case 'i':
		return float64(int8(b[0]))
	case 'U':
		return float64(b[0])
	case 'I':
		return float64(int16(binary.BigEndian.Uint16(b)))
	case 'l':
		return float64(int32(binary.BigEndian.Uint32(b)))
	case 'L':
		return float64(int64(binary.BigEndian.Uint64(b)))
	case 'd':
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	default:
		return math.Float64frombits(binary.BigEndian.Uint64(b))
	}
}

// value reads what follows a marker. An array of a thousand million numbers in a file of ten bytes is caught by
// its count, an endless nesting by the depth, and many small values by the budget.
func (r *ubjsonReader) value(marker byte) (any, error) {
	if r.values++; r.values > maxValues {
		return nil, r.damaged("budget", adviceBudget)
	}
	if n := sizes[marker]; n > 0 {
		b, err := r.take(n)
		if err != nil {
			return nil, err
		}
		return number(marker, b), nil
	}
	switch marker {
	case 'Z':
		return nil, nil
	case 'T', 'F':
		return marker == 'T', nil
	case 'S':
		return r.text()
	case '{', '[':
		if r.depth++; r.depth > maxDepth {
			return nil, r.damaged("depth", adviceDepth)
		}
		defer func() { r.depth-- }()
		if marker == '{' {
			return r.object()
		}
		return r.array()
	}
	return nil, r.damaged("corrupt", adviceCorrupt)
}

// length reads a count: an integer of any size that is not negative. It may be far beyond the file. Whoever asks
// holds it against what is left of the file.
func (r *ubjsonReader) length() (int, error) {
	marker, err := r.marker()
	if err != nil {
		return 0, err
	}
	if sizes[marker] == 0 || marker == 'd' || marker == 'D' {
		return 0, r.damaged("corrupt", adviceCorrupt)
	}
	b, err := r.take(sizes[marker])
	if err != nil {
		return 0, err
	}
	n := number(marker, b)
	switch {
	case n < 0:
		return 0, r.damaged("corrupt", adviceCorrupt)
	// No model is that large, and a count beyond all integers must not reach the conversion.
	case n > math.MaxInt32:
		return 0, r.damaged("array-size", adviceSize)
	}
	return int(n), nil
}

// text reads a length and as many bytes. The bytes are copied, so that the document may be dropped.
func (r *ubjsonReader) text() (string, error) {
	n, err := r.length()
	if err != nil {
		return "", err
	}
	b, err := r.take(n)
	return string(b), err
}

// object reads names and values up to the closing brace. A name is a text without its marker. The marker of its
// length stands where another object would state a type; XGBoost writes none.
func (r *ubjsonReader) object() (any, error) {
	o := object{}
	for {
		marker, err := r.marker()
		if err != nil || marker == '}' {
			return o, err
		}
		r.at-- // the marker belongs to the length of the name
		name, err := r.text()
		if err != nil {
			return nil, err
		}
		if _, twice := o[name]; twice {
			return nil, r.damaged("corrupt", "a name stands twice in an object; copy the file again")
		}
		if marker, err = r.marker(); err != nil {
			return nil, err
		}
		if o[name], err = r.value(marker); err != nil {
			return nil, err
		}
	}
}

// array reads [$type#count…, [#count… or […]. A stated count is held against the bytes that remain before anything
// is made of it; only the last of the three has a closing bracket.
func (r *ubjsonReader) array() (any, error) {
	marker, err := r.marker()
	if err != nil {
		return nil, err
	}
	switch marker {
	case '$':
		return r.typedArray()
	case '#':
		n, err := r.length()
		if err != nil {
			return nil, err
		}
		// Every item takes a byte at least, which is its marker.
		if n > len(r.data)-r.at {
			return nil, r.damaged("array-size", adviceSize)
		}
		return r.items(n)
	}
	r.at--
	return r.items(-1)
}

// typedArray reads numbers that lie side by side. Behind [$ come the type, #, the count and the numbers, with no
// closing bracket. Trees are almost nothing but these, which is why they are read without a call per value.
func (r *ubjsonReader) typedArray() (any, error) {
	head, err := r.take(2)
	if err != nil {
		return nil, err
	}
	n, err := r.length()
	if err != nil {
		return nil, err
	}
	size := sizes[head[0]]
	switch {
	case size == 0 || head[1] != '#':
		return nil, r.damaged("corrupt", adviceCorrupt)
	case n > (len(r.data)-r.at)/size:
		return nil, r.damaged("truncated", adviceTruncated)
	}
	// The count fits what is left of the file, so that this is at most eight times as large.
	numbers := make([]float64, n)
	for i := range numbers {
		numbers[i] = number(head[0], r.data[r.at:])
		r.at += size
	}
	return numbers, nil
}

// items reads n values, or all up to the closing bracket where n is negative. Numbers alone become a []float64.
// An array that is empty comes out as an empty []float64.
func (r *ubjsonReader) items(n int) (any, error) {
	items, numbers := []any{}, 0
	for n < 0 || len(items) < n {
		marker, err := r.marker()
		if err != nil {
			return nil, err
		}
		if n < 0 && marker == ']' {
			break
		}
		v, err := r.value(marker)
		if err != nil {
			return nil, err
		}
		if _, ok := v.(float64); ok {
			numbers++
		}
		items = append(items, v)
	}
	if numbers < len(items) {
		return items, nil
	}
	// All were numbers, and so the list takes the form in which a typed one comes.
	out := make([]float64, len(items))
	for i, v := range items {
		out[i] = v.(float64)
	}
	return out, nil
}

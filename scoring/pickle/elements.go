package pickle

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// The accessors convert once, when a model is compiled; none is on the path of an event. They trust what Decode has
// checked, that Data and Objects fill Shape, and check what it has not: that the elements are of the kind asked for.

// Len returns the number of elements. An array without dimensions has one element, one with a dimension of zero
// none. The product cannot overflow: Decode has bounded it by the size of a file.
func (a *Array) Len() int {
	n := 1
	for _, dim := range a.Shape {
		n *= dim
	}
	return n
}

// Float64s returns the elements of a numeric or boolean array in row order, converted to float64.
// Integers beyond 2^53 round, as numpy's astype does. The result is a copy, so it stays valid when the file's
// bytes are gone.
func (a *Array) Float64s() ([]float64, error) {
	number, err := a.Type.float64er()
	if err != nil {
		return nil, err
	}
	out, size := make([]float64, len(a.Data)/a.Type.Size), a.Type.Size
	for i := range out {
		out[i] = number(a.Data[i*size:])
	}
	return out, nil
}

// Int64s returns the elements of an integer or boolean array in row order. A uint64 beyond the range is an error.
func (a *Array) Int64s() ([]int64, error) {
	number, err := a.Type.int64er()
	if err != nil {
		return nil, err
	}
	out, size := make([]int64, len(a.Data)/a.Type.Size), a.Type.Size
	for i := range out {
		out[i] = number(a.Data[i*size:])
		if a.Type.Kind == 'u' && size == 8 && out[i] < 0 {
			return nil, fmt.Errorf("element %d of an array of %s does not fit an int64", i, a.Type)
		}
	}
	return out, nil
}

// Bools returns the elements of a boolean array in row order. numpy stores one byte for each; any other than
// zero counts as true, as in C.
func (a *Array) Bools() ([]bool, error) {
	if a.Type.Kind != 'b' {
		return nil, fmt.Errorf("an array of %s, not of bool", a.Type)
	}
	out := make([]bool, len(a.Data))
	for i, b := range a.Data {
		out[i] = b != 0
	}
	return out, nil
}

// Strings returns the elements of an array of text, or of objects that are all text, in row order. Bytes are
// none: what encoding they would have is not in the file.
func (a *Array) Strings() ([]string, error) {
	values, err := a.Values()
	if err != nil {
		return nil, err
	}
	return stringsOf(values)
}

// stringsOf narrows values to text, and names the first that is none.
func stringsOf(values []Value) ([]string, error) {
	out := make([]string, len(values))
	for i, v := range values {
		s, ok := v.(string)
		if !ok {
			return nil, fmt.Errorf("element %d is a %s, not text", i, typeName(v))
		}
		out[i] = s
	}
	return out, nil
}

// Values returns the elements in row order as Python's tolist does: bool, int64, float64, string or Bytes; of an object
// array what it holds, with numpy scalars unpacked; of a record array an error.
func (a *Array) Values() ([]Value, error) {
	if a.Type.Kind == 'O' {
		out := make([]Value, len(a.Objects))
		for i, v := range a.Objects {
			out[i] = Plain(v)
		}
		return out, nil
	}
	out, size := make([]Value, len(a.Data)/a.Type.Size), a.Type.Size
	for i := range out {
		v, err := a.Type.value(a.Data[i*size : (i+1)*size])
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// Field returns one column of a record array as an array of its own, with the same shape. scikit-learn keeps
// the nodes of a tree as one record each (left, right, feature, threshold, impurity, counts), and a compiler
// wants them column by column. The bytes are copied together, once.
func (a *Array) Field(name string) (*Array, error) {
	for _, f := range a.Type.Fields {
		if f.Name != name {
			continue
		}
		n, record, size := len(a.Data)/a.Type.Size, a.Type.Size, f.Type.Size
		column := &Array{Type: f.Type, Shape: a.Shape, Data: make([]byte, n*size), Offset: a.Offset}
		for i := range n {
			copy(column.Data[i*size:(i+1)*size], a.Data[i*record+f.Offset:])
		}
		return column, nil
	}
	return nil, fmt.Errorf("a record without the field %q", name)
}

// Row returns row i of an array of two or more dimensions, as a view. The row shares its elements with the
// array, which nobody changes after decoding.
func (a *Array) Row(i int) (*Array, error) {
	if len(a.Shape) < 2 || i < 0 || i >= a.Shape[0] {
		return nil, fmt.Errorf("no row %d in an array of shape %v", i, a.Shape)
	}
	row := &Array{Type: a.Type, Shape: a.Shape[1:], Offset: a.Offset}
	n := row.Len()
	if a.Type.Kind == 'O' {
		row.Objects = a.Objects[i*n : (i+1)*n]
	} else {
		row.Data = a.Data[i*n*a.Type.Size : (i+1)*n*a.Type.Size]
	}
	return row, nil
}

// Value returns the scalar as Python's item does: bool, int64, float64, string or Bytes.
func (s *Scalar) Value() (Value, error) { return s.Type.value(s.Data) }

// String returns the code of the type as numpy writes it, such as <f8.
func (d *DType) String() string {
	order, size := "<", d.Size
	if d.BigEndian {
		order = ">"
	}
	if d.Kind == 'U' {
		size /= 4
	}
	return fmt.Sprintf("%s%c%d", order, d.Kind, size)
}

// order returns the byte order of the elements.
func (d *DType) order() binary.ByteOrder {
	if d.BigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// value reads one element. b has exactly the size of the type. numpy pads bytes with zeros and drops them when
// an element is read, so zeros at the end of a value are lost here as they are there.
func (d *DType) value(b []byte) (Value, error) {
	switch d.Kind {
	case 'b':
		return b[0] != 0, nil
	case 'f':
		number, err := d.float64er()
		if err != nil {
			return nil, err
		}
		return number(b), nil
	case 'i', 'u':
		number, err := d.int64er()
		if err != nil {
			return nil, err
		}
		n := number(b)
		if n < 0 && d.Kind == 'u' {
			return nil, fmt.Errorf("a %s does not fit an int64", d)
		}
		return n, nil
	case 'S':
		return Bytes(strings.TrimRight(string(b), "\x00")), nil
	case 'U':
		return d.text(b)
	}
	return nil, fmt.Errorf("an element of %s is no single value", d)
}

// text reads UTF-32, padded with zeros. Surrogates and numbers beyond U+10FFFF are no characters and are
// refused, though numpy would carry them along.
func (d *DType) text(b []byte) (Value, error) {
	var out strings.Builder
	order, end := d.order(), len(b)
	for end >= 4 && order.Uint32(b[end-4:]) == 0 {
		end -= 4
	}
	for i := 0; i < end; i += 4 {
		r := order.Uint32(b[i:])
		if r > utf8.MaxRune || !utf8.ValidRune(rune(r)) {
			return nil, fmt.Errorf("an element of %s holds no text", d)
		}
		out.WriteRune(rune(r))
	}
	return out.String(), nil
}

// float64er returns what reads one element as a float64. The choice by kind, size and order is made once for an
// array and not for each of its elements, of which a forest has millions.
func (d *DType) float64er() (func([]byte) float64, error) {
	order := d.order()
	if d.Kind == 'f' {
		switch d.Size {
		case 2:
			return func(b []byte) float64 { return half(order.Uint16(b)) }, nil
		case 4:
			return func(b []byte) float64 { return float64(math.Float32frombits(order.Uint32(b))) }, nil
		case 8:
			return func(b []byte) float64 { return math.Float64frombits(order.Uint64(b)) }, nil
		}
	}
	if d.Kind == 'u' && d.Size == 8 {
		return func(b []byte) float64 { return float64(order.Uint64(b)) }, nil
	}
	number, err := d.int64er()
	if err != nil {
		return nil, fmt.Errorf("an array of %s, not of numbers", d)
	}
	return func(b []byte) float64 { return float64(number(b)) }, nil
}

// int64er returns what reads one element as an int64; a uint64 wraps. Whoever calls it for a u8 checks for a
// negative result: that is a number beyond the range of int64.
func (d *DType) int64er() (func([]byte) int64, error) {
	order := d.order()
	switch fmt.Sprintf("%c%d", d.Kind, d.Size) {
	case "b1":
		return func(b []byte) int64 { return int64(min(b[0], 1)) }, nil
	case "i1":
		return func(b []byte) int64 { return int64(int8(b[0])) }, nil
	case "u1":
		return func(b []byte) int64 { return int64(b[0]) }, nil
	case "i2":
		return func(b []byte) int64 { return int64(int16(order.Uint16(b))) }, nil
	case "u2":
		return func(b []byte) int64 { return int64(order.Uint16(b)) }, nil
	case "i4":
		return func(b []byte) int64 { return int64(int32(order.Uint32(b))) }, nil
	case "u4":
		return func(b []byte) int64 { return int64(order.Uint32(b)) }, nil
	case "i8", "u8":
		return func(b []byte) int64 { return int64(order.Uint64(b)) }, nil
	}
	return nil, fmt.Errorf("an array of %s, not of integers", d)
}

// half widens an IEEE 754 binary16 number. It has one sign bit, five bits of exponent with a bias of 15 and ten
// of fraction. Exponent 0 is a subnormal, fraction·2^-24; else the value is (1024+fraction)·2^(exponent-25).
// Every one is exact as a float64.
func half(h uint16) float64 {
	sign := 1.0
	if h>>15 == 1 {
		sign = -1
	}
	exponent, fraction := int(h>>10&31), float64(h&1023)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

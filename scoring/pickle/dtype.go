package pickle

import (
	"math"
	"strconv"
)

// numpy pickles a dtype as a call and a state. The call has the code: a letter for the kind and the size in bytes, or in
// characters for U. The state has what the code leaves out: byte order, and for a record the names, types and offsets
// of its fields. Sizes are believed only where code and state agree.

// newDType makes a dtype of its code, such as f8, U12 or V56. Byte order and fields come with its state. Kinds
// are numpy's letters: b bool, i and u integers, f floats, S bytes, U text in UTF-32, V records, O references
// to Python objects. Elements of no size are refused, because any number of them would fit into an empty file.
func (m *machine) newDType(args []Value) (Value, error) {
	code, ok := args0(args).(string)
	if !ok || code == "" {
		return nil, m.refuse(ReasonArrayDType, "a dtype without a code")
	}
	size := 0
	if code != "O" {
		n, err := strconv.ParseUint(code[1:], 10, 31)
		if err != nil {
			return nil, m.refuse(ReasonArrayDType, "unknown dtype %q", clip(code))
		}
		size = int(n)
	}
	d := &DType{Kind: code[0], Size: size}
	switch {
	case d.Kind == 'O':
		d.Size = 8
	case d.Kind == 'U':
		// The size in characters times four must still be an int on every platform.
		if size > math.MaxInt32/4 {
			return nil, m.refuse(ReasonArraySize, "dtype %q", clip(code))
		}
		d.Size = 4 * size
	case d.Kind == 'S', d.Kind == 'V',
		d.Kind == 'b' && size == 1,
		(d.Kind == 'i' || d.Kind == 'u') && (size == 1 || size == 2 || size == 4 || size == 8),
		d.Kind == 'f' && (size == 2 || size == 4 || size == 8):
	default:
		return nil, m.refuse(ReasonArrayDType, "dtype %q; read are bool, integers, floats of 16 to 64 bits, text, bytes, objects and records", clip(code))
	}
	if d.Size == 0 {
		return nil, m.refuse(ReasonArrayDType, "dtype %q has elements of no size", clip(code))
	}
	return d, nil
}

// buildDType reads the state (version, byte order, subarray, names, fields, item size, alignment, flags [,
// metadata]). numpy writes out what native order was; an "=" that says native all the same is read as
// little-endian.
func (m *machine) buildDType(d *DType, state Value) error {
	t, ok := state.(*Tuple)
	if !ok || len(t.Items) < 8 || d.built {
		return m.refuse(ReasonArrayDType, "a dtype state that is none, or a second one")
	}
	switch order := t.Items[1]; order {
	case "<", "|", "=":
	case ">":
		d.BigEndian = true
	default:
		return m.refuse(ReasonArrayDType, "an unknown byte order")
	}
	if t.Items[2] != nil {
		return m.refuse(ReasonArrayDType, "a dtype with a subarray")
	}
	if size, ok := t.Items[5].(int64); !ok || size != -1 && size != int64(d.Size) {
		return m.refuse(ReasonArrayDType, "a dtype state that contradicts the size %d of its code", d.Size)
	}
	d.built = true
	if t.Items[3] == nil {
		return nil
	}
	return m.buildFields(d, t.Items[3], t.Items[4])
}

// buildFields reads the names and the dict name → (dtype, offset) of a record. The nodes of scikit-learn's
// trees are such records. Fields may overlap or leave gaps, as numpy lets them, but none may reach beyond its
// record: the accessors copy by offset and size without looking again.
func (m *machine) buildFields(d *DType, names, fields Value) error {
	order, ok := names.(*Tuple)
	places, also := fields.(*Dict)
	if !ok || !also || d.Kind != 'V' || len(order.Items) != places.Len() || places.Len() > maxFields {
		return m.refuse(ReasonArrayDType, "a record without matching names and fields, or with more than %d", maxFields)
	}
	for _, n := range order.Items {
		name, ok := n.(string)
		place, _ := places.Get(name)
		pair, also := place.(*Tuple)
		if !ok || !also || len(pair.Items) < 2 {
			return m.refuse(ReasonArrayDType, "a record with a field that is none")
		}
		kind, ok := pair.Items[0].(*DType)
		offset, also := pair.Items[1].(int64)
		if !ok || !also || !kind.built || kind.Kind == 'O' || kind.Kind == 'V' {
			return m.refuse(ReasonArrayDType, "a record with a field of unknown type")
		}
		if offset < 0 || offset > int64(d.Size-kind.Size) {
			return m.refuse(ReasonArrayDType, "a field outside its record of %d bytes", d.Size)
		}
		d.Fields = append(d.Fields, Field{Name: name, Offset: int(offset), Type: kind})
	}
	return nil
}

// newScalar makes a numpy scalar of (dtype, bytes). A parameter that was taken from a numpy array is pickled
// so: the 0.1 that a search has picked is a float64 scalar and no Python float.
func (m *machine) newScalar(args []Value) (Value, error) {
	d, ok := args0(args).(*DType)
	data, also := args1(args).(Bytes)
	if !ok || !also || !d.built || d.Kind == 'O' || len(data) != d.Size {
		return nil, m.refuse(ReasonCorrupt, "a numpy scalar whose bytes do not fill its type")
	}
	return &Scalar{Type: d, Data: data}, nil
}

// clip shortens a word of the file for a message. Eighty bytes are enough to recognise a class by, and too few
// to fill a log with.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

package pickle

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// A ColumnTransformer that was given a pandas Index keeps it as its list of columns, so that reading the model needs the
// labels of an Index, and nothing else of pandas.

// maxRange is the longest RangeIndex that is written out, and the longest array of pyarrow. A range is three numbers in
// the file whatever its length is, so without a bound it would be the shortest bomb of all.
const maxRange = 1 << 16

// labels returns the elements of a pandas Index, or of one of the arrays that it is made of. Its forms, by age: an
// array of objects or numbers; a StringArray over such an array (pandas 3 without pyarrow); an ArrowStringArray over
// the buffers of pyarrow (pandas 3 with it). Whether an Index is one of text or of numbers is for the caller to
// find: what is returned are plain values.
func labels(o *Object) ([]Value, error) {
	switch o.Class.Name {
	case "_new_Index":
		return indexLabels(o)
	case "__pyx_unpickle_NDArrayBacked":
		// The state is (dtype, array), in newer versions with the attributes behind.
		if state, ok := o.State.(*Tuple); ok {
			for _, part := range state.Items {
				if a, ok := part.(*Array); ok {
					return Elements(a)
				}
			}
		}
	case "StringArray":
		if a, ok := o.Attr("_ndarray"); ok {
			return arrayLabels(o, a)
		}
	case "ArrowStringArray":
		for _, name := range []string{"_pa_array", "_data"} { // the attribute was renamed in pandas 2
			if data, ok := o.Attr(name); ok {
				if inner, ok := data.(*Object); ok {
					return arrowLabels(inner)
				}
			}
		}
	}
	return nil, fmt.Errorf("a %s, not a list of labels", o.Class)
}

// arrayLabels guards against an object in the place of an array, which could nest without end.
func arrayLabels(o *Object, v Value) ([]Value, error) {
	if a, ok := v.(*Array); ok {
		return Elements(a)
	}
	return nil, fmt.Errorf("a %s over a %s, not over an array", o.Class, typeName(v))
}

// indexLabels reads _new_Index(class, attributes): data, or the start, stop and step of a range. One Index
// within another is not followed, since each could hold the next; a level of a string array is.
func indexLabels(o *Object) ([]Value, error) {
	attrs, ok := argument(o.Args, 1).(*Dict)
	if !ok {
		return nil, fmt.Errorf("a pandas Index without attributes")
	}
	if class, _ := argument(o.Args, 0).(Global); class.Name == "RangeIndex" {
		return rangeLabels(attrs)
	}
	switch data, _ := attrs.Get("data"); data := data.(type) {
	case *Array:
		return Elements(data)
	case *Object:
		if data.Class.Name != "_new_Index" {
			return labels(data)
		}
	}
	return nil, fmt.Errorf("a pandas Index of unknown make")
}

// rangeLabels writes out a range, which is how pandas labels columns without names. The bounds lie within
// ±2^31, so that neither their difference nor the last step beyond can overflow.
func rangeLabels(attrs *Dict) ([]Value, error) {
	var bounds [3]int64
	for i, name := range []string{"start", "stop", "step"} {
		v, _ := attrs.Get(name)
		n, ok := v.(int64)
		if !ok || n > 1<<31 || n < -1<<31 {
			return nil, fmt.Errorf("a pandas RangeIndex whose %s is no small integer", name)
		}
		bounds[i] = n
	}
	start, stop, step := bounds[0], bounds[1], bounds[2]
	if step == 0 || (stop-start)/step > maxRange {
		return nil, fmt.Errorf("a pandas RangeIndex of more than %d labels", maxRange)
	}
	var out []Value
	for n := start; (step > 0 && n < stop) || (step < 0 && n > stop); n += step {
		out = append(out, n)
	}
	return out, nil
}

// arrowLabels reads pyarrow's string array: ((type, length, nulls, offset, buffers, children, dictionary),) or a
// chunked array of such. This is the Arrow columnar layout: the first buffer is the bitmap of nulls, the second
// the offsets, the third the text. Nulls are refused, since a column without a name selects nothing.
func arrowLabels(o *Object) ([]Value, error) {
	if o.Class.Name == "chunked_array" {
		chunks, _ := argument(o.Args, 0).(*List)
		var out []Value
		for i := 0; chunks != nil && i < len(chunks.Items); i++ {
			chunk, ok := chunks.Items[i].(*Object)
			if !ok || chunk.Class.Name != "_restore_array" {
				return nil, fmt.Errorf("a pyarrow array with a chunk of unknown make")
			}
			part, err := arrowLabels(chunk)
			if err != nil {
				return nil, err
			}
			// The file may name one chunk many times, each time as a few bytes.
			if out = append(out, part...); len(out) > maxRange {
				return nil, fmt.Errorf("a pyarrow array of more than %d labels", maxRange)
			}
		}
		return out, nil
	}
	parts, ok := argument(o.Args, 0).(*Tuple)
	if o.Class.Name != "_restore_array" || !ok || len(parts.Items) < 5 {
		return nil, fmt.Errorf("a pyarrow array of unknown make: %s", o.Class)
	}
	length, err := AsInt64(parts.Items[1])
	nulls, err2 := AsInt64(parts.Items[2])
	offset, err3 := AsInt64(parts.Items[3])
	buffers, ok := parts.Items[4].(*List)
	if err != nil || err2 != nil || err3 != nil || !ok || len(buffers.Items) != 3 || nulls != 0 {
		return nil, fmt.Errorf("a pyarrow array that is not plain text without nulls")
	}
	width, err := arrowWidth(parts.Items[0])
	if err != nil {
		return nil, err
	}
	return arrowStrings(arrowBuffer(buffers.Items[1]), arrowBuffer(buffers.Items[2]), offset, length, width)
}

// arrowWidth returns the bytes of one offset: 4 in a string array, 8 in a large_string one.
func arrowWidth(kind Value) (int64, error) {
	if alias, ok := kind.(*Object); ok && alias.Class.Name == "type_for_alias" {
		switch argument(alias.Args, 0) {
		case "string", "utf8":
			return 4, nil
		case "large_string", "large_utf8":
			return 8, nil
		}
	}
	return 0, fmt.Errorf("a pyarrow array of another type than string")
}

// arrowBuffer returns the bytes of a pyarrow buffer, or nil.
func arrowBuffer(v Value) Bytes {
	if o, ok := v.(*Object); ok && o.Class.Name == "py_buffer" {
		b, _ := argument(o.Args, 0).(Bytes)
		return b
	}
	return nil
}

// arrowStrings cuts text at length+1 ascending offsets, each of width bytes, of which the first stands at place
// offset. A slice of a longer array keeps the buffers of the whole and says by offset where it begins. Offsets
// are the author's numbers: each pair is held against the text before anything is cut.
func arrowStrings(offsets, text Bytes, offset, length, width int64) ([]Value, error) {
	room := int64(len(offsets)) / width
	if length > maxRange {
		return nil, fmt.Errorf("a pyarrow array of more than %d labels", maxRange)
	}
	if offset < 0 || length < 0 || offset > room || length > room-offset-1 {
		return nil, fmt.Errorf("a pyarrow array longer than its offsets")
	}
	at := func(i int64) int64 {
		if width == 4 {
			return int64(int32(binary.LittleEndian.Uint32(offsets[i*width:])))
		}
		return int64(binary.LittleEndian.Uint64(offsets[i*width:]))
	}
	out := make([]Value, length)
	for i := range out {
		from, to := at(offset+int64(i)), at(offset+int64(i)+1)
		if from < 0 || from > to || to > int64(len(text)) || !utf8.Valid(text[from:to]) {
			return nil, fmt.Errorf("a pyarrow array whose offsets are no bounds of text")
		}
		out[i] = string(text[from:to])
	}
	return out, nil
}

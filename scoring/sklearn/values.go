package sklearn

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"unicode/utf8"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// plain turns a numpy scalar into the Python value it stands for; other values stay as they are.
func plain(v pickle.Value) pickle.Value {
	s, ok := v.(*pickle.Scalar)
	if !ok || s.Type == nil || len(s.Data) < s.Type.Size {
		return v
	}
	switch s.Type.Kind {
	case 'U':
		text, ok := utf32(s.Data[:s.Type.Size], order(s.Type))
		if ok {
			return text
		}
	case 'b':
		if s.Type.Size == 1 {
			return s.Data[0] != 0
		}
	case 'i', 'u':
		if f, ok := element(s.Data, s.Type); ok && math.Abs(f) <= 1<<53 {
			return int64(f)
		}
	case 'f':
		if f, ok := element(s.Data, s.Type); ok {
			return f
		}
	}
	return v
}

// float reads a number. A boolean is none.
func float(v pickle.Value) (float64, bool) {
	switch n := plain(v).(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(n).Float64()
		return f, true
	case *pickle.Array:
		if len(n.Shape) == 0 {
			if values, ok := floats(n); ok && len(values) == 1 {
				return values[0], true
			}
		}
	}
	return 0, false
}

// integer reads a whole number.
func integer(v pickle.Value) (int64, bool) {
	n, ok := plain(v).(int64)
	return n, ok
}

// constant reads a category, a fill value or a label.
func constant(v pickle.Value) (program.Constant, bool) {
	switch p := plain(v).(type) {
	case nil:
		return program.Constant{Type: program.NoneType}, true
	case bool:
		return program.BoolConstant(p), true
	case string:
		return program.StringConstant(p), true
	case int64, float64, *big.Int:
		f, ok := float(p)
		return program.NumberConstant(f), ok
	}
	return program.Constant{}, false
}

// constants reads the elements of an array, whatever its type.
func constants(a *pickle.Array) ([]program.Constant, bool) {
	if a == nil || a.Type == nil {
		return nil, false
	}
	switch a.Type.Kind {
	case 'O':
		return objectConstants(a.Objects)
	case 'U':
		return textConstants(a)
	}
	values, ok := floats(a)
	out := make([]program.Constant, len(values))
	for i, v := range values {
		if a.Type.Kind == 'b' {
			out[i] = program.BoolConstant(v != 0)
		} else {
			out[i] = program.NumberConstant(v)
		}
	}
	return out, ok
}

func objectConstants(objects []pickle.Value) ([]program.Constant, bool) {
	out := make([]program.Constant, len(objects))
	for i, v := range objects {
		c, ok := constant(v)
		if !ok {
			return nil, false
		}
		out[i] = c
	}
	return out, true
}

func textConstants(a *pickle.Array) ([]program.Constant, bool) {
	size := a.Type.Size
	if size < 0 || size > 0 && len(a.Data)%size != 0 {
		return nil, false
	}
	if size == 0 {
		return make([]program.Constant, 0), count(a.Shape) == 0
	}
	out := make([]program.Constant, 0, len(a.Data)/size)
	for at := 0; at < len(a.Data); at += size {
		text, ok := utf32(a.Data[at:at+size], order(a.Type))
		if !ok {
			return nil, false
		}
		out = append(out, program.StringConstant(text))
	}
	return out, true
}

// utf32 decodes a numpy string: four bytes a rune, padded with zeros at the end.
func utf32(data []byte, o binary.ByteOrder) (string, bool) {
	if len(data)%4 != 0 {
		return "", false
	}
	for len(data) >= 4 && o.Uint32(data[len(data)-4:]) == 0 {
		data = data[:len(data)-4]
	}
	text := make([]byte, 0, len(data)/4)
	for ; len(data) >= 4; data = data[4:] {
		r := o.Uint32(data)
		if r > utf8.MaxRune {
			return "", false
		}
		text = utf8.AppendRune(text, rune(r))
	}
	return string(text), true
}

// floats reads an array of numbers or booleans as float64.
func floats(a *pickle.Array) ([]float64, bool) {
	if a == nil || a.Type == nil {
		return nil, false
	}
	t := a.Type
	n := count(a.Shape)
	if !numeric(t) || n < 0 || t.Size <= 0 || len(a.Data)/t.Size != n {
		return nil, false
	}
	out := make([]float64, n)
	for i := range out {
		v, ok := element(a.Data[i*t.Size:], t)
		if !ok {
			return nil, false
		}
		out[i] = v
	}
	return out, true
}

func numeric(t *pickle.DType) bool {
	switch t.Kind {
	case 'f', 'i', 'u', 'b':
		return len(t.Fields) == 0
	}
	return false
}

// element reads one number of type t at the start of data.
func element(data []byte, t *pickle.DType) (float64, bool) {
	if t.Size <= 0 || len(data) < t.Size {
		return 0, false
	}
	o := order(t)
	switch {
	case t.Kind == 'f' && t.Size == 8:
		return math.Float64frombits(o.Uint64(data)), true
	case t.Kind == 'f' && t.Size == 4:
		return float64(math.Float32frombits(o.Uint32(data))), true
	case t.Kind == 'b' && t.Size == 1:
		return float64(min(data[0], 1)), true
	case t.Kind == 'i':
		v, ok := signed(data, t.Size, o)
		return float64(v), ok
	case t.Kind == 'u':
		v, ok := unsigned(data, t.Size, o)
		return float64(v), ok
	}
	return 0, false
}

func signed(data []byte, size int, o binary.ByteOrder) (int64, bool) {
	v, ok := unsigned(data, size, o)
	shift := 64 - 8*size
	if !ok {
		return 0, false
	}
	return int64(v<<shift) >> shift, true
}

func unsigned(data []byte, size int, o binary.ByteOrder) (uint64, bool) {
	switch size {
	case 1:
		return uint64(data[0]), true
	case 2:
		return uint64(o.Uint16(data)), true
	case 4:
		return uint64(o.Uint32(data)), true
	case 8:
		return o.Uint64(data), true
	}
	return 0, false
}

func order(t *pickle.DType) binary.ByteOrder {
	if t.BigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// count is the number of elements of a shape, -1 where that is no sane number.
func count(shape []int) int {
	n := 1
	for _, d := range shape {
		if d < 0 || d > 0 && n > math.MaxInt32/d {
			return -1
		}
		n *= d
	}
	return n
}

// listItems returns the items of a Python sequence or of a one-dimensional array.
func listItems(v pickle.Value) ([]pickle.Value, bool) {
	switch s := v.(type) {
	case *pickle.List:
		return s.Items, true
	case *pickle.Tuple:
		return s.Items, true
	case *pickle.Array:
		if s.Type == nil || len(s.Shape) != 1 {
			return nil, false
		}
		if s.Type.Kind == 'O' {
			return s.Objects, true
		}
		return arrayItems(s)
	}
	return nil, false
}

// arrayItems turns the elements of a plain array into Python values.
func arrayItems(a *pickle.Array) ([]pickle.Value, bool) {
	cs, ok := constants(a)
	out := make([]pickle.Value, len(cs))
	for i, c := range cs {
		switch {
		case c.Type == program.Bool:
			out[i] = c.Num != 0
		case c.Type == program.String:
			out[i] = c.Text
		case c.Type == program.Number && a.Type.Kind != 'f' && math.Abs(c.Num) <= 1<<53:
			out[i] = int64(c.Num)
		case c.Type == program.Number:
			out[i] = c.Num
		default:
			out[i] = math.NaN()
		}
	}
	return out, ok
}

// texts returns the items of v if all of them are strings.
func texts(v pickle.Value) ([]string, bool) {
	items, ok := listItems(unwrapIndex(v))
	if !ok {
		return nil, false
	}
	out := make([]string, len(items))
	for i, item := range items {
		if out[i], ok = plain(item).(string); !ok {
			return nil, false
		}
	}
	return out, true
}

// show prints a value for a message, shortened.
func show(v pickle.Value) string {
	var s string
	switch p := plain(v).(type) {
	case nil:
		s = "None"
	case bool, int64, float64:
		s = fmt.Sprint(p)
	case string:
		s = fmt.Sprintf("%q", p)
	case pickle.Global:
		s = className(p)
	case *pickle.Object:
		s = "a " + className(p.Class)
	case *pickle.Array:
		s = describe(p)
	case *pickle.List:
		s = fmt.Sprintf("a list of %d", len(p.Items))
	case *pickle.Tuple:
		s = fmt.Sprintf("a tuple of %d", len(p.Items))
	case *pickle.Dict:
		s = fmt.Sprintf("a dict of %d", len(p.Keys))
	default:
		s = fmt.Sprintf("%T", p)
	}
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return s
}

// describe names an array by its type and shape.
func describe(a *pickle.Array) string {
	if a == nil || a.Type == nil {
		return "an array"
	}
	return fmt.Sprintf("an array of %c%d %v", a.Type.Kind, a.Type.Size, a.Shape)
}

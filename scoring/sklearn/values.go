package sklearn

import (
	"fmt"
	"math/big"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// float reads a number. A boolean is none. Numpy scalars and arrays without dimensions count as the number that
// they hold; an integer beyond 64 bits is rounded to the nearest float64.
func float(v pickle.Value) (float64, bool) {
	switch n := pickle.Plain(v).(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	case *big.Int:
		f, _ := new(big.Float).SetInt(n).Float64()
		return f, true
	case *pickle.Array:
		if values, ok := floats(n); ok && len(n.Shape) == 0 && len(values) == 1 {
			return values[0], true
		}
	}
	return 0, false
}

// integer reads a whole number. A float is none, even 3.0: the attributes that are read so are always integers in
// scikit-learn.
func integer(v pickle.Value) (int64, bool) {
	n, ok := pickle.Plain(v).(int64)
	return n, ok
}

// floats reads an array of numbers or booleans, whatever its shape, in row order. Single and double precision fit
// into float64 without loss; integers beyond 2^53 are rounded.
func floats(a *pickle.Array) ([]float64, bool) {
	switch a.Type.Kind {
	case 'f', 'i', 'u', 'b':
		values, err := a.Float64s()
		return values, err == nil
	}
	return nil, false
}

// constant reads a category, a fill value or a label. NaN among them becomes a constant of its own type, which
// equals itself.
func constant(v pickle.Value) (program.Constant, bool) {
	switch p := pickle.Plain(v).(type) {
	case nil:
		return program.Constant{Type: program.NoneType}, true
	case bool:
		return program.BoolConstant(p), true
	case string:
		return program.StringConstant(p), true
	default:
		f, ok := float(p)
		return program.NumberConstant(f), ok
	}
}

// constants reads the elements of an array, whatever its type. The order is that of the array; what is no
// constant, a date for one, makes the whole fail.
func constants(a *pickle.Array) ([]program.Constant, bool) {
	values, err := a.Values()
	if err != nil {
		return nil, false
	}
	out := make([]program.Constant, len(values))
	for i, v := range values {
		c, ok := constant(v)
		if !ok {
			return nil, false
		}
		out[i] = c
	}
	return out, true
}

// listItems returns the items of a Python sequence, of a one-dimensional array, of a pandas Index, or of the list
// that ColumnTransformer keeps its remainder in (a UserList: its items are the attribute data). A set has no
// order that a model could mean, and is none.
func listItems(v pickle.Value) ([]pickle.Value, bool) {
	if o, ok := v.(*pickle.Object); ok && o.Class.Name == "_RemainderColsList" {
		v, _ = o.Attr("data")
	}
	if _, ok := v.(*pickle.Set); ok {
		return nil, false
	}
	items, err := pickle.Elements(v)
	return items, err == nil
}

// texts returns the items of v if all of them are strings. A lone string is no list of its letters: Elements
// refuses it.
func texts(v pickle.Value) ([]string, bool) {
	items, ok := listItems(v)
	if !ok {
		return nil, false
	}
	out := make([]string, len(items))
	for i, item := range items {
		if out[i], ok = item.(string); !ok {
			return nil, false
		}
	}
	return out, true
}

// show prints a value for a message, shortened. Whole arrays and lists are described rather than printed: a
// message names a model's attribute and is no place for its data.
func show(v pickle.Value) string {
	var s string
	switch p := pickle.Plain(v).(type) {
	case nil:
		s = "None"
	case bool, int64, float64:
		s = fmt.Sprint(p)
	case string:
		s = fmt.Sprintf("%q", p)
	case pickle.Global:
		s = p.String()
	case *pickle.Object:
		s = "a " + p.Class.String()
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

// describe names an array by its type and shape. It takes nil, so that a message can be made about what was not
// there.
func describe(a *pickle.Array) string {
	if a == nil || a.Type == nil {
		return "an array"
	}
	return fmt.Sprintf("an array of %v %v", a.Type, a.Shape)
}

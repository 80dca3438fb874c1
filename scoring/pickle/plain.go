package pickle

import (
	"fmt"
	"math"
)

// A parameter such as C=1 may have been given as an int, a float, a numpy scalar or an array without dimensions, and is
// pickled as it was given. These functions take all of them and refuse what is of another kind: text is no
// number, and a bool is no integer, although it counts as 0 or 1 where a float is asked for.

// Plain unpacks a numpy scalar into bool, int64, float64, string or Bytes; every other value is returned as it
// is. A scalar that holds no single value, such as a record, comes back as it is too; whoever asks for a number
// then refuses it by its type.
func Plain(v Value) Value {
	if s, ok := v.(*Scalar); ok {
		if plain, err := s.Value(); err == nil {
			return plain
		}
	}
	return v
}

// single unpacks a numpy scalar, or an array of one element and no dimensions. numpy.array(0.5) is such an
// array, and Python computes with it as with the number.
func single(v Value) Value {
	if a, ok := v.(*Array); ok && len(a.Shape) == 0 {
		if values, err := a.Values(); err == nil && len(values) == 1 {
			return values[0]
		}
	}
	return Plain(v)
}

// AsFloat64 returns a number or truth value, of Python or numpy, as a float64. Integers beyond 2^53 round to
// the nearest; one that is too wide for int64 is refused, for no parameter is.
func AsFloat64(v Value) (float64, error) {
	switch n := single(v).(type) {
	case float64:
		return n, nil
	case int64:
		return float64(n), nil
	case bool:
		if n {
			return 1, nil
		}
		return 0, nil
	}
	return 0, fmt.Errorf("a %s, not a number", typeName(v))
}

// AsInt64 returns an integer, of Python or numpy; a float64 counts if it is integral. Beyond 2^53 a float64 no
// longer tells one integer from the next, so it is taken for none.
func AsInt64(v Value) (int64, error) {
	switch n := single(v).(type) {
	case int64:
		return n, nil
	case float64:
		if n == math.Trunc(n) && math.Abs(n) <= 1<<53 {
			return int64(n), nil
		}
	}
	return 0, fmt.Errorf("a %s, not an integer", typeName(v))
}

// AsBool returns a truth value, of Python or numpy. 0 and 1 are none: where scikit-learn wants a flag and
// somebody gave a number, a guess would be a guess about the model.
func AsBool(v Value) (bool, error) {
	if b, ok := single(v).(bool); ok {
		return b, nil
	}
	return false, fmt.Errorf("a %s, not a bool", typeName(v))
}

// AsString returns a string, of Python or numpy.
func AsString(v Value) (string, error) {
	if s, ok := single(v).(string); ok {
		return s, nil
	}
	return "", fmt.Errorf("a %s, not a string", typeName(v))
}

// Elements returns the elements of a list, tuple, set, one-dimensional array or pandas Index; numpy scalars are
// unpacked. The order is that of the file; for a set that is whatever order Python had it in. Text is not taken
// for a list of characters.
func Elements(v Value) ([]Value, error) {
	var items []Value
	switch v := v.(type) {
	case *List:
		items = v.Items
	case *Tuple:
		items = v.Items
	case *Set:
		items = v.Items
	case *Array:
		if len(v.Shape) == 1 {
			return v.Values()
		}
		return nil, fmt.Errorf("an array of shape %v, not of one dimension", v.Shape)
	case *Object:
		return labels(v)
	default:
		return nil, fmt.Errorf("a %s, not a list", typeName(v))
	}
	out := make([]Value, len(items))
	for i, item := range items {
		out[i] = Plain(item)
	}
	return out, nil
}

// Strings returns the elements of v as text.
func Strings(v Value) ([]string, error) {
	items, err := Elements(v)
	if err != nil {
		return nil, err
	}
	return stringsOf(items)
}

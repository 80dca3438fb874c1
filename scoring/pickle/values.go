package pickle

// A Value is one of: nil (Python's None), bool, int64, *big.Int, float64, string, Bytes, *List, *Tuple, *Dict,
// *Set, *Object, *Array, *DType, *Scalar, Global. Nothing else. It is an empty interface and not a closed one,
// so that numbers and strings can be what they are in Go; whoever reads a Value switches over these types and
// refuses any other by name.
type Value any

// Bytes is a Python bytes or bytearray. It may alias the bytes given to Decode.
type Bytes []byte

// Global is an allow-listed name, used as a value (a class, a numpy type, a numpy function).
// Modules that Python 3 renamed bear their new name: builtins, copyreg. Two Globals of one name from two places
// are equal in everything but Offset.
type Global struct {
	Module, Name string
	Offset       int64

	role role
}

// String returns the dotted name.
func (g Global) String() string { return g.Module + "." + g.Name }

// The containers are pointers, because memoised values are shared.
type (
	// List is a Python list.
	List struct{ Items []Value }
	// Tuple is a Python tuple.
	Tuple struct{ Items []Value }
	// Set is a Python set or frozenset, in the order of the file.
	Set struct{ Items []Value }
)

// Dict keeps insertion order. Keys are unique, in Python's sense of equality for numbers, strings and bytes.
// Attributes of an estimator are found by [Dict.Get]; the dict of class weights has numbers as keys and is
// walked by Keys and Values, which are as long as each other.
type Dict struct {
	Keys, Values []Value

	index map[any]int // made once linear search would be slow
}

// linearKeys is the number of keys up to which a dict is searched from end to end. Most dicts of a model are
// the attributes of one estimator or smaller, and an index for each would cost more than it saves.
const linearKeys = 8

// Get returns the value of a string key.
func (d *Dict) Get(key string) (Value, bool) {
	if d == nil {
		return nil, false
	}
	if i := d.find(key); i >= 0 {
		return d.Values[i], true
	}
	return nil, false
}

// Len returns the number of pairs; a nil dict has none.
func (d *Dict) Len() int {
	if d == nil {
		return 0
	}
	return len(d.Keys)
}

// find returns the position of a comparable key, or -1. Without an index the keys are compared one by one, at
// most linearKeys of them.
func (d *Dict) find(key any) int {
	if d.index != nil {
		if i, ok := d.index[key]; ok {
			return i
		}
		return -1
	}
	for i, k := range d.Keys {
		if comparable, ok := identity(k); ok && comparable == key {
			return i
		}
	}
	return -1
}

// set stores a pair; as in Python a key keeps its first position and its last value. It says whether key is hashable.
func (d *Dict) set(key, value Value) bool {
	id, ok := identity(key)
	if !ok {
		return false
	}
	if i := d.find(id); i >= 0 {
		d.Values[i] = value
		return true
	}
	if len(d.Keys) == linearKeys {
		d.index = make(map[any]int, 4*linearKeys)
		for i, k := range d.Keys {
			known, _ := identity(k)
			d.index[known] = i
		}
	}
	if d.index != nil {
		d.index[id] = len(d.Keys)
	}
	d.Keys, d.Values = append(d.Keys, key), append(d.Values, value)
	return true
}

// An encoded is the identity of a value that is compared by its bytes.
type encoded struct {
	kind byte
	text string
}

// identity returns what decides whether two keys are one: 1, 1.0 and True are. Lists, dicts and sets have none.
// Python hashes these three alike, so a dict that has one of them as a key finds it by either of the others. A
// float64 counts as an integer where it holds one exactly.
func identity(key Value) (any, bool) {
	switch k := key.(type) {
	case bool:
		if k {
			return int64(1), true
		}
		return int64(0), true
	case float64:
		if whole := int64(k); k >= -1<<53 && k <= 1<<53 && float64(whole) == k {
			return whole, true
		}
		return k, true
	case Bytes:
		return encoded{'B', string(k)}, true
	case *Scalar:
		return encoded{k.Type.Kind, string(k.Data)}, true
	case Global:
		return encoded{'G', k.String()}, true
	case *List, *Dict, *Set, *Array:
		return nil, false
	default: // None, integers and strings are their own identity; tuples and objects go by pointer.
		return key, true
	}
}

// Object is an instance of an allow-listed class: what it was made of, never made. Any of the parts may be
// missing; a class that needs one it has not got is refused when it is compiled. Offset is where the opcode
// stood that would have made the object in Python.
type Object struct {
	Class  Global
	Args   []Value // arguments of the constructor (REDUCE, NEWOBJ)
	State  Value   // argument of BUILD; nil without one
	Items  []Value // APPENDS on the object
	Pairs  *Dict   // SETITEMS on the object; nil without
	Offset int64
}

// Attr returns an attribute of the state: of the dict, or of either half of a (dict, slots) pair. The pair is
// how Python pickles a class with __slots__. An attribute that is None is found; its value is nil.
func (o *Object) Attr(name string) (Value, bool) {
	switch state := o.State.(type) {
	case *Dict:
		return state.Get(name)
	case *Tuple:
		for _, half := range state.Items {
			if d, ok := half.(*Dict); ok && len(state.Items) == 2 {
				if v, found := d.Get(name); found {
					return v, true
				}
			}
		}
	}
	return nil, false
}

// DType is a numpy dtype; Fields is set for a structured one. It is complete and immutable once Decode has
// returned.
type DType struct {
	Kind      byte // b i u f U S O V
	Size      int  // bytes of one element, at least 1
	BigEndian bool
	Fields    []Field

	built bool // has had its state; an array takes no other, and no dtype has it twice
}

// Field is a member of a structured dtype; its type has no fields of its own.
type Field struct {
	Name   string
	Offset int // bytes from the start of the element
	Type   *DType
}

// Array is a numpy array. Data is in C order after decoding; it may alias the bytes given to Decode. Either
// Data or Objects is used, by the kind of Type: Data has Len()·Type.Size bytes, Objects Len() values. A view
// made by [Array.Row] shares them.
type Array struct {
	Type    *DType
	Shape   []int
	Data    []byte  // numeric, string and structured arrays
	Objects []Value // object arrays
	Offset  int64
}

// Scalar is a numpy scalar; Data has the size of its type.
type Scalar struct {
	Type *DType
	Data []byte
}

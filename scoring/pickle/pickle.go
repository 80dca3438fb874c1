// Package pickle reads pickle and joblib files as data.
package pickle

// A Value is one of: nil (Python's None), bool, int64, *big.Int, float64, string, Bytes, *List, *Tuple, *Dict,
// *Set, *Object, *Array, *DType, *Scalar, Global. Nothing else.
type Value any

// Bytes is a Python bytes or bytearray.
type Bytes []byte

// Global is an allow-listed name, used as a value (a class, a numpy type, a numpy function).
type Global struct {
	Module, Name string
	Offset       int64
}

// List, Tuple and Set are the Python containers; they are pointers because memoised values are shared.
type (
	List  struct{ Items []Value }
	Tuple struct{ Items []Value }
	Set   struct{ Items []Value }
)

// Dict keeps insertion order.
type Dict struct{ Keys, Values []Value }

// Get returns the value of a string key.
func (d *Dict) Get(key string) (Value, bool) { return nil, false }

// Object is an instance of an allow-listed class: what it was made of, never made.
type Object struct {
	Class  Global
	Args   []Value // arguments of the constructor (REDUCE, NEWOBJ)
	State  Value   // argument of BUILD; nil without one
	Items  []Value // APPENDS on the object
	Pairs  *Dict   // SETITEMS on the object; nil without
	Offset int64
}

// Attr returns an attribute of the state dict.
func (o *Object) Attr(name string) (Value, bool) { return nil, false }

// DType is a numpy dtype; Fields is set for a structured one.
type DType struct {
	Kind      byte // b i u f U S O V
	Size      int
	BigEndian bool
	Fields    []Field
}

// Field is a member of a structured dtype.
type Field struct {
	Name   string
	Offset int
	Type   *DType
}

// Array is a numpy array. Data is in C order after decoding.
type Array struct {
	Type    *DType
	Shape   []int
	Data    []byte  // numeric, string and structured arrays
	Objects []Value // object arrays
	Offset  int64
}

// Scalar is a numpy scalar.
type Scalar struct {
	Type *DType
	Data []byte
}

// Limits bounds what decoding may use; the zero value of a field means its default.
type Limits struct {
	Inflated int64 // bytes after decompression
	Objects  int
	Memo     int
	Depth    int
}

// SyntaxError refuses bytes that are no sound, harmless pickle.
type SyntaxError struct {
	Reason string // a stable word: "forbidden-global", "truncated", "memo-bomb", …
	Offset int64  // byte offset in the (decompressed) stream; -1 where there is none
	Detail string
}

func (e *SyntaxError) Error() string { return e.Detail }

// Decode reads one pickle or joblib file.
func Decode(data []byte, l Limits) (Value, error) { return nil, &SyntaxError{} }

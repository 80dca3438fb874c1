package pickle

import (
	"fmt"
	"math/big"
)

// global pushes the name on the next two lines, if it is allowed. It is GLOBAL of protocols 0 to 3, which wrote
// the name as text within the stream.
func (m *machine) global() error {
	module, err := m.readLine()
	if err != nil {
		return err
	}
	name, err := m.readLine()
	if err != nil {
		return err
	}
	return m.pushGlobal(string(module), string(name))
}

// stackGlobal pushes the name that the two strings on the stack form. PEP 3154 put it in the place of GLOBAL,
// so that nobody has to search the stream for newlines. The words may come out of the memo, so a scanner that
// looks for names in the bytes of a file may see none; the machine sees every one.
func (m *machine) stackGlobal() error {
	pair, err := m.popTuple(2)
	if err != nil {
		return err
	}
	module, ok := pair.Items[0].(string)
	name, also := pair.Items[1].(string)
	if !ok || !also {
		return m.refuse(ReasonCorrupt, "a name that is no string")
	}
	return m.pushGlobal(module, name)
}

// pushGlobal is where every name of the file passes, whichever opcode wrote it.
func (m *machine) pushGlobal(module, name string) error {
	g, err := resolve(module, name, m.opcode)
	if err != nil && m.refused != nil {
		m.refused.note(g, err)
		g.role, err = roleData, nil
	}
	m.push(g)
	return err
}

// reduce stands for a call of the value below the argument tuple. Only a name can be called: the result of
// another call cannot, which in Python is how a chain of getattr reaches what no name in the file says.
func (m *machine) reduce() error {
	pair, err := m.popTuple(2)
	if err != nil {
		return err
	}
	callee, ok := pair.Items[0].(Global)
	args, also := pair.Items[1].(*Tuple)
	if !ok || !also {
		return m.refuse(ReasonCorrupt, "a call of what is no name, or without an argument tuple")
	}
	return m.call(callee, args.Items)
}

// newObject stands for cls.__new__(cls, *args, **kwargs). Keyword arguments become the last argument.
// Estimators of scikit-learn begin this way, with no arguments, and get their attributes by BUILD.
func (m *machine) newObject(keywords bool) error {
	n := 2
	if keywords {
		n = 3
	}
	operands, err := m.popTuple(n)
	if err != nil {
		return err
	}
	class, ok := operands.Items[0].(Global)
	args, also := operands.Items[1].(*Tuple)
	if !ok || !also {
		return m.refuse(ReasonCorrupt, "an object of what is no class, or without an argument tuple")
	}
	items := args.Items
	if keywords {
		named, ok := operands.Items[2].(*Dict)
		if !ok {
			return m.refuse(ReasonCorrupt, "keyword arguments that are no dict")
		}
		if named.Len() > 0 {
			items = append(append([]Value(nil), items...), named)
		}
	}
	return m.call(class, items)
}

// inst is the instance opcode of protocol 0: a name on two lines and arguments above the mark.
func (m *machine) inst() error {
	if err := m.global(); err != nil {
		return err
	}
	class, err := m.pop()
	if err != nil {
		return err
	}
	args, err := m.popMark()
	if err != nil {
		return err
	}
	// What global pushed is a Global, or it has returned an error.
	return m.call(class.(Global), args)
}

// obj is the instance opcode of protocol 1: class and arguments above the mark.
func (m *machine) obj() error {
	items, err := m.popMark()
	if err != nil {
		return err
	}
	if len(items) > 0 {
		if class, ok := items[0].(Global); ok {
			return m.call(class, items[1:])
		}
	}
	return m.refuse(ReasonCorrupt, "an object of what is no class")
}

// build gives the top of the stack its state. No value takes a state twice: a second one would change what has been
// checked, and no pickler writes it. In Python BUILD calls __setstate__ or updates the instance's __dict__;
// here the state is kept as it came, and whoever compiles the model looks attributes up in it.
func (m *machine) build() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	target, err := m.top()
	if err != nil {
		return err
	}
	switch t := target.(type) {
	case *Object:
		if t.State != nil {
			return m.refuse(ReasonCorrupt, "a second state for one %s", t.Class)
		}
		t.State = state
		return nil
	case *DType:
		return m.buildDType(t, state)
	case *Array:
		return m.buildArray(t, state)
	}
	return m.refuse(ReasonCorrupt, "a state for a %s", typeName(target))
}

// typeName names the type of a value as Python does, for a message without its content. The messages of a
// refusal may be logged and shown to anyone, so they say of which kind a value is and never which one.
func typeName(v Value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case string:
		return "str"
	case Bytes:
		return "bytes"
	case *List:
		return "list"
	case *Tuple:
		return "tuple"
	case *Dict:
		return "dict"
	case *Set:
		return "set"
	case *DType:
		return "numpy.dtype"
	case *Array:
		return "numpy.ndarray"
	case *Scalar:
		return "numpy scalar"
	case *Object:
		return v.Class.String()
	case Global:
		return v.String()
	}
	return fmt.Sprintf("%T", v)
}

package pickle

import "slices"

// Python calls whatever name is on the stack. Here a call is looked up by the role of the name, and one that has no
// meaning of its own is written down: class, arguments, place in the file.

// call pushes the value that a call would have made. This is the whole list of calls that have a meaning; every other
// allowed class becomes an Object that remembers its arguments.
func (m *machine) call(callee Global, args []Value) error {
	made, err := m.made(callee, args)
	m.push(made)
	return err
}

// made returns what a call stands for, or refuses the call. A name whose role is roleName never gets past here:
// types and functions are there to be looked at.
func (m *machine) made(callee Global, args []Value) (Value, error) {
	switch callee.role {
	case roleData:
		return &Object{Class: callee, Args: args, Offset: int64(m.opcode)}, nil
	case roleDType:
		return m.newDType(args)
	case roleScalar:
		return m.newScalar(args)
	case roleReconstruct:
		return m.newArray(makerNumpy, args)
	case roleWrapper:
		return m.newArray(makerJoblib, nil)
	case roleFromBuffer:
		return m.arrayOfBuffer(args)
	case roleEncode, roleByteArray, roleBytes:
		return m.newBytes(callee, args)
	case roleReconstructor:
		return m.reconstructed(args)
	case roleOrderedDict:
		return m.newDict(args)
	case roleDefaultDict:
		return &Dict{}, nil // the factory only serves keys that are asked for and absent
	case roleSet:
		return m.newSet(args)
	case roleUfunc:
		return m.ufunc(args)
	}
	return nil, m.refuse(ReasonForbiddenGlobal, "%s is known as a name; a call of it is never written by a model", callee)
}

// newBytes covers the three ways in which protocols 0 to 2 write bytes, and the empty ones. These have no
// opcode for the bytes of Python 3, which writes text whose code points are the bytes, and a call of
// _codecs.encode that turns it back.
func (m *machine) newBytes(callee Global, args []Value) (Value, error) {
	if callee.role != roleEncode && len(args) == 0 {
		return Bytes{}, nil
	}
	switch first := args0(args).(type) {
	case Bytes:
		if callee.role == roleByteArray && len(args) == 1 {
			return first, nil
		}
	case int64:
		if callee.role == roleByteArray {
			return nil, m.refuse(ReasonArraySize, "a bytearray made by its size")
		}
	case string:
		codec, _ := args1(args).(string)
		if callee.role != roleBytes && len(args) == 2 && (codec == "latin1" || codec == "latin-1") {
			return m.latin1(first)
		}
	}
	return nil, m.refuse(ReasonUnsupportedValue, "%s with arguments other than text and latin1", callee)
}

// latin1 turns code points below 256 into bytes. The text may be memoised and encoded again and again, so each
// copy is paid for.
func (m *machine) latin1(s string) (Value, error) {
	if err := m.spendCopy(len(s)); err != nil {
		return nil, err
	}
	out := make(Bytes, 0, len(s))
	for _, r := range s {
		if r > 0xff {
			return nil, m.refuse(ReasonCorrupt, "text that is to be bytes holds a wider character")
		}
		out = append(out, byte(r))
	}
	return out, nil
}

// reconstructed is copyreg's way of protocols 0 and 1 to make an object: class, its built-in base, the base's
// value. The base is object for most classes, dict or list for those that subclass one; its value is then what
// the instance holds as a container.
func (m *machine) reconstructed(args []Value) (Value, error) {
	if len(args) != 3 {
		return nil, m.refuse(ReasonCorrupt, "copyreg._reconstructor with %d arguments", len(args))
	}
	class, ok := args[0].(Global)
	base, also := args[1].(Global)
	if ok && class.role == roleWrapper && args[2] == nil {
		return m.newArray(makerJoblib, nil)
	}
	if !ok || !also || class.role != roleData || base.Module != "builtins" {
		return nil, m.refuse(ReasonForbiddenGlobal, "copyreg._reconstructor of what is no known class")
	}
	o := &Object{Class: class, Offset: int64(m.opcode)}
	switch value := args[2].(type) {
	case nil:
		return o, nil
	case *Dict:
		o.Pairs = value
		return o, nil
	case *List:
		o.Items = slices.Clip(value.Items)
		return o, nil
	}
	return nil, m.refuse(ReasonUnsupportedValue, "%s built on a %s", class, base.Name)
}

// newDict makes the dict of an OrderedDict: empty, or of a list of pairs. The pairs of a list may be shared by
// many calls, so each counts as an opcode would that had stored it.
func (m *machine) newDict(args []Value) (Value, error) {
	d := &Dict{}
	if len(args) == 0 {
		return d, nil
	}
	pairs, ok := args[0].(*List)
	if !ok {
		return nil, m.refuse(ReasonCorrupt, "an OrderedDict of what is no list")
	}
	if m.spent.opcodes += len(pairs.Items); m.spent.opcodes > m.limits.Objects {
		return nil, m.refuse(ReasonBudget, "more than %d opcodes", m.limits.Objects)
	}
	for _, p := range pairs.Items {
		var pair []Value
		switch p := p.(type) {
		case *List:
			pair = p.Items
		case *Tuple:
			pair = p.Items
		}
		if len(pair) != 2 {
			return nil, m.refuse(ReasonCorrupt, "an OrderedDict of what are no pairs")
		}
		if err := m.setItem(d, pair[0], pair[1]); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// newSet makes the set of protocols 0 to 3, which write it as a call with a list. The slice is clipped, so that
// what is appended to the list later does not grow into the set.
func (m *machine) newSet(args []Value) (Value, error) {
	if len(args) == 0 {
		return &Set{}, nil
	}
	if items, ok := args[0].(*List); ok && len(args) == 1 {
		return &Set{Items: slices.Clip(items.Items)}, nil
	}
	return nil, m.refuse(ReasonCorrupt, "a set of what is no list")
}

// ufunc is how numpy before 1.20 writes its elementwise functions: module and name, looked up like any other
// name. The two words pass the same allow-list as a name of its own opcode; to write a name as arguments is no
// way around it.
func (m *machine) ufunc(args []Value) (Value, error) {
	module, ok := args0(args).(string)
	name, also := args1(args).(string)
	if !ok || !also {
		return nil, m.refuse(ReasonCorrupt, "a numpy function without a name")
	}
	g, err := resolve(module, name, m.opcode)
	if err == nil && g.role != roleName {
		err = m.refuse(ReasonForbiddenGlobal, "%s is no numpy function", g)
	}
	return g, err
}

// args0 and args1 return an argument, or nil where there are fewer.
func args0(args []Value) Value { return argument(args, 0) }
func args1(args []Value) Value { return argument(args, 1) }

// argument returns argument i, or nil. None is nil as well: no call that has a meaning here takes a None.
func argument(args []Value, i int) Value {
	if i >= len(args) {
		return nil
	}
	return args[i]
}

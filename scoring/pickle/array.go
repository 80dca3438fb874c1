package pickle

import "slices"

// An array comes into being in two steps, an announcement and a state, because Python makes objects first and fills them
// afterwards. The announced *Array is filled in place, so that a memo entry made in between refers to the same array.
// Only _frombuffer of protocol 5 does both at once.

// A maker is what announced an array before its BUILD. Both announce the same thing and differ in where the
// data are, which only the BUILD needs to know.
type maker byte

const (
	makerNumpy  maker = iota + 1 // numpy's _reconstruct: the state holds the data
	makerJoblib                  // joblib's NumpyArrayWrapper: the data follow the BUILD, outside the pickle
)

// newArray makes an array that waits for its state. It has no type until then; checkGraph refuses one that
// never gets there.
func (m *machine) newArray(by maker, args []Value) (Value, error) {
	if class, ok := args0(args).(Global); by == makerNumpy && (!ok || !isNDArray(class)) {
		return nil, m.refuse(ReasonForbiddenGlobal, "an array of another class than numpy.ndarray")
	}
	a := &Array{Offset: int64(m.opcode)}
	m.unbuilt[a] = by
	return a, nil
}

// isNDArray says whether a class is plain ndarray. A subclass (matrix, MaskedArray, memmap) would mean something else
// by the same bytes.
func isNDArray(g Global) bool { return g.Module == "numpy" && g.Name == "ndarray" }

// buildArray fills an announced array. numpy's state is (version, shape, dtype, whether columns come first,
// data), the data bytes or, for objects, a list.
func (m *machine) buildArray(a *Array, state Value) error {
	by, ok := m.unbuilt[a]
	if !ok {
		return m.refuse(ReasonCorrupt, "a second state for one array")
	}
	delete(m.unbuilt, a)
	if by == makerJoblib {
		return m.buildWrapped(a, state)
	}
	t, ok := state.(*Tuple)
	if !ok || len(t.Items) != 5 {
		return m.refuse(ReasonCorrupt, "an array state that is none")
	}
	fortran, ok := t.Items[3].(bool)
	if !ok {
		return m.refuse(ReasonCorrupt, "an array state without memory order")
	}
	return m.fillArray(a, t.Items[2], t.Items[1], fortran, t.Items[4])
}

// arrayOfBuffer makes the array of protocol 5: (buffer, dtype, shape, order). The buffer is in the pickle
// itself: an out-of-band one (PEP 574) was refused when its opcode came.
func (m *machine) arrayOfBuffer(args []Value) (Value, error) {
	if len(args) != 4 {
		return nil, m.refuse(ReasonCorrupt, "_frombuffer with %d arguments", len(args))
	}
	fortran, err := m.memoryOrder(args[3])
	if err != nil {
		return nil, err
	}
	a := &Array{Offset: int64(m.opcode)}
	return a, m.fillArray(a, args[1], args[2], fortran, args[0])
}

// memoryOrder reads C (rows first) or F (columns first).
func (m *machine) memoryOrder(v Value) (fortran bool, err error) {
	switch v {
	case "C":
		return false, nil
	case "F":
		return true, nil
	}
	return false, m.refuse(ReasonArrayShape, "a memory order other than C and F")
}

// fillArray takes type, shape and data that the pickle holds, and checks that they fit each other. The length
// must be exact. Bytes too few would be read beyond their end, bytes too many are something that nobody would
// look at.
func (m *machine) fillArray(a *Array, dtype, shape Value, fortran bool, data Value) error {
	count, err := m.describe(a, dtype, shape)
	if err != nil {
		return err
	}
	switch d := data.(type) {
	case Bytes:
		if a.Type.Kind == 'O' || len(d) != count*a.Type.Size {
			return m.refuse(ReasonArrayShape, "an array of shape %v over %d bytes", a.Shape, len(d))
		}
		a.Data = d
	case *List:
		if a.Type.Kind != 'O' || len(d.Items) != count {
			return m.refuse(ReasonArrayShape, "an array of shape %v over %d objects", a.Shape, len(d.Items))
		}
		a.Objects = slices.Clip(d.Items)
	default:
		return m.refuse(ReasonCorrupt, "an array without data")
	}
	return m.toRowOrder(a, fortran)
}

// describe sets type and shape, and returns the number of elements. What they claim fits a file of allowed
// size. The product is bounded after each factor and before it counts bytes, so that no multiplication behind
// this one can overflow.
func (m *machine) describe(a *Array, dtype, shape Value) (count int, err error) {
	d, ok := dtype.(*DType)
	if !ok || !d.built {
		return 0, m.refuse(ReasonArrayDType, "an array without a type")
	}
	dims, ok := shape.(*Tuple)
	if !ok || len(dims.Items) > maxDims {
		return 0, m.refuse(ReasonArrayShape, "a shape that is none, or of more than %d dimensions", maxDims)
	}
	// The product leaves zeros out, so that an empty array cannot claim an absurd shape.
	product, none := int64(1), false
	for _, v := range dims.Items {
		dim, ok := v.(int64)
		if !ok || dim < 0 {
			return 0, m.refuse(ReasonArrayShape, "a dimension that is no count")
		}
		none = none || dim == 0
		if dim = max(dim, 1); product > m.limits.File/dim {
			return 0, m.tooLarge(none)
		}
		product *= dim
		a.Shape = append(a.Shape, int(v.(int64)))
	}
	if d.Kind != 'O' && product > m.limits.File/int64(d.Size) {
		return 0, m.tooLarge(none)
	}
	a.Type = d
	if none {
		return 0, nil
	}
	return int(product), nil
}

// tooLarge refuses a shape whose elements no allowed file could hold.
func (m *machine) tooLarge(none bool) error {
	if none {
		return m.refuse(ReasonArrayShape, "an empty array of absurd shape")
	}
	return m.refuse(ReasonArraySize, "an array larger than any file allowed")
}

// toRowOrder turns column-first data (F) into row-first (C). Objects need no turning: numpy lists them row by row
// whatever their order in memory was.
func (m *machine) toRowOrder(a *Array, fortran bool) error {
	if !fortran || len(a.Shape) < 2 || a.Type.Kind == 'O' {
		return nil
	}
	if err := m.spendCopy(len(a.Data)); err != nil {
		return err
	}
	size, from := a.Type.Size, a.Data
	a.Data = make([]byte, len(from))
	permute(a.Shape, func(to, at int) { copy(a.Data[to*size:(to+1)*size], from[at*size:]) })
	return nil
}

// permute calls move for every element with its place in row-first and in column-first order. The place in
// column-first order is the sum of index·stride, where the first dimension has the stride 1 and each further
// one the product of those before it.
func permute(shape []int, move func(to, from int)) {
	total := 1
	strides, index := make([]int, len(shape)), make([]int, len(shape))
	for i, dim := range shape {
		strides[i] = total
		total *= dim
	}
	from := 0
	for to := range total {
		move(to, from)
		// Step the index like an odometer, the last dimension fastest, and its place with it.
		for axis := len(shape) - 1; axis >= 0; axis-- {
			index[axis]++
			from += strides[axis]
			if index[axis] < shape[axis] {
				break
			}
			from -= strides[axis] * shape[axis]
			index[axis] = 0
		}
	}
}

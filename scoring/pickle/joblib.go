package pickle

import (
	"bytes"
	"slices"
)

// joblib.dump pickles everything but arrays. In place of each array it pickles a NumpyArrayWrapper with the attributes
// subclass, shape, order, dtype, allow_mmap and numpy_array_alignment_bytes, and writes the data behind the BUILD that
// ends the wrapper, in the middle of the stream. So the reader has to stop there, take the bytes and go on.

// maxAlignment is the alignment that joblib pads array data to. It does so in order that the arrays of an
// uncompressed file can be mapped into memory at aligned addresses.
const maxAlignment = 16

// buildWrapped reads the array that follows a NumpyArrayWrapper. Its bytes lie outside the pickle: after the BUILD the
// stream goes on with the raw data, or, for an array of objects, with a complete pickle of its own. The length
// is nowhere written: it follows from shape and type, which describe has held against the largest file allowed,
// and read then holds it against the bytes that are left. allow_mmap says how Python may load the data, and is
// of no interest here.
func (m *machine) buildWrapped(a *Array, state Value) error {
	attrs, ok := state.(*Dict)
	if !ok {
		return m.refuse(ReasonCorrupt, "a joblib array without attributes")
	}
	if class, _ := attrs.Get("subclass"); class != nil {
		if g, ok := class.(Global); !ok || !isNDArray(g) {
			return m.refuse(ReasonForbiddenGlobal, "a joblib array of another class than numpy.ndarray")
		}
	}
	dtype, _ := attrs.Get("dtype")
	shape, _ := attrs.Get("shape")
	count, err := m.describe(a, dtype, shape)
	if err != nil {
		return err
	}
	order, _ := attrs.Get("order")
	fortran, err := m.memoryOrder(order)
	if err != nil {
		return err
	}
	if a.Type.Kind == 'O' {
		return m.readObjects(a)
	}
	alignment, _ := attrs.Get("numpy_array_alignment_bytes")
	if err := m.skipPadding(alignment); err != nil {
		return err
	}
	if a.Data, err = m.read(uint64(count * a.Type.Size)); err != nil {
		return err
	}
	return m.toRowOrder(a, fortran)
}

// skipPadding reads what joblib from 1.2 on writes before the data: one byte n and n bytes 0xFF. Older files, and those
// written to a stream without a position, have no alignment and no padding.
func (m *machine) skipPadding(alignment Value) error {
	if alignment == nil {
		return nil
	}
	if n, ok := alignment.(int64); !ok || n < 1 || n > maxAlignment {
		return m.refuse(ReasonCorrupt, "an alignment that joblib does not write")
	}
	n, err := m.readByte()
	if err != nil {
		return err
	}
	if n > maxAlignment {
		return m.refuse(ReasonCorrupt, "padding of %d bytes before an array", n)
	}
	padding, err := m.read(uint64(n))
	if err != nil {
		return err
	}
	if len(bytes.Trim(padding, "\xff")) > 0 {
		return m.refuse(ReasonCorrupt, "padding that joblib does not write")
	}
	return nil
}

// readObjects reads the pickle of an object array: another memo, the same allow-list and the same limits.
// joblib writes objects by pickle.dump into the same stream, so that array has a STOP of its own, after which
// the outer pickle goes on.
func (m *machine) readObjects(a *Array) error {
	inner, err := m.nested()
	if err != nil {
		return err
	}
	root, err := inner.run()
	if err != nil {
		return err
	}
	m.pos = inner.pos
	array, ok := root.(*Array)
	if !ok || array.Type == nil || array.Type.Kind != 'O' {
		return m.refuse(ReasonCorrupt, "an object array whose pickle holds something else")
	}
	if len(array.Shape) != len(a.Shape) {
		return m.refuse(ReasonArrayShape, "an object array of another shape than announced")
	}
	for i, dim := range array.Shape {
		if dim != a.Shape[i] {
			return m.refuse(ReasonArrayShape, "an object array of another shape than announced")
		}
	}
	a.Objects = slices.Clip(array.Objects)
	return nil
}

// Package pickle reads pickle and joblib files as data.
//
// A fitted scikit-learn pipeline is saved by pickle.dump or joblib.dump. Such a file is no table of values but a
// program for a small stack machine, and Python carries it out: it imports what the file names and calls what the file
// says. This package runs the same machine over the same opcodes, up to the point where Python would import or call.
// There it writes down what would have been called, with which arguments, and goes on. What comes out is a graph of
// inert values, see Value: numbers, text, containers, numpy arrays, and objects that know their class by name and their
// attributes by heart. What a class means is none of this package's business; that is scoring/sklearn.
//
// # How the bytes flow
//
// Decode takes a whole file. The container (container.go) recognises zlib, gzip, bz2, xz, lzma and lz4 by their first
// bytes and inflates them within bounds. The machine (machine.go, opcodes.go) is a loop over opcodes with a stack, a
// list of marks and a memo; literals.go reads what opcodes carry, containers.go fills lists and dicts, objects.go
// stands where Python makes objects, and calls.go has the calls that mean something. Names go through one table
// (globals.go, allowlist.go). Arrays (array.go, dtype.go) come in three ways: as the state of an object in the pickle,
// as a buffer of protocol 5, and as joblib writes them, raw bytes that follow the pickle's opcodes (joblib.go). At the
// end one walk over the graph (graph.go) makes sure that whoever reads it later can do so with plain recursion.
// elements.go, plain.go and pandas.go then give typed access. Inspect (inspect.go) reads on where a name is refused, for
// those who want to know everything that stands in the way; nothing that it returns is scored with.
//
// # Why nothing in a pickle is called
//
// In Python a pickle can do whatever its author can: os.system is a name like any other, and REDUCE calls it. Scanners
// that look for bad names have been bypassed again and again. So the allow-list works the other way round: a name that
// is not known to be harmless data stops the reader at its byte offset. And even an allowed name is never more than two
// words here. The package could not import or run anything if it wanted to: it knows neither files, processes and the
// network nor reflection, and a test holds its import list.
//
// Three kinds of name are allowed. Some have a meaning of their own: the makers of arrays, dtypes, bytes and dicts.
// Classes of the packages that models are made of become an Object. Functions and types of these packages stay names: a
// FunctionTransformer may hold numpy.log1p, but a file that calls it is refused, for no model does. A name of the
// author's own code is refused too, with a reason of its own, since that is no attack but a model that needs another way
// out of Python.
//
// # Why there are budgets
//
// A file of a few bytes can claim an array of 2^62 elements, inflate to gigabytes, nest ten thousand lists or, by
// sharing one list in the next, stand for 2^60 values. Every length is therefore compared with what is left of the
// file before memory is made, inflation is measured before it is kept, and the graph is checked for cycles, depth and
// the number of values that its shared references stand for. Limits holds the bounds. Nothing is believed because the
// file is signed: the signature says who wrote it, not that it is well.
//
// # What is refused though Python would read it
//
// A second state for an object, a dtype or an array; data behind the end; lone surrogates in text; array subclasses,
// datetimes, complex numbers and subarrays; out-of-band buffers, persistent ids and extension codes; joblib files from
// before 0.10. No fitted classifier of scikit-learn 0.24 to 1.9 has any of these.
//
// # What such a program looks like
//
// A StandardScaler in protocol 4, its framing and its memo opcodes left out; on the right is what the machine
// makes of it:
//
//	PROTO 4
//	SHORT_BINUNICODE 'sklearn.preprocessing._data'
//	SHORT_BINUNICODE 'StandardScaler'
//	STACK_GLOBAL                        a Global, since the allow-list has the name
//	EMPTY_TUPLE  NEWOBJ                 an Object of that class, made of no arguments
//	EMPTY_DICT  MARK
//	SHORT_BINUNICODE 'with_mean'  NEWTRUE
//	SHORT_BINUNICODE 'with_std'   NEWTRUE
//	SETITEMS                            the dict, filled with what is above the mark
//	BUILD                               the Object, with that dict as its state
//	STOP                                the root of the graph
package pickle

// Decode reads one pickle or joblib file, compressed or not, and returns the value that it holds. The value may alias
// data, which must not change as long as the value is used. The only error is *SyntaxError; where it has an offset, that
// counts bytes after decompression. Decode keeps nothing between calls and may be called by any number of
// goroutines; the graph it returns is only read from then on, so that it may be shared as well.
func Decode(data []byte, l Limits) (Value, error) { return decode(data, l, nil) }

// decode reads a file, with names to collect those that are refused, or without to stop at the first.
func decode(data []byte, l Limits, names *refusedNames) (Value, error) {
	l = l.withDefaults()
	if int64(len(data)) > l.File {
		return nil, refuse(ReasonBudget, -1, "the file has %d bytes, more than %d", len(data), l.File)
	}
	data, err := inflated(data, l)
	if err != nil {
		return nil, err
	}
	m := newMachine(data, l)
	m.refused = names
	root, err := m.run()
	if err != nil {
		return nil, err
	}
	if m.pos != len(data) {
		return nil, refuse(ReasonTrailingData, m.pos, "%d bytes follow the end of the pickle", len(data)-m.pos)
	}
	if err := checkGraph(root, l); err != nil {
		return nil, err
	}
	return root, nil
}

// inflated returns the bytes of the pickle itself. joblib before 0.10 compressed in a format of its own, which
// begins with ZF; such files are named here, since nothing else would tell their owner what to do. One
// container is unpacked and no second one inside it, for nobody writes such.
func inflated(data []byte, l Limits) ([]byte, error) {
	if len(data) > 2 && string(data[:2]) == "ZF" {
		return nil, refuse(ReasonUnsupportedFormat, 0, "written by joblib before 0.10: dump it again with a newer joblib")
	}
	c := containerOf(data)
	if c == nil {
		return data, nil
	}
	// The bound follows the size of the file: what is small on disk must stay small in memory.
	return c.inflate(data, l.inflated(len(data), c.ratio))
}

package pickle

import "bytes"

// A Header is what the bytes of a file tell before any instruction is carried out. It is for people who ask
// what a file is, and no part of any decision: a byte sequence can be put into a file on purpose.
type Header struct {
	Compression string // zlib, gzip, bz2, xz, lzma or lz4; empty for none
	Protocol    int    // of the pickle; 0 also stands for 1, since neither writes its number
	Joblib      bool   // compressed, or with arrays as joblib.dump writes them
	NumPy       string // what the names of its modules tell of numpy: "1", "2 or later"; empty where nothing does
}

// Head reads the header of a file. It inflates what is compressed, within the limits; the only error is *SyntaxError.
func Head(data []byte, l Limits) (Header, error) {
	var h Header
	if c := containerOf(data); c != nil {
		h.Compression = c.name
	}
	plain, err := inflated(data, l.withDefaults())
	if err != nil {
		return h, err
	}
	// PROTO is the first opcode from protocol 2 on, followed by the number.
	if len(plain) > 1 && plain[0] == 0x80 {
		h.Protocol = int(plain[1])
	}
	// Only joblib compresses; without arrays and compression its files are plain pickles.
	h.Joblib = h.Compression != "" || bytes.Contains(plain, []byte("joblib.numpy_pickle"))
	switch {
	case bytes.Contains(plain, []byte("numpy._core")): // renamed from numpy.core in 2.0
		h.NumPy = "2 or later"
	case bytes.Contains(plain, []byte("numpy.core")):
		h.NumPy = "1"
	}
	return h, nil
}

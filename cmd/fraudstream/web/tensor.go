package web

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"fraudstream/scoring"
)

// A tensor is one input of an inference request. Data is still JSON. A shape is kept as the client wrote it, in whole
// numbers that may be negative or enormous; nothing is allocated by it before it was checked.
type tensor struct {
	Name       string         `json:"name"`
	Shape      []int64        `json:"shape"`
	Datatype   string         `json:"datatype"`
	Parameters jsontext.Value `json:"parameters"`
	Data       jsontext.Value `json:"data"`
}

// A cell is the JSON of one element of a tensor: where it stands among the worker's tokens.
type cell struct{ from, to int32 }

// A column is where the cells of one feature are: those of row i at first + i·stride. No cells: stride 0. Both kinds
// of tensors thus look alike to compose: a feature alone has a stride of 1, one of a frame the width of the frame.
type column struct{ first, stride int }

// integers are the datatypes of whole numbers, by their bits; those without a sign are negative.
var integers = map[string]int{"INT8": 8, "INT16": 16, "INT32": 32, "INT64": 64, "UINT8": -8, "UINT16": -16, "UINT32": -32, "UINT64": -64}

// badTensor refuses a request for one of its inputs. The name stands in the member field of the contract's error;
// nothing that the tensor holds is repeated.
func badTensor(name, format string, args ...any) *problem {
	return &problem{http.StatusBadRequest, fault{scoring.WrongType, name, fmt.Sprintf(format, args...)}}
}

// gather reads the tensors of a request into the worker's cells and finds the column of every feature. A tensor is
// either a feature, by its name, of the shape [N] or [N, 1], or the whole frame, of the shape [N, features] in
// training order. All have the same N. A feature that no tensor brings stays without a column and is missing in every
// row, which the model may take or refuse. One that comes twice is refused: there is no telling which was meant.
func (s *Server) gather(w *worker, tensors []tensor) (columns []column, rows int, failed *problem) {
	columns, rows = make([]column, len(s.inputs)), -1
	w.rows, w.cells = w.rows[:0], w.cells[:0]
	for i := range tensors {
		t := &tensors[i]
		feature := slices.IndexFunc(s.inputs, func(in scoring.Input) bool { return in.Name == t.Name })
		width, failed := s.width(t, feature)
		if failed != nil {
			return nil, 0, failed
		}
		n := int(t.Shape[0])
		if rows >= 0 && n != rows {
			return nil, 0, badTensor(t.Name, "the tensor has %d rows, another has %d", n, rows)
		}
		rows = n
		first := len(w.cells)
		if failed := w.elements(t, n*width, width); failed != nil {
			return nil, 0, failed
		}
		if feature >= 0 && width == 1 {
			if columns[feature].stride > 0 {
				return nil, 0, badTensor(t.Name, "the input is there twice")
			}
			columns[feature] = column{first, 1}
			continue
		}
		for f := range columns {
			if columns[f].stride > 0 {
				return nil, 0, badTensor(t.Name, "%s is in this tensor and in another", s.inputs[f].Name)
			}
			columns[f] = column{first + f, width}
		}
	}
	if rows < 0 {
		return nil, 0, badTensor("inputs", "there is no input; /v2/models/%s lists them", s.options.Scorer.Bundle.Name)
	}
	return columns, rows, nil
}

// width checks the shape of a tensor and returns its columns: 1 of a feature, all of the whole frame. The number of
// rows is held against the limit here, before an element of the data is looked at.
func (s *Server) width(t *tensor, feature int) (int, *problem) {
	if t.Name == "" {
		return 0, badTensor("inputs", "an input has no name")
	}
	if len(t.Shape) == 0 || len(t.Shape) > 2 || slices.Min(t.Shape) < 0 {
		return 0, badTensor(t.Name, "the shape is [N], [N, 1] or, of the whole frame, [N, %d]", len(s.inputs))
	}
	if t.Shape[0] > int64(s.limits.Rows) {
		return 0, s.tooManyRows()
	}
	switch {
	case feature >= 0 && (len(t.Shape) == 1 || t.Shape[1] == 1):
		return 1, nil
	case len(t.Shape) == 2 && t.Shape[1] == int64(len(s.inputs)):
		return len(s.inputs), nil
	case feature < 0:
		return 0, badTensor(t.Name, "the model has no such input, and the shape is not that of the whole frame, [N, %d]", len(s.inputs))
	}
	return 0, badTensor(t.Name, "the shape of one feature is [N] or [N, 1]")
}

// elements reads the data of a tensor: a flat list of the elements, or a list of rows. Which of the two it is, the
// first element tells, and all others have to be like it; a row has width elements. Elements are copied into
// w.rows in the form that an event would have them and found again by w.cells, since a buffer that grows moves.
func (w *worker) elements(t *tensor, count, width int) *problem {
	check, failed := checkOf(t)
	if failed != nil {
		return failed
	}
	if t.Data.Kind() != '[' {
		return badTensor(t.Name, "data is a list")
	}
	end := len(w.cells) + count
	decoder := jsontext.NewDecoder(bytes.NewBuffer(t.Data))
	_, _ = decoder.ReadToken() // the request was well-formed, and so is every part of it
	nested := decoder.PeekKind() == '['
	for decoder.PeekKind() != ']' {
		if nested {
			if decoder.PeekKind() != '[' {
				return badTensor(t.Name, "some rows are lists and some are not")
			}
			_, _ = decoder.ReadToken()
		}
		n := 0
		for ; decoder.PeekKind() != ']' && (nested || n == 0); n++ {
			value, err := decoder.ReadValue()
			if err != nil || len(w.cells) == end || n == width {
				return badTensor(t.Name, "the data has more elements than the shape")
			}
			from := len(w.rows)
			var ok bool
			if w.rows, ok = check(w.rows, value); !ok {
				return badTensor(t.Name, "element %d is no %s", len(w.cells)-end+count, t.Datatype)
			}
			w.cells = append(w.cells, cell{int32(from), int32(len(w.rows))})
		}
		if nested {
			if n != width {
				return badTensor(t.Name, "a row has not %d elements", width)
			}
			_, _ = decoder.ReadToken()
		}
	}
	if len(w.cells) != end {
		return badTensor(t.Name, "the data has fewer elements than the shape")
	}
	return nil
}

// A check appends the JSON of an element as an event would hold it, and reports whether it is of the datatype. A null
// is a missing value of any type.
type check func(dst []byte, value jsontext.Value) ([]byte, bool)

// checkOf is the check of a tensor's datatype.
func checkOf(t *tensor) (check, *problem) {
	if bits := integers[t.Datatype]; bits != 0 {
		return whole(bits), nil
	}
	switch t.Datatype {
	case "FP64":
		return ofKinds("0"), nil
	case "FP32":
		return single, nil
	case "BOOL":
		return ofKinds("tf"), nil
	case "BYTES":
		return ofKinds(`"`), nil
	}
	return nil, badTensor(t.Name, "the datatype is one of FP64, FP32, BOOL, BYTES and the INT and UINT types")
}

// ofKinds takes elements of some kinds of JSON as they are written, so that a number keeps its digits. The letters
// are those of jsontext.Kind: 0 a number, t and f the truth values, a quotation mark a text.
func ofKinds(kinds string) check {
	return func(dst []byte, value jsontext.Value) ([]byte, bool) {
		kind := value.Kind()
		return append(dst, value...), kind == 'n' || bytes.IndexByte([]byte(kinds), byte(kind)) >= 0
	}
}

// whole takes whole numbers of so many bits. A number that is whole but written as 1.0 or 1e3 is none: the libraries
// that send these types write digits alone, and whoever sends a fraction by mistake is told so.
func whole(bits int) check {
	return func(dst []byte, value jsontext.Value) ([]byte, bool) {
		if value.Kind() == 'n' {
			return append(dst, value...), true
		}
		var err error
		if bits < 0 {
			_, err = strconv.ParseUint(string(value), 10, -bits)
		} else {
			_, err = strconv.ParseInt(string(value), 10, bits)
		}
		return append(dst, value...), err == nil
	}
}

// single takes numbers that are rounded to float32, as a client's array of that type has rounded them: written with
// more digits or fewer, they are the same float32 and get the same score.
func single(dst []byte, value jsontext.Value) ([]byte, bool) {
	switch value.Kind() {
	case 'n':
		return append(dst, value...), true
	case '0':
		f, err := strconv.ParseFloat(string(value), 32)
		return strconv.AppendFloat(dst, f, 'g', -1, 64), err == nil && !math.IsInf(f, 0)
	}
	return dst, false
}

// compose turns the columns into events, one for each row, whose fields are the features. They are appended behind
// the elements, in the same buffer, and cut out of it at the end, so that no value becomes a string of its own. The
// keys come in training order, each once; a feature without a column is left out, which is what a missing field is.
func (s *Server) compose(w *worker, columns []column, rows int) {
	tokens := len(w.rows)
	w.events = w.events[:0]
	ends := make([]int, 0, rows)
	for row := range rows {
		w.rows = append(w.rows, '{')
		first := true
		for f, at := range columns {
			if at.stride == 0 {
				continue
			}
			if !first {
				w.rows = append(w.rows, ',')
			}
			first = false
			c := w.cells[at.first+row*at.stride]
			w.rows = append(append(w.rows, s.names[f]...), w.rows[c.from:c.to]...)
		}
		w.rows = append(w.rows, '}')
		ends = append(ends, len(w.rows))
	}
	from := tokens
	for _, end := range ends { // the events do not move any more
		w.events = append(w.events, w.rows[from:end:end])
		from = end
	}
}

package booster

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonReader reads strict JSON: a name that stands twice, NaN and trailing text are refused. values counts
// against the budget; offsets in errors are bytes of the document.
type jsonReader struct {
	d      *jsontext.Decoder
	class  string
	values int
}

// parseJSON reads one document: a tree of the values that values.go lists. Trees are long lists of numbers, which
// take eight bytes each, about what they take as text. class is the library that messages name.
func parseJSON(class string, data []byte) (any, error) {
	r := &jsonReader{d: jsontext.NewDecoder(bytes.NewBuffer(data)), class: class}
	v, err := r.value()
	if err != nil {
		return nil, err
	}
	// Only blanks may follow: anything else is a second document.
	if _, err := r.d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, r.damaged("trailing-data", "text follows the document; copy the file again")
	}
	return v, nil
}

// damaged refuses the document where the decoder stands. A grammar error has a place in the file and no
// attribute.
func (r *jsonReader) damaged(reason, advice string) error {
	return damaged(r.class, reason, int(r.d.InputOffset()), advice)
}

// token reads the next token within the limits of depth and number. Whatever else the decoder finds wrong, a bad
// escape or a stray comma, is one refusal: none of the three libraries writes such a file.
func (r *jsonReader) token() (jsontext.Token, error) {
	t, err := r.d.ReadToken()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return t, r.damaged("truncated", adviceTruncated)
	case err != nil:
		return t, r.damaged("corrupt", adviceCorrupt)
	case r.d.StackDepth() > maxDepth:
		return t, r.damaged("depth", adviceDepth)
	}
	return t, nil
}

// value reads a value. The depth is bounded by token, so that the recursion is too.
func (r *jsonReader) value() (any, error) {
	t, err := r.token()
	if err != nil {
		return nil, err
	}
	if r.values++; r.values > maxValues {
		return nil, r.damaged("budget", adviceBudget)
	}
	switch t.Kind() {
	case '{':
		return r.object()
	case '[':
		return r.array()
	case '"':
		return t.String(), nil
	case '0':
		return r.number(t)
	case 't', 'f':
		return t.Bool(), nil
	default:
		return nil, nil
	}
}

// number refuses what overflows a float64. JSON has no NaN and no infinity, so that every number that is read is
// finite.
func (r *jsonReader) number(t jsontext.Token) (float64, error) {
	x, err := t.Float()
	if err != nil || x-x != 0 {
		return 0, r.damaged("non-finite", "a number overflows float64")
	}
	return x, nil
}

// object reads names and values behind an opening brace. The decoder refuses a name that stands twice. Names may
// come in any order.
func (r *jsonReader) object() (any, error) {
	o := object{}
	for r.d.PeekKind() != '}' {
		name, err := r.token()
		if err != nil {
			return nil, err
		}
		key := name.String() // a copy: the token does not outlive the next read
		if o[key], err = r.value(); err != nil {
			return nil, err
		}
	}
	_, err := r.token()
	return o, err
}

// array reads numbers into a []float64 for as long as there is nothing else. Numbers in such a list are not
// counted against the budget: each takes two bytes of the file at least.
func (r *jsonReader) array() (any, error) {
	numbers := []float64{}
	for r.d.PeekKind() == '0' {
		t, err := r.token()
		if err != nil {
			return nil, err
		}
		x, err := r.number(t)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, x)
	}
	if r.d.PeekKind() == ']' {
		_, err := r.token()
		return numbers, err
	}
	// From here on each number costs as much as any other value, and counts as one.
	if r.values += len(numbers); r.values > maxValues {
		return nil, r.damaged("budget", adviceBudget)
	}
	// Something else stands among the numbers: the list is one of values.
	items := make([]any, len(numbers))
	for i, x := range numbers {
		items[i] = x
	}
	for r.d.PeekKind() != ']' {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	_, err := r.token()
	return items, err
}

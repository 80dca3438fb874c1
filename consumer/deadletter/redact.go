package deadletter

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// Redactor masks events. It is immutable: one serves every partition.
type Redactor struct {
	keep map[string]bool
	kept func(path, text string) string // what stands for text and numbers that are kept; nil: themselves
}

// Showing is a redactor for people's eyes: what stands for a field that is kept, a text or the digits of a number, is
// what kept says.
func (r *Redactor) Showing(kept func(path, text string) string) *Redactor {
	return &Redactor{r.keep, kept}
}

// NewRedactor keeps the fields with the given dotted paths as they are; the elements of an array go by the array's.
func NewRedactor(keep []string) *Redactor {
	r := &Redactor{keep: map[string]bool{}}
	for _, path := range keep {
		r.keep[path] = true
	}
	return r
}

// Key masks a key, which has no fields.
func (r *Redactor) Key(key []byte) []byte {
	if key == nil {
		return nil
	}
	return shape(key)
}

// Value masks a value. JSON keeps its structure. What is no JSON has no fields that could be allowed, and is masked
// byte by byte, so that one still sees where it breaks.
func (r *Redactor) Value(value []byte) []byte {
	if value == nil {
		return nil
	}
	masked, err := r.json(value)
	if err != nil {
		return shape(value)
	}
	return masked
}

// json copies one JSON value token by token. Duplicate names may be why the event is here, so they pass.
func (r *Redactor) json(value []byte) ([]byte, error) {
	var out bytes.Buffer
	in := jsontext.NewDecoder(bytes.NewReader(value), jsontext.AllowDuplicateNames(true))
	to := jsontext.NewEncoder(&out, jsontext.AllowDuplicateNames(true))
	path := where{redactor: r}
	for whole := false; ; whole = to.StackDepth() == 0 {
		token, err := in.ReadToken()
		if errors.Is(err, io.EOF) && whole {
			return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
		}
		if err != nil {
			return nil, err
		}
		if whole {
			return nil, errors.New("more than one value")
		}
		if err := path.copy(to, token); err != nil {
			return nil, err
		}
	}
}

// where is the place in the value that is being copied: the members that lead to it.
type where struct {
	redactor *Redactor
	names    []string // one for each object or array around it; those of arrays are empty
	objects  []bool
	name     string // the last member's name
	isValue  bool   // in an object: the next token is the value of name
}

func (w *where) copy(to *jsontext.Encoder, token jsontext.Token) error {
	inObject := len(w.objects) > 0 && w.objects[len(w.objects)-1]
	switch token.Kind() {
	case '{', '[':
		name := w.name
		if !inObject {
			name = ""
		}
		w.names, w.objects = append(w.names, name), append(w.objects, token.Kind() == '{')
		w.name, w.isValue = "", false
		return to.WriteToken(token)
	case '}', ']':
		w.names, w.objects = w.names[:len(w.names)-1], w.objects[:len(w.objects)-1]
		w.isValue = false
		return to.WriteToken(token)
	}
	if inObject && !w.isValue {
		w.name, w.isValue = token.String(), true
		return to.WriteToken(jsontext.String(maskNumbers(w.name)))
	}
	w.isValue = false
	return w.scalar(to, token, inObject)
}

func (w *where) scalar(to *jsontext.Encoder, token jsontext.Token, inObject bool) error {
	path := w.path(inObject)
	if token.Kind() == 'n' || w.redactor.keep[path] {
		if kept := w.redactor.kept; kept != nil && (token.Kind() == '"' || token.Kind() == '0') {
			if text := token.String(); kept(path, text) != text {
				return to.WriteToken(jsontext.String(kept(path, text)))
			}
		}
		return to.WriteToken(token)
	}
	switch token.Kind() {
	case '"':
		return to.WriteToken(jsontext.String(string(shape([]byte(token.String())))))
	case '0':
		return to.WriteValue(shapeNumber(token.String()))
	}
	return to.WriteToken(jsontext.False)
}

// path is dotted; arrays add nothing to it.
func (w *where) path(inObject bool) string {
	var parts []string
	for _, name := range w.names {
		if name != "" {
			parts = append(parts, name)
		}
	}
	if inObject {
		parts = append(parts, w.name)
	}
	return strings.Join(parts, ".")
}

// shape replaces letters and digits, and what is no readable text. It keeps white space and punctuation, and the
// number of characters.
func shape(text []byte) []byte {
	masked := make([]byte, 0, len(text))
	for len(text) > 0 {
		c, size := utf8.DecodeRune(text)
		switch {
		case c == utf8.RuneError && size == 1:
			masked = append(masked, '?')
		case unicode.IsDigit(c) || unicode.IsNumber(c):
			masked = append(masked, '9')
		case unicode.IsUpper(c):
			masked = append(masked, 'X')
		case unicode.IsLetter(c) || unicode.IsMark(c):
			masked = append(masked, 'x')
		case c < utf8.RuneSelf && (unicode.IsGraphic(c) || unicode.IsSpace(c)):
			masked = append(masked, byte(c))
		default:
			masked = append(masked, '?')
		}
		text = text[size:]
	}
	return masked
}

// shapeNumber masks the digits of a JSON number and leaves it one.
func shapeNumber(text string) []byte {
	masked := []byte(text)
	for i, c := range masked {
		if c >= '0' && c <= '9' {
			masked[i] = '9'
		}
	}
	return masked
}

// longNumber is the number of digits in a row that may stand in a name; more of them are an account or a card, used
// as a name.
const longNumber = 4

func maskNumbers(name string) string {
	masked, row := []byte(name), 0
	for i, c := range masked {
		if c < '0' || c > '9' {
			row = 0
			continue
		}
		if row++; row == longNumber {
			for j := i - row + 1; j < i; j++ {
				masked[j] = '9'
			}
		}
		if row >= longNumber {
			masked[i] = '9'
		}
	}
	return string(masked)
}

package privacy

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The bounds of what is shown of one event: a field is there to recognise a payment by, not to read it.
const (
	largestShown = 1 << 20 // bytes of an event; a larger one is refused by the corridor, and is not looked into
	longestShown = 64      // characters of a field
)

// Fields are the fields of events that somebody has allowed to be shown. It is immutable: one serves every partition.
type Fields struct {
	allowed map[string]bool
	mask    func(path, text string) string
}

// NewFields allows the fields with these dotted paths, as dead letters count them: the elements of an array go by the
// array's. mask makes what is shown of a text or of the digits of a number.
func NewFields(paths []string, mask func(path, text string) string) *Fields {
	f := &Fields{map[string]bool{}, mask}
	for _, path := range paths {
		f.allowed[path] = true
	}
	return f
}

// Of returns what may be shown of an event, by path: of the fields that are allowed, those that are there and hold a text,
// a number or a boolean. Several elements of an array are joined by blanks, so that a card number whose groups are elements is
// seen as one. Nil where nothing may be shown, as of what is
// no JSON, which has no fields that could have been allowed.
func (f *Fields) Of(value []byte) map[string]string {
	if len(value) > largestShown {
		return nil
	}
	const framing = 5 // Confluent's: a zero and the number of a schema
	if len(value) > framing && value[0] == 0 {
		value = value[framing:]
	}
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber() // digits stay as they are, so that a card number is seen as one
	var event map[string]any
	if err := decoder.Decode(&event); err != nil || decoder.More() {
		return nil
	}
	var shown map[string]string
	f.walk("", event, func(path, text string) {
		if before := shown[path]; before != "" {
			text = before + " " + text
		}
		if shown == nil {
			shown = map[string]string{}
		}
		shown[path] = text
	})
	for path, text := range shown {
		shown[path] = cut(f.mask(path, text)) // masked first: half a card number would not be known for one
	}
	return shown
}

// walk visits the allowed fields at and below a path.
func (f *Fields) walk(path string, value any, visit func(path, text string)) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			below := name
			if path != "" {
				below = path + "." + name
			}
			f.walk(below, inner, visit)
		}
		return
	case []any:
		for _, inner := range v {
			f.walk(path, inner, visit)
		}
		return
	}
	if !f.allowed[path] {
		return
	}
	switch v := value.(type) {
	case string:
		visit(path, v)
	case json.Number:
		visit(path, digits(v.String()))
	case bool:
		visit(path, strconv.FormatBool(v))
	}
}

// digits writes a whole number out, however it was written: 4.111111111111111e15 is a card number, too.
func digits(number string) string {
	if !strings.ContainsAny(number, ".eE") {
		return number
	}
	if x, err := strconv.ParseFloat(number, 64); err == nil && x == math.Trunc(x) && math.Abs(x) < 1e19 {
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return number
}

// cut shortens a text to what there is room for.
func cut(text string) string {
	if utf8.RuneCountInString(text) <= longestShown {
		return text
	}
	return string([]rune(text)[:longestShown-1]) + "…"
}

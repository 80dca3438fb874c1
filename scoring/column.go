package scoring

import (
	"math"
	"slices"
	"strings"

	"fraudstream/scoring/program"
)

// types is a set of JSON types. A value is taken where its type is in the set of its column; null and absent
// fields are a matter of their own.
type types uint8

const (
	numbers types = 1 << iota
	booleans
	texts
)

// String lists the types for a message.
func (t types) String() string {
	var names []string
	for _, n := range []struct {
		t    types
		name string
	}{{numbers, "a number"}, {booleans, "true or false"}, {texts, "text"}} {
		if t&n.t != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ", ")
}

// A column is what a feature takes and how the pipeline holds it. It is compiled once at load and only read
// afterwards.
type column struct {
	name            string
	takes           types
	zeroOne         bool // numeric bool: of the numbers only 0 and 1
	single          bool // rounded to float32
	dictionary      *dictionary
	noneIsMissing   bool // a missing value is None to the pipeline, in a column that tells it from NaN
	missingRejected bool
	needs           string // for messages
}

// newColumn derives the types of values (contract bundle.md) from the constants that the program compares. What
// an encoder was trained on decides, and not what the values look like: a merchant category of digits may be
// text to one pipeline and a number to the next, and the wrong one would silently be an unknown category.
func newColumn(c *program.Column, f featureSpec) column {
	col := column{
		name: f.Name, takes: numbers, single: f.DType == "float32",
		missingRejected: f.MissingRejected,
	}
	switch domain := c.Domain.Type(); {
	case domain == program.String:
		col.dictionary = newDictionary(c.Domain)
		col.takes = col.dictionary.types()
		col.noneIsMissing = f.NoneIsMissing
	case f.Categorical && domain == program.Bool:
		col.takes = booleans
	case f.Categorical && f.DType == "category" && c.Domain.Len() > 0:
		col.takes |= texts // a text among numbers: pandas makes missing what the type does not know
	case f.DType == "bool" || f.DType == "boolean" || domain == program.Bool:
		col.takes, col.zeroOne = numbers|booleans, true
	case f.Categorical && c.Domain.Len() == 0 && slices.Contains([]string{"object", "str", "string", "category"}, f.DType):
		// No step reads the column, so every text is as good as another.
		col.takes, col.dictionary = numbers|booleans|texts, newDictionary(c.Domain)
	}
	col.needs = "the pipeline takes " + col.takes.String()
	if col.zeroOne {
		col.needs = "the pipeline takes true, false, 0, 1"
	}
	return col
}

// number, boolean and text return what the pipeline holds for a value, and WrongType where the column takes
// none such. The value with a code is +Inf: the mark by which the monitor counts a field that could not be
// read.
func (c *column) number(f float64) (float64, Code) {
	if c.takes&numbers == 0 || c.zeroOne && f != 0 && f != 1 {
		return math.Inf(1), WrongType
	}
	if c.dictionary != nil {
		return c.dictionary.number(f), ""
	}
	if c.single {
		f = float64(float32(f))
	}
	return f, ""
}

// boolean gives 1 and 0 in a column of numbers or booleans, codes in a coded one.
func (c *column) boolean(b bool) (float64, Code) {
	if c.takes&booleans == 0 {
		return math.Inf(1), WrongType
	}
	if c.dictionary != nil {
		return c.dictionary.boolean(b), ""
	}
	if b {
		return 1, ""
	}
	return 0, ""
}

// text gives the code of a category. In a column of pandas' type category that holds numbers, every text is one
// that the type does not know, and pandas makes such a value missing.
func (c *column) text(s []byte) (float64, Code) {
	if c.takes&texts == 0 {
		return math.Inf(1), WrongType
	}
	if c.dictionary == nil {
		return program.Missing, ""
	}
	return c.dictionary.text(s), ""
}

// constant is number, boolean or text of a value from a configuration or from golden.json; nil is missing. An
// infinity or a NaN can come from YAML only, since JSON has neither; it is refused, for null is how a missing
// value is written.
func (c *column) constant(v any) (float64, Code) {
	switch v := v.(type) {
	case nil:
		if c.missingRejected {
			return program.Missing, MissingField
		}
		return program.Missing, ""
	case bool:
		return c.boolean(v)
	case string:
		return c.text([]byte(v))
	default:
		f, ok := asFloat(v)
		if !ok {
			return math.Inf(1), WrongType
		}
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return math.Inf(1), NonFinite
		}
		return c.number(f)
	}
}

// asFloat converts the numbers that YAML and JSON decoders give.
func asFloat(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case float32:
		return float64(v), true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	default:
		return 0, false
	}
}

// message says what the column needs instead. It tells an absent field from a null one, because the two have
// different causes: a field that was renamed, and a system that had no value.
func (c *column) message(code Code, found kind) string {
	switch {
	case code == NonFinite:
		return "a number is beyond float64"
	case code == MissingField && found == absent:
		return "the field is absent"
	case code == MissingField:
		return "the field is null"
	default:
		return c.needs
	}
}

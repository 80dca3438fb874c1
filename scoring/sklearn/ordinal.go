package sklearn

import (
	"math"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// ordinalEncoder compiles the place of a category in its list.
//
// NaN is no category of its own, though it stands in the list: it becomes encoded_missing_value, which files before
// 1.1 do not have and which is NaN there. None is an ordinary category. A NaN in a column that had none in training
// is an unknown category like any other.
//
// categories_ and the grouping are those of OneHotEncoder. unknown_value is a number outside of the places, or
// NaN, and stands for whatever training did not know under handle_unknown="use_encoded_value"; under "error" such
// a row cannot be scored. Codes are float64 here, whatever dtype says, as long as it can hold them.
func (c *compiler) ordinalEncoder(a *attributes, in matrix) matrix {
	a.reads(in)
	categories := a.categories(in)
	groups := a.groupings(categories)
	handle := a.text("handle_unknown", "error")
	unknown, missing := math.NaN(), math.NaN()
	switch handle {
	case "error":
	case "use_encoded_value":
		unknown = a.encoded("unknown_value")
	default:
		a.unknown("handle_unknown", handle)
	}
	if a.has("encoded_missing_value") {
		missing = a.encoded("encoded_missing_value")
	}
	a.encodedType()
	if a.err != nil {
		return nil
	}
	s := &ordinal{in: in, out: c.computed(in), columns: c.b.Origins(in), fail: handle == "error"}
	for i, list := range categories {
		codes := make([]float64, len(list)+1)
		for k, constant := range list {
			codes[k] = float64(groups[i].place[k])
			if constant.Type == program.NaN {
				codes[k] = missing
			}
		}
		codes[len(list)] = unknown
		c.b.Categorical(in[i])
		s.lookups = append(s.lookups, c.b.Lookup(in[i], list))
		s.codes = append(s.codes, codes)
	}
	c.b.Add(c.stepName(a), s)
	return s.out
}

// encoded reads a number that stands for something else; it may be NaN. Infinity is refused, as no estimator
// behind could take it.
func (a *attributes) encoded(name string) float64 {
	v := a.required(name)
	x, ok := float(v)
	if a.err == nil && (!ok || math.IsInf(x, 0)) {
		a.unknown(name, v)
	}
	return x
}

// encodedType refuses an output type in which a place could be rounded or wrapped. Eight or sixteen bits are what
// could wrap; a name as text is taken at its word.
func (a *attributes) encodedType() {
	v := a.optional("dtype")
	switch t := v.(type) {
	case nil:
		return
	case pickle.Global:
		switch t.Name {
		case "float64", "float32", "int64", "int32", "float", "int":
			return
		}
	case *pickle.DType:
		if (t.Kind == 'f' || t.Kind == 'i') && t.Size >= 4 {
			return
		}
	case string:
		return
	}
	a.unknown("dtype", v)
}

// ordinal replaces every category by its code. It serves [compiler.labelEncoder] as well.
type ordinal struct {
	in, out matrix
	columns []int16
	lookups []*program.Lookup
	codes   [][]float64 // per column: code per category, and at the end that of an unknown one
	fail    bool        // an unknown category cannot be scored
}

// Run looks every column up; the last code of a column is that of unknown categories.
func (s *ordinal) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for j, r := range s.in {
			codes := s.codes[j]
			k := s.lookups[j].Of(row[r])
			if k < 0 {
				k = len(codes) - 1
				if s.fail {
					f.Fail(i, program.UnknownCategory, s.columns[j])
				}
			}
			row[s.out[j]] = codes[k]
		}
	}
}

package sklearn

import (
	"fmt"
	"math"

	"fraudstream/scoring/program"
)

// labelEncoder compiles LabelEncoder over one column, where a mapper or a pipeline of one's own has put it: the place
// of a value in classes_. A value that is not there raises in scikit-learn.
//
// classes_ is a sorted vector of the values of training, numbers or texts. The encoder was made for targets and
// knows nothing of matrices, which is why only sklearn-pandas and hand-written pipelines bring it here; its codes
// are float64 like everything in a row.
func (c *compiler) labelEncoder(a *attributes, in matrix) matrix {
	classes := a.labelClasses(in)
	if a.err != nil {
		return nil
	}
	s := &ordinal{in: in, out: c.computed(in), columns: c.b.Origins(in), fail: true}
	// The last place is that of an unknown value. It is never read as a result, because fail gives the row up.
	codes := make([]float64, len(classes)+1)
	for i := range classes {
		codes[i] = float64(i)
	}
	c.b.Categorical(in[0])
	s.lookups, s.codes = append(s.lookups, c.b.Lookup(in[0], classes)), append(s.codes, codes)
	c.b.Add(c.stepName(a), s)
	return s.out
}

// labelBinarizer compiles LabelBinarizer over one column: pos_label in the column of the value's class and neg_label
// in the others. Two classes give one column, that of the second. A value that is no class gives neg_label everywhere,
// but what cannot be a label, a gap in a column of text or a fraction, raises.
//
// classes_ is as for LabelEncoder, neg_label and pos_label are whole numbers (0 and 1 by default). sparse_output
// decides about storage. y_type_ says what the target of training was: several labels at once are refused.
func (c *compiler) labelBinarizer(a *attributes, in matrix) matrix {
	classes := a.labelClasses(in)
	negative, positive := a.number("neg_label"), a.number("pos_label")
	if kind := a.text("y_type_", "binary"); kind != "binary" && kind != "multiclass" {
		a.unknown("y_type_", kind)
	}
	if a.err != nil {
		return nil
	}
	s := &indicators{in: in[0], column: c.b.Origin(in[0]), negative: negative, positive: positive, text: holdsText(classes)}
	n := len(classes)
	if n <= 2 {
		// One class alone is never the second: its column is neg_label throughout.
		s.first, n = 1, 1
	}
	for range n {
		s.out = append(s.out, c.b.New(in[0]))
	}
	c.b.Categorical(in[0])
	s.lookup = c.b.Lookup(in[0], classes)
	c.b.Add(c.stepName(a), s)
	return s.out
}

// labelClasses reads the classes of an encoder of labels, which takes one column. The bound keeps a lookup within
// the budget of an encoder of columns.
func (a *attributes) labelClasses(in matrix) []program.Constant {
	classes := a.constants("classes_")
	switch {
	case a.err != nil:
	case len(in) != 1:
		a.mismatch("classes_", fmt.Sprintf("%d columns", len(in)), "an encoder of labels takes one column; use OrdinalEncoder or OneHotEncoder for several")
	case len(classes) == 0 || len(classes) > maxConstants:
		a.mismatch("classes_", fmt.Sprintf("%d classes", len(classes)), "classes are expected")
	}
	return classes
}

// indicators writes a column per class. text says that the column is coded, in which None has a code of its own
// and no number is a fraction.
type indicators struct {
	in                 program.Reg
	out                matrix
	column             int16
	lookup             *program.Lookup
	first              int // class of the first column
	negative, positive float64
	text               bool
}

// Run marks the class of every row. scikit-learn's type_of_target refuses gaps and infinities, and takes
// fractions for a regression; all other values that are no class leave the row without a mark.
func (s *indicators) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		v := row[s.in]
		if v-v != 0 || s.text && v == program.None || !s.text && v != math.Trunc(v) {
			f.Fail(i, program.Unscorable, s.column)
		}
		k := s.lookup.Of(v) - s.first
		for j, r := range s.out {
			row[r] = s.negative
			if j == k {
				row[r] = s.positive
			}
		}
	}
}

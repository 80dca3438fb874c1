package sklearn

import (
	"fmt"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// targetEncoder compiles the smoothed mean of the target per category: encodings_ holds a list per column, and with
// more than two classes one per column and class, the classes of a column side by side. A category that training did
// not know, NaN and None among them, gets target_mean_.
//
// The encoder knows the target of training, so that its numbers are in the unit of that: a share of frauds for a
// binary one. categories_ is that of OneHotEncoder; None and NaN are categories where training had them. An
// unknown category never raises. fit_transform encodes training rows by cross-fitting and gives other numbers
// than transform does, which is what runs here.
func (c *compiler) targetEncoder(a *attributes, in matrix) matrix {
	a.reads(in)
	categories := a.categories(in)
	means := a.targetMeans()
	if a.err != nil {
		return nil
	}
	encodings := a.list("encodings_")
	if a.err == nil && len(encodings) != len(in)*len(means) {
		a.mismatch("encodings_", fmt.Sprintf("%d lists", len(encodings)), fmt.Sprintf("%d are expected", len(in)*len(means)))
	}
	s := new(targetMeans)
	// One lookup serves all classes of a column; every class has numbers of its own.
	for j, r := range in {
		lookup := c.b.Lookup(r, categories[j])
		c.b.Categorical(r)
		for k, mean := range means {
			if a.err != nil {
				return nil
			}
			values := a.encoding(encodings[j*len(means)+k], len(categories[j]))
			out := c.b.New(r)
			s.each = append(s.each, targetMean{r, out, lookup, append(values, mean)})
			s.out = append(s.out, out)
		}
	}
	c.b.Add(c.stepName(a), s)
	return s.out
}

// targetMeans reads the mean of the target over all training rows: what an unknown category becomes: one number,
// or one per class of a multi-class target. A continuous target has one mean as well, since a regression may have
// come before the classifier.
func (a *attributes) targetMeans() []float64 {
	switch kind := a.text("target_type_", ""); kind {
	case "binary", "continuous":
		return []float64{a.number("target_mean_")}
	case "multiclass":
		return a.vector("target_mean_", len(a.classes()))
	default:
		a.unknown("target_type_", kind)
		return nil
	}
}

// encoding reads the smoothed means of one column and class, in the order of the n categories. The smoothing was done
// by fit: cross-fitting, smooth and cv only shape what transform gave in training.
func (a *attributes) encoding(v pickle.Value, n int) []float64 {
	array, ok := v.(*pickle.Array)
	if !ok || len(array.Shape) != 1 || array.Shape[0] != n {
		a.mismatch("encodings_", show(v), fmt.Sprintf("a list of %d numbers is expected", n))
		return nil
	}
	values, ok := floats(array)
	if !ok {
		a.mismatch("encodings_", describe(array), "numbers are expected")
	}
	a.finite("encodings_", values)
	return values
}

// targetMeans replaces every category by a number.
type targetMeans struct {
	each []targetMean
	out  matrix
}

// targetMean is one column of the result; the last of its values is that of an unknown category. One lookup and
// one load per value are all that is left of it at scoring time.
type targetMean struct {
	in, out program.Reg
	lookup  *program.Lookup
	values  []float64
}

// Run looks every column up.
func (s *targetMeans) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for j := range s.each {
			m := &s.each[j]
			k := m.lookup.Of(row[m.in])
			if k < 0 {
				k = len(m.values) - 1
			}
			row[m.out] = m.values[k]
		}
	}
}

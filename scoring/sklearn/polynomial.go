package sklearn

import (
	"fmt"

	"fraudstream/scoring/program"
)

// polynomialFeatures compiles all products of up to degree columns: the bias first, then the columns, then the
// products of two, and so on, each in lexicographic order. A product of d columns is that of d-1 times one more, in
// the order in which scikit-learn multiplies.
//
// Of two columns a and b degree 2 gives 1, a, b, a², ab, b²; interaction_only leaves the squares out and
// include_bias the 1. order decides about memory. The number of products grows with the degree as a binomial
// coefficient, so that the program's limit of registers is met while they are made and not afterwards. NaN and
// infinities raise; a product that overflows is infinite, for the next estimator to refuse.
func (c *compiler) polynomialFeatures(a *attributes, in matrix) matrix {
	a.reads(in)
	if n, ok := integer(a.optional("n_input_features_")); ok && n != int64(len(in)) {
		a.mismatch("n_input_features_", fmt.Sprint(n), fmt.Sprintf("the estimator is given %d columns", len(in)))
	}
	low, high := a.degrees()
	alone := a.flag("interaction_only", false)
	bias := a.flag("include_bias", true)
	if a.err != nil {
		return nil
	}
	s := &products{bias: -1}
	var out matrix
	// The columns themselves are the products of degree 1 and need no step. Degrees below the lowest are computed all
	// the same, for the higher ones are made of them.
	if bias {
		s.bias = c.b.New(-1)
		out = append(out, s.bias)
	}
	terms := make([]term, len(in))
	for j, r := range in {
		terms[j] = term{j, r}
	}
	for d := 1; d <= high && len(terms) > 0; d++ {
		if d > 1 {
			terms = c.higher(s, terms, in, alone)
		}
		if c.b.Full() {
			a.err = program.ErrFull
			return nil
		}
		for _, t := range terms {
			if d >= low {
				out = append(out, t.at)
			}
		}
	}
	if n, ok := integer(a.optional("n_output_features_")); ok && n != int64(len(out)) {
		a.mismatch("n_output_features_", fmt.Sprint(n), fmt.Sprintf("the degree gives %d", len(out)))
		return nil
	}
	c.b.CheckFinite(c.stepName(a), in, false)
	c.b.Add(c.stepName(a), s)
	return out
}

// degrees reads the degree: the highest alone, or since 1.0 the lowest and the highest. A lone number has 0 as
// its lowest degree.
func (a *attributes) degrees() (low, high int) {
	v := a.required("degree")
	pair := integers(v)
	if n, ok := integer(v); ok {
		pair = []int{0, int(min(n, program.MaxRegisters))}
	}
	if a.err == nil && (len(pair) != 2 || pair[0] < 0 || pair[1] < pair[0]) {
		a.unknown("degree", v)
	}
	if a.err != nil {
		return 0, 0
	}
	return pair[0], pair[1]
}

// A term is a product of columns in ascending order, the first of which is column first. It lies in register at.
// It is a name for a register: what is multiplied stands in products.
type term struct {
	first int
	at    program.Reg
}

// higher multiplies each column with the terms of one degree less that begin with it or a later one. It stops when
// the program is full.
func (c *compiler) higher(s *products, terms []term, in matrix, alone bool) []term {
	// Taking each column only in front of those that begin with it or later gives every product once; with
	// interaction_only, in front of later ones, no column meets itself.
	var next []term
	for j, r := range in {
		for _, t := range terms {
			if t.first < j || alone && t.first == j {
				continue
			}
			if c.b.Full() {
				return nil
			}
			at := c.b.New(-1)
			s.each = append(s.each, product{t.at, r, at})
			next = append(next, term{j, at})
		}
	}
	return next
}

// products multiplies pairs of registers in order, so that one product may be a factor of a later one.
type products struct {
	bias program.Reg // -1 for none
	each []product
}

// product writes left·right into out.
type product struct{ left, right, out program.Reg }

// Run writes 1 for the bias, then every product. One multiplication rounds once; there is no sum to fuse it with.
func (s *products) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		if s.bias >= 0 {
			row[s.bias] = 1
		}
		for _, p := range s.each {
			row[p.out] = row[p.left] * row[p.right]
		}
	}
}

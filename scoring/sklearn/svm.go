package sklearn

import (
	"fmt"
	"math"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// maxSupport bounds what a support vector machine computes for a row: its vectors times their columns.
const maxSupport = 1 << 22

// supportVectors compiles SVC and NuSVC. Every pair of classes has a machine of its own, whose value is
//
//	Σ coefficient·K(support vector, x) + intercept,
//
// above zero for the first class of the pair. The class that wins most pairs is predicted; two classes have one value,
// which scikit-learn turns round so that it grows towards the second class.
//
// The sum goes over the vectors in the order of libsvm. Within a kernel libsvm leaves the order of a scalar product to
// BLAS, which goes by the processor; a machine whose large coefficients nearly cancel (NuSVC with a small nu) can
// multiply those last digits to 1e-11, by which scikit-learn then differs from itself as well.
//
// Probabilities come from a calibration of their own (probability=True) and need not agree with the prediction. Models
// fitted on sparse matrices and kernels that are functions or precomputed are refused. A row costs the number of
// support vectors times that of columns, which is bounded.
//
// support_vectors_ is a float64 matrix of the vectors, class by class; _n_support counts those of each class,
// _dual_coef_ has classes-1 rows and _intercept_ a number per pair. _gamma is what "scale" or "auto" came to in
// fit. C, nu, shrinking and cache_size shaped these and count no more. A row with NaN or an infinity is
// unscorable.
func (c *compiler) supportVectors(a *attributes, in matrix) (model classifier) {
	a.reads(in)
	model.classes = a.classes()
	n := len(model.classes)
	k := a.kernel(len(in))
	pairs := a.pairs(n, k.count)
	if a.err != nil {
		return
	}
	name := c.stepName(a)
	c.b.CheckFinite(name, in, false)
	s := &supportVectors{kernel: k, pairs: pairs, in: in, out: c.b.Block(len(pairs))}
	c.b.Lane64(len(in) + k.count)
	c.b.Add(name, s)
	model.predicted = c.b.New(-1)
	votes := c.b.Block(n)
	// predict goes by plain votes, as libsvm does, and not by the decision values that scikit-learn makes of
	// them.
	c.b.Add(name, &pairVotes{in: s.out, out: votes, plain: true})
	c.b.Add(name, &argmax{votes, model.predicted})
	c.pairDecision(a, name, &model, s.out)
	if probability := a.optional("probability"); probability != nil && probability != false && probability != "deprecated" {
		c.platt(a, name, &model, s.out)
	}
	return model
}

// pairDecision adds decision_function. Of more than two classes each has its votes and, as a fraction, how sure
// they are. decision_function_shape="ovo" gives a column for each pair instead: no class has a score then, and
// none is offered. break_ties lets predict follow these values instead of the plain votes; scikit-learn forbids
// it together with "ovo".
func (c *compiler) pairDecision(a *attributes, name string, model *classifier, pairs matrix) {
	if len(pairs) == 1 {
		d := &scaleAll{in: pairs, out: c.b.Block(1), factor: -1}
		c.b.Add(name, d)
		model.decision = d.out
		return
	}
	breakTies := a.flag("break_ties", false)
	switch shape := a.text("decision_function_shape", "ovr"); shape {
	case "ovr":
		model.decision = c.b.Block(len(model.classes))
		c.b.Add(name, &pairVotes{in: pairs, out: model.decision})
		if breakTies {
			c.b.Add(name, &argmax{model.decision, model.predicted})
		}
	case "ovo": // one column per pair, of which none belongs to a class
	default:
		a.unknown("decision_function_shape", shape)
	}
}

// pair is the machine of two classes: a coefficient per support vector, 0 for those of other classes. Zeros keep
// Run simple: with two classes, by far the most common, there are none.
type pair struct {
	coefficients []float64
	intercept    float64
}

// pairs reads _dual_coef_, in which the support vectors of class i have a row for each of the other classes, and
// _intercept_. Both are libsvm's own, of which dual_coef_ and intercept_ are a view with the sign turned round.
// For two classes the attribute without the underscore has the opposite sign; libsvm's own is read so that one
// rule serves any number of classes.
func (a *attributes) pairs(classes, vectors int) []pair {
	coefficients := a.matrix("_dual_coef_", classes-1, vectors)
	machines := classes * (classes - 1) / 2
	intercepts := a.vector("_intercept_", machines)
	counts := integers(a.required("_n_support"))
	start, total := make([]int, classes+1), 0
	if a.err == nil && len(counts) != classes {
		a.mismatch("_n_support", show(a.optional("_n_support")), fmt.Sprintf("%d counts are expected", classes))
	}
	for i, n := range counts {
		if a.err != nil || n < 0 || n > vectors {
			break
		}
		total += n
		start[i+1] = total
	}
	if a.err == nil && total != vectors {
		a.mismatch("_n_support", fmt.Sprint(counts), fmt.Sprintf("there are %d support vectors", vectors))
	}
	if a.err == nil && machines*vectors > maxSupport {
		a.refuse("budget", "support_vectors_", fmt.Sprint(vectors), "the machines of all pairs have too many coefficients")
	}
	if a.err != nil {
		return nil
	}
	// Row r of the matrix holds for class i the coefficients against class r, or r+1 from i on: itself is left out.
	out := make([]pair, 0, machines)
	for i := range classes {
		for j := i + 1; j < classes; j++ {
			p := pair{coefficients: make([]float64, vectors), intercept: intercepts[len(out)]}
			copy(p.coefficients[start[i]:start[i+1]], coefficients[(j-1)*vectors+start[i]:])
			copy(p.coefficients[start[j]:start[j+1]], coefficients[i*vectors+start[j]:])
			out = append(out, p)
		}
	}
	return out
}

// supportVectors computes the value of every pair.
type supportVectors struct {
	kernel  *kernel
	pairs   []pair
	in, out matrix
}

// Run computes each kernel once per row, for all pairs. A kernel costs as much as there are columns and is shared
// by all pairs, of which each adds one product per vector.
func (s *supportVectors) Run(f *program.Frame) {
	x, values := f.Lane64[:len(s.in)], f.Lane64[len(s.in):len(s.in)+s.kernel.count]
	for i := range f.Rows {
		row := f.Registers(i)
		for j, r := range s.in {
			x[j] = row[r]
		}
		s.kernel.apply(x, values)
		for k, r := range s.out {
			p := &s.pairs[k]
			sum := 0.0
			for v, w := range p.coefficients {
				sum += float64(w * values[v])
			}
			row[r] = sum + p.intercept
		}
	}
}

// kernel is the support vectors and what compares them with a row. vectors holds count rows of one value per
// column.
type kernel struct {
	kind          string
	vectors       []float64
	count         int
	gamma, offset float64
	degree        int
}

// kernel reads the kernel: linear ⟨v,x⟩, poly (γ⟨v,x⟩ + r)^d, sigmoid tanh(γ⟨v,x⟩ + r) or rbf exp(-γ|v-x|²). Only
// polynomials have a degree; coef0 is r.
func (a *attributes) kernel(columns int) *kernel {
	k := &kernel{kind: a.text("kernel", "rbf")}
	if a.flag("_sparse", false) {
		a.unknown("_sparse", true)
	}
	array := a.array("support_vectors_")
	if a.err != nil {
		return k
	}
	if len(array.Shape) == 2 {
		k.count = array.Shape[0]
	}
	if k.count == 0 || k.count*columns > maxSupport {
		a.mismatch("support_vectors_", describe(array), "a matrix with a row for every support vector, of bounded size, is expected")
		return k
	}
	k.vectors = a.matrix("support_vectors_", k.count, columns)
	if k.kind != "linear" {
		k.gamma = a.number("_gamma")
	}
	switch k.kind {
	case "linear", "rbf":
	case "poly":
		k.offset = a.number("coef0")
		degree, ok := integer(a.required("degree"))
		if !ok || degree < 0 || degree > 1000 {
			a.unknown("degree", a.optional("degree"))
		}
		k.degree = int(degree)
	case "sigmoid":
		k.offset = a.number("coef0")
	default:
		a.unknown("kernel", k.kind)
	}
	return k
}

// apply writes the kernel of x and every support vector. The distance of rbf is summed from differences;
// scikit-learn's own does so too for dense rows.
func (k *kernel) apply(x, out []float64) {
	n := len(x)
	for v := range out {
		vector := k.vectors[v*n : (v+1)*n]
		if k.kind == "rbf" {
			out[v] = math.Exp(-k.gamma * squaredDistance(vector, x))
			continue
		}
		d := dot(vector, x)
		switch k.kind {
		case "poly":
			d = wholePower(float64(k.gamma*d)+k.offset, k.degree)
		case "sigmoid":
			d = math.Tanh(float64(k.gamma*d) + k.offset)
		}
		out[v] = d
	}
}

// dot is the scalar product, each product rounded before it is added. It adds from left to right, b being at
// least as long as a.
func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += float64(v * b[i])
	}
	return sum
}

// squaredDistance is the square of the Euclidean distance. It is exact to rounding even for rows that nearly
// coincide, unlike the sum of squares less twice the product.
func squaredDistance(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		d := v - b[i]
		sum += float64(d * d)
	}
	return sum
}

// wholePower multiplies by squaring, as libsvm does for a whole exponent. The exponent is not negative; anything
// to the power of 0 is 1.
func wholePower(base float64, exponent int) float64 {
	result := 1.0
	for ; exponent > 0; exponent /= 2 {
		if exponent%2 == 1 {
			result *= base
		}
		base *= base
	}
	return result
}

// pairVotes counts for each class the pairs that it wins. Unless only that is wanted, it adds the sum of its
// margins as a number between -⅓ and ⅓, so that it settles ties and nothing else.
type pairVotes struct {
	in, out matrix
	plain   bool
}

// Run goes through the pairs in the order (0,1), (0,2), …, (1,2), … A value of zero goes to the second class in plain
// votes, as in libsvm, and to the first in the others, as in scikit-learn's decision_function.
func (s *pairVotes) Run(f *program.Frame) {
	n := len(s.out)
	for i := range f.Rows {
		row := f.Registers(i)
		for _, r := range s.out {
			row[r] = 0
		}
		if s.plain {
			s.count(row)
			continue
		}
		for k := range n {
			margin := s.margin(row, k)
			row[s.out[k]] = margin / (3 * (math.Abs(margin) + 1))
		}
		s.count(row)
	}
}

// count adds the votes. The register of a class holds its votes as a float64, to which one is added per pair.
func (s *pairVotes) count(row []float64) {
	n, p := len(s.out), 0
	for i := range n {
		for j := i + 1; j < n; j++ {
			winner := j
			if v := row[s.in[p]]; v > 0 || v == 0 && !s.plain {
				winner = i
			}
			row[s.out[winner]]++
			p++
		}
	}
}

// margin adds the values of the pairs of class k, those that it leads and, negated, those in which it comes
// second. The order of the pairs is fixed, so that the sum rounds the same in every row.
func (s *pairVotes) margin(row []float64, k int) float64 {
	n, p, sum := len(s.out), 0, 0.0
	for i := range n {
		for j := i + 1; j < n; j++ {
			switch k {
			case i:
				sum += row[s.in[p]]
			case j:
				sum -= row[s.in[p]]
			}
			p++
		}
	}
	return sum
}

// plattOf reads the sigmoid of each pair. scikit-learn 0.24 named the attributes without an underscore before.
// Without probability=True both are empty vectors.
func (a *attributes) plattOf(name string, n int) []float64 {
	if old := name[1:] + "_"; !a.has(name) && a.has(old) {
		name = old
	}
	if v, ok := a.optional(name).(*pickle.Array); ok && v.Type != nil && v.Len() != n {
		a.mismatch(name, describe(v), fmt.Sprintf("%d are expected; fit with probability=True", n))
		return nil
	}
	return a.vector(name, n)
}

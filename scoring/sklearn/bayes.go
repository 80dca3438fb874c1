package sklearn

import (
	"math"

	"fraudstream/scoring/program"
)

// gaussianNB compiles the joint log likelihood of independent normal features,
//
//	log prior_k - ½ Σ log(2π var_kj) - ½ Σ (x_j - theta_kj)² / var_kj,
//
// and its normalisation. The variances were called sigma_ before 1.0. var_smoothing is part of them already.
//
// The terms are as large as the row is far from a mean, and exp turns an absolute error into a relative one, so that
// sums are taken in scikit-learn's order: first the logarithms of the variances, which depend on the class alone, then
// the squares.
//
// theta_ and var_ are float64 matrices of a row per class and a column per feature, class_prior_ has a number per
// class. class_count_ and epsilon_ serve partial_fit alone. scikit-learn does not take NaN here, and such a row
// is unscorable.
func (c *compiler) gaussianNB(a *attributes, in matrix) (model classifier) {
	a.reads(in)
	model.classes = a.classes()
	n := len(model.classes)
	variances := "var_"
	if !a.has(variances) && a.has("sigma_") {
		variances = "sigma_"
	}
	s := &gaussian{in: in, mean: a.matrix("theta_", n, len(in)), variance: a.matrix(variances, n, len(in))}
	prior := a.vector("class_prior_", n)
	a.positive(variances, s.variance)
	if a.err != nil {
		return
	}
	for k := range n {
		s.start = append(s.start, logarithm(prior[k]))
		var logs []float64
		for _, v := range s.variance[k*len(in) : (k+1)*len(in)] {
			logs = append(logs, math.Log(2*math.Pi*v))
		}
		s.determinant = append(s.determinant, -0.5*sumOf(logs))
	}
	s.out = c.b.Block(n)
	name := c.stepName(a)
	c.b.CheckFinite(name, in, false)
	c.b.Add(name, s)
	c.posterior(name, &model, s.out)
	return model
}

// positive refuses variances and priors that are not above zero.
func (a *attributes) positive(name string, values []float64) {
	for _, v := range values {
		if !(v > 0) {
			a.refuse("non-finite", name, show(v), "a number above zero is expected")
			return
		}
	}
}

// logarithm is log, with that of zero as far down as any number: a class of no prior is never the likeliest.
// numpy gives the same -inf for zero, with a warning that a prediction survives.
func logarithm(x float64) float64 {
	if x <= 0 {
		return math.Inf(-1)
	}
	return math.Log(x)
}

// posterior adds the probabilities that joint log likelihoods stand for, and the likeliest class. The class is
// taken from the likelihoods: exp may round two of them to the same probability.
func (c *compiler) posterior(name string, model *classifier, joint matrix) {
	model.probability, model.predicted = c.b.Block(len(joint)), c.b.New(-1)
	c.b.Add(name, &normalizeLog{joint, model.probability})
	c.b.Add(name, &argmax{joint, model.predicted})
}

// gaussian computes the joint log likelihoods of normal features.
type gaussian struct {
	in, out            matrix
	mean, variance     []float64 // one row per class
	start, determinant []float64 // per class
}

// Run adds the squares from left to right. numpy does so where the columns of the row's matrix lie one after the other,
// as those of a data frame do, and adds them in eight strands where the rows do, as behind a column transformer. The
// file does not say which; the two differ by the rounding of a sum of len(in) terms.
func (s *gaussian) Run(f *program.Frame) {
	n := len(s.in)
	for i := range f.Rows {
		row := f.Registers(i)
		for k, r := range s.out {
			mean, variance := s.mean[k*n:(k+1)*n], s.variance[k*n:(k+1)*n]
			sum := 0.0
			for j, in := range s.in {
				d := row[in] - mean[j]
				sum += float64(d*d) / variance[j]
			}
			// The parentheses are scikit-learn's: both likelihood terms first, then the prior.
			row[r] = s.start[k] + (s.determinant[k] - float64(0.5*sum))
		}
	}
}

// normalizeLog computes exp(x_k - log Σ exp x), the probabilities of log likelihoods: scikit-learn's
// exp(jll - logsumexp(jll)), rounded at the same places.
type normalizeLog struct{ in, out matrix }

// Run takes the largest out of the sum, so that exp does not overflow.
func (s *normalizeLog) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		top := math.Inf(-1)
		for _, r := range s.in {
			top = max(top, row[r])
		}
		sum := 0.0
		for _, r := range s.in {
			sum += math.Exp(row[r] - top)
		}
		total := math.Log(sum) + top
		for k, r := range s.in {
			row[s.out[k]] = math.Exp(row[r] - total)
		}
	}
}

// bernoulliNB compiles the joint log likelihood of independent binary features: with log p and log(1-p) of each class,
//
//	Σ x_j·(log p_kj - log(1-p_kj)) + log prior_k + Σ log(1-p_kj),
//
// an affine function of the row. Values above binarize count as 1; with binarize=None they are taken as they are, which
// scikit-learn does not check either.
//
// feature_log_prob_ holds log p_kj, a row per class; class_log_prior_ the logarithms of the priors, of which one
// may be -inf. alpha, the smoothing, is part of both; fit_prior decided what the priors are. A p_kj of exactly 1,
// as an alpha near 0 can leave it, makes the coefficient infinite and the model is refused.
func (c *compiler) bernoulliNB(a *attributes, in matrix) (model classifier) {
	a.reads(in)
	model.classes = a.classes()
	n, columns := len(model.classes), len(in)
	logs, prior := a.matrix("feature_log_prob_", n, columns), a.numbers("class_log_prior_", n)
	threshold, binarized := math.Inf(-1), a.optional("binarize") != nil
	if binarized {
		threshold = a.number("binarize")
	}
	if a.err != nil {
		return
	}
	// What is the same for every row is worked out once: the differences are the coefficients, the rest the intercept.
	s := &affine{coef: make([]float64, n*columns), intercept: make([]float64, n)}
	for k := range n {
		sum := 0.0
		for j := range columns {
			p := logs[k*columns+j]
			other := math.Log(1 - math.Exp(p))
			s.coef[k*columns+j] = p - other
			sum += other
		}
		s.intercept[k] = prior[k] + sum
	}
	a.finite("feature_log_prob_", s.coef)
	if a.err != nil {
		return
	}
	name := c.stepName(a)
	c.b.CheckFinite(name, in, false)
	s.in = in
	if binarized {
		bits := &binarize{in: in, out: c.computed(in), threshold: threshold}
		c.b.Add(name, bits)
		s.in = bits.out
	}
	s.out = c.b.Block(n)
	c.b.Add(name, s)
	c.posterior(name, &model, s.out)
	return model
}

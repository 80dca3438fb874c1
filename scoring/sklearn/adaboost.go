package sklearn

import (
	"fmt"
	"math"

	"fraudstream/scoring/program"
)

// adaBoost compiles boosting by weighted votes. Each member votes for what it predicts with its weight (SAMME) or with
// the centred logarithms of its probabilities (SAMME.R, gone since 1.6); the sum is divided by that of the weights.
//
// The algorithms are those of Zhu, Zou, Rosset and Hastie (Multi-class AdaBoost, 2009). Since 1.3 a SAMME vote also
// counts -weight/(classes-1) against every other class. The parameter algorithm is "deprecated" from 1.6 to 1.7 and
// gone since. The rows are checked here, before the members see them: NaN raises a ValueError even where trees take it.
//
// Of the fitted state, estimators_ (the members) and estimator_weights_ (float64, a place for each of
// n_estimators) are read. learning_rate is part of the weights already; estimator_errors_ and random_state say
// nothing about a new row. With two classes and centred votes, w_k the weights of those who voted for class k,
//
//	decision = 2·(w_1 - w_0) / Σ w,
//
// which lies between -2 and 2 and whose sigmoid is the probability. A row that gets NaN or an infinity is
// unscorable; a model whose weights do not add up to something above zero is refused, since every row would be
// divided by it.
func (c *compiler) adaBoost(a *attributes, in matrix) (model classifier) {
	a.reads(in)
	model.classes = a.classes()
	n := len(model.classes)
	name := c.stepName(a)
	if a.err != nil {
		return
	}
	c.b.CheckFinite(name, in, false)
	members := c.members(a, in, model.classes)
	// fit ends early on a perfect member; the arrays keep the full length. The rest of the weights is zero, and
	// they are 1 throughout for SAMME.R.
	all := a.list("estimator_weights_")
	if a.err == nil && len(all) < len(members) {
		a.mismatch("estimator_weights_", fmt.Sprint(len(all)), fmt.Sprintf("there are %d estimators", len(members)))
	}
	if a.err != nil {
		return
	}
	weights := a.vector("estimator_weights_", len(all))
	s := &adaBoost{weights: weights, total: sumOf(weights), out: c.b.Block(n), classes: float64(n)}
	if !(s.total > 0) {
		a.mismatch("estimator_weights_", fmt.Sprint(s.total), "their sum must be above zero")
	}
	switch algorithm := a.text("algorithm", "SAMME"); {
	case algorithm == "SAMME.R" && a.version() < parseVersion("1.6"):
		s.real = true
	case algorithm == "SAMME" || algorithm == "deprecated":
		s.centred = a.version() >= parseVersion("1.3")
	default:
		a.unknown("algorithm", algorithm)
	}
	for i, m := range members {
		if s.real && m.probability == nil {
			a.mismatch(fmt.Sprintf("estimators_[%d]", i), "", "SAMME.R needs probabilities")
		}
		s.predicted, s.probability = append(s.predicted, m.predicted), append(s.probability, m.probability)
	}
	if a.err != nil {
		return
	}
	c.b.Lane64(n)
	c.b.Add(name, s)
	c.adaBoostLink(name, &model, s.out)
	return model
}

// adaBoostLink adds the decision value of two classes, second minus first, and the softmax of the decision values,
// halved for two classes and divided by classes-1 for more (equation 15 of the paper).
//
// predict looks at the votes and not at the probabilities. For two classes it asks whether the decision value is
// above zero, so that a tie is the first class; for more the first of the largest votes wins.
func (c *compiler) adaBoostLink(name string, model *classifier, votes matrix) {
	n := len(votes)
	model.decision, model.probability, model.predicted = votes, c.b.Block(n), c.b.New(-1)
	if n > 2 {
		scaled := &scaleAll{in: votes, out: model.probability, factor: float64(n - 1)}
		c.b.Add(name, scaled)
		c.b.Add(name, &softmax{model.probability, model.probability})
		c.b.Add(name, &argmax{votes, model.predicted})
		return
	}
	d := &difference{first: votes[0], second: votes[1], out: c.b.New(-1)}
	model.decision = matrix{d.out}
	c.b.Add(name, d)
	c.b.Add(name, &opposites{d.out, model.probability})
	c.b.Add(name, &softmax{model.probability, model.probability})
	c.b.Add(name, &sign{raw: d.out, out: model.predicted})
}

// adaBoost adds the votes of the members.
type adaBoost struct {
	predicted      matrix
	probability    []matrix
	weights        []float64
	total, classes float64
	real, centred  bool
	out            matrix
}

// Run adds member by member and divides by the sum of the weights. The sums stand in scratch of one value per
// class, which is cleared for each row: a member adds to all of them.
func (s *adaBoost) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		sums := f.Lane64[:len(s.out)]
		clear(sums)
		for e := range s.predicted {
			if s.real {
				s.addLogarithms(sums, row, s.probability[e])
			} else {
				s.addVote(sums, int(row[s.predicted[e]]), s.weights[e])
			}
		}
		for k, r := range s.out {
			row[r] = sums[k] / s.total
		}
	}
}

// addVote is the vote of SAMME. The class that was voted for gets the whole weight, every other one loses its
// share of it, so that one vote adds up to zero over the classes. Before 1.3 the others keep what they have.
func (s *adaBoost) addVote(sums []float64, vote int, weight float64) {
	against := 0.0
	if s.centred {
		against = float64(-1 / (s.classes - 1) * weight)
	}
	for k := range sums {
		if k == vote {
			sums[k] += weight
		} else {
			sums[k] += against
		}
	}
}

// addLogarithms is the vote of SAMME.R: (K-1)·(log p_k - Σ log p / K). Probabilities of zero are lifted to the least
// step of a float64.
func (s *adaBoost) addLogarithms(sums, row []float64, probability matrix) {
	total := 0.0
	for _, r := range probability {
		total += math.Log(max(row[r], epsilon64))
	}
	// scikit-learn multiplies by 1/K here where it could divide by K, which may round to a neighbouring number.
	centre := float64(1 / s.classes * total)
	for k, r := range probability {
		sums[k] += float64((s.classes - 1) * (math.Log(max(row[r], epsilon64)) - centre))
	}
}

// epsilon64 is the distance from 1 to the next float64. It is what numpy calls finfo(float64).eps.
const epsilon64 = 1.0 / (1 << 52)

// difference is the decision value of two classes.
type difference struct{ first, second, out program.Reg }

// Run adds the second to the negative of the first.
func (s *difference) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		row[s.out] = -row[s.first] + row[s.second]
	}
}

// opposites writes -d/2 and d/2. They are the logits of two classes whose difference is d, so that their softmax
// is the sigmoid of d.
type opposites struct {
	raw program.Reg
	out matrix
}

// Run halves row by row.
func (s *opposites) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		d := row[s.raw]
		row[s.out[0]], row[s.out[1]] = -d/2, d/2
	}
}

// scaleAll divides every value by the same number. It divides where a multiplication by the reciprocal would be
// one rounding off.
type scaleAll struct {
	in, out matrix
	factor  float64
}

// Run divides.
func (s *scaleAll) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for k, r := range s.in {
			row[s.out[k]] = row[r] / s.factor
		}
	}
}

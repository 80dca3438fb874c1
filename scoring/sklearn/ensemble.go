package sklearn

import (
	"fmt"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// votingClassifier compiles soft voting, the weighted mean of the probabilities of its members, or hard voting, the
// class that most of them predict, which knows no probabilities: predict_proba raises an AttributeError there.
//
// Ties of a hard vote go to the class that comes first, as in numpy's argmax over bincount. Every member gets the
// columns as they come; one that is a pipeline has its own preparation.
//
// estimators_ holds the fitted members without those that were dropped; flatten_transform and n_jobs leave the
// outputs alone. The soft sum runs over the members in their order and is divided last, as numpy.average does it.
// What the row may hold each member checks for itself.
func (c *compiler) votingClassifier(a *attributes, in matrix) (model classifier) {
	model.classes = a.classes()
	members := c.members(a, in, model.classes)
	weights := a.voteWeights(len(members))
	kind := a.text("voting", "hard")
	if a.err != nil {
		return
	}
	name := c.stepName(a)
	model.predicted = c.b.New(-1)
	if kind == "hard" {
		v := &majority{weights: weights, votes: c.b.Block(len(model.classes))}
		for _, m := range members {
			v.in = append(v.in, m.predicted)
		}
		c.b.Add(name, v)
		c.b.Add(name, &argmax{v.votes, model.predicted})
		return model
	}
	if kind != "soft" {
		a.unknown("voting", kind)
		return
	}
	m := &mean{out: c.b.Block(len(model.classes)), weights: weights, divisor: float64(len(members))}
	if weights != nil {
		m.divisor = sum(weights)
	}
	for i, member := range members {
		if member.probability == nil {
			a.refuse("no-probability", fmt.Sprintf("estimators_[%d]", i), "", "a member of soft voting has no probabilities")
			return
		}
		m.each = append(m.each, member.probability)
	}
	model.probability = m.out
	c.b.Add(name, m)
	c.b.Add(name, &argmax{m.out, model.predicted})
	return model
}

// sum adds from left to right. Where the order of numpy.sum counts, sumOf does it.
func sum(values []float64) (total float64) {
	for _, v := range values {
		total += v
	}
	return total
}

// members compiles the classifiers in estimators_, every one over the same matrix. One that was dropped stands
// there as a word. Each must know all classes, by label or by place: most ensembles encode the labels before they
// fit. Bagging does not come here: its members may read other columns and know fewer classes.
func (c *compiler) members(a *attributes, in matrix, classes []program.Constant) (members []classifier) {
	for i, v := range a.list("estimators_") {
		if a.err != nil {
			return nil
		}
		if v == "drop" || v == nil {
			continue
		}
		c.within(fmt.Sprintf("estimators_[%d]", i), func() {
			var m classifier
			if m, a.err = c.classify(v, in); a.err == nil {
				a.aligned(fmt.Sprintf("estimators_[%d].classes_", i), classes, m.classes)
				members = append(members, m)
			}
		})
	}
	if a.err == nil && len(members) == 0 {
		a.mismatch("estimators_", "[]", "an ensemble has at least one member")
	}
	return members
}

// voteWeights reads the weights of the members that were not dropped; nil where all are alike. weights runs along
// the parameter estimators, in which dropped ones still have a place ("drop", and None before 0.24), unlike in
// estimators_. A sum of zero raises a ZeroDivisionError in numpy.average. A negative weight is taken like any
// other; NaN and infinities are refused.
func (a *attributes) voteWeights(n int) []float64 {
	if a.err != nil || a.optional("weights") == nil {
		return nil
	}
	var weights []float64
	named, all := a.parts("estimators", 2), a.list("weights")
	if a.err == nil && len(named) != len(all) {
		a.mismatch("weights", fmt.Sprint(len(all)), fmt.Sprintf("there are %d estimators", len(named)))
	}
	for i, p := range named {
		if a.err != nil {
			return nil
		}
		if p.estimator == "drop" || p.estimator == nil {
			continue
		}
		w, ok := float(all[i])
		if !ok || w-w != 0 {
			a.unknown("weights", all[i])
		}
		weights = append(weights, w)
	}
	if a.err == nil && (len(weights) != n || !(sum(weights) != 0)) {
		a.mismatch("weights", fmt.Sprint(weights), fmt.Sprintf("%d numbers whose sum is not zero are expected", n))
	}
	return weights
}

// majority counts the votes of each class, from the places of the classes that the members predict. Votes are
// float64, because weights need not be whole.
type majority struct {
	in, votes matrix
	weights   []float64
}

// Run adds one, or its weight, for every member.
func (s *majority) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for _, r := range s.votes {
			row[r] = 0
		}
		for e, r := range s.in {
			w := 1.0
			if s.weights != nil {
				w = s.weights[e]
			}
			row[s.votes[int(row[r])]] += w
		}
	}
}

// stackingClassifier compiles its members, puts what stack_method_ asks of each side by side, the columns themselves
// behind them if passthrough is set, and gives that to the final estimator, whose outputs are those of the whole.
//
// stack_method_ names what was used in fit: "auto" has been resolved to the first of predict_proba,
// decision_function and predict that a member has. The final estimator knows the classes by their places, and the
// labels are put back here.
//
// Members whose places are words ("drop") are missing from estimators_ and from stack_method_ alike. The folds of
// cv served to train the final estimator and are gone. Which rows are scored is for the members and the final
// estimator to say.
func (c *compiler) stackingClassifier(a *attributes, in matrix) (model classifier) {
	classes := a.classes()
	members := c.members(a, in, classes)
	methods := a.list("stack_method_")
	if a.err == nil && len(methods) != len(members) {
		a.mismatch("stack_method_", fmt.Sprint(len(methods)), fmt.Sprintf("there are %d members", len(members)))
	}
	var meta matrix
	for i, m := range members {
		if a.err != nil {
			return
		}
		method, _ := methods[i].(string)
		meta = append(meta, c.stacked(a, i, method, m)...)
	}
	if a.flag("passthrough", false) {
		meta = append(meta, in...)
	}
	final := a.required("final_estimator_")
	if a.err != nil {
		return
	}
	c.within("final_estimator_", func() { model, a.err = c.classify(final, meta) })
	a.aligned("final_estimator_.classes_", classes, model.classes)
	model.classes = classes
	model.additive = additive{} // its sum is over the members, not over the features
	return model
}

// stacked is what member i hands to the final estimator. Of two probabilities the second says it all. Their sum
// is 1, so that scikit-learn leaves the first out as well. All probabilities of three or more classes are kept.
func (c *compiler) stacked(a *attributes, i int, method string, m classifier) matrix {
	var out matrix
	switch method {
	case "predict_proba":
		if out = m.probability; len(out) == 2 {
			out = out[1:]
		}
	case "decision_function":
		out = m.decision
	case "predict":
		return matrix{c.predictedLabel(a, m)} // numbers, since the labels were encoded
	}
	if out == nil {
		a.unknown(fmt.Sprintf("stack_method_[%d]", i), method)
	}
	return out
}

// baggingClassifier compiles the mean of the probabilities of its members, each over the columns that it was given.
// A member without probabilities votes for what it predicts.
//
// decision_function is the mean of theirs, where they have one. scikit-learn adds up the members in groups, one per
// job, so that its own sum depends on n_jobs in the last digit; here they are added one by one, as with one job.
//
// estimators_features_ holds one array of column indices per member. The row is not looked at here, only by the
// members, which is how scikit-learn does it too; max_samples, bootstrap, oob_score and warm_start concern fit.
// Without a decision_function in every member, or where one has not met all classes, the whole has none.
func (c *compiler) baggingClassifier(a *attributes, in matrix) (model classifier) {
	a.reads(in)
	model.classes = a.classes()
	estimators, subsets := a.list("estimators_"), a.list("estimators_features_")
	if a.err == nil && (len(estimators) == 0 || len(subsets) != len(estimators)) {
		a.mismatch("estimators_features_", fmt.Sprint(len(subsets)), fmt.Sprintf("there are %d estimators", len(estimators)))
	}
	b := &bag{divisor: float64(len(estimators)), sums: c.b.Block(len(model.classes))}
	decisions := &mean{divisor: b.divisor}
	for i, v := range estimators {
		if a.err != nil {
			return
		}
		columns := a.subset(fmt.Sprintf("estimators_features_[%d]", i), subsets[i], in)
		c.within(fmt.Sprintf("estimators_[%d]", i), func() {
			var m classifier
			if m, a.err = c.classify(v, columns); a.err != nil {
				return
			}
			b.members = append(b.members, a.bagged(i, model.classes, m))
			if m.decision != nil && len(m.classes) == len(model.classes) {
				decisions.each = append(decisions.each, m.decision)
			}
		})
	}
	if a.err != nil {
		return
	}
	name := c.stepName(a)
	c.b.Add(name, b)
	if len(decisions.each) == len(estimators) {
		decisions.out = c.b.Block(len(decisions.each[0]))
		c.b.Add(name, decisions)
		model.decision = decisions.out
	}
	model.probability, model.predicted = b.sums, c.b.New(-1)
	c.b.Add(name, &argmax{b.sums, model.predicted})
	return model
}

// subset selects the columns that a member reads; with bootstrap_features a column may come twice. A member of
// three columns in a file of thirty sees a matrix of three registers; nothing is copied.
func (a *attributes) subset(attribute string, v pickle.Value, in matrix) matrix {
	indexes := integers(v)
	if indexes == nil {
		a.mismatch(attribute, show(v), "a list of column indices is expected")
	}
	out := make(matrix, 0, len(indexes))
	for _, i := range indexes {
		if i < 0 || i >= len(in) {
			a.refuse("feature-index", attribute, fmt.Sprint(i), fmt.Sprintf("the estimator is given %d columns", len(in)))
			return nil
		}
		out = append(out, in[i])
	}
	return out
}

// bagged places the classes of a member among those of the whole: a bootstrap sample may lack one. Then its
// labels are the places, because bagging encodes y before it draws. A label that is neither its own place nor the
// label at that place means that the member belongs to another model.
func (a *attributes) bagged(i int, classes []program.Constant, m classifier) bagMember {
	member := bagMember{probability: m.probability, predicted: m.predicted, place: make([]int, len(m.classes))}
	for k, class := range m.classes {
		at := -1
		if len(m.classes) == len(classes) {
			at = k
		} else if class.Type == program.Number && class.Num >= 0 && class.Num < float64(len(classes)) {
			at = int(class.Num)
		}
		if at < 0 || class.Type == program.Number && !isPlaceOrLabel(class, at, classes) {
			a.mismatch(fmt.Sprintf("estimators_[%d].classes_", i), class.String(), fmt.Sprintf("the classes of the model are %v", classes))
			return member
		}
		member.place[k] = at
	}
	return member
}

// isPlaceOrLabel tells whether a class of a member is class at of the whole, by its place or by its label.
func isPlaceOrLabel(class program.Constant, at int, classes []program.Constant) bool {
	return class.Num == float64(at) || class == classes[at]
}

// bag averages the probabilities of members that may know fewer classes. A class that a member has never seen gets
// nothing from it.
type bag struct {
	members []bagMember
	sums    matrix
	divisor float64
}

// bagMember is one voter, with what it knows about the classes.
type bagMember struct {
	probability matrix // nil: it votes
	predicted   program.Reg
	place       []int // of each of its classes
}

// Run adds member by member and divides last.
func (s *bag) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for _, r := range s.sums {
			row[r] = 0
		}
		for e := range s.members {
			m := &s.members[e]
			if m.probability == nil {
				// predicted is a place among the member's own classes, which place turns into one among all.
				row[s.sums[m.place[int(row[m.predicted])]]]++
				continue
			}
			for k, r := range m.probability {
				row[s.sums[m.place[k]]] += row[r]
			}
		}
		for _, r := range s.sums {
			row[r] /= s.divisor
		}
	}
}

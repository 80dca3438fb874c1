package sklearn

import (
	"errors"
	"fmt"

	"fraudstream/scoring/forest"
	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// histGradientBoosting compiles baseline + Σ trees over float64 values, and the link of the log loss.
//
// The learning rate is part of the leaf values in the file, unlike in GradientBoosting. Rows are neither cast to
// float32 nor checked: NaN goes where each node says, an infinite value lies beyond every threshold.
//
// Since 1.4 a model with native categories holds a ColumnTransformer of its own, which codes them and moves them to
// the front; the features of its trees count in that order.
//
// _predictors is a list of iterations, each a list of one TreePredictor per sum; _baseline_prediction is the
// start; _bin_mapper knows the categories. Binning is a matter of training alone: nodes compare raw values with
// num_threshold, so that bin edges are not read. Early stopping has left as many iterations as count.
func (c *compiler) histGradientBoosting(a *attributes, in matrix) (model classifier) {
	a.reads(in)
	model.classes = a.classes()
	outputs := len(model.classes)
	if outputs == 2 {
		outputs = 1
	}
	a.histLoss(outputs)
	// The trees of one iteration stand side by side, one per output, and add to these starts in the order of the
	// file. A file without them has lost a part of the model and is refused.
	start := a.baseline(outputs)
	if a.err != nil {
		return
	}
	if v := a.optional("_preprocessor"); v != nil {
		// From here on the columns are those of the preprocessor, and so are the feature numbers of the trees.
		c.within("_preprocessor", func() { in, a.err = c.transform(v, in) })
	}
	h := a.histogram(len(in), outputs)
	if a.err != nil {
		return
	}
	name := c.stepName(a)
	for i, known := range h.known {
		if known != nil {
			c.b.Categorical(in[i])
		}
	}
	s := newHistStep(c.b, h, in, start)
	c.b.Add(name, s)
	model.decision = s.out
	model.additive = additive{out: s.out, explain: func(k int) *program.Explanation { return s.explanation(c.b, h.splits, k) }}
	c.boostedLink(name, &model, a.version() >= parseVersion("1.4"))
	return model
}

// boostedLink adds the probabilities and the prediction that follow from the sums of a boosted model: the sigmoid
// of one sum, the softmax of several. raw says that predict looks at the sums themselves, where the largest one
// wins and a tie goes to the first class. Histogram boosting does so since 1.4.
func (c *compiler) boostedLink(name string, model *classifier, raw bool) {
	model.probability = c.b.Block(len(model.classes))
	model.predicted = c.b.New(-1)
	if len(model.decision) == 1 {
		c.b.Add(name, &sigmoid{model.decision[0], model.probability, 1})
	} else {
		c.b.Add(name, &softmax{model.decision, model.probability})
	}
	// Raw sums and probabilities disagree only where rounding makes two probabilities equal, but then they do.
	switch {
	case !raw:
		c.b.Add(name, &argmax{model.probability, model.predicted})
	case len(model.decision) == 1:
		c.b.Add(name, &sign{raw: model.decision[0], out: model.predicted})
	default:
		c.b.Add(name, &argmax{model.decision, model.predicted})
	}
}

// histLoss accepts the log loss under the names that it has had: auto, binary_crossentropy and
// categorical_crossentropy until 1.2. There never was another loss for classes.
func (a *attributes) histLoss(outputs int) {
	switch loss := a.text("loss", "log_loss"); {
	case loss == "log_loss" || loss == "auto":
	case loss == "binary_crossentropy" && outputs == 1:
	case loss == "categorical_crossentropy" && outputs > 1:
	default:
		a.unknown("loss", loss)
	}
}

// baseline reads what the sums start from: a number, a row or a column of one number per output, by version. It
// is the log odds of the class shares in training, for several classes their logarithms, possibly shifted by a
// constant that the softmax does not see.
func (a *attributes) baseline(outputs int) []float64 {
	v := a.required("_baseline_prediction")
	if x, lone := float(v); lone && outputs == 1 {
		a.finite("_baseline_prediction", []float64{x})
		return []float64{x}
	}
	array := a.array("_baseline_prediction")
	if a.err != nil {
		return nil
	}
	values, ok := floats(array)
	if !ok || len(values) != outputs {
		a.mismatch("_baseline_prediction", describe(array), fmt.Sprintf("%d numbers are expected", outputs))
		return nil
	}
	a.finite("_baseline_prediction", values)
	return values
}

// histogram is what the trees of a histogram boosting compile to. The forest has more features than the model: behind
// the columns come the answers to the questions in splits, one for each.
type histogram struct {
	forest *forest.Forest[float64]
	splits []categorySplit
	known  []*bitset // per feature: the categories that training knew; nil for a number
}

// histogram reads the trees. Splits on categories are gathered first, since each becomes a feature of the forest.
func (a *attributes) histogram(features, outputs int) *histogram {
	h := &histogram{known: a.knownCategories(features)}
	stages := a.list("_predictors")
	if a.err != nil {
		return nil
	}
	if len(stages) == 0 {
		a.mismatch("_predictors", "[]", "a boosted model has at least one tree")
		return nil
	}
	// The file has the rate in its leaves already.
	rate := 1.0 // of the leaves; only reasons look at it
	if v, ok := float(a.optional("learning_rate")); ok && v > 0 {
		rate = v
	}
	r := &histReader{features: features, known: h.known, wraps: a.version() < parseVersion("1.2")}
	var trees []forest.Tree
	for i, stage := range stages {
		items, ok := listItems(stage)
		if !ok || len(items) != outputs {
			a.mismatch(fmt.Sprintf("_predictors[%d]", i), show(stage), fmt.Sprintf("%d trees are expected", outputs))
			return nil
		}
		for k, v := range items {
			t, err := r.tree(v)
			if err != nil {
				a.err = within(err, fmt.Sprintf("_predictors[%d][%d]", i, k), true)
				return nil
			}
			t.Output = k
			t.Weights = newtonWeights(t.Weights, t.Values, rate)
			trees = append(trees, t)
		}
	}
	h.splits = r.splits
	// The forest is sized when the questions are all known, which is why trees are collected first and added
	// afterwards.
	h.forest = forest.New[float64](forest.Shape{Features: features + len(r.splits), Width: 1, Outputs: outputs, Missing: true})
	for i, t := range trees {
		if a.err = h.forest.Add(t); a.err != nil {
			if u, ok := errors.AsType[*UnsupportedError](a.err); ok {
				u.Class, u.Attribute = predictorClass, fmt.Sprintf("_predictors[%d][%d].%s", i/outputs, i%outputs, u.Attribute)
			}
			return nil
		}
	}
	return h
}

// knownCategories reads, per feature, the raw categories that the binning of training met. They are whole numbers
// from 0 to 255. scikit-learn builds the same sets anew for every call of predict, from is_categorical_ and
// bin_thresholds_ of the bin mapper, whose name for a list of categories this is. A feature of numbers has nil
// there. The sets decide about a category that no node sends left: a known one goes right, an unknown one where
// missing values go.
func (a *attributes) knownCategories(features int) []*bitset {
	known := make([]*bitset, features)
	o, ok := a.required("_bin_mapper").(*pickle.Object)
	if a.err != nil {
		return known
	}
	if !ok {
		a.mismatch("_bin_mapper", show(a.optional("_bin_mapper")), "a fitted bin mapper is expected")
		return known
	}
	inner := attributesOf(o)
	flags, values := inner.list("is_categorical_"), inner.list("bin_thresholds_")
	if inner.err == nil && (len(flags) != features || len(values) != features) {
		inner.mismatch("is_categorical_", fmt.Sprint(len(flags)), fmt.Sprintf("one entry for each of %d features is expected", features))
	}
	for i := range known {
		if inner.err != nil {
			break
		}
		if categorical, ok := truth(flags[i]); !ok {
			inner.unknown("is_categorical_", flags[i])
		} else if categorical {
			known[i] = inner.categorySet(values[i])
		}
	}
	a.err = inner.err
	return known
}

// categorySet reads the categories of one feature. scikit-learn 1.2 and older fit on negative categories as well
// and then raise an OverflowError for every row; such a model is refused here. bin_thresholds_ of such a feature
// holds its categories as numbers.
func (a *attributes) categorySet(v pickle.Value) *bitset {
	s := new(bitset)
	array, ok := v.(*pickle.Array)
	var values []float64
	if ok = ok && array.Type != nil && array.Len() <= 256; ok {
		values, ok = floats(array)
	}
	for _, x := range values {
		if !(x >= 0 && x < 256) {
			ok = false
			break
		}
		s.add(uint8(x))
	}
	if !ok {
		a.mismatch("bin_thresholds_", show(v), "native categories are whole numbers from 0 to 254")
	}
	return s
}

// truth reads a boolean, a number of 0 or 1 included. Arrays of uint8 in place of booleans are the reason.
func truth(v pickle.Value) (value, ok bool) {
	switch b := pickle.Plain(v).(type) {
	case bool:
		return b, true
	case int64:
		return b == 1, b == 0 || b == 1
	}
	return false, false
}

package sklearn

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"fraudstream/scoring/booster"
	"fraudstream/scoring/pickle"
)

// selectFromModel keeps the columns to which an inner model gives weight: those whose importance is not below the
// threshold, and of them the max_features largest. The inner model never predicts. Whether NaN is taken the model
// as it was before fit is asked.
//
// estimator_ is the fitted inner model and estimator its pattern; prefit=True may leave the latter alone, which
// is then the fitted one. scikit-learn computes importances and threshold anew at every transform; here that is
// done once.
func (c *compiler) selectFromModel(a *attributes, in matrix) matrix {
	a.reads(in)
	inner, asked := a.inner("estimator_", "estimator"), a.inner("estimator")
	if a.err != nil {
		return nil
	}
	importances := a.importances(inner, len(in))
	threshold := a.threshold(inner, importances)
	mask := where(importances, func(v float64) bool { return !(v < threshold) })
	if a.optional("max_features") != nil {
		a.keepLargest(importances, mask)
	}
	return c.keep(a, in, mask, asked.acceptsMissing())
}

// recursive keeps the columns of a mask that fit has left: RFE, RFECV and SequentialFeatureSelector. support_ is
// a boolean per column. step, min_features_to_select, direction and scoring led to it and count no more.
func (c *compiler) recursive(a *attributes, in matrix) matrix {
	a.reads(in)
	inner := a.inner("estimator")
	// Which columns are left is not worked out anew here: the mask itself is what fit has learned.
	array := a.array("support_")
	if a.err != nil {
		return nil
	}
	mask, err := array.Bools()
	if err != nil {
		a.mismatch("support_", describe(array), "a list of booleans is expected")
	}
	if a.err != nil {
		return nil
	}
	return c.keep(a, in, mask, inner.acceptsMissing())
}

// inner opens an estimator that is read for its attributes alone, under the first of the names that holds one.
// Models that nothing here could run, regressors say, may serve: only their weights count. Nothing of such a
// model enters the program.
func (a *attributes) inner(names ...string) *attributes {
	for _, name := range names {
		if o, ok := a.optional(name).(*pickle.Object); ok {
			return attributesOf(o)
		}
	}
	last := names[len(names)-1]
	a.mismatch(last, show(a.optional(last)), "an estimator is expected")
	return nil
}

// keepLargest takes from the mask all but the max_features largest importances, the first of equal ones. A
// function in max_features was called by fit, which left the number beside it. Columns below the threshold stay
// out even where there is room.
func (a *attributes) keepLargest(importances []float64, mask []bool) {
	v := a.optional("max_features_")
	if v == nil {
		v = a.optional("max_features")
	}
	n, ok := integer(v)
	if !ok || n < 0 {
		a.unknown("max_features", v)
		return
	}
	// scikit-learn sorts the negated importances stably, which settles who wins among equals.
	negative := make([]float64, len(importances))
	for i, x := range importances {
		negative[i] = -x
	}
	for rank, i := range ascending(negative) {
		if int64(rank) >= n {
			mask[i] = false
		}
	}
}

// threshold reads the threshold: a number, "mean" or "median", either with a factor. By default it is the mean,
// and 1e-5 where the inner model was fitted with an l1 penalty, which 1.8 learned to see in l1_ratio as well. The
// factor may be any number, "-inf" included, which keeps all. Median is numpy's: the mean of the middle two.
func (a *attributes) threshold(inner *attributes, importances []float64) float64 {
	v := a.optional("threshold")
	if f, ok := float(v); ok {
		return f
	}
	text, ok := pickle.Plain(v).(string)
	if v == nil {
		if inner.sparsePenalty() {
			return 1e-5
		}
		text, ok = "mean", true
	}
	// "1.25*mean": a number, a star and a word, blanks allowed around each.
	factor, reference, scaled := strings.Cut(text, "*")
	scale := 1.0
	if scaled {
		var err error
		scale, err = strconv.ParseFloat(strings.TrimSpace(factor), 64)
		ok = ok && err == nil
	} else {
		reference = text
	}
	switch strings.TrimSpace(reference) {
	case "mean":
		scale *= meanOf(importances)
	case "median":
		scale *= quantileOf(importances, 0.5)
	default:
		ok = false
	}
	if !ok {
		a.unknown("threshold", v)
	}
	return scale
}

// sparsePenalty tells a model whose fit made useless weights zero. The tolerance is that of numpy.isclose(ratio,
// 1).
func (a *attributes) sparsePenalty() bool {
	if a.optional("penalty") == "l1" || strings.Contains(a.object.Class.Name, "Lasso") {
		return true
	}
	name := "l1_ratio"
	switch a.object.Class.Name {
	case "LogisticRegression":
	case "LogisticRegressionCV":
		name = "l1_ratio_"
	default:
		return false
	}
	ratio, ok := float(a.optional(name))
	return ok && a.version() >= parseVersion("1.8") && math.Abs(ratio-1) <= 1e-8+1e-5
}

// meanOf is the arithmetic mean.
func meanOf(values []float64) float64 { return sumOf(values) / float64(len(values)) }

// sumOf adds in the order of numpy.sum, so that importances which equal their own mean still do: eight sums at a
// time for up to 128 values, the sum of both halves for more. The halves are cut at a multiple of eight, so that
// only the last block has a rest.
func sumOf(values []float64) float64 {
	n := len(values)
	if n > 128 {
		half := n / 2
		half -= half % 8
		return sumOf(values[:half]) + sumOf(values[half:])
	}
	total, rest := 0.0, values
	if n >= 8 {
		var s [8]float64
		for ; len(rest) >= 8; rest = rest[8:] {
			for k := range s {
				s[k] += rest[k]
			}
		}
		total = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]))
	}
	for _, v := range rest {
		total += v
	}
	return total
}

// importances computes what the inner model thinks of n columns: the norm of its coefficients over all outputs, or
// the share of impurity that its trees took off by each column.
func (a *attributes) importances(inner *attributes, n int) []float64 {
	// A path such as named_steps.clf.coef_ or a function may be given too; those are refused by their value.
	getter := a.text("importance_getter", "auto")
	var out []float64
	switch {
	case n == 0:
		a.mismatch("n_features_in_", "0", "there is no column to choose")
	case (getter == "auto" || getter == "coef_") && inner.has("coef_"):
		out = inner.norms(a, n)
	case getter == "auto" || getter == "feature_importances_":
		out = inner.impurityShares(n)
	default:
		a.unknown("importance_getter", getter)
	}
	if a.err == nil {
		a.err = inner.err
	}
	if a.err != nil {
		return make([]float64, n)
	}
	return out
}

// norms reads coef_ of the inner model; outer says which norm. norm_order is a parameter of the selector: 1, 2 or
// infinity are known, 1 being the default. A vector is one row, whose norm is the absolute value whatever the
// order.
func (a *attributes) norms(outer *attributes, n int) []float64 {
	array := a.array("coef_")
	if a.err != nil {
		return nil
	}
	if len(array.Shape) == 1 {
		return absolute(a.vector("coef_", n))
	}
	// A row per output: one for two classes, else one per class. The norm goes over the rows. Where this does not
	// come out even, the shape that the matrix is held against does not fit, and it is refused.
	rows := array.Len() / n
	coef := a.matrix("coef_", rows, n)
	order := 1.0
	if v := outer.optional("norm_order"); v != nil {
		var ok bool
		if order, ok = float(v); !ok || order != 1 && order != 2 && !math.IsInf(order, 1) {
			outer.unknown("norm_order", v)
		}
	}
	if a.err != nil {
		return nil
	}
	out := make([]float64, n)
	for i, w := range coef {
		w = math.Abs(w)
		switch j := i % n; order {
		case 1:
			out[j] += w
		case 2:
			out[j] += float64(w * w)
		default:
			out[j] = max(out[j], w)
		}
	}
	if order == 2 {
		for j := range out {
			out[j] = math.Sqrt(out[j])
		}
	}
	return out
}

// absolute takes the signs off.
func absolute(values []float64) []float64 {
	out := slices.Clone(values)
	for i, v := range out {
		out[i] = math.Abs(v)
	}
	return out
}

// impurityShares computes feature_importances_ of a tree or of an ensemble of trees: the mean over the trees that
// split at all, made to add up to 1. Forests take the share of each tree, boosting takes the sums as they are.
// Trees that are a lone leaf are left out of the mean rather than counted as zero, and a model of nothing but
// those has importances of zero.
func (a *attributes) impurityShares(n int) []float64 {
	name := a.object.Class.Name
	switch name {
	case "DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor":
		out, _ := a.impurityOf(n)
		return shares(out)
	case "XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor", "LGBMClassifier", "LGBMRegressor":
		return a.boosterImportances(n)
	case "AdaBoostClassifier":
		return a.weightedShares(n)
	case "RandomForestClassifier", "RandomForestRegressor", "ExtraTreesClassifier", "ExtraTreesRegressor",
		"GradientBoostingClassifier", "GradientBoostingRegressor":
	default:
		a.refuse("unsupported-estimator", "feature_importances_", "", "importances are known of linear models, trees, forests, AdaBoost and gradient boosting, of XGBoost and LightGBM; put the selected columns into a ColumnTransformer instead")
		return nil
	}
	// The mean of shares and the share of means differ: every tree of a forest counts the same, while a tree of
	// boosting counts by how much it still improved.
	boosting := strings.HasPrefix(name, "GradientBoosting")
	out := make([]float64, n)
	used := 0.0
	for _, v := range a.members() {
		o, ok := v.(*pickle.Object)
		if !ok {
			a.mismatch("estimators_", show(v), "a list of trees is expected")
			return nil
		}
		tree := attributesOf(o)
		one, split := tree.impurityOf(n)
		if tree.err != nil {
			a.err = tree.err
			return nil
		}
		if !split {
			continue
		}
		if !boosting {
			one = shares(one)
		}
		used++
		for j, v := range one {
			out[j] += v
		}
	}
	if used > 0 {
		for j := range out {
			out[j] /= used
		}
	}
	return shares(out)
}

// weightedShares is the mean of the importances of AdaBoost's members by their weights. Members without a weight
// were planned and never fitted. Each member has importances of its own, of whatever kind it is, already made to
// add up to 1.
func (a *attributes) weightedShares(n int) []float64 {
	members := a.list("estimators_")
	array := a.array("estimator_weights_")
	if a.err != nil {
		return nil
	}
	weights := a.vector("estimator_weights_", array.Len())
	if a.err == nil && len(weights) < len(members) {
		a.mismatch("estimator_weights_", describe(array), fmt.Sprintf("there are %d estimators", len(members)))
	}
	out := make([]float64, n)
	for i, v := range members {
		o, ok := v.(*pickle.Object)
		if !ok || a.err != nil {
			a.mismatch("estimators_", show(v), "a list of estimators is expected")
			return nil
		}
		inner := attributesOf(o)
		if inner.object.Class.Name == "AdaBoostClassifier" { // a hostile file could nest them without end
			a.unknown("estimators_", v)
			return nil
		}
		for j, share := range inner.impurityShares(n) {
			out[j] += float64(weights[i] * share)
		}
		if a.err = inner.err; a.err != nil {
			return nil
		}
	}
	// The weights of members that were never fitted are zero, and the sum of all is that of the others.
	norm := sumOf(weights)
	for j := range out {
		out[j] /= norm
	}
	return out
}

// boosterImportances are those of XGBoost, by default the mean gain of a column's splits, and of LightGBM, by
// default their number. The parser is that of the classifier, but regressors are welcome here: only their gains
// and counts are read.
func (a *attributes) boosterImportances(n int) (out []float64) {
	inner, err := a.boosterObject()
	if err != nil {
		return nil
	}
	kind, _ := a.optional("importance_type").(string)
	if strings.HasPrefix(a.object.Class.Name, "XGB") {
		data, _ := inner.optional("handle").(pickle.Bytes)
		out, a.err = booster.XGBoostImportances(data, cmp.Or(kind, "gain"), n)
		return out
	}
	text, ok := inner.optional("_handle").(string)
	if !ok {
		text, _ = inner.optional("handle").(string)
	}
	best, _ := integer(inner.optional("best_iteration"))
	out, a.err = booster.LightGBMImportances([]byte(text), cmp.Or(kind, "split"), n, int(min(max(best, 0), math.MaxInt32)))
	return out
}

// boosterObject is the library's own object in its wrapper.
func (a *attributes) boosterObject() (*attributes, error) {
	class := "xgboost.core.Booster"
	if strings.HasPrefix(a.object.Class.Name, "LGBM") {
		class = "lightgbm.basic.Booster"
	}
	inner := a.embedded("_Booster", class)
	return inner, a.err
}

// members are the estimators of an ensemble: a list, or boosting's array of a row per iteration and a column per class.
func (a *attributes) members() []pickle.Value {
	if array, ok := a.optional("estimators_").(*pickle.Array); ok {
		return array.Objects
	}
	return a.list("estimators_")
}

// shares divides by the sum, if there is one. It works in place.
func shares(values []float64) []float64 {
	if sum := sumOf(values); sum > 0 {
		for i := range values {
			values[i] /= sum
		}
	}
	return values
}

// impurityOf sums, per column, by how much the splits of one tree lower the impurity, weighted by the samples
// that reach them and divided by those at the root. split is false for a tree that is a lone leaf. The attributes
// stand in the structured array nodes of tree_: children, feature, impurity and weighted_n_node_samples, a record
// per node.
func (a *attributes) impurityOf(n int) (out []float64, split bool) {
	out = make([]float64, n)
	o, ok := a.required("tree_").(*pickle.Object)
	if !ok {
		a.structure("tree_", show(a.optional("tree_")), "a fitted Tree is expected")
		return out, false
	}
	tree := attributesOf(o)
	nodes, ok := tree.optional("nodes").(*pickle.Array)
	if !ok || len(nodes.Shape) != 1 || nodes.Shape[0] == 0 {
		a.structure("nodes", show(tree.optional("nodes")), "an array of nodes is expected")
		return out, false
	}
	left, right := tree.nodeField(nodes, "left_child"), tree.nodeField(nodes, "right_child")
	feature, impurity := tree.nodeField(nodes, "feature"), tree.nodeField(nodes, "impurity")
	weight := tree.nodeField(nodes, "weighted_n_node_samples")
	if tree.err != nil {
		a.err = tree.err
		return out, false
	}
	// Δ = w·impurity - w_left·impurity_left - w_right·impurity_right, in that order of rounding.
	count := len(left)
	for i := range left {
		// A leaf has -1 for both children.
		if left[i] < 0 {
			continue
		}
		l, r, f := int(left[i]), int(right[i]), int(feature[i])
		if l >= count || r < 0 || r >= count || f < 0 || f >= n {
			a.structure("nodes", fmt.Sprintf("node %d", i), "child or feature out of range")
			return out, false
		}
		out[f] += float64(weight[i]*impurity[i]) - float64(weight[l]*impurity[l]) - float64(weight[r]*impurity[r])
	}
	if weight[0] > 0 {
		for j := range out {
			out[j] /= weight[0]
		}
	}
	return out, count > 1
}

// acceptsMissing tells whether scikit-learn takes an estimator for one that accepts NaN (its tag allow_nan). A
// forest is asked as a fresh tree with its criterion would be. What it does not know refuses NaN, as most of
// scikit-learn does.
func (a *attributes) acceptsMissing() bool {
	switch name := a.object.Class.Name; name {
	case "DecisionTreeClassifier", "ExtraTreeClassifier":
		return a.takesMissing(false)
	case "RandomForestClassifier", "ExtraTreesClassifier":
		// Random forests learned it in 1.4, forests of extra trees in 1.6.
		v := a.version()
		return v >= parseVersion("1.4") && (v >= parseVersion("1.6") || name[0] == 'R')
	}
	return strings.HasPrefix(a.object.Class.Name, "HistGradientBoosting") ||
		strings.HasPrefix(a.object.Class.Module, "xgboost.") || strings.HasPrefix(a.object.Class.Module, "lightgbm.")
}

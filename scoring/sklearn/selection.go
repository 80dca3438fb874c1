package sklearn

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"fraudstream/scoring/pickle"
)

// A selector keeps some columns. What its fit has learned are scores, p-values, variances or a mask; which columns
// these keep scikit-learn works out anew at every call, and so does this file, once, in the same arithmetic.

// keep takes the columns that the mask chooses. missing says whether the selector lets NaN through. The registers
// are handed on themselves, so that a selection costs nothing per row and keeps names, origins and categories.
func (c *compiler) keep(a *attributes, in matrix, mask []bool, missing bool) matrix {
	if a.err == nil && len(mask) != len(in) {
		a.mismatch("scores_", fmt.Sprintf("%d columns", len(mask)), fmt.Sprintf("the estimator is given %d", len(in)))
	}
	if a.err != nil {
		return nil
	}
	// A selector that lets NaN through does not look at the values at all, and under set_output none does since 1.3.
	if !missing && !a.givesFrames() {
		c.b.CheckFinite(c.stepName(a), in, false)
	}
	var out matrix
	for i, r := range in {
		if mask[i] {
			out = append(out, r)
		}
	}
	return out
}

// givesFrames tells whether set_output asked for data frames. The rows of an event are one, and so is what every
// earlier step of such a pipeline gives. The configuration lies in the state of each estimator.
func (a *attributes) givesFrames() bool {
	config, ok := a.optional("_sklearn_output_config").(*pickle.Dict)
	if !ok || a.version() < parseVersion("1.3") {
		return false
	}
	kind, _ := config.Get("transform")
	return kind == "pandas"
}

// varianceThreshold keeps the columns whose variance is above the threshold.
//
// variances_ is a float64 per column; for threshold 0 fit has replaced it by the smaller of variance and range,
// so that rounding does not keep a constant column. NaN is let through, and a column of nothing but NaN has a
// variance that is above nothing.
func (c *compiler) varianceThreshold(a *attributes, in matrix) matrix {
	a.reads(in)
	variances := a.numbers("variances_", len(in))
	threshold := a.number("threshold")
	return c.keep(a, in, where(variances, func(v float64) bool { return v > threshold }), true)
}

// where applies a condition to every value.
func where(values []float64, chosen func(float64) bool) []bool {
	mask := make([]bool, len(values))
	for i, v := range values {
		mask[i] = chosen(v)
	}
	return mask
}

// univariate compiles the filters that score every column by itself. Each class has one parameter, which the
// general filter calls param.
//
// scores_ and pvalues_ are vectors with a number per column, pvalues_ None for a score function that has none.
// score_func itself is code: it was called by fit and is left alone here.
func (c *compiler) univariate(a *attributes, in matrix) matrix {
	a.reads(in)
	mode, parameter := a.object.Class.Name, "alpha"
	if mode == "GenericUnivariateSelect" {
		mode, parameter = a.text("mode", "percentile"), "param"
	}
	var mask []bool
	switch mode {
	case "SelectKBest", "k_best":
		mask = a.best(len(in), pick(parameter, "k"))
	case "SelectPercentile", "percentile":
		mask = a.percentile(len(in), pick(parameter, "percentile"))
	case "SelectFpr", "fpr":
		alpha := a.number(parameter)
		mask = where(a.numbers("pvalues_", len(in)), func(p float64) bool { return p < alpha })
	case "SelectFwe", "fwe":
		alpha := a.number(parameter) / float64(len(in))
		mask = where(a.numbers("pvalues_", len(in)), func(p float64) bool { return p < alpha })
	case "SelectFdr", "fdr":
		mask = falseDiscovery(a.numbers("pvalues_", len(in)), a.number(parameter))
	default:
		a.unknown("mode", mode)
	}
	return c.keep(a, in, mask, false)
}

// pick is the name of a parameter: that of the general filter, or the class's own.
func pick(parameter, own string) string {
	if parameter == "param" {
		return parameter
	}
	return own
}

// best chooses the k highest scores; of equal ones the later, as a stable sort leaves them.
func (a *attributes) best(n int, parameter string) []bool {
	scores := a.scores(n)
	k := a.optional(parameter)
	mask := make([]bool, n)
	if a.err != nil {
		return mask
	}
	count, ok := integer(k)
	switch {
	case k == "all":
		count = int64(n)
	case !ok || count < 0: // scikit-learn does not accept these either
		a.unknown(parameter, k)
		return mask
	}
	order := ascending(scores)
	for _, i := range order[n-int(min(count, int64(n))):] {
		mask[i] = true
	}
	return mask
}

// percentile chooses the scores above a quantile of all scores, and as many of those that equal it as there is
// room. percentile is what share of the columns is kept, from 0 to 100.
func (a *attributes) percentile(n int, parameter string) []bool {
	scores := a.scores(n)
	percent := a.number(parameter)
	if a.err == nil && (percent < 0 || percent > 100 || n == 0) {
		a.unknown(parameter, a.optional(parameter))
	}
	if a.err != nil {
		return nil
	}
	switch percent {
	case 100:
		return where(scores, func(float64) bool { return true })
	case 0:
		return make([]bool, n)
	}
	threshold := quantileOf(scores, (100-percent)/100)
	mask := where(scores, func(s float64) bool { return s > threshold })
	// A slice to a negative end leaves the last ones out, which Python does here without being asked.
	room := int(float64(float64(n)*percent) / 100)
	var ties []int
	for i, s := range scores {
		if mask[i] {
			room--
		}
		if s == threshold {
			ties = append(ties, i)
		}
	}
	if room < 0 {
		room = max(0, len(ties)+room)
	}
	for _, i := range ties[:min(room, len(ties))] {
		mask[i] = true
	}
	return mask
}

// scores reads scores_, where NaN counts as the lowest number. A column that was constant has a score of NaN
// under f_classif, the default.
func (a *attributes) scores(n int) []float64 {
	scores := slices.Clone(a.numbers("scores_", n))
	for i, s := range scores {
		if math.IsNaN(s) {
			scores[i] = -math.MaxFloat64
		}
	}
	return scores
}

// ascending is the stable order of values. It returns indices, lowest value first, equal ones in their order.
func ascending(values []float64) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(values[i], values[j]) })
	return order
}

// quantileOf is numpy's linear quantile: between the two values around (n-1)·q, from the nearer of them. q runs
// from 0 to 1; values are copied before they are sorted.
func quantileOf(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	// numpy computes from the nearer neighbour so that the result is the same from both sides.
	at := q * float64(len(sorted)-1)
	low := int(at)
	high := min(low+1, len(sorted)-1)
	share, step := at-float64(low), sorted[high]-sorted[low]
	if share >= 0.5 {
		return sorted[high] - float64(step*(1-share))
	}
	return sorted[low] + float64(step*share)
}

// falseDiscovery is the procedure of Benjamini and Hochberg: all p-values up to the largest that is not above
// α·rank/n. The p-value of a constant column is NaN, which numpy sorts behind all numbers. All p-values below
// that limit are kept, even those that exceed the bound of their own rank.
func falseDiscovery(p []float64, alpha float64) []bool {
	limit := math.Inf(-1)
	numbers := slices.DeleteFunc(slices.Clone(p), math.IsNaN)
	slices.Sort(numbers)
	for i, v := range numbers {
		if v <= float64(alpha/float64(len(p))*float64(i+1)) {
			limit = v
		}
	}
	return where(p, func(v float64) bool { return v <= limit })
}

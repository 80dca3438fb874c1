package booster

import (
	"fmt"
	"strings"
)

// The importances of a booster choose columns where a selector of scikit-learn asks for them; no prediction needs them.
// Both libraries add up, per feature, what its splits have brought.

// XGBoostImportances computes feature_importances_ of a model in JSON or UBJSON, in float32 as XGBoost does: per
// feature the number of its splits ("weight"), or the sum ("total_gain", "total_cover") or the mean ("gain", "cover")
// of what they gained or covered, as shares of the sum over all features.
//
// features is how many columns the selector was given. The result has one number for each, in their order, and
// adds up to 1 unless all are zero. Trees are read in full only as far as their splits: leaves do not matter
// here, nor do weights of dart.
func XGBoostImportances(data []byte, kind string, features int) ([]float64, error) {
	r := &reader{class: xgboostClass}
	learner := xgboostLearner(r, data)
	b := r.object(learner, "gradient_booster")
	// dart keeps the trees one object further inside than gbtree does.
	if inner, ok := b["gbtree"].(object); ok { // dart
		b = inner
	}
	model := r.object(b, "model")
	if _, linear := model["weights"]; linear {
		r.refuse("unsupported-value", "booster", `"gblinear"`, "importances are those of trees")
	}
	measure, mean := "loss_changes", kind == "gain" || kind == "cover"
	switch strings.TrimPrefix(kind, "total_") {
	case "gain":
	case "cover":
		measure = "sum_hessian"
	case "weight":
		measure = ""
	default:
		r.refuse("unsupported-value", "importance_type", fmt.Sprintf("%q", kind), "gain, cover, weight, total_gain and total_cover are known")
	}
	sums, counts := make([]float32, features), make([]float32, features)
	for _, v := range r.list(model, "trees") {
		tree, _ := v.(object)
		xgboostGains(r, tree, measure, sums, counts)
		if r.err != nil {
			return nil, r.err
		}
	}
	total := float32(0)
	for i := range sums {
		if mean && counts[i] > 0 {
			sums[i] /= counts[i]
		}
		total += sums[i]
	}
	out := make([]float64, features)
	for i, s := range sums {
		if out[i] = float64(s); total != 0 {
			out[i] = float64(s / total)
		}
	}
	return out, r.err
}

// xgboostGains adds what the splits of one tree measure. Nodes that pruning has deleted are not met on the way
// down. sums and counts are added to in place, a place per feature. measure names the list of the tree that is
// summed, and is empty where splits are counted. The walk begins at the root and refuses a node that is reached
// twice.
func xgboostGains(r *reader, tree object, measure string, sums, counts []float32) {
	left := r.numbers(tree, "left_children")
	right, feature := r.perNode(tree, "right_children", len(left)), r.perNode(tree, "split_indices", len(left))
	gains := feature
	if measure != "" {
		gains = r.perNode(tree, measure, len(left))
	}
	if r.err != nil {
		return
	}
	seen := make([]bool, len(left))
	for open := []int{0}; len(open) > 0; {
		i := open[len(open)-1]
		open = open[:len(open)-1]
		if i < 0 || i >= len(left) || seen[i] {
			r.structure("left_children", fmt.Sprint(i), "a child out of range, or of two nodes")
			return
		}
		seen[i] = true
		if left[i] == -1 {
			continue
		}
		f := index(feature[i])
		if f < 0 || f >= len(sums) {
			r.refuse("feature-index", fmt.Sprintf("split_indices[%d]", i), fmt.Sprint(feature[i]), fmt.Sprintf("the model has %d features", len(sums)))
			return
		}
		// Whatever is measured, the mean needs the number of splits.
		counts[f]++
		if measure == "" {
			sums[f]++
		} else {
			sums[f] += float32(gains[i])
		}
		open = append(open, index(left[i]), index(right[i]))
	}
}

// LightGBMImportances computes feature_importances_ of a model in text: per feature the number of the splits that
// gained anything ("split"), or the sum of what they gained ("gain"). Only the first iterations count (0: all).
//
// They are float64 and are not made to add up to 1, which is LightGBM's way. The text is parsed anew: a
// selector's inner model is no part of the program.
func LightGBMImportances(text []byte, kind string, features, iterations int) ([]float64, error) {
	r := &reader{class: lightgbmClass}
	doc, err := parseText(lightgbmClass, string(text))
	if err != nil {
		return nil, err
	}
	if kind != "split" && kind != "gain" {
		r.refuse("unsupported-value", "importance_type", fmt.Sprintf("%q", kind), "split and gain are known")
		return nil, r.err
	}
	out := make([]float64, features)
	trees := doc.trees
	// An iteration has a tree for every class.
	if perIteration := max(1, doc.head.count(r, "num_tree_per_iteration")); iterations > 0 && iterations < len(trees)/perIteration {
		trees = trees[:iterations*perIteration]
	}
	for i, s := range trees {
		lightgbmGains(r, s, kind, out)
		if r.err != nil {
			within(r.err, "Tree", i)
			return nil, r.err
		}
	}
	return out, r.err
}

// lightgbmGains adds the splits of one tree. A tree of one leaf has no splits.
func lightgbmGains(r *reader, s section, kind string, out []float64) {
	inner := s.count(r, "num_leaves") - 1
	if inner < 1 || r.err != nil {
		return
	}
	feature, gain := s.numbers(r, "split_feature", inner), s.numbers(r, "split_gain", inner)
	if r.err != nil {
		return
	}
	for i := range feature {
		f := index(feature[i])
		switch {
		case f < 0 || f >= len(out):
			r.refuse("feature-index", fmt.Sprintf("split_feature[%d]", i), fmt.Sprint(feature[i]), fmt.Sprintf("the model has %d features", len(out)))
			return
		// A split that gained nothing does not count as one, and NaN is no gain.
		case !(gain[i] > 0):
		case kind == "gain":
			out[f] += gain[i]
		default:
			out[f]++
		}
	}
}

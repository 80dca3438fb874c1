package booster

import (
	"fmt"
	"strconv"
	"strings"
)

// text is LightGBM's text in its sections: a head of key=value lines, such a section per tree, and the categories
// of pandas in JSON. The head ends where the first tree begins.
type text struct {
	head       section
	average    bool // the flag average_output of random forests
	trees      []section
	categories string
}

// A section holds the values of its lines by key. They stay text until somebody asks for them, who knows how many
// numbers there must be.
type section map[string]string

// parseText splits the text. It ends soundly only if the line "end of trees" is there; between it and the
// categories lie the parameters of training and the importances, which are skipped. A key that stands twice in a
// section keeps its last value. Lines are counted, not bytes, since a line of any length costs no more than its
// text.
func parseText(class, all string) (*text, error) {
	doc := &text{head: section{}, categories: "null"}
	current, ended, lines := doc.head, false, 0
	for line := range strings.Lines(all) {
		if lines++; lines > maxValues {
			return nil, damaged(class, "budget", len(all), adviceBudget)
		}
		line = strings.TrimRight(line, "\r\n")
		key, value, pair := strings.Cut(line, "=")
		rest, categories := strings.CutPrefix(line, "pandas_categorical:")
		switch {
		case categories:
			doc.categories = rest
		case ended:
		case line == "end of trees":
			ended = true
		case line == "average_output":
			doc.average = true
		case key == "Tree":
			if value != strconv.Itoa(len(doc.trees)) {
				return nil, damaged(class, "tree-structure", 0, "trees are numbered from 0 without a gap")
			}
			current = section{}
			doc.trees = append(doc.trees, current)
		// Lines of other keys, such as the values of inner nodes, would only take memory.
		case pair && wanted[key]:
			current[key] = value
		}
	}
	switch {
	case !strings.HasPrefix(all, "tree"):
		return nil, damaged(class, "corrupt", 0, "the text of a LightGBM model begins with tree")
	case !ended:
		return nil, damaged(class, "truncated", len(all), adviceTruncated)
	}
	return doc, nil
}

// wanted are the keys that prediction, its reasons and importances need.
var wanted = map[string]bool{
	"version": true, "num_tree_per_iteration": true, "max_feature_idx": true, "objective": true,
	"feature_names": true, "feature_infos": true, "tree_sizes": true,
	"num_leaves": true, "num_cat": true, "split_feature": true, "threshold": true, "decision_type": true, "left_child": true,
	"right_child": true, "leaf_value": true, "cat_boundaries": true, "cat_threshold": true, "is_linear": true,
	"leaf_weight": true, "leaf_count": true, "split_gain": true,
}

// count returns a whole number; zero where it is absent. Counts are whole numbers that are not negative; others
// are refused by name.
func (s section) count(r *reader, key string) int {
	v, there := s[key]
	if !there {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 0 {
		r.refuse("model-mismatch", key, describe(v), "a count is expected")
	}
	return n
}

// numbers returns n numbers between spaces. Other lengths are refused before any are read. A key that is absent
// has no numbers. Infinities and NaN as words are taken here: the forest refuses leaves that are not finite.
func (s section) numbers(r *reader, key string, n int) []float64 {
	words := strings.Count(s[key], " ") + 1
	if s[key] == "" {
		words = 0
	}
	if words != n {
		r.structure(key, fmt.Sprintf("%d values", words), fmt.Sprintf("the tree has %d", n))
		return nil
	}
	out := make([]float64, 0, n)
	for word := range strings.SplitSeq(s[key], " ") {
		x, err := strconv.ParseFloat(word, 64)
		if err != nil && n > 0 {
			r.refuse("non-finite", key, describe(word), "a finite number is expected")
			return nil
		}
		out = append(out, x)
	}
	return out[:n]
}

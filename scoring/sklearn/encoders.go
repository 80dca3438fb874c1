package sklearn

import (
	"fmt"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// categories reads categories_: one list of constants per column, in the order of their places.
//
// The arrays may be of numbers, of booleans, of text or of objects. Objects keep the type of every category, so
// None and NaN, or 1 and "1", stay apart; scikit-learn compares them as Python does. A list may be shared by many
// columns of a hostile file, which is why the sum of their lengths is bounded.
//
// A category that stands twice is refused, for no value could ever have its second place.
func (a *attributes) categories(in matrix) [][]program.Constant {
	items := a.list("categories_")
	if a.err == nil && len(items) != len(in) {
		a.mismatch("categories_", fmt.Sprintf("%d lists", len(items)), fmt.Sprintf("the estimator is given %d columns", len(in)))
	}
	if a.err != nil {
		return nil
	}
	out := make([][]program.Constant, len(items))
	total := 0
	for i, item := range items {
		array, ok := item.(*pickle.Array)
		if ok && len(array.Shape) == 1 {
			out[i], ok = constants(array)
		} else {
			ok = false
		}
		if !ok {
			a.refuse("unsupported-value", "categories_", show(item), "numbers, strings, booleans, None and NaN are understood as categories")
			return nil
		}
		if total += len(out[i]); total > maxConstants {
			a.refuse("budget", "categories_", "", fmt.Sprintf("an encoder may have at most %d categories", maxConstants))
			return nil
		}
		seen := make(map[program.Constant]bool, len(out[i]))
		for _, c := range out[i] {
			if seen[c] {
				a.mismatch("categories_", c.String(), "a category stands twice")
				return nil
			}
			seen[c] = true
		}
	}
	return out
}

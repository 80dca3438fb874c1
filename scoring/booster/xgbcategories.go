package booster

import (
	"fmt"

	"fraudstream/scoring/program"
)

// frameCategories reads the categories that XGBoost keeps since 3.1 where it was trained on a frame with columns of
// type category: one entry per feature, empty where the feature is none.
//
//	{"offsets": [0, 2, 4], "values": [71, 66, 85, 83]}   texts, their letters one after the other: GB, US
//	{"type": 15, "values": [5411, 5812]}                 whole numbers
//
// Splits know the place of a category in its list. The order of the categories in a later frame does not matter to
// XGBoost, and one that is in no list is an error, as it is here. Letters beyond ASCII are refused: XGBoost 3.2 counts
// letters where it means bytes, so that such a text, and those behind it, are cut in the wrong places.
func (m *Model) frameCategories(r *reader, model object) {
	cats, ok := model["cats"].(object)
	if !ok {
		return
	}
	entries := r.list(cats, "enc")
	if len(entries) > 0 && len(entries) != m.Features {
		r.refuse("model-mismatch", "enc", fmt.Sprintf("%d lists", len(entries)), fmt.Sprintf("the model has %d features", m.Features))
	}
	for i, v := range entries {
		entry, ok := v.(object)
		if !ok {
			r.refuse("model-mismatch", "enc", describe(v), "an object is expected")
		}
		if r.err != nil {
			return
		}
		if constants := categoriesOf(r, entry); len(constants) > 0 {
			m.coded, m.categories = append(m.coded, i), append(m.categories, constants)
		}
	}
	m.strict = true
}

// categoriesOf reads the list of one feature. It is empty for a feature of numbers. offsets has the end of every
// text, behind a leading 0.
func categoriesOf(r *reader, entry object) (constants []program.Constant) {
	values := r.numbers(entry, "values")
	if _, texts := entry["offsets"]; !texts {
		for _, x := range values {
			constants = append(constants, program.NumberConstant(x))
		}
		return constants
	}
	bytes := make([]byte, len(values))
	for i, x := range values {
		if x < 0 || x > 127 {
			r.refuse("unsupported-value", "cats", "a category with letters beyond ASCII",
				"XGBoost keeps such texts cut; encode the categories in the pipeline (OrdinalEncoder) and fit again")
			return nil
		}
		bytes[i] = byte(x)
	}
	start := 0
	for i, offset := range r.numbers(entry, "offsets") {
		end := index(offset)
		if i == 0 && end == 0 {
			continue
		}
		if i == 0 || end < start || end > len(bytes) {
			r.refuse("model-mismatch", "offsets", fmt.Sprint(offset), fmt.Sprintf("offsets must rise from 0 to %d", len(bytes)))
			return nil
		}
		constants = append(constants, program.StringConstant(string(bytes[start:end])))
		start = end
	}
	return constants
}

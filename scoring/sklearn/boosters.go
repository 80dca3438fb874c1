package sklearn

import (
	"fmt"
	"math"

	"fraudstream/scoring/booster"
	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// The wrappers of XGBoost and LightGBM keep their model as the library itself writes it: XGBoost as UBJSON in the
// bytearray handle, LightGBM as its text in the string _handle (handle before 4.0). What is around it here are the
// class labels, the value that stands for a missing one, and how many iterations were best.

// boosterOf reads the booster of a wrapper, once for each; nil where the class is no such wrapper.
func (c *compiler) boosterOf(a *attributes) *booster.Model {
	if m := c.boosters[a.object]; m != nil || a.err != nil {
		return m
	}
	var m *booster.Model
	switch a.class {
	case "xgboost.sklearn.XGBClassifier", "xgboost.sklearn.XGBRFClassifier":
		if inner := a.embedded("_Booster", "xgboost.core.Booster"); inner != nil {
			data, ok := inner.optional("handle").(pickle.Bytes)
			if !ok {
				a.mismatch("_Booster.handle", show(inner.optional("handle")), "the bytes of a model are expected")
				return nil
			}
			m, a.err = booster.XGBoost(data)
		}
	case "lightgbm.sklearn.LGBMClassifier":
		if inner := a.embedded("_Booster", "lightgbm.basic.Booster"); inner != nil {
			text, ok := inner.optional("_handle").(string)
			if !ok {
				text, ok = inner.optional("handle").(string)
			}
			if !ok {
				a.mismatch("_Booster._handle", show(inner.optional("_handle")), "the text of a model is expected")
				return nil
			}
			m, a.err = booster.LightGBM([]byte(text))
		}
	default:
		return nil
	}
	if a.err != nil {
		return nil
	}
	if c.boosters == nil {
		c.boosters = make(map[*pickle.Object]*booster.Model)
	}
	c.boosters[a.object] = m
	return m
}

// embedded returns an attribute that is an object of one class.
func (a *attributes) embedded(name, class string) *attributes {
	v := a.optional(name)
	if v == nil {
		a.refuse("unfitted", name, "", "the estimator was saved before fit; fit it and save it again")
		return nil
	}
	o, ok := v.(*pickle.Object)
	if !ok || o.Class.String() != class {
		a.mismatch(name, show(v), "a "+class+" is expected")
		return nil
	}
	return attributesOf(o)
}

// xgbClassifier compiles XGBClassifier and XGBRFClassifier.
func (c *compiler) xgbClassifier(a *attributes, in matrix) classifier {
	m := c.boosterOf(a)
	o := booster.Options{Missing: math.NaN()}
	if v := a.optional("missing"); v != nil && a.err == nil {
		missing, ok := float(v)
		if !ok || math.IsInf(missing, 0) {
			a.unknown("missing", v)
		}
		o.Missing = missing
	}
	return c.wrapped(a, m, in, o, "classes_")
}

// lgbmClassifier compiles LGBMClassifier. predict uses the iterations up to the best one, where training stopped early.
func (c *compiler) lgbmClassifier(a *attributes, in matrix) classifier {
	m := c.boosterOf(a)
	o := booster.Options{Missing: math.NaN()}
	if inner := a.embedded("_Booster", "lightgbm.basic.Booster"); inner != nil && a.err == nil {
		if best, ok := integer(inner.optional("best_iteration")); ok && best > 0 {
			o.Iterations = int(min(best, math.MaxInt32))
		}
		o.Categories = a.pandasCategories(inner.optional("pandas_categorical"))
	}
	return c.wrapped(a, m, in, o, "_classes")
}

// wrapped emits a booster with the class labels of its wrapper.
func (c *compiler) wrapped(a *attributes, m *booster.Model, in matrix, o booster.Options, labels string) (model classifier) {
	if a.err != nil {
		return
	}
	model.classes = m.Classes
	if a.has(labels) {
		array := a.array(labels)
		var ok bool
		if model.classes, ok = constants(array); a.err != nil || !ok || len(model.classes) != len(m.Classes) {
			a.mismatch(labels, describe(array), fmt.Sprintf("the booster has %d classes", len(m.Classes)))
			return
		}
	}
	model.probability, model.predicted, a.err = m.Emit(c.b, c.stepName(a), in, o)
	return model
}

// pandasCategories reads the lists of categories that LightGBM keeps for the columns of type category.
func (a *attributes) pandasCategories(v pickle.Value) (categories [][]program.Constant) {
	lists, _ := listItems(v)
	for _, list := range lists {
		items, ok := listItems(list)
		var one []program.Constant
		for _, item := range items {
			k, known := constant(item)
			ok = ok && known
			one = append(one, k)
		}
		if !ok {
			a.unknown("pandas_categorical", list)
			return nil
		}
		categories = append(categories, one)
	}
	return categories
}

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

// boosterOf reads the booster of a wrapper; nil where the class is no such wrapper. It serves the classifier and
// whoever needs the names of its columns beforehand.
func (c *compiler) boosterOf(a *attributes) *booster.Model {
	switch a.class {
	case "xgboost.sklearn.XGBClassifier", "xgboost.sklearn.XGBRFClassifier":
		return c.readBooster(a, "xgboost.core.Booster", readXGBoost)
	case "lightgbm.sklearn.LGBMClassifier":
		return c.readBooster(a, "lightgbm.basic.Booster", readLightGBM)
	}
	return nil
}

// readBooster reads the booster of a wrapper, once for however many ask. The search for column names asks before
// the compiler does, and parsing is what costs, so that the parsed model is kept by the object that it came from.
func (c *compiler) readBooster(a *attributes, class string, read func(*attributes) (*booster.Model, error)) *booster.Model {
	inner := a.embedded("_Booster", class)
	if inner == nil {
		return nil
	}
	if m := c.boosters[inner.object]; m != nil {
		return m
	}
	m, err := read(inner)
	if a.err = err; err != nil {
		return nil
	}
	if c.boosters == nil {
		c.boosters = make(map[*pickle.Object]*booster.Model)
	}
	c.boosters[inner.object] = m
	return m
}

// readXGBoost reads the model in a Booster of XGBoost.
func readXGBoost(a *attributes) (*booster.Model, error) {
	data, ok := a.optional("handle").(pickle.Bytes)
	if !ok {
		a.mismatch("handle", show(a.optional("handle")), "the bytes of a model are expected")
		return nil, a.err
	}
	return booster.XGBoost(data)
}

// readLightGBM reads the model in a Booster of LightGBM. Both names are tried, since a Booster does not say which
// release wrote it.
func readLightGBM(a *attributes) (*booster.Model, error) {
	for _, name := range []string{"_handle", "handle"} {
		if text, ok := a.optional(name).(string); ok {
			return booster.LightGBM([]byte(text))
		}
	}
	a.mismatch("_handle", show(a.optional("_handle")), "the text of a model is expected")
	return nil, a.err
}

// embedded returns an attribute that is an object of one class. Before fit LightGBM's wrapper holds None in
// _Booster and XGBoost's has no such attribute, which is why both mean unfitted here.
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
//
// missing is the number that XGBoost takes for a gap beside NaN, which is always one. Parameters of training
// (eta, subsample, tree_method and so on) are left unread: the trees are their result. How many rounds count
// after an early stop the booster itself says.
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
//
// best_iteration is -1 or 0 where nothing stopped early, and then all iterations count. pandas_categorical lists,
// per column of dtype category, the categories of training in the order of their codes, by which alone the trees
// know them.
func (c *compiler) lgbmClassifier(a *attributes, in matrix) classifier {
	m := c.boosterOf(a)
	o := booster.Options{Missing: math.NaN()}
	if inner := a.embedded("_Booster", "lightgbm.basic.Booster"); inner != nil && a.err == nil {
		if best, ok := integer(inner.optional("best_iteration")); ok && best > 0 {
			o.Iterations = int(min(best, math.MaxInt32))
		}
		o.Categories = a.pandasCategories(inner.optional("pandas_categorical"))
	}
	model := c.wrapped(a, m, in, o, "_classes")
	// From 4.7 on there is a decision_function too, which CalibratedClassifierCV prefers to probabilities. The
	// file does not tell its version; this attribute came with that release.
	if a.err == nil && a.has("_fitted_with_feature_names") {
		model.decision = c.rawScores(a, model.additive.out, m.Divisor(o.Iterations))
	}
	return model
}

// rawScores are the decision values of LightGBM: the sums of the leaves, those of a random forest not divided by the
// number of its trees as its probabilities are.
func (c *compiler) rawScores(a *attributes, means matrix, divisor float64) matrix {
	if divisor == 1 {
		return means
	}
	s := &multiple{in: means, out: c.b.Block(len(means)), factor: divisor}
	c.b.Add(c.stepName(a), s)
	return s.out
}

// multiple is every value times a factor.
type multiple struct {
	in, out matrix
	factor  float64
}

// Run works value by value.
func (s *multiple) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for k, r := range s.in {
			row[s.out[k]] = row[r] * s.factor
		}
	}
}

// wrapped emits a booster with the class labels of its wrapper. labels names the attribute that holds the class
// labels. Current releases of XGBClassifier demand the labels 0, 1, … and store none of them: then the numbers of
// the booster stand.
func (c *compiler) wrapped(a *attributes, m *booster.Model, in matrix, o booster.Options, labels string) (model classifier) {
	if a.err != nil {
		return
	}
	// Every wrapper gets trees of its own, so many that share a booster count as an estimator met again.
	if inner, _ := a.optional("_Booster").(*pickle.Object); c.met[inner] {
		c.repeats++
	} else {
		c.met[inner] = true
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
	e, err := m.Emit(c.b, c.stepName(a), in, o)
	a.err = err
	model.probability, model.predicted = e.Probability, e.Predicted
	model.additive = additive{out: e.Raw, explain: e.Explain}
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

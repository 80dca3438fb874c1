package booster

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"fraudstream/scoring/program"
)

// lightgbmClass is what pickles call the booster, and what messages call any LightGBM model.
const lightgbmClass = "lightgbm.basic.Booster"

// LightGBM reads the text that save_model writes, which is also what a pickle holds.
//
// The raw score of a row is the sum of one leaf per tree; the shrinkage and the first score are in the leaves. A bare
// file holds the iterations up to the best one, a pickle all of them and the number of the best.
//
// Leaves are added in float64, in the order of the file. boost_from_average, learning_rate and the rest of
// training are in the leaves; pred_early_stop, which cuts a sum short, is off by default and not known to the
// file. A random forest (boosting=rf) says average_output and divides by its iterations.
func LightGBM(text []byte) (*Model, error) {
	r := &reader{class: lightgbmClass}
	doc, err := parseText(lightgbmClass, string(text))
	if err != nil {
		return nil, err
	}
	m := &Model{class: lightgbmClass, flush: true, average: doc.average}
	m.lightgbmHead(r, doc)
	m.lightgbmTrees(r, doc)
	return m, r.err
}

// lightgbmHead reads what stands before the trees. The versions differ in what they add, not in the meaning of
// what is read here. max_feature_idx is the last feature's number, so that one more is their count.
func (m *Model) lightgbmHead(r *reader, doc *text) {
	if v := doc.head["version"]; v != "v2" && v != "v3" && v != "v4" {
		r.refuse("unsupported-value", "version", describe(v), "v2 to v4 are known")
	}
	m.Features = doc.head.count(r, "max_feature_idx") + 1
	m.outputs = doc.head.count(r, "num_tree_per_iteration")
	if m.outputs < 1 || m.outputs > 1<<12 {
		r.refuse("unsupported-value", "num_tree_per_iteration", strconv.Itoa(m.outputs), "1 to 4096 are known")
	}
	if m.Features > program.MaxColumns {
		r.refuse("budget", "max_feature_idx", strconv.Itoa(m.Features), fmt.Sprintf("a model may have at most %d columns", program.MaxColumns))
	}
	if r.err != nil {
		return
	}
	m.start = make([]float64, m.outputs)
	m.lightgbmObjective(r, strings.Fields(doc.head["objective"]))
	m.lightgbmColumns(r, doc)
}

// lightgbmObjective takes the objectives whose output is a probability per class: "binary sigmoid:1" is
// 1/(1+exp(-sigmoid·x)), "multiclass num_class:3" the softmax, "multiclassova num_class:3 sigmoid:1" the first
// for each class, whose sum need not be 1. cross_entropy is trained on shares in the place of labels; its output
// is the same sigmoid with a factor of 1.
func (m *Model) lightgbmObjective(r *reader, words []string) {
	name, factor := "", 1.0
	for i, word := range words {
		key, value, _ := strings.Cut(word, ":")
		switch {
		case i == 0:
			name = word
		case key == "sigmoid":
			factor, _ = strconv.ParseFloat(value, 64)
		}
	}
	switch {
	case factor-factor != 0 || factor <= 0:
		r.refuse("unsupported-value", "objective", describe(strings.Join(words, " ")), "sigmoid is a number above 0")
	case (name == "binary" || name == "cross_entropy") && m.outputs == 1:
		m.objects, m.Classes = &objective{kind: logistic, factor: factor}, numbered(2)
	case name == "multiclass" && m.outputs > 1:
		m.objects, m.Classes = &objective{kind: softmax}, numbered(m.outputs)
	case name == "multiclassova" && m.outputs > 1:
		m.objects, m.Classes = &objective{kind: each, factor: factor}, numbered(m.outputs)
	default:
		r.refuse("unsupported-value", "objective", fmt.Sprintf("%s with %d outputs", describe(name), m.outputs),
			"binary, cross_entropy, multiclass and multiclassova give probabilities; fit with one of them")
	}
}

// lightgbmColumns reads the names of the features, and which of them pandas numbered. Column_0, Column_1 and so
// on are what LightGBM calls the columns of an array, and count as no names. A feature info is [min:max] for a
// number, the codes with colons between them for a category, and "none" for a feature that training could not
// use.
func (m *Model) lightgbmColumns(r *reader, doc *text) {
	names, infos := strings.Fields(doc.head["feature_names"]), strings.Fields(doc.head["feature_infos"])
	for key, list := range map[string][]string{"feature_names": names, "feature_infos": infos} {
		if len(list) != m.Features {
			r.refuse("model-mismatch", key, fmt.Sprintf("%d words", len(list)), fmt.Sprintf("the model has %d features", m.Features))
			return
		}
	}
	// One name that was not made up shows that all were given.
	for i, name := range names {
		if name != fmt.Sprintf("Column_%d", i) {
			m.Names = names
		}
	}
	for i, info := range infos { // a number has its range, a category the list of its codes
		if !strings.HasPrefix(info, "[") && info != "none" {
			m.coded = append(m.coded, i)
		}
	}
	v, err := parseJSON(lightgbmClass, []byte(doc.categories))
	if err != nil && r.err == nil {
		r.err = err
	}
	lists, _ := v.([]any)
	for _, list := range lists {
		m.categories = append(m.categories, constantsOf(r, list))
	}
}

// constantsOf reads the categories of one column from JSON. The grammar has made a list of numbers a []float64,
// all others an []any. It reads CatBoost's class names as well.
func constantsOf(r *reader, v any) (constants []program.Constant) {
	if numbers, ok := v.([]float64); ok {
		for _, x := range numbers {
			constants = append(constants, program.NumberConstant(x))
		}
		return constants
	}
	items, ok := v.([]any)
	if !ok {
		r.refuse("model-mismatch", "pandas_categorical", describe(v), "lists of categories are expected")
	}
	for _, item := range items {
		switch x := item.(type) {
		case string:
			constants = append(constants, program.StringConstant(x))
		case bool:
			constants = append(constants, program.BoolConstant(x))
		case float64:
			constants = append(constants, program.NumberConstant(x))
		default:
			r.refuse("unsupported-value", "pandas_categorical", describe(item), "texts, numbers and booleans are known")
		}
	}
	return constants
}

// encode puts the numbers that pandas gave to categories in the place of the categories.
//
// The lists are those of the columns of type category, in their order, and do not name the columns. Where all of
// these are categorical features they belong together one by one; an ordered category is a number to LightGBM,
// and then nobody knows which list is whose. categories are those of a pickle, which has them as Python values;
// nil leaves those of the file. The result has the registers of the codes in the place of the categories', all
// others as they were.
func (m *Model) encode(b *program.Builder, r *reader, name string, in []program.Reg, categories [][]program.Constant) []program.Reg {
	if categories == nil {
		categories = m.categories
	}
	if len(categories) == 0 {
		return in
	}
	if len(categories) != len(m.coded) {
		r.refuse("unsupported-value", "pandas_categorical", fmt.Sprintf("%d lists for %d categorical features", len(categories), len(m.coded)),
			"make every column of type category an unordered one that training sees more than once, or encode them in the pipeline")
		return nil
	}
	in = slices.Clone(in)
	s := &numbering{strict: m.strict, columns: b.Origins(in)}
	for k, feature := range m.coded {
		b.Categorical(in[feature])
		s.lookups = append(s.lookups, b.Lookup(in[feature], categories[k]))
		s.in = append(s.in, in[feature])
		in[feature] = b.New(in[feature])
		s.out = append(s.out, in[feature])
		s.coded = append(s.coded, feature)
	}
	b.Add(name, s)
	return in
}

// numbering replaces a category by its place in the list of training. An unknown one is missing, as pandas makes
// it, or an error where the library compares the categories themselves. in, out and lookups have an entry per
// coded feature; columns has one for every feature of the model.
type numbering struct {
	in, out []program.Reg
	lookups []*program.Lookup
	coded   []int // the features
	columns []int16
	strict  bool
}

// Run looks every category up. None and NaN are missing in pandas, and so they are here, unknown or not.
func (s *numbering) Run(f *program.Frame) {
	for i := range f.Rows {
		row := f.Registers(i)
		for k, l := range s.lookups {
			code := math.NaN()
			v := row[s.in[k]]
			if place := l.Of(v); place >= 0 {
				code = float64(place)
			} else if s.strict && v == v && v != program.None {
				f.Fail(i, program.UnknownCategory, s.columns[s.coded[k]])
			}
			row[s.out[k]] = code
		}
	}
}

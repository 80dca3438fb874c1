// Package booster reads XGBoost, LightGBM and CatBoost models, bare or out of a pickle, into a program.
//
// # Grammar and meaning
//
// Grammar comes first: parseJSON and parseUBJSON give a tree of plain values, parseText the sections of LightGBM's
// text. All are bounded (depth, counts against the bytes that remain, one budget of values), since these files come
// from outside as pickles do. Meaning is second: [XGBoost], [LightGBM] and [CatBoost] find trees, weights and
// objective in those values and give a [Model]. [Model.Emit] then adds it to a program; [Compile] makes a whole
// program of a bare file. Package sklearn calls the same functions for the boosters inside its pickles: a booster is
// one model wherever it lies, and so this package is the one neighbour that sklearn imports.
//
// # How the trees are run
//
// By package forest, whose nodes know a number, a threshold and a side for missing values. What boosters have beyond
// that becomes columns that are worked out before the walk: whether a category is in a set of a split, and a number
// whose zeros count as missing. Equal sets share one column.
//
// # Parity
//
// XGBoost computes in float32: rows are cast, sums are rounded after every tree, and so are sigmoid and softmax.
// LightGBM adds in float64 and takes what lies within 1e-35 of zero for zero. CatBoost compares in float32 and adds in
// float64. An XGBoost model that was stopped early uses the trees up to its best iteration, as XGBClassifier does.
//
// # What moved a score
//
// The steps on a row's way through the trees, see forest.Paths, in the unit of the raw score. An extra column
// counts for the feature that it was worked out from. The weights of leaves are second derivatives in XGBoost (as
// in its approx_contribs) and LightGBM, and CatBoost's own leaf weights.
//
// # What is refused
//
// Objectives whose output is no probability of a class, linear trees, trees with several outputs, CatBoost's
// categorical features (its JSON keeps hashes of the categories only, and counters), and any tree that is none.
// Errors are of type *program.UnsupportedError.
package booster

import (
	"fmt"
	"slices"

	"fraudstream/scoring/forest"
	"fraudstream/scoring/program"
)

// A Model is a booster that was read and is not yet part of a program. It is written once by its reader and may
// be emitted several times, each time with trees of its own.
type Model struct {
	Features int                // columns that it reads
	Names    []string           // names of the columns; nil where there are none, or the library made them up
	Classes  []program.Constant // class labels; 0, 1, … where the file has none

	class   string // of the library, for messages
	objects *objective
	outputs int // sums per row
	trees   []forest.Tree
	extra   []column // columns beyond the features that the nodes read
	start   []float64
	linear  []float64 // of a linear booster: weight [feature][output], then the bias of each output
	stages  []int     // stages[i] is how many trees the first i iterations have
	best    int       // iterations to use; 0 for all
	single  bool      // compares and adds in float32
	less    bool      // x < threshold goes left
	average bool      // the sums are divided by the number of iterations
	flush   bool      // numbers about zero are zero

	coded      []int                // features whose categories pandas numbered, in order
	categories [][]program.Constant // those categories
	strict     bool                 // a category in no list is an error, and not missing
}

// Options is what a pickle keeps beside the booster. The zero value asks for all iterations and takes 0 for a
// missing value, which is seldom meant: with NaN in Missing only NaN is one.
type Options struct {
	Missing    float64              // XGBoost: the value that stands for a missing one, beside NaN
	Iterations int                  // LightGBM: how many to use; 0 for all
	Categories [][]program.Constant // LightGBM: the categories of the columns of pandas' type category
}

// Emitted is where a booster leaves its outputs.
type Emitted struct {
	Probability []program.Reg // per class
	Predicted   program.Reg   // the index of the predicted class
	Raw         []program.Reg // the sums: one for two classes, which grows towards the second, else one per class

	// Explain tells what moves one of the sums.
	Explain func(k int) *program.Explanation
}

// Emit adds the model to a program.
//
// in has a register per feature, in the order of training. The raw scores are sums of leaves and start values (of
// log-odds for two classes), the probabilities what the objective makes of them; predict takes the likeliest
// class, and the first of equal ones. name is what messages call the steps. Missing values and infinities are
// scored: none of the libraries refuses a row of trees. Only a linear booster and a category that XGBoost does
// not know make a row unscorable.
func (m *Model) Emit(b *program.Builder, name string, in []program.Reg, o Options) (Emitted, error) {
	r := &reader{class: m.class}
	if len(in) != m.Features {
		r.refuse("model-mismatch", "num_feature", fmt.Sprint(m.Features), fmt.Sprintf("the booster is given %d columns", len(in)))
		return Emitted{}, r.err
	}
	// Categories become numbers first; what follows knows numbers only.
	if in = m.encode(b, r, name, in, o.Categories); r.err != nil {
		return Emitted{}, r.err
	}
	e := m.sums(b, r, name, in, o)
	if r.err != nil {
		return Emitted{}, r.err
	}
	e.Probability, e.Predicted = b.Block(len(m.Classes)), b.New(-1)
	b.Add(name, m.objects.link(e.Raw, e.Probability, e.Predicted))
	return e, nil
}

// explanation tells what moves the probability of the positive class. The one sum of two classes grows towards
// the second. A model of more classes has one sum for each, of which the positive one's is told about.
func (e *Emitted) explanation(positive int) *program.Explanation {
	if len(e.Raw) > 1 {
		return e.Explain(positive)
	}
	x := e.Explain(0)
	x.Falls = positive == 0
	return x
}

// sums adds the step that gives the raw scores, one per output: trees in float32 or float64, or a linear model.
// The width of the lane follows the library: in float32 a sum must be rounded after every tree to come out as
// XGBoost's.
func (m *Model) sums(b *program.Builder, r *reader, name string, in []program.Reg, o Options) Emitted {
	if m.linear != nil {
		s := newLinear(b, in, m.linear, m.start, o.Missing)
		b.Add(name, s)
		return Emitted{Raw: s.out, Explain: func(k int) *program.Explanation { return s.explain(b, k) }}
	}
	trees, divisor := m.used(o.Iterations)
	if m.single {
		return addEnsemble[float32](b, r, name, m, in, trees, divisor, o.Missing)
	}
	return addEnsemble[float64](b, r, name, m, in, trees, divisor, o.Missing)
}

// used is the trees of the iterations that count, and what their sum is divided by.
//
// A wish beyond the iterations of the file means all of them, as in both libraries. Only LightGBM's random forests
// divide: their trees were fitted to be averaged, all others correct the sum before them.
func (m *Model) used(iterations int) (trees []forest.Tree, divisor float64) {
	if iterations <= 0 {
		iterations = m.best
	}
	last := len(m.stages) - 1
	if iterations <= 0 || iterations > last {
		iterations = last
	}
	if m.average {
		return m.trees[:m.stages[iterations]], float64(max(1, iterations))
	}
	// XGBoost divides the learning rate of a random forest by the number of its trees while it trains.
	return m.trees[:m.stages[iterations]], 1
}

// Divisor is what the sum of the trees is divided by when as many iterations are used as [Options] ask for; 1 but for
// LightGBM's random forests.
func (m *Model) Divisor(iterations int) float64 {
	_, divisor := m.used(iterations)
	return divisor
}

// formats are the readers of bare files by model.format.
var formats = map[string]func([]byte) (*Model, error){
	"xgboost-json": XGBoost, "xgboost-ubj": XGBoost, "lightgbm-text": LightGBM, "catboost-json": CatBoost,
}

// Compile turns a bare file into a program. The format is one that [Format] returns, and the only output is
// predict_proba: what stands before and after the booster in a pipeline is not in such a file.
//
// Its errors are *program.UnsupportedError, for the file and for what spec asks of it alike. NaN is the only
// missing value here: a bare file does not keep another.
func Compile(data []byte, format string, spec program.Spec) (*program.Program, error) {
	read := formats[format]
	if read == nil {
		return nil, &program.UnsupportedError{Reason: "unsupported-format", Value: fmt.Sprintf("%q", format)}
	}
	m, err := read(data)
	if err != nil {
		return nil, err
	}
	r := &reader{class: m.class}
	names := m.columns(r, spec)
	positive := m.positive(r, spec.Positive)
	if r.err != nil {
		return nil, r.err
	}
	b, err := program.NewBuilder(names, spec.NoneIsMissing)
	if err != nil {
		return nil, err
	}
	e, err := m.Emit(b, m.class, b.Columns(), Options{Missing: program.Missing})
	if err != nil {
		return nil, err
	}
	score, output := e.Probability[positive], spec.Output
	switch {
	case output == "":
		output = "predict_proba"
	case output != "predict_proba":
		r.refuse("unsupported-value", "output", fmt.Sprintf("%q", output), "a bare booster has predict_proba alone")
		return nil, r.err
	}
	p, err := b.Finish(program.Outputs{Score: score, Predicted: e.Predicted, Explanation: e.explanation(positive)})
	if err != nil {
		return nil, err
	}
	p.Classes, p.Positive, p.Output = m.Classes, positive, output
	return p, nil
}

// columns are the names that the caller wants, which must be those of the model; else the model's own. SameName
// lets a name with blanks meet the one that LightGBM wrote in its place.
func (m *Model) columns(r *reader, spec program.Spec) []string {
	switch {
	case spec.Features == nil && m.Names != nil:
		return m.Names
	case spec.Features == nil:
		return make([]string, m.Features)
	case len(spec.Features) != m.Features:
		r.refuse("schema-mismatch", "num_feature", fmt.Sprint(m.Features), fmt.Sprintf("%d features are named", len(spec.Features)))
	case m.Names != nil && !slices.EqualFunc(spec.Features, m.Names, SameName):
		r.refuse("schema-mismatch", "feature_names", fmt.Sprintf("%q", m.Names), "names and order must be those of training")
	}
	return spec.Features
}

// positive finds the positive class; without a wish it is the last. Numbers and booleans compare by value, so
// that true finds class 1.
func (m *Model) positive(r *reader, wish *program.Constant) int {
	if wish == nil {
		return len(m.Classes) - 1
	}
	for i, c := range m.Classes {
		if c == *wish || c.Type != program.String && wish.Type != program.String && c.Num == wish.Num {
			return i
		}
	}
	r.refuse("schema-mismatch", "classes", fmt.Sprint(m.Classes), fmt.Sprintf("the positive class %v is none of them", *wish))
	return 0
}

// numbered gives classes the labels 0, 1, …. XGBoost and LightGBM train on these numbers, whatever their wrappers
// call the classes.
func numbered(n int) []program.Constant {
	classes := make([]program.Constant, n)
	for i := range classes {
		classes[i] = program.NumberConstant(float64(i))
	}
	return classes
}

// Package sklearn gives meaning to a decoded scikit-learn file: allow-listed classes become a program.
//
// [Compile] walks the graph of inert values that package pickle has read, from the outermost estimator inwards,
// and emits the steps of a [program.Program]. A transformer maps a matrix (a list of registers) to a matrix; a
// classifier leaves registers for its probabilities, its decision values and its predicted class. Pipelines and
// column transformers emit next to nothing: they only pass register lists about.
//
// There is one file per family of estimators; [transformerOf] and [classifierOf] list every class that is
// understood. Files of scikit-learn 0.24 to 1.9 have been met. Only attributes that prediction needs are read, so
// an attribute that comes or goes between versions does no harm; where the meaning of one changed, the
// _sklearn_version that every estimator carries decides. A version newer than these loads as well if every
// attribute it needs is understood, for the golden rows of a bundle are the better judge; Program.Versions tells.
//
// # Boosters inside a pickle
//
// XGBClassifier and LGBMClassifier keep their model in the library's own format. Package booster reads it, as it
// reads the same model from a bare file; it is the one neighbour that this package imports.
//
// # What is refused
//
// A class that is not on the list, an attribute value whose meaning is unknown and that would change a prediction,
// and parts that do not belong together (shapes, indices, numbers that are not finite). The error names class,
// attribute and value. Estimators within estimators are opened to a depth of 64, and never while they are open.
//
// # Reasons
//
// A classifier that is a sum leaves word of it beside its outputs (additive): linear models, trees and forests,
// boosted trees, and what wraps a single one of them. From that the program gets its program.Explanation, once
// the output and the positive class are known. Scalers tell which columns they have centred; whatever computes
// one column from one other keeps its origin, so that contributions find their way back to the feature of the
// event.
//
// # Parity
//
// Every operation is done in the order in which scikit-learn does it, in float64, with products rounded before
// they are added (no fused multiply-add), so that results agree to within the order of a dot product's sum and
// the last digits of exp: 1e-12 at most.
package sklearn

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"fraudstream/scoring/booster"
	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// UnsupportedError refuses a model by class, attribute and value.
type UnsupportedError = program.UnsupportedError

// Limits of the walk. A file may refer to one object from many places, so that a small file stands for a large
// model; honest models hardly do.
const (
	maxDepth     = 64      // estimators within estimators
	maxRepeats   = 64      // estimators that are met again
	maxCopies    = 8       // classifiers among them, whose trees would be held as often
	maxConstants = 1 << 20 // categories of one encoder
)

// matrix is the registers of the columns of what scikit-learn calls X.
type matrix = []program.Reg

// classifier is where a compiled classifier leaves its outputs.
type classifier struct {
	classes     []program.Constant
	probability matrix // one register per class; nil where the model has no predict_proba
	decision    matrix // one register per class, or one for two classes; nil where it has no decision_function
	samples     matrix // one register; nil where the model has no score_samples
	predicted   program.Reg
	outlier     bool // the first class is the one that is looked for, not the last
	additive    additive
}

// compiler holds what is common to the walk over one model. open are the estimators between the outermost and
// this one, met all that were ever entered. An estimator may stand in several places, and each compiles anew:
// repeats and copies count how often that happens.
type compiler struct {
	b    *program.Builder
	path []string // names of the steps from the outside to here, for messages
	open []*pickle.Object

	met     map[*pickle.Object]bool
	repeats int
	copies  int

	boosters    map[*pickle.Object]*booster.Model // those that were read
	mapperNames []string                          // what a mapper in front reads; nil: there is none, or it does not tell
}

// Compile turns a decoded model into a program. Errors are of type *program.UnsupportedError.
func Compile(v pickle.Value, spec program.Spec) (*program.Program, error) {
	root, err := estimatorOf(v, spec.Key)
	if err != nil {
		return nil, err
	}
	c := &compiler{met: make(map[*pickle.Object]bool)}
	names, err := c.columnNames(root, spec.Features)
	if err != nil {
		return nil, c.deeper(root, err)
	}
	if c.b, err = program.NewBuilder(names, spec.NoneIsMissing); err != nil {
		return nil, err
	}
	model, err := c.classify(root, c.b.Columns())
	if err != nil {
		return nil, err
	}
	return c.finish(root, model, spec)
}

// deeper looks for a better reason than that the columns are unknown: a model of a class that is not understood,
// or that was never fitted, does not name them either. The attempt without any column is made for its error
// alone, and the program it begins is thrown away.
func (c *compiler) deeper(root pickle.Value, err error) error {
	if !errors.Is(err, errNoColumns) {
		return err
	}
	b, _ := program.NewBuilder(nil, nil)
	_, inner := (&compiler{b: b, met: c.met}).classify(root, nil)
	if u, ok := errors.AsType[*UnsupportedError](inner); ok {
		switch u.Reason {
		case "unsupported-estimator", "unfitted", "not-a-classifier", "custom-code":
			return inner
		}
	}
	return err
}

// transform compiles a transformer that reads in; its result is the transformed matrix. What the compiler of a
// class returns beside an error has no meaning.
func (c *compiler) transform(v pickle.Value, in matrix) (matrix, error) {
	a, err := c.enter(v)
	if err != nil {
		return nil, err
	}
	defer c.leave()
	compile := transformerOf(a.class)
	if compile == nil {
		return nil, unsupportedClass(a, "a transformer")
	}
	out := compile(c, a, in)
	return out, a.err
}

// classify compiles a classifier that reads in. A class that is known as a classifier here may be known as a
// transformer too; where it stands decides. The innermost model that is no sum leaves its name for reasons.
func (c *compiler) classify(v pickle.Value, in matrix) (classifier, error) {
	o, _ := v.(*pickle.Object)
	again := c.met[o]
	a, err := c.enter(v)
	if err != nil {
		return classifier{}, err
	}
	defer c.leave()
	if again {
		c.copies++
	}
	if c.copies > maxCopies {
		return classifier{}, &UnsupportedError{Reason: "budget", Class: a.class, Advice: "too many places share one classifier"}
	}
	compile := classifierOf(a.class)
	if compile == nil {
		return classifier{}, unsupportedClass(a, "a classifier")
	}
	model := compile(c, a, in)
	model.additive.blame(a)
	return model, a.err
}

// enter opens an estimator. One that is open already holds itself. Whoever enters must leave. While only the
// names of columns are looked for there is no builder yet, and nothing is counted.
func (c *compiler) enter(v pickle.Value) (*attributes, error) {
	o, ok := v.(*pickle.Object)
	if !ok {
		return nil, &UnsupportedError{
			Reason: "not-a-classifier", Class: c.place(), Value: show(v),
			Advice: "a fitted estimator is expected here",
		}
	}
	a := attributesOf(o)
	if slices.Contains(c.open, o) {
		return nil, &UnsupportedError{Reason: "cycle", Class: a.class, Advice: "the estimator holds itself"}
	}
	if len(c.open) >= maxDepth {
		return nil, &UnsupportedError{
			Reason: "depth", Class: a.class,
			Advice: fmt.Sprintf("estimators are nested more than %d deep", maxDepth),
		}
	}
	c.open = append(c.open, o)
	if c.b == nil {
		return a, nil
	}
	if c.met[o] {
		c.repeats++
	}
	c.met[o] = true
	if c.repeats > maxRepeats {
		return nil, &UnsupportedError{Reason: "budget", Class: a.class, Advice: "too many places share one estimator"}
	}
	if c.b.Full() {
		return nil, program.ErrFull
	}
	text, _ := a.optional("_sklearn_version").(string)
	c.b.Version(text)
	return a, nil
}

// leave closes the estimator that was opened last.
func (c *compiler) leave() { c.open = c.open[:len(c.open)-1] }

// within runs compile for a part of the model that has a name.
func (c *compiler) within(name string, compile func()) {
	c.path = append(c.path, name)
	compile()
	c.path = c.path[:len(c.path)-1]
}

// place is the path to here as messages show it, "preprocess.num".
func (c *compiler) place() string { return strings.Join(c.path, ".") }

// stepName is what messages call the steps of an estimator: its path and its class.
func (c *compiler) stepName(a *attributes) string {
	if len(c.path) == 0 {
		return a.object.Class.Name
	}
	return c.place() + " (" + a.object.Class.Name + ")"
}

// reads checks that an estimator was fitted on as many columns as it now gets. An estimator that does not say
// passes; its arrays must fit the columns all the same.
func (a *attributes) reads(in matrix) {
	if v := a.optional("n_features_in_"); v != nil {
		if n, ok := integer(v); !ok || n != int64(len(in)) {
			a.mismatch("n_features_in_", show(v), fmt.Sprintf("the estimator is given %d columns", len(in)))
		}
	}
}

// libraries are those whose classes a later version could support; anything else is code of one's own.
var libraries = []string{"sklearn", "imblearn", "xgboost", "lightgbm", "numpy", "sklearn2pmml", "sklearn_pandas"}

// unsupportedClass refuses an estimator by its class. role is what the place asks for, as messages name it. The
// reason tells what can be done: code of one's own never loads, a class of a library might one day, and a model
// that ends in something else needs another end.
func unsupportedClass(a *attributes, role string) error {
	e := &UnsupportedError{Reason: "unsupported-estimator", Class: a.class}
	library, _, _ := strings.Cut(a.object.Class.Module, ".")
	switch {
	case !slices.Contains(libraries, library):
		e.Reason = "custom-code"
		e.Advice = "code of one's own is not loaded: use scikit-learn's classes (a later version will read ONNX exports)"
	case role == "a classifier" && isOtherKind(a):
		e.Reason = "not-a-classifier"
		e.Advice = "the model must end in a fitted classifier"
	default:
		e.Advice = "it is not supported as " + role + " by this version; the README lists what is"
	}
	return e
}

// isOtherKind tells a transformer, a regressor and a clustering, which no version of this package will take where a
// classifier is asked for.
func isOtherKind(a *attributes) bool {
	return transformerOf(a.class) != nil || strings.HasSuffix(a.class, "Regressor") || strings.HasSuffix(a.class, "Regression") ||
		strings.HasPrefix(a.class, "sklearn.cluster.")
}

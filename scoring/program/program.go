// Package program is what every kind of model compiles to: columns, steps and the refusal.
//
// A compiler (sklearn, booster; ONNX and PMML later) turns a model file into a [Program]: a list of
// columns in training order and a list of steps over a flat row of float64 registers. The first registers of a
// row are the columns; every step reads registers and writes new ones, so a pass-through costs nothing and a
// selection of columns is only a list of register numbers.
//
// # How a program is built and run
//
// A compiler asks a [Builder] for registers, adds one [Step] for each thing that must be computed, and closes it
// with [Builder.Finish]. A user of the program takes a [Frame], fills its rows, and calls [Program.Run], which
// takes the steps in order and lets each work through all rows of the frame: the interface is called once for a
// batch, never for a row.
//
// # A category is a number
//
// Numbers and booleans travel as their own value (true is 1). A column that a step compares with strings, with
// None or with constants of several types is coded: its [Domain] numbers every constant that the program can
// compare or fill, [Missing] (NaN) stands for NaN, [None] for Python's None and [Unseen] for anything else. So a
// step only ever sees float64.
//
// # Why lookups are bound late
//
// Whether a column is coded is known only when the last step that reads it has been compiled: an imputer may
// bring strings into a column whose encoder came first in the file. Steps therefore hold a [Lookup] or a [Cell]
// that the builder fills when it is finished.
//
// # Rows that cannot be scored
//
// Where scikit-learn would raise, a step records a [Fault] for that row and the others go on. The first fault of
// a row stands; what later steps compute for it is not used.
//
// # What moved the score
//
// A model that is a sum has an [Explanation]: it tells for a row that was run what each column has added to the sum,
// from the registers that the run has left. Nothing of it is computed for rows that nobody asks about.
package program

import "math"

// Codes of a coded column for values that are no constant of its domain.
const (
	Unseen = -1.0
	None   = -2.0
)

// Missing is the value of a missing number and of a missing category (numpy.nan), in every column.
var Missing = math.NaN()

// A Column is one feature in training order.
type Column struct {
	Name   string // empty where the model was fitted on an array and the caller gave no names
	Kind   Kind
	Domain *Domain // the constants of the column; never nil
}

// Kind tells how a column is read.
type Kind uint8

// A categorical column is read by an encoder or a native category, every other is numeric.
const (
	Numeric Kind = iota
	Categorical
)

// Spec is what the caller of a compiler wants: which columns, which output.
type Spec struct {
	Features      []string  // column names in training order; empty: the model's own, or none
	NoneIsMissing []bool    // per feature: a missing value is Python's None rather than NaN (nil: decided by the model)
	Output        string    // "predict_proba", "decision_function", "score_samples", "predict"; empty: the first the model has
	Positive      *Constant // the positive class; nil: the last (IsolationForest: -1)
	Key           string    // entry of a dict that holds the estimator; empty: the only one
}

// Program is a compiled model. It is immutable and safe for concurrent use; each user has a [Frame] of its own.
type Program struct {
	Columns   []Column
	StepNames []string   // for messages: "preprocess.num.scaler (StandardScaler)"
	Classes   []Constant // class labels in the model's order
	Positive  int        // index in Classes of the positive class
	Output    string     // the output that Score gives
	Versions  []string   // distinct _sklearn_version values met in the file

	Explanation *Explanation // what each column has moved in a row; never nil

	steps            []Step
	stepName         []int16 // of each step, its index in StepNames
	width            int     // registers of a row
	lane32, lane64   int     // values of scratch that the largest step wants
	score, predicted Reg
}

// Run scores rows 0..f.Rows-1. It does not allocate.
func (p *Program) Run(f *Frame) {
	clear(f.faults[:f.Rows])
	for i, s := range p.steps {
		f.step = p.stepName[i]
		s.Run(f)
	}
}

package program

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
}

// Frame holds up to Cap rows of registers; columns first.
type Frame struct{ Rows int }

// NewFrame returns a frame for at most rows rows.
func (p *Program) NewFrame(rows int) *Frame { return &Frame{} }

// Row returns the input columns of row i, to be filled by the caller before Run: len(p.Columns) values.
func (f *Frame) Row(i int) []float64 { return nil }

// Run scores rows 0..f.Rows-1. It does not allocate.
func (p *Program) Run(f *Frame) {}

// Score is the output of row i; meaningless where Fault(i) is not zero.
func (f *Frame) Score(i int) float64 { return 0 }

// Predicted is the index in Program.Classes of what predict says of row i.
func (f *Frame) Predicted(i int) int { return 0 }

// Fault is the zero Fault for a sound row.
func (f *Frame) Fault(i int) Fault { return Fault{} }

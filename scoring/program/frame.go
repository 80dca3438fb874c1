package program

// FaultCode says why a row cannot be scored.
type FaultCode uint8

// What a step can find wrong with a row. Zero is a sound row.
const (
	UnknownCategory FaultCode = iota + 1 // an encoder with handle_unknown='error' met a category that it does not know
	Unscorable                           // scikit-learn would raise an error (NaN where none is accepted, infinity, …)
)

// A Fault is the first thing, in step order, that keeps a row from being scored. Step and Column index
// [Program.StepNames] and [Program.Columns]; Column is -1 where no single column is at fault.
type Fault struct {
	Code   FaultCode
	Step   int16
	Column int16
}

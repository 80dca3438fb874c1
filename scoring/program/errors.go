package program

import (
	"slices"
	"strings"
)

// UnsupportedError refuses a model that was read but whose meaning is unknown, or that contradicts itself.
type UnsupportedError struct {
	Reason    string // a stable word: "unsupported-estimator", "unsupported-value", "tree-structure", …
	Class     string // the Python class, with module
	Attribute string // the attribute at fault; may be empty
	Value     string // its value, shortened; may be empty
	Advice    string // what to do
}

// Error names the class, the attribute and its value, the reason, and what to do.
func (e *UnsupportedError) Error() string {
	attribute := e.Attribute
	if attribute != "" && e.Value != "" {
		attribute += "="
	}
	parts := []string{e.Class, attribute + e.Value, e.Reason, e.Advice}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ": ")
}

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

// Package sklearn gives meaning to a decoded scikit-learn file: allow-listed classes become a program.
package sklearn

import (
	"errors"

	"fraudstream/scoring/pickle"
	"fraudstream/scoring/program"
)

// UnsupportedError refuses a model by class, attribute and value.
type UnsupportedError = program.UnsupportedError

// Compile turns a decoded model into a program.
func Compile(v pickle.Value, spec program.Spec) (*program.Program, error) {
	return nil, errors.New("not yet")
}

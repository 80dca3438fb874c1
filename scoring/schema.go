package scoring

import "fraudstream/scoring/program"

// featureSpec is what the bundle says of one feature, in training order.
type featureSpec struct {
	Name            string
	DType           string // pandas dtype: float64, float32, int64, bool, object, category, …; empty: unknown
	Categorical     bool
	MissingRejected bool // null or absent is missing_field
	NoneIsMissing   bool // a missing category is None rather than NaN
}

// Schema tells where the values of an event are and what they must be. It is immutable.
type Schema struct{}

// newSchema compiles a mapping. The domains of the program's columns are complete by then. Its errors name the key of
// the mapping at fault.
func newSchema(p *program.Program, features []featureSpec, m Mapping) (*Schema, error) {
	return &Schema{}, nil
}

package program

// UnsupportedError refuses a model that was read but whose meaning is unknown, or that contradicts itself.
type UnsupportedError struct {
	Reason    string // a stable word: "unsupported-estimator", "unsupported-value", "tree-structure", …
	Class     string // the Python class, with module
	Attribute string // the attribute at fault; may be empty
	Value     string // its value, shortened; may be empty
	Advice    string // what to do
}

func (e *UnsupportedError) Error() string { return e.Class }

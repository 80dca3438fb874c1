package scoring

// Options is what Load takes beside the path.
type Options struct {
	Features   []string    // names for a bare model file, in training order
	Mapping    Mapping     // where the fields of an event are; zero: every feature under its own name
	Thresholds *Thresholds // over the bundle's; nil: the bundle's
}

// Load reads a model (bundle folder or bare file) through the whole gate: hashes, schema, names and order, golden rows.
func Load(path string, o Options) (*Scorer, error) { return nil, nil }

package scoring

// Remapped returns a scorer of the same model that finds the values of an event at other places: a table has columns
// where the stream has objects. Model, thresholds and domains are shared, so that the same values get the same
// decision, bit for bit; a Batch belongs to one of the two.
func (s *Scorer) Remapped(m Mapping) (*Scorer, error) {
	schema, err := newSchema(s.Program, s.specs, m)
	if err != nil {
		return nil, err
	}
	remapped := *s
	remapped.schema, remapped.mapping = schema, m
	return &remapped, nil
}

// Plain returns a scorer of the same model whose events are rows of the training frame: every feature under its own
// name, in its own type, the derived ones as computed by the caller. Nothing is mapped, filtered or derived.
func (s *Scorer) Plain() *Scorer {
	plain := *s
	plain.mapping, plain.specs = Mapping{}, make([]featureSpec, len(s.specs))
	for i, spec := range s.specs {
		spec.From = nil
		plain.specs[i] = spec
	}
	schema, err := newSchema(plain.Program, plain.specs, plain.mapping)
	if err != nil {
		panic(err) // only a mapping or a derivation can be wrong, and there is neither
	}
	plain.schema = schema
	return &plain
}

package scoring

// Bundle is what is known of the model beside its arithmetic.
type Bundle struct {
	Name, Version  string // of the metadata; of a bare file its base name and the first 12 hex digits of its hash
	SHA256         string // of the model file
	MetadataSHA256 string // empty for a bare file
	Features       []Feature
	Score          *Baseline // of the score; nil: none
	Rows           int64     // baseline rows
	Resampled      bool      // baseline.weighting is "resampled"
	GoldenRows     int       // checked; 0: no golden rows
	GoldenMaxDiff  float64
	GoldenBitEqual int
	Warnings       []string // one line each, to be logged
}

// Feature is a column as the bundle describes it.
type Feature struct {
	Name           string
	Categorical    bool
	Baseline       *Baseline // nil: none
	DriftDisabled  bool
	DriftTolerance float64 // 0: default
}

// Baseline is what training looked like. Categorical baselines have Values, numeric ones Edges; a simple companion
// has neither, only Mean, Std, Min, Max and Missing.
type Baseline struct {
	Rows                     int64
	Edges, Sums              []float64
	Counts                   []int64
	Min, Max, Mean, Std      float64
	HasMoments               bool
	Missing, Infinite, Other int64
	Labels                   []string  // of Values, for people
	Values                   []float64 // what x holds for each listed category
	Known                    []float64 // what x holds for further trained categories
	KnownGiven               bool      // the metadata or the encoder names all trained categories
}


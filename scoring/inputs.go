package scoring

import (
	"math"

	"fraudstream/scoring/program"
)

// An Input tells what a feature takes, for people and for the descriptions that other programs read. What is not
// written in the metadata is found out by asking the model itself, see [Scorer.Inputs].
type Input struct {
	Name     string
	Numbers  bool
	Booleans bool
	Texts    bool
	ZeroOne  bool     // of numbers only 0 and 1
	Nullable bool     // a row without the value is scored
	Limit    float64  // numbers beyond ±Limit are refused; 0: any finite number is scored
	Known    []string // the texts that the model knows; others are taken too, unless Closed
	Closed   bool     // other texts are refused
}

// singleLimit is the largest number that is not infinite as a float32: the last below the middle between the largest
// float32 and 2^128, which the rounding to even takes away.
const singleLimit = 0x1.fffffefffffffp+127

// maxKnown is how many texts are listed: more are no list that anybody reads.
const maxKnown = 200

// Inputs describes the features in training order, as rows of the training frame hold them.
//
// Whether scikit-learn has a score for a missing value, an unknown category or a number beyond float32 depends on every
// step that the value passes. So a typical row is scored with that value alone changed, and what the model says is what
// the description says. Where not even the typical row has a score, nothing is claimed beyond the types.
func (s *Scorer) Inputs() []Input {
	inputs := make([]Input, len(s.schema.features))
	row := make([]any, len(inputs))
	for i := range inputs {
		f := &s.schema.features[i]
		inputs[i] = Input{
			Name: f.name, Numbers: f.takes&numbers != 0, Booleans: f.takes&booleans != 0, Texts: f.takes&texts != 0,
			ZeroOne: f.zeroOne, Nullable: !f.missingRejected,
		}
		row[i] = s.typical(i)
	}
	if !s.scores(row) {
		return inputs
	}
	for i := range inputs {
		s.probe(&inputs[i], i, row)
	}
	return inputs
}

// typical is a value that feature i surely takes: the mean of training, or its first category.
func (s *Scorer) typical(i int) any {
	f := &s.schema.features[i]
	for _, c := range s.Program.Columns[i].Domain.Constants() {
		switch {
		case c.Type == program.String && f.takes&texts != 0:
			return c.Text
		case c.Type == program.Number && f.takes&numbers != 0:
			return c.Num
		case c.Type == program.Bool && f.takes&booleans != 0:
			return c.Num != 0
		}
	}
	switch {
	case f.takes&numbers != 0 && f.dictionary == nil:
		if b := s.baseline(i); !f.zeroOne && b != nil && b.HasMoments {
			return b.Mean
		}
		return 0.0
	case f.takes&booleans != 0:
		return false
	default:
		return ""
	}
}

// baseline is that of feature i; nil where the bundle describes none.
func (s *Scorer) baseline(i int) *Baseline {
	if i >= len(s.Bundle.Features) {
		return nil
	}
	return s.Bundle.Features[i].Baseline
}

// probe changes one value of a row that has a score, and puts it back.
func (s *Scorer) probe(in *Input, i int, row []any) {
	typical := row[i]
	defer func() { row[i] = typical }()
	scores := func(value any) bool {
		row[i] = value
		return s.scores(row)
	}
	in.Nullable = in.Nullable && scores(nil)
	if in.Numbers && !in.ZeroOne && s.schema.features[i].dictionary == nil && (!scores(math.MaxFloat64) || !scores(-math.MaxFloat64)) &&
		scores(singleLimit) && scores(-singleLimit) {
		in.Limit = singleLimit
	}
	if !in.Texts {
		return
	}
	in.Closed = !scores("\x00 no category has this name")
	for _, c := range s.Program.Columns[i].Domain.Constants() {
		if c.Type != program.String || in.Closed && !scores(c.Text) {
			continue
		}
		if len(in.Known) == maxKnown {
			in.Known, in.Closed = nil, false
			return
		}
		in.Known = append(in.Known, c.Text)
	}
}

// scores tells whether a row of values has a score.
func (s *Scorer) scores(row []any) bool {
	var r Result
	s.runRow(row, &r)
	return r.Outcome == Decided
}

// ExampleRow is a row of the training frame that the model surely takes, in training order: means and first categories.
func (s *Scorer) ExampleRow() []any {
	row := make([]any, len(s.schema.features))
	for i := range row {
		row[i] = s.typical(i)
	}
	return row
}

// ExampleEvent is such a row as an event, without the envelope that the format may ask for; nil where the mapping reads
// fields elsewhere or features are derived, because then it takes a person to write one.
func (s *Scorer) ExampleEvent() map[string]any {
	bare := s.mapping
	if bare.Format = formatJSON; bare.moves() {
		return nil
	}
	event := map[string]any{}
	for i, value := range s.ExampleRow() {
		if s.schema.features[i].from != nil {
			return nil
		}
		event[s.schema.features[i].name] = value
	}
	return event
}

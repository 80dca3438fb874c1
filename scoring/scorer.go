package scoring

import "fraudstream/scoring/program"

// Batch is the scratch of one loop.
type Batch struct {
	Events  []Event
	Results []Result
}

// Scorer is a loaded model with its schema: immutable, shared by all loops.
type Scorer struct {
	Bundle  Bundle
	Program *program.Program
}

// newScorer joins the parts of a loaded model. from says in the decisions where the thresholds are from, "bundle" or
// "config".
func newScorer(p *program.Program, s *Schema, b Bundle, t Thresholds, from string, fraudIsLow bool) *Scorer {
	return &Scorer{Bundle: b, Program: p}
}

// scoreRow scores one row of typed values in training order, as golden.json has them: nil, bool, float64 or string.
// class indexes Program.Classes.
func (s *Scorer) scoreRow(values []any) (score float64, class int, err *EventError) {
	return 0, 0, nil
}

// NewBatch returns scratch for at most rows events.
func (s *Scorer) NewBatch(rows int) *Batch { return &Batch{} }

// Score reads, scores and decides every event of b; len(b.Results) becomes len(b.Events). It does not allocate.
func (s *Scorer) Score(b *Batch) {}

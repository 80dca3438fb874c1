package scoring

import (
	"fmt"
	"math"

	"fraudstream/scoring/program"
)

// Scorer is a loaded model with its schema: immutable, shared by all loops.
type Scorer struct {
	Bundle  Bundle
	Program *program.Program

	schema      *Schema
	specs       []featureSpec // of which the schema was compiled
	mapping     Mapping       // by which it was
	thresholds  Thresholds
	fraudIsLow  bool
	outcomes    [][]byte // JSON, by Scorer.outcome
	predictions [][]byte // the same with is_fraud as 0 or 1
	model       []byte   // JSON
	faults      [2][]string
	notFinite   string

	wanted       Reasons  // which decisions carry reasons, unless a batch says otherwise
	reasons      [][]byte // JSON, by feature
	reasonMethod []byte   // JSON
}

// newScorer joins the parts of a loaded model. from says in the decisions where the thresholds are from, "bundle" or
// "config".
func newScorer(p *program.Program, s *Schema, b Bundle, t Thresholds, from string, fraudIsLow bool) *Scorer {
	cuts := appendThresholds(nil, t, from)
	scorer := &Scorer{
		Bundle: b, Program: p, schema: s, thresholds: t, fraudIsLow: fraudIsLow,
		outcomes:    outcomes(p, cuts, "false", "true"),
		predictions: outcomes(p, cuts, "0", "1"),
		model:       appendModel(nil, &b),
		notFinite:   "the score is not finite",
		reasons:     reasonTexts(b.Features),
	}
	scorer.reasonMethod = fmt.Appendf(nil, `],"reason_method":%q`, p.Explanation.Method())
	for _, name := range p.StepNames {
		scorer.faults[0] = append(scorer.faults[0], "step "+name+" does not know this category")
		scorer.faults[1] = append(scorer.faults[1], "step "+name+" has no answer for this row: scikit-learn would raise, or its answer hangs on rounding")
	}
	if n := len(p.StepNames); n > 0 {
		scorer.notFinite += " after step " + p.StepNames[n-1]
	}
	return scorer
}

// Thresholds are those in force: the configuration's over the bundle's.
func (s *Scorer) Thresholds() Thresholds { return s.thresholds }

// Reasons says which decisions carry reasons, unless a batch asks for others.
func (s *Scorer) Reasons() Reasons { return s.wanted }

// scoreRow scores one row of typed values in training order, as golden.json has them: nil, bool, float64 or string.
// class indexes Program.Classes.
func (s *Scorer) scoreRow(values []any) (score float64, class int, err *EventError) {
	var r Result
	s.runRow(values, &r)
	if r.Outcome == Refused {
		return 0, 0, &r.Err
	}
	return r.Decision.Score, r.Decision.Class, nil
}

// runRow takes such a row through the model into a result without reasons. The frame still holds what was computed.
func (s *Scorer) runRow(values []any, r *Result) *program.Frame {
	frame := s.Program.NewFrame(1)
	frame.Rows = 1
	x := frame.Row(0)
	for i := range s.schema.features {
		f := &s.schema.features[i]
		value, code := f.golden(values[i])
		if code != "" {
			r.refuse(code, f.name, f.message(code, null))
			return frame
		}
		x[i] = value
	}
	s.schema.fill(x, x)
	s.Program.Run(frame)
	s.decide(r, frame, 0, NoReasons)
	return frame
}

// golden is the value of a golden row as the pipeline holds it. Such a row may try what no event may hold: the frame of
// a bool column made True of any number.
func (f *feature) golden(value any) (float64, Code) {
	if number, ok := value.(float64); ok && f.zeroOne {
		if number != 0 {
			return 1, ""
		}
		return 0, ""
	}
	return f.constant(value)
}

// maxFrame is the number of rows that are scored at once: enough to pay for the calls of the steps, few enough for
// their registers to stay in the second-level cache.
const maxFrame = 256

// Batch is the scratch of one loop: the events go in, the results come out.
type Batch struct {
	Events  []Event
	Results []Result
	Missing []Missing // by feature, over the events of the last Score whose fields were read
	Reasons Reasons   // which decisions carry reasons; at first what the scorer was loaded with

	scorer *Scorer
	reader reader
	frame  *program.Frame
	rows   []int32   // of the frame, their events
	x      []float64 // of all events
}

// Missing counts the events in which a feature's field had no value, whatever then stood in for it.
type Missing struct{ Absent, Null int }

// NewBatch returns scratch for at most rows events. A larger batch is scored all the same, and the scratch grows once.
func (s *Scorer) NewBatch(rows int) *Batch {
	b := &Batch{Events: make([]Event, 0, rows), Results: make([]Result, 0, rows), Reasons: s.wanted}
	b.serve(s, rows)
	return b
}

// serve makes the scratch that depends on the model.
func (b *Batch) serve(s *Scorer, rows int) {
	frame := min(max(rows, 1), maxFrame)
	b.scorer, b.reader = s, s.schema.newReader()
	b.frame, b.rows = s.Program.NewFrame(frame), make([]int32, frame)
	b.x, b.Missing = make([]float64, rows*len(s.schema.features)), make([]Missing, len(s.schema.features))
}

// Score reads, scores and decides every event of b; len(b.Results) becomes len(b.Events). It does not allocate,
// except where a batch is larger than all before or was made for another model.
func (s *Scorer) Score(b *Batch) {
	rows := len(b.Events)
	if b.scorer != s {
		b.serve(s, max(rows, cap(b.Events)))
	}
	if cap(b.Results) < rows {
		b.Results = make([]Result, rows)
	}
	b.Results = b.Results[:rows]
	clear(b.Missing)
	b.reader.decoded = b.reader.decoded[:0]
	if columns := len(s.schema.features); len(b.x) < rows*columns {
		b.x = make([]float64, rows*columns)
	}
	for first := 0; first < rows; first += len(b.rows) {
		s.scoreChunk(b, first, min(first+len(b.rows), rows))
	}
}

// scoreChunk takes the events first to end-1 through the corridor: read all, run once, decide all.
func (s *Scorer) scoreChunk(b *Batch, first, end int) {
	columns := len(s.schema.features)
	n := 0
	for i := first; i < end; i++ {
		x := b.x[i*columns : (i+1)*columns : (i+1)*columns]
		if s.schema.read(&b.reader, &b.Events[i], x, b.Missing, &b.Results[i]) {
			s.schema.fill(b.frame.Row(n), x)
			b.rows[n] = int32(i)
			n++
		}
	}
	b.frame.Rows = n
	s.Program.Run(b.frame)
	for row, i := range b.rows[:n] {
		s.decide(&b.Results[i], b.frame, row, b.Reasons)
	}
}

// decide turns what the pipeline says of a row into a decision, with its reasons where they are wanted, or a refusal.
func (s *Scorer) decide(r *Result, f *program.Frame, row int, of Reasons) {
	if fault := f.Fault(row); fault.Code != 0 {
		s.refuse(r, fault)
		return
	}
	score := f.Score(row)
	if isInf(score) || math.IsNaN(score) {
		r.refuse(Unscorable, "", s.notFinite)
		return
	}
	d := &r.Decision
	d.scorer, d.Score, d.Class = s, score, f.Predicted(row)
	s.judge(d)
	s.explain(d, f, row, of)
}

// judge decides by the thresholds in force, or by the predicted class where there are none.
func (s *Scorer) judge(d *Decision) {
	if s.thresholds.Set() {
		d.Verdict = s.thresholds.Decide(d.Score, s.fraudIsLow)
		d.IsFraud = d.Verdict == Block
		return
	}
	d.IsFraud = d.Class == s.Program.Positive
	d.Verdict = Approve
	if d.IsFraud {
		d.Verdict = Block
	}
}

// refuse names the step and the feature of a fault.
func (s *Scorer) refuse(r *Result, fault program.Fault) {
	code, messages := Unscorable, s.faults[1]
	if fault.Code == program.UnknownCategory {
		code, messages = UnknownCategory, s.faults[0]
	}
	field := ""
	if fault.Column >= 0 {
		r.Feature = int(fault.Column)
		field = s.schema.features[fault.Column].name
	}
	message := ""
	if int(fault.Step) < len(messages) {
		message = messages[fault.Step]
	}
	r.refuse(code, field, message)
}

// isInf saves the sign that nobody here asks for.
func isInf(f float64) bool { return math.IsInf(f, 0) }

package scoring

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"fraudstream/scoring/program"
)

// Reasons says which decisions carry reasons. It reads and writes itself as a word: flagged, all or none. The
// zero value is what a service wants unless somebody says otherwise.
type Reasons uint8

// Flagged decisions are those to review and to block. Nothing is computed for a decision without reasons.
// For a flagged decision a person will ask why; for an approved one hardly anyone does, and those are nearly
// all of the traffic.
const (
	FlaggedReasons Reasons = iota
	AllReasons
	NoReasons
)

var reasonsWords = [...]string{FlaggedReasons: "flagged", AllReasons: "all", NoReasons: "none"}

// String is the word.
func (r Reasons) String() string { return reasonsWords[r] }

// MarshalText writes the word.
func (r Reasons) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads the word. The word comes from a flag, a variable of the environment, the configuration or
// a query parameter; the error quotes forty characters of it at most.
func (r *Reasons) UnmarshalText(word []byte) error {
	i := slices.Index(reasonsWords[:], string(word))
	if i < 0 {
		return fmt.Errorf("%.40q is none of flagged, all, none", word)
	}
	*r = Reasons(i)
	return nil
}

// maxReasons is how many features a decision names: those that spoke most for fraud.
const maxReasons = 3

// A reason is a feature and what it has moved towards fraud, in the unit of the model's additive output; above 0.
type reason struct {
	feature      int16
	contribution float64
}

// wants tells whether a verdict is one to give reasons for.
func (r Reasons) wants(v Verdict) bool { return r == AllReasons || r == FlaggedReasons && v != Approve }

// explain gives a decision its reasons. Contributions are counted towards fraud, whichever end of the score that is;
// those against it are no reasons. Of equal ones the feature that comes first in training order comes first. A
// contribution that overflowed is cut to the largest finite number, because JSON has no infinity.
func (s *Scorer) explain(d *Decision, f *program.Frame, row int, of Reasons) {
	d.reasoned, d.reasonCount = of.wants(d.Verdict), 0
	if !d.reasoned {
		return
	}
	towards := 1.0
	if s.Program.Explanation.Falls != s.fraudIsLow {
		towards = -1
	}
	for feature, moved := range s.Program.Contributions(f, row) {
		if moved *= towards; moved > 0 {
			d.insert(reason{int16(feature), min(moved, math.MaxFloat64)})
		}
	}
}

// gap is how far bias and contributions of a row are from the additive output that they sum up to, relative to outputs
// above 1. It is rounding alone: some 1e-16 in float64, and 1e-6 where the model itself adds in float32. A
// model without contributions has no gap. The golden check keeps the largest one, which tells that the reasons
// explain this score and not another.
func (s *Scorer) gap(f *program.Frame, row int) float64 {
	e := s.Program.Explanation
	moved := s.Program.Contributions(f, row)
	if moved == nil {
		return 0
	}
	sum, output := e.Bias, e.Output(f.Registers(row))
	for _, v := range moved {
		sum += v
	}
	return math.Abs(sum-output) / max(1, math.Abs(output))
}

// insert keeps the largest contributions in order. It is one step of an insertion sort over three places, which
// never allocates; a contribution that is smaller than all three falls out.
func (d *Decision) insert(r reason) {
	i := int(d.reasonCount)
	for i > 0 && d.reasons[i-1].contribution < r.contribution {
		i--
	}
	if i == maxReasons {
		return
	}
	copy(d.reasons[i+1:], d.reasons[i:])
	d.reasons[i] = r
	d.reasonCount = min(d.reasonCount+1, maxReasons)
}

// appendReasons appends the reasons of a decision that has some, or of a model that gives none.
func (d *Decision) appendReasons(dst []byte) []byte {
	if !d.reasoned {
		return dst
	}
	dst = append(dst, `,"reasons":[`...)
	for i, r := range d.reasons[:d.reasonCount] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, d.scorer.reasons[r.feature]...)
		dst = append(appendFloat(dst, r.contribution), '}')
	}
	return append(dst, d.scorer.reasonMethod...)
}

// Reasoned tells whether the decision carries reasons, be it that the model has none to give.
func (d *Decision) Reasoned() bool { return d.reasoned }

// AppendReason appends the code of the decision's i-th reason, or its feature where the metadata give no code. It is
// false beyond the last reason.
func (d *Decision) AppendReason(dst []byte, i int) ([]byte, bool) {
	if !d.reasoned || i >= int(d.reasonCount) {
		return dst, false
	}
	f := &d.scorer.Bundle.Features[d.reasons[i].feature]
	return append(dst, cmp.Or(f.ReasonCode, f.Name)...), true
}

// reasonTexts are the JSON of a reason of each feature up to its contribution. Each is
// {"code":…,"feature":…,"text":…,"contribution": and lacks the number and the closing brace.
func reasonTexts(features []Feature) [][]byte {
	texts := make([][]byte, len(features))
	for i, f := range features {
		b := []byte{'{'}
		if f.ReasonCode != "" {
			b = append(appendString(append(b, `"code":`...), f.ReasonCode), ',')
		}
		b = append(appendString(append(b, `"feature":`...), f.Name), ',')
		if f.ReasonText != "" {
			b = append(appendString(append(b, `"text":`...), f.ReasonText), ',')
		}
		texts[i] = append(b, `"contribution":`...)
	}
	return texts
}

// maxReasonText bounds codes and texts in bytes, since they stand in every decision that is flagged.
const maxReasonText = 1000

// checkReasons refuses codes and texts that contradict each other: one code means one thing. Two features may
// share a code if they share its text too. The names are taken in order, so that the same metadata gives the
// same error.
func (m *metadata) checkReasons() error {
	means := make(map[string]string, len(m.Reasons))
	for _, feature := range slices.Sorted(maps.Keys(m.Reasons)) {
		at, r := "reasons."+feature, m.Reasons[feature]
		if r.Code == "" && r.Text == "" {
			return refuse(metadataInvalid, at, "has neither code nor text")
		}
		for _, text := range []string{r.Code, r.Text} {
			if len(text) > maxReasonText {
				return refuse(metadataInvalid, at, "has %d bytes; at most %d stand in a decision", len(text), maxReasonText)
			}
		}
		if first, there := means[r.Code]; there && r.Code != "" && m.Reasons[first].Text != r.Text {
			return refuse(metadataInvalid, at+".code", "%q means %q here and %q in reasons.%s", r.Code, r.Text, m.Reasons[first].Text, first)
		}
		means[r.Code] = feature
	}
	return nil
}

// refer gives the explanation of the model what is usual for every feature, and notes how reasons are found. A
// code for a feature that does not exist is a warning and no error: the list of codes may be that of the house
// and serve many models.
func (g *gate) refer() error {
	typical := make([]program.Typical, len(g.bundle.Features))
	for i := range g.bundle.Features {
		f := &g.bundle.Features[i]
		entry := g.meta.Reasons[f.Name]
		f.ReasonCode, f.ReasonText = entry.Code, entry.Text
		delete(g.meta.Reasons, f.Name)
		if f.Baseline != nil {
			typical[i] = f.Baseline.typical(g.program.Columns[i].Kind == program.Categorical, g.meta.Features[i].MissingAs == "none")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(g.meta.Reasons)) {
		g.warn("reasons.%s: the model has no such feature, and the code is never given", name)
	}
	g.program.Refer(typical)
	g.bundle.ReasonMethod, g.bundle.ReasonsNone = g.program.Explanation.Method(), g.program.Explanation.Why()
	return nil
}

// typical is what training has in a column, for linear models: the mean of a number, the categories and how many rows
// have each. A missing category and a rare one count as well. Where a model reads as categories what the baseline counts
// in bins, each bin stands for its mean: a feature of few values has a bin for each. Weights are rows, and need
// not add up to one. An empty answer means that nothing is known, and a linear model then falls back on the
// mean that its scaler has subtracted.
func (b *Baseline) typical(categorical, noneIsMissing bool) program.Typical {
	switch {
	case b.Values != nil:
	case categorical:
		var t program.Typical
		for i, n := range b.Counts {
			if n > 0 && i < len(b.Sums) {
				t.Values, t.Weights = append(t.Values, b.Sums[i]/float64(n)), append(t.Weights, float64(n))
			}
		}
		return t
	case b.HasMoments:
		return program.Typical{Values: []float64{b.Mean}, Weights: []float64{1}}
	default:
		return program.Typical{}
	}
	missing := program.Missing
	if noneIsMissing {
		missing = program.None
	}
	t := program.Typical{Values: append(slices.Clone(b.Values), missing, program.Unseen)}
	for _, n := range b.Counts {
		t.Weights = append(t.Weights, float64(n))
	}
	t.Weights = append(t.Weights, float64(b.Missing), float64(b.Other))
	return t
}

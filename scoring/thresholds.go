package scoring

import "strconv"

// Thresholds are the cuts of a score; a nil one is not set. They are in the unit of the score: a probability
// for predict_proba, whatever the estimator gives for the other outputs.
type Thresholds struct {
	Review *float64 `yaml:"review" json:"review,omitempty"`
	Block  *float64 `yaml:"block" json:"block,omitempty"`
}

// Set reports whether there is any threshold. Without one the predicted class decides.
func (t Thresholds) Set() bool { return t.Review != nil || t.Block != nil }

// String is for logs: "review 0.3, block 0.8", or "none".
func (t Thresholds) String() string {
	var text, between string
	for _, cut := range []struct {
		name string
		at   *float64
	}{{"review ", t.Review}, {"block ", t.Block}} {
		if cut.at != nil {
			text += between + cut.name + strconv.FormatFloat(*cut.at, 'g', -1, 64)
			between = ", "
		}
	}
	if text == "" {
		return "none"
	}
	return text
}

// over is t where it is set, else the thresholds below it. Each cut is taken by itself, so a configuration may
// move one and leave the other to the bundle.
func (t Thresholds) over(below Thresholds) Thresholds {
	if t.Review != nil {
		below.Review = t.Review
	}
	if t.Block != nil {
		below.Block = t.Block
	}
	return below
}

// Decide is the verdict on a score: block from Block on, else review from Review on, else approve. Where fraudIsLow,
// "on" means downwards. A score that equals a cut reaches it, from either side. Block is asked first, so equal
// cuts block.
func (t Thresholds) Decide(score float64, fraudIsLow bool) Verdict {
	reaches := func(cut *float64) bool {
		if cut == nil {
			return false
		}
		if fraudIsLow {
			return score <= *cut
		}
		return score >= *cut
	}
	switch {
	case reaches(t.Block):
		return Block
	case reaches(t.Review):
		return Review
	default:
		return Approve
	}
}

// Verdict is approve, review or block. The words are part of the decisions' format.
type Verdict uint8

// The verdicts, by rising suspicion.
const (
	Approve Verdict = iota
	Review
	Block
)

// String is the verdict as decisions have it.
func (v Verdict) String() string { return [...]string{"approve", "review", "block"}[v] }

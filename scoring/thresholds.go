package scoring

// Thresholds are the cuts of a score; a nil one is not set.
type Thresholds struct {
	Review *float64 `yaml:"review" json:"review,omitempty"`
	Block  *float64 `yaml:"block" json:"block,omitempty"`
}

// Set reports whether there is any threshold.
func (t Thresholds) Set() bool { return t.Review != nil || t.Block != nil }

// Decide is the verdict on a score: block from Block on, else review from Review on, else approve. Where fraudIsLow,
// "on" means downwards.
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

// Verdict is approve, review or block.
type Verdict uint8

// The verdicts, by rising suspicion.
const (
	Approve Verdict = iota
	Review
	Block
)

// String is the verdict as decisions have it.
func (v Verdict) String() string { return [...]string{"approve", "review", "block"}[v] }

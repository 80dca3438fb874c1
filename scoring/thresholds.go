package scoring

// Thresholds are the cuts of a score; a nil one is not set.
type Thresholds struct {
	Review *float64 `yaml:"review" json:"review,omitempty"`
	Block  *float64 `yaml:"block" json:"block,omitempty"`
}

// Verdict is approve, review or block.
type Verdict uint8

// The verdicts, by rising suspicion.
const (
	Approve Verdict = iota
	Review
	Block
)

func (v Verdict) String() string { return [...]string{"approve", "review", "block"}[v] }

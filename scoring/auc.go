package scoring

import (
	"cmp"
	"slices"

	"fraudstream/scoring/program"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// aucOf is the area under the ROC curve of the golden scores against what became of the rows; nil where the truth is
// left out, is not one label for each score, or knows only one outcome. A wrong truth refuses nothing: it is a figure
// for people and no property of the model. It lies within 0 and 1; a half is what guessing gives. Where a low
// score means fraud the area is counted from that end.
func aucOf(scores []float64, truth jsontext.Value, p *program.Program, fraudIsLow bool) *float64 {
	var labels []jsontext.Value
	if len(truth) == 0 || json.Unmarshal(truth, &labels) != nil || len(labels) != len(scores) {
		return nil
	}
	fraud, ok := outcomesOf(labels, p)
	if !ok {
		return nil
	}
	area, ok := rocAUC(scores, fraud)
	if !ok {
		return nil
	}
	if fraudIsLow {
		area = 1 - area
	}
	return &area
}

// outcomesOf tells which labels mean fraud: the positive class, where all labels are classes of the model; else 1 and
// true, since an outlier detector with the classes -1 and 1 is compared with outcomes of 0 and 1. Labels of
// both kinds, or one that is neither, make the truth unusable: ok is false.
func outcomesOf(labels []jsontext.Value, p *program.Program) (fraud []bool, ok bool) {
	constants := make([]program.Constant, len(labels))
	classes, binary := true, true
	for i, raw := range labels {
		c, ok := scalar(raw)
		if !ok {
			return nil, false
		}
		constants[i] = c
		classes = classes && slices.ContainsFunc(p.Classes, func(k program.Constant) bool { return sameLabel(c, k) })
		binary = binary && c.Type != program.String && (c.Num == 0 || c.Num == 1)
	}
	if !classes && !binary {
		return nil, false
	}
	positive := program.NumberConstant(1)
	if classes {
		positive = p.Classes[p.Positive]
	}
	fraud = make([]bool, len(labels))
	for i, c := range constants {
		fraud[i] = sameLabel(c, positive)
	}
	return fraud, true
}

// rocAUC is the probability that a fraud scores above a row that is none, where a tie counts one half: the statistic
// of Mann and Whitney, U/(P·N) with U = Σ ranks of the P frauds − P(P+1)/2, tied scores sharing the mean of their
// ranks. Ranks are counted twice over, so that everything but the last division is exact. It is false where there is
// nothing to compare.
func rocAUC(scores []float64, fraud []bool) (area float64, ok bool) {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	var frauds, twiceRanks int64
	for begin := 0; begin < len(order); {
		end, tied := begin, int64(0)
		for ; end < len(order) && scores[order[end]] == scores[order[begin]]; end++ {
			tied += int64(oneIf(fraud[order[end]]))
		}
		// The ranks begin+1 to end have the mean (begin+1+end)/2.
		frauds, twiceRanks = frauds+tied, twiceRanks+tied*int64(begin+1+end)
		begin = end
	}
	others := int64(len(scores)) - frauds
	if frauds == 0 || others == 0 {
		return 0, false
	}
	return float64(twiceRanks-frauds*(frauds+1)) / float64(2*frauds*others), true
}

package scoring

import (
	"math"
	"testing"

	"fraudstream/scoring/program"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// The definition: over all pairs of a fraud and another row, the share in which the fraud scores higher, ties half.
func TestAUCIsTheShareOfPairsInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "rows")
		scores, fraud := make([]float64, n), make([]bool, n)
		for i := range n {
			scores[i] = float64(rapid.IntRange(0, 9).Draw(t, "score")) / 10
			fraud[i] = rapid.Bool().Draw(t, "fraud")
		}
		var won, pairs float64
		for i := range n {
			for j := range n {
				if !fraud[i] || fraud[j] {
					continue
				}
				pairs++
				switch {
				case scores[i] > scores[j]:
					won++
				case scores[i] == scores[j]:
					won += 0.5
				}
			}
		}
		got, ok := rocAUC(scores, fraud)
		if ok != (pairs > 0) || ok && math.Abs(got-won/pairs) > 1e-15 {
			t.Fatalf("%v, %v; want %v of %v pairs", got, ok, won, pairs)
		}
	})
}

func TestTruthIsReadAsTheModelLabels(t *testing.T) {
	legit, fraud := program.StringConstant("legit"), program.StringConstant("fraud")
	texts := &program.Program{Classes: []program.Constant{fraud, legit}}
	outliers := &program.Program{Classes: []program.Constant{program.NumberConstant(-1), program.NumberConstant(1)}}
	for _, c := range []struct {
		program *program.Program
		truth   string
		low     bool
		want    float64 // NaN: none
	}{
		{texts, `["fraud", "legit", "legit"]`, false, 0},
		{texts, `["legit", "legit", "fraud"]`, false, 1},
		{texts, `[0, 0, 1]`, false, 1},
		{texts, `[0, 1]`, false, math.NaN()},
		{texts, `[0, 0, "perhaps"]`, false, math.NaN()},
		{texts, `[0, 0, null]`, false, math.NaN()},
		{texts, `["legit", "legit", "legit"]`, false, math.NaN()},
		{texts, ``, false, math.NaN()},
		{outliers, `[-1, 1, 1]`, true, 1},
		{outliers, `[1, 0, 0]`, true, 1},
		{outliers, `[true, false, false]`, false, 0},
	} {
		got := aucOf([]float64{0.1, 0.2, 0.3}, jsontext.Value(c.truth), c.program, c.low)
		if (got == nil) != math.IsNaN(c.want) || got != nil && *got != c.want {
			t.Errorf("%s: %v, want %v", c.truth, got, c.want)
		}
	}
}

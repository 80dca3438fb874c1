package booster_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"fraudstream/scoring/booster"
	"fraudstream/scoring/program"
)

// explanationOf compiles a bare booster of the fixtures.
func explanationOf(t *testing.T, pattern, format string, positive float64) (*program.Explanation, []byte) {
	t.Helper()
	files, err := filepath.Glob("../testdata/fixtures/" + pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no %s (%v)", pattern, err)
	}
	data, err := os.ReadFile(files[len(files)-1])
	if err != nil {
		t.Fatal(err)
	}
	class := program.NumberConstant(positive)
	p, err := booster.Compile(data, format, program.Spec{Positive: &class})
	if err != nil {
		t.Fatal(err)
	}
	return p.Explanation, data
}

// The one sum of two classes grows towards the second.
func TestReasonsOfTheFirstClass(t *testing.T) {
	for format, pattern := range map[string]string{
		"lightgbm-text": "lgbm-bare-lgbm4*/model.txt", "catboost-json": "catboost-json-*/model.json",
	} {
		for positive, falls := range map[float64]bool{0: true, 1: false} {
			if e, _ := explanationOf(t, pattern, format, positive); e.Falls != falls || e.Method() != program.PathLogOdds {
				t.Errorf("%s, positive class %v: falls %v, by %s", format, positive, e.Falls, e.Method())
			}
		}
	}
}

// LightGBM writes the value of its inner nodes itself, with six digits: that of a root is the mean of the leaves weighted
// with their second derivatives, as long as nothing regularises them.
func TestMeansAreThoseOfLightGBM(t *testing.T) {
	e, data := explanationOf(t, "lgbm-bare-lgbm4*/model.txt", "lightgbm-text", 1)
	sum := 0.0
	for line := range strings.Lines(string(data)) {
		if values, ok := strings.CutPrefix(line, "internal_value="); ok {
			root, err := strconv.ParseFloat(strings.Fields(values)[0], 64)
			if err != nil {
				t.Fatal(err)
			}
			sum += root
		}
	}
	if sum == 0 || math.Abs(e.Bias-sum) > 1e-4*math.Abs(sum) {
		t.Errorf("bias %v, the roots add up to %v", e.Bias, sum)
	}
}

// The bias of CatBoost is what its leaves give on average, each as often as its weight says.
func TestMeansOfCatBoost(t *testing.T) {
	e, data := explanationOf(t, "catboost-json-*/model.json", "catboost-json", 1)
	var model struct {
		Trees []struct {
			Values  []float64 `json:"leaf_values"`
			Weights []float64 `json:"leaf_weights"`
		} `json:"oblivious_trees"`
		Scale []json.RawMessage `json:"scale_and_bias"`
	}
	if err := json.Unmarshal(data, &model); err != nil {
		t.Fatal(err)
	}
	var scale float64
	var bias []float64
	if json.Unmarshal(model.Scale[0], &scale) != nil || json.Unmarshal(model.Scale[1], &bias) != nil {
		t.Fatalf("scale and bias %s", model.Scale)
	}
	want := bias[0]
	for _, tree := range model.Trees {
		sum, total := 0.0, 0.0
		for i, w := range tree.Weights {
			sum += w * tree.Values[i]
			total += w
		}
		want += scale * sum / total
	}
	if len(model.Trees) == 0 || !(math.Abs(e.Bias-want) < 1e-9) {
		t.Errorf("bias %v, want %v of %d trees", e.Bias, want, len(model.Trees))
	}
}

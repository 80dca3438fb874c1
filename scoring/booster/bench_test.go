package booster_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"

	"fraudstream/scoring/booster"
	"fraudstream/scoring/program"
)

// grown is an XGBoost model of full trees over 30 features, in JSON.
func grown(b testing.TB, trees, depth int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	n := 2<<depth - 1
	var list []map[string]any
	for range trees {
		left, right, feature := make([]int, n), make([]int, n), make([]int, n)
		condition, missing := make([]float64, n), make([]int, n)
		for i := range n {
			left[i], right[i] = -1, -1
			if 2*i+2 < n {
				left[i], right[i], feature[i] = 2*i+1, 2*i+2, random.IntN(30)
			}
			condition[i], missing[i] = random.NormFloat64(), random.IntN(2)
		}
		list = append(list, map[string]any{
			"tree_param": map[string]string{"num_nodes": fmt.Sprint(n)}, "left_children": left, "right_children": right,
			"split_indices": feature, "split_conditions": condition, "default_left": missing,
		})
	}
	data, err := json.Marshal(map[string]any{"learner": map[string]any{
		"learner_model_param": map[string]string{"num_feature": "30", "num_class": "0", "base_score": "0.5"},
		"objective":           map[string]string{"name": "binary:logistic"},
		"gradient_booster": map[string]any{"name": "gbtree", "model": map[string]any{
			"gbtree_model_param": map[string]string{"num_trees": fmt.Sprint(trees)}, "tree_info": make([]int, trees), "trees": list,
		}},
	}})
	if err != nil {
		b.Fatal(err)
	}
	return data
}

// BenchmarkXGBoost scores rows of 30 features with 500 trees of depth 6, in batches of 256; the time is that of a row.
func BenchmarkXGBoost(b *testing.B) {
	p, err := booster.Compile(grown(b, 500, 6), "xgboost-json", program.Spec{})
	if err != nil {
		b.Fatal(err)
	}
	const rows = 256
	f := p.NewFrame(rows)
	f.Rows = rows
	random := rand.New(rand.NewPCG(3, 4))
	for i := range rows {
		for j := range f.Row(i) {
			f.Row(i)[j] = random.NormFloat64()
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += rows {
		p.Run(f)
	}
}

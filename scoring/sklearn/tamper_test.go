package sklearn

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"fraudstream/scoring/pickle"
)

// places collects every place of a decoded model whose value can be exchanged, and every array.
type places struct {
	values []*pickle.Value
	arrays []*pickle.Array
}

func (p *places) collect(v pickle.Value, depth int) {
	if depth > 40 {
		return
	}
	items := func(list []pickle.Value) {
		for i := range list {
			p.values = append(p.values, &list[i])
			p.collect(list[i], depth+1)
		}
	}
	switch x := v.(type) {
	case *pickle.Object:
		items(x.Args)
		p.values = append(p.values, &x.State)
		p.collect(x.State, depth+1)
	case *pickle.Dict:
		items(x.Values)
	case *pickle.List:
		items(x.Items)
	case *pickle.Tuple:
		items(x.Items)
	case *pickle.Array:
		p.arrays = append(p.arrays, x)
		items(x.Objects)
	}
}

// TestTamperedModels exchanges values of sound models for others of any type and changes the bytes of their arrays:
// a sounder attack on the compiler than changing bytes of the file, most of which no longer decode.
func TestTamperedModels(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	compiled, refused := 0, 0
	for _, name := range []string{
		"ct-onehot-drop-infrequent-sk1.4.2", "ct-ordinal-rf-sk1.6.1", "ct-onehot-gb-sk1.7.2", "imputer-indicator-sk1.5.2", "seed", "functransformer-log1p-sk0.24.2", "scaler-minmax-sk1.2.2",
		"ct-hgb-native-sk1.2.2", "hgb-category-dtype-sk1.7.2", "adaboost-sk1.5.2", "bagging-sk1.8.0",
		"calib-isotonic-cv-sk1.4.2", "multiclass-calibrated-sk1.5.2", "calib-temperature-sk1.9.1",
		"mlp-sk1.5.2", "gnb-sk1.7.2", "stacking-sk1.6.1", "voting-soft-sk1.6.1", "iforest-sk1.5.2", "threshold-tuned-sk1.7.2", "sgd-log-sk1.5.2",
		"benign-svc-rbf.joblib", "benign-knn.joblib", "benign-qda.joblib", "benign-dense-hashing.joblib",
	} {
		files, err := filepath.Glob(filepath.Join("../testdata/fixtures", name, "*.[jp][ok][bl]*"))
		if strings.HasPrefix(name, "benign-") {
			files = []string{filepath.Join("testdata/refuse", name)} // sound models that happen to lie there
		}
		if err != nil || len(files) != 1 {
			t.Fatal(name, files, err)
		}
		c, n := tamper(t, r, files[0], 40)
		compiled, refused = compiled+c, refused+n
	}
	if compiled == 0 || refused == 0 {
		t.Errorf("%d compiled, %d refused: nothing was tried", compiled, refused)
	}
	t.Logf("%d compiled, %d refused", compiled, refused)
}

// TestTamperedTransformers does the same with the pipelines of transformers that were drawn and kept.
func TestTamperedTransformers(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	files, err := filepath.Glob("testdata/drawn/transformers-*.joblib")
	if err != nil || len(files) < 30 {
		t.Fatal(files, err)
	}
	compiled, refused := 0, 0
	for _, file := range files {
		c, n := tamper(t, r, file, 20)
		compiled, refused = compiled+c, refused+n
	}
	if compiled == 0 || refused == 0 {
		t.Errorf("%d compiled, %d refused: nothing was tried", compiled, refused)
	}
}

// tamper changes one or two places of a model, rounds times, and runs what still compiles.
func tamper(t *testing.T, r *rand.Rand, file string, rounds int) (compiled, refused int) {
	t.Helper()
	strange := []pickle.Value{
		nil, true, int64(-1), int64(0), int64(3), int64(math.MaxInt64), 0.5, math.NaN(), "", "drop", "passthrough", "zero",
		pickle.Bytes("x"), new(pickle.List), new(pickle.Tuple), new(pickle.Dict), new(pickle.Object),
		&pickle.Array{Type: &pickle.DType{Kind: 'f', Size: 8}, Shape: []int{0}},
		&pickle.Array{Type: &pickle.DType{Kind: 'O', Size: 8}, Shape: []int{1}, Objects: []pickle.Value{nil}},
		pickle.Global{Module: "numpy", Name: "log1p"},
	}
	data := readFile(t, file)
	for range rounds {
		v, err := pickle.Decode(data, pickle.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		var p places
		p.collect(v, 0)
		for range 1 + r.IntN(2) {
			if a := p.arrays[r.IntN(len(p.arrays))]; r.IntN(3) == 0 && len(a.Data) > 0 {
				a.Data[r.IntN(len(a.Data))] = byte(r.IntN(256))
			} else {
				*p.values[r.IntN(len(p.values))] = strange[r.IntN(len(strange))]
			}
		}
		model, err := compileWithin(t, v)
		if err != nil {
			reasonOf(t, err)
			refused++
			continue
		}
		compiled++
		f := model.NewFrame(5)
		f.Rows = 5
		model.Run(f)
	}
	return compiled, refused
}

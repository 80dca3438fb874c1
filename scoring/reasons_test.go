package scoring

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fraudstream/scoring/program"
)

// methodOf is how the fixtures of a family give reasons, by the beginning of their names; the longest that fits counts.
// Families that come with several models are left out.
var methodOf = map[string]string{
	"logreg": program.Linear, "sgd": program.Linear, "scaler-": program.Linear, "scaler-normalizer": program.Nothing,
	"kbins": program.Linear, "power": program.Linear, "quantile": program.Linear, "imputer-indicator": program.Linear,
	"ct-onehot-logreg": program.Linear, "ct-onehot-nan": program.Linear, "linearsvc-calibrated": program.Linear,
	"rf": program.PathProbability, "tree": program.PathProbability, "ct-onehot-et": program.PathProbability,
	"ct-ordinal-rf": program.PathProbability, "calib-prefit": program.PathProbability,
	"multiclass-calibrated": program.PathProbability,
	"gb":                    program.PathLogOdds, "ct-onehot-gb": program.PathLogOdds, "hgb": program.PathLogOdds, "ct-hgb": program.PathLogOdds,
	"xgb-": program.PathLogOdds, "xgb-dart-linear": "", "ct-xgb": program.PathLogOdds, "lgbm": program.PathLogOdds,
	"ct-lgbm": program.PathLogOdds, "catboost": program.PathLogOdds, "calib-isotonic": program.PathLogOdds,
	"adaboost": program.Nothing, "bagging": program.Nothing, "gnb": program.Nothing, "mlp": program.Nothing, "iforest": program.Nothing,
	"stacking": program.Nothing, "voting": program.Nothing, "poly-pca": program.Nothing, "featureunion": program.Nothing,
}

// Every family explains itself as it should, and bias and contributions give the additive output of every golden row.
func TestReasonsSumToTheAdditiveOutput(t *testing.T) {
	folders, err := filepath.Glob("testdata/fixtures/*/metadata.json")
	if err != nil || len(folders) < 100 {
		t.Fatalf("%d fixtures (%v)", len(folders), err)
	}
	for _, path := range folders {
		name := filepath.Base(filepath.Dir(path))
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := Load(filepath.Dir(path), Options{})
			if err != nil {
				t.Fatal(err)
			}
			room := 1e-12
			if strings.Contains(name, "xgb") {
				room = 1e-6 // the output itself is added up in float32
			}
			b := &s.Bundle
			if !(b.ReasonsGap <= room) {
				t.Errorf("bias and contributions miss the output by %g", b.ReasonsGap)
			}
			if (b.ReasonMethod == program.Nothing) != (b.ReasonsNone != "") {
				t.Errorf("method %s, and why there is none: %q", b.ReasonMethod, b.ReasonsNone)
			}
			prefix := ""
			for p := range methodOf {
				if len(p) > len(prefix) && strings.HasPrefix(name, p) {
					prefix = p
				}
			}
			if want := methodOf[prefix]; want != "" && b.ReasonMethod != want {
				t.Errorf("reasons by %s (%s), want %s", b.ReasonMethod, b.ReasonsNone, want)
			}
		})
	}
}

// goldenRows are the golden rows of a bundle as x holds them, those aside that no event may hold.
func goldenRows(t *testing.T, s *Scorer, bundle string) [][]float64 {
	t.Helper()
	var file struct{ Rows [][]any }
	data, err := os.ReadFile(filepath.Join(bundle, "golden.json"))
	if err == nil {
		err = json.Unmarshal(data, &file)
	}
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]float64
	for _, values := range file.Rows {
		x := make([]float64, len(values))
		for i, v := range values {
			var code Code
			if x[i], code = s.schema.features[i].golden(v); code != "" {
				t.Fatalf("%v: %s", v, code)
			}
		}
		rows = append(rows, x)
	}
	return rows
}

// explainRow returns the contributions of a row and the additive output.
func explainRow(s *Scorer, x []float64) (moved []float64, output float64) {
	f := s.Program.NewFrame(1)
	f.Rows = 1
	s.schema.fill(f.Row(0), x)
	s.Program.Run(f)
	return s.Program.Contributions(f, 0), s.Program.Explanation.Output(f.Registers(0))
}

// Of a linear model a contribution is exact: it depends on its own feature alone, whatever that was encoded into, and
// what changes with the feature is what the output changes by.
func TestLinearReasonsAreExact(t *testing.T) {
	for _, bundle := range []string{
		"testdata/fixtures/ct-onehot-logreg-sk1.9.1", "testdata/fixtures/imputer-indicator-sk1.8.0", "testdata/fixtures/kbins-sk1.9.1",
		"testdata/fixtures/ct-targetencoder-sk1.9.1", "testdata/saved/logreg",
	} {
		s, err := Load(bundle, Options{})
		if err != nil || s.Bundle.ReasonMethod != program.Linear {
			t.Fatalf("%s: %v, reasons by %s", bundle, err, s.Bundle.ReasonMethod)
		}
		rows := goldenRows(t, s, bundle)
		for i, x := range rows[1:] {
			before, from := explainRow(s, rows[i])
			for j := range x {
				y := slices.Clone(rows[i])
				y[j] = x[j]
				after, to := explainRow(s, y)
				for k := range after {
					want := before[k]
					if k == j {
						want += to - from
					}
					if !(math.Abs(after[k]-want) <= 1e-12*max(1, math.Abs(from), math.Abs(to))) {
						t.Fatalf("%s, row %d: with another %s, %s contributes %v instead of %v, want %v",
							bundle, i, s.Bundle.Features[j].Name, s.Bundle.Features[k].Name, after[k], before[k], want)
					}
				}
			}
		}
	}
}

// Against the baseline mean: over the rows of training a category contributes nothing on average, and neither does a
// number at its mean.
func TestReferencesAreTheBaseline(t *testing.T) {
	const bundle = "testdata/fixtures/ct-onehot-logreg-sk1.9.1"
	s, err := Load(bundle, Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := goldenRows(t, s, bundle)[0]
	for j, f := range s.Bundle.Features {
		values, weights := []float64{f.Baseline.Mean}, []float64{1}
		if f.Categorical {
			values, weights = append(slices.Clone(f.Baseline.Values), program.Missing), nil
			for _, n := range append(slices.Clone(f.Baseline.Counts), f.Baseline.Missing) {
				weights = append(weights, float64(n))
			}
		}
		sum, size := 0.0, 0.0
		for i, v := range values {
			y := slices.Clone(x)
			y[j] = v
			if moved, _ := explainRow(s, y); weights[i] > 0 {
				sum += weights[i] * moved[j]
				size += weights[i] * math.Abs(moved[j])
			}
		}
		if !(math.Abs(sum) < 1e-9*max(1, size)) || f.Categorical && size == 0 {
			t.Errorf("%s contributes %v to its baseline, of %v", f.Name, sum, size)
		}
	}
}

// Without a baseline the mean is that of the scaler; figures worked out with numpy from mean_, scale_ and coef_.
func TestReferencesAreTheScalers(t *testing.T) {
	s, err := Load("testdata/fixtures/seed/fraud_model.pkl", Options{Features: []string{"income", "debt"}, Reasons: AllReasons})
	if err != nil {
		t.Fatal(err)
	}
	d := &scoreOne(s, `{"income": 10000, "debt": 90000}`).Decision
	for i, want := range []reason{{1, 11.814773785043363}, {0, 0.473849300783727}} {
		if got := d.reasons[i]; got.feature != want.feature || !(math.Abs(got.contribution-want.contribution) < 1e-12) {
			t.Errorf("reason %d is %+v, want %+v", i, got, want)
		}
	}
	if bias := s.Program.Explanation.Bias; math.Abs(bias+2.724240320348733) > 1e-12 || d.reasonCount != 2 {
		t.Errorf("bias %v, %d reasons", bias, d.reasonCount)
	}
	// Less debt than usual speaks against fraud, which is no reason.
	if d := &scoreOne(s, `{"income": 20000, "debt": 1000}`).Decision; d.reasonCount != 1 || d.reasons[0].feature != 0 {
		t.Errorf("%d reasons, %+v", d.reasonCount, d.reasons)
	}
}

// withReasons is the control bundle with codes and texts for some features.
func withReasons(t *testing.T, reasons string) string {
	t.Helper()
	return edited(t, `"reasons": {"amount": {"code": "R01", "text": "unusual amount"}, "card_present": {"code": "R10", "text": "unusual card present"}}`, `"reasons": `+reasons)
}

const (
	usual      = `{"amount":31.9,"hour":15,"tx_count_24h":4,"avg_amount_7d":19.9,"distance_km":3.9,"customer_age":45,"country":"GB","channel":"pos","mcc":5812,"card_present":true}`
	suspicious = `{"amount":910.5,"hour":3,"tx_count_24h":9,"avg_amount_7d":19.9,"distance_km":900,"customer_age":19,"country":"NG","channel":"web","mcc":7995,"card_present":false}`
)

func TestReasonsOfDecisions(t *testing.T) {
	path := withReasons(t, `{"amount": {"code": "R01", "text": "unusual \"amount\""}, "country": {"code": "R07"}, "channel": {"text": "way"}}`)
	events := map[Verdict]string{Approve: usual, Block: suspicious}
	for _, c := range []struct {
		of      Reasons
		verdict Verdict
		told    bool
	}{
		{FlaggedReasons, Approve, false},
		{FlaggedReasons, Block, true},
		{AllReasons, Approve, true},
		{AllReasons, Block, true},
		{NoReasons, Block, false},
	} {
		s, err := Load(path, Options{Reasons: c.of, Thresholds: &Thresholds{Review: new(0.02), Block: new(0.025)}})
		if err != nil {
			t.Fatal(err)
		}
		r := scoreOne(s, events[c.verdict])
		if r.Outcome != Decided || r.Decision.Verdict != c.verdict {
			t.Fatalf("%v %v: %v, want %v", r.Outcome, &r.Err, r.Decision.Verdict, c.verdict)
		}
		var d struct {
			Reasons []struct {
				Code, Feature, Text string
				Contribution        float64
			}
			ReasonMethod string `json:"reason_method"`
		}
		text := r.Decision.AppendJSON(nil)
		if err := json.Unmarshal(text, &d); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if !c.told {
			if bytes.Contains(text, []byte("reason")) {
				t.Errorf("reasons %v of %v: %s", c.of, c.verdict, text)
			}
			continue
		}
		if d.ReasonMethod != "linear" || len(d.Reasons) == 0 || len(d.Reasons) > 3 {
			t.Fatalf("%s", text)
		}
		moved, _ := explainRow(s, r.X)
		for i, reason := range d.Reasons {
			feature := -1
			higher := 0
			for j, f := range s.Bundle.Features {
				if f.Name == reason.Feature {
					feature = j
				}
				if moved[j] > reason.Contribution {
					higher++
				}
			}
			if feature < 0 || moved[feature] != reason.Contribution || higher != i {
				t.Errorf("reason %d is %+v; all are %v", i, reason, moved)
			}
			f := s.Bundle.Features[feature]
			if reason.Code != f.ReasonCode || reason.Text != f.ReasonText {
				t.Errorf("%+v, want %q %q", reason, f.ReasonCode, f.ReasonText)
			}
		}
	}
}

// Reasons are turned towards fraud: with the other class positive, or a low score that means fraud, what spoke for a
// payment speaks against it.
func TestReasonsPointTowardsFraud(t *testing.T) {
	first := func(bundle, model string) string {
		plain := editedCopy(t, bundle, `"positive_class": 1,`, model)
		bare := editedCopy(t, editedCopy(t, plain, `"golden": {`, `"once": {`), `"thresholds": {`, `"cuts": {`)
		s, err := Load(bare, Options{Reasons: AllReasons})
		if err != nil {
			t.Fatal(err)
		}
		code, _ := scoreOne(s, suspicious).Decision.AppendReason(nil, 0)
		return string(code)
	}
	for _, bundle := range []string{
		"testdata/fixtures/ct-onehot-logreg-sk1.9.1", "testdata/fixtures/ct-onehot-et-sk1.9.1",
		"testdata/fixtures/ct-onehot-gb-sk1.4.2", "testdata/fixtures/calib-prefit-sk1.9.1",
	} {
		plain, low := first(bundle, `"positive_class": 1,`), first(bundle, `"positive_class": 1, "fraud_is": "low",`)
		other, both := first(bundle, `"positive_class": 0,`), first(bundle, `"positive_class": 0, "fraud_is": "low",`)
		if plain == low || other != low || both != plain || plain == "" {
			t.Errorf("%s: the first reason is %q, where low means fraud %q; of the other class %q and %q", bundle, plain, low, other, both)
		}
	}
}

func TestReasonCodesAreChecked(t *testing.T) {
	long := `"` + strings.Repeat("x", maxReasonText+1) + `"`
	for name, c := range map[string]struct{ reasons, field string }{
		"none":                {`{}`, ""},
		"codes and texts":     {`{"amount": {"code": "R01", "text": "a"}, "hour": {"code": "R02", "text": "a"}}`, ""},
		"one code, one text":  {`{"amount": {"code": "R01", "text": "a"}, "hour": {"code": "R01", "text": "a"}}`, ""},
		"one code, two texts": {`{"amount": {"code": "R01", "text": "a"}, "hour": {"code": "R01", "text": "b"}}`, "reasons.hour.code"},
		"nothing":             {`{"amount": {}}`, "reasons.amount"},
		"a long text":         {`{"amount": {"code": "R01", "text": ` + long + `}}`, "reasons.amount"},
		"a long code":         {`{"amount": {"code": ` + long + `}}`, "reasons.amount"},
		"a code of a number":  {`{"amount": {"code": 1}}`, "reasons.amount.code"},
	} {
		s, err := Load(withReasons(t, c.reasons), Options{})
		refusal, refused := errors.AsType[*BundleError](err)
		if refused != (c.field != "") || refused && refusal.Field != c.field {
			t.Errorf("%s: %v, want the field %q", name, err, c.field)
		}
		if !refused && len(s.Bundle.Warnings) > 0 {
			t.Errorf("%s: %q", name, s.Bundle.Warnings)
		}
	}
	s, err := Load(withReasons(t, `{"amuont": {"code": "R01"}}`), Options{})
	if err != nil || len(s.Bundle.Warnings) != 1 || !strings.Contains(s.Bundle.Warnings[0], "reasons.amuont") {
		t.Errorf("a code of no feature: %v, %q", err, s.Bundle.Warnings)
	}
}

func TestReasonsWord(t *testing.T) {
	for _, want := range []Reasons{FlaggedReasons, AllReasons, NoReasons} {
		text, err := want.MarshalText()
		var got Reasons
		if err := errors.Join(err, got.UnmarshalText(text)); err != nil || got != want {
			t.Errorf("%v is written %s and read %v (%v)", want, text, got, err)
		}
	}
	if err := new(Reasons).UnmarshalText([]byte("some")); err == nil {
		t.Error("some is read")
	}
}

// explained are bundles of every kind of explanation.
var explained = []string{
	"testdata/fixtures/ct-onehot-logreg-sk1.9.1", "testdata/fixtures/ct-onehot-et-sk1.9.1", "testdata/fixtures/ct-hgb-native-sk1.8.0",
	"testdata/fixtures/ct-xgb-xgb3.1.3-sk1.7.2", "testdata/fixtures/ct-lgbm-lgbm4.7.0-sk1.9.1", "testdata/fixtures/calib-isotonic-cv-sk1.9.1",
}

func TestReasonsDoNotAllocate(t *testing.T) {
	for _, bundle := range explained {
		s, err := Load(bundle, Options{Reasons: AllReasons})
		if err != nil {
			t.Fatal(err)
		}
		b := s.NewBatch(8)
		for range 4 {
			b.Events = append(b.Events, Event{Value: []byte(usual), Origin: Origin{Row: 1}}, Event{Value: []byte(suspicious), Origin: Origin{Row: 2}})
		}
		var out []byte
		run := func() {
			s.Score(b)
			out = out[:0]
			for i := range b.Results {
				out = b.Results[i].Decision.AppendJSON(out)
			}
		}
		run()
		if !bytes.Contains(out, []byte(`"contribution":`)) {
			t.Errorf("%s: no reasons in %s", bundle, out)
		}
		if n := testing.AllocsPerRun(20, run); n != 0 {
			t.Errorf("%s: %v allocations", bundle, n)
		}
	}
}

// The same event gives the same bytes, whatever its neighbours are.
func TestReasonsDoNotDependOnTheBatch(t *testing.T) {
	for _, bundle := range explained {
		s, err := Load(bundle, Options{Reasons: AllReasons})
		if err != nil {
			t.Fatal(err)
		}
		want := ""
		for size := 1; size <= 70; size += 23 {
			b := s.NewBatch(size)
			for i := range size {
				value := usual
				if i == size-1 {
					value = suspicious
				}
				b.Events = append(b.Events, Event{Value: []byte(value), Origin: Origin{Row: 7}})
			}
			s.Score(b)
			got := b.Results[size-1].Decision.AppendJSON(nil)
			if want = cmp.Or(want, string(got)); string(got) != want {
				t.Fatalf("%s: in a batch of %d\n got %s\nwant %s", bundle, size, got, want)
			}
		}
	}
}

// Of equal contributions the feature that comes first in training order comes first; what no number holds is cut to the
// largest one, since JSON has no infinity.
func TestOrderOfReasons(t *testing.T) {
	p := sumProgram(t, 6)
	features := make([]Feature, 6)
	for i := range features {
		features[i].Name = string(rune('a' + i))
	}
	s := newScorer(p, &Schema{}, Bundle{Features: features}, Thresholds{}, "bundle", false)
	inf := math.Inf(1)
	for want, x := range map[string][]float64{
		"d 3 a 2 b 2":                       {2, 2, 1, 3, 2, -9},
		"f 5 c 4 e 3":                       {1, 2, 4, -1, 3, 5},
		"b 1":                               {0, 1, -1, math.NaN(), -inf, 0},
		"c 1.7976931348623157e+308 a 1 d 1": {1, 0, inf, 1, 1, 1},
	} {
		f := p.NewFrame(1)
		f.Rows = 1
		copy(f.Row(0), x)
		d := &Decision{scorer: s, Verdict: Block}
		s.explain(d, f, 0, FlaggedReasons)
		var got []string
		for _, r := range d.reasons[:d.reasonCount] {
			got = append(got, features[r.feature].Name, fmt.Sprint(r.contribution))
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%v: %s, want %s", x, text, want)
		}
		if text := append(d.appendReasons([]byte(`{"a":0`)), '}'); !json.Valid(text) {
			t.Errorf("no JSON: %s", text)
		}
	}
}

// sumProgram is a program whose columns contribute themselves.
func sumProgram(t *testing.T, columns int) *program.Program {
	t.Helper()
	b, err := program.NewBuilder(make([]string, columns), nil)
	if err != nil {
		t.Fatal(err)
	}
	e := b.Explain(program.Linear, 0, 0, b.Columns(), func(_ *program.Frame, row, to []float64) { copy(to, row) })
	p, err := b.Finish(program.Outputs{Explanation: e})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

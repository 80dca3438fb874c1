package scoring

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"fraudstream/scoring/program"
)

// What save_bundle of export/fraudstream_bundle.py wrote loads, says what it was told, and has no surprises.
func TestSavedBundles(t *testing.T) {
	checkSaved(t, "testdata/saved")
}

// The same, written now by the newest scikit-learn.
func TestSaveBundle(t *testing.T) {
	python := os.Getenv("FRAUDSTREAM_PYTHON")
	if python == "" {
		t.Skip("skipped: FRAUDSTREAM_PYTHON names no Python with scikit-learn; bundles saved before are tested")
	}
	checkSaving(t, python)
}

// The same by older ones, each with the pandas of its time.
func TestSaveBundleOlder(t *testing.T) {
	pythons := os.Getenv("FRAUDSTREAM_PYTHON_OLD")
	if pythons == "" {
		t.Skip("skipped: FRAUDSTREAM_PYTHON_OLD names no Pythons with older scikit-learn; bundles saved before are tested")
	}
	for _, python := range filepath.SplitList(pythons) {
		checkSaving(t, python)
	}
}

// checkSaving saves the bundles twice, for equal input must give equal bytes, and checks what was saved.
func checkSaving(t *testing.T, python string) {
	t.Helper()
	folders := [2]string{t.TempDir(), t.TempDir()}
	for _, folder := range folders {
		out, err := exec.Command(python, "export/testdata/pipelines.py", folder).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
	}
	checkSaved(t, folders[0])
	files, err := filepath.Glob(filepath.Join(folders[0], "*", "*"))
	if err != nil || len(files) != 18 {
		t.Fatalf("%d files (%v)", len(files), err)
	}
	for _, file := range files {
		name, _ := filepath.Rel(folders[0], file)
		first, err1 := os.ReadFile(file)
		second, err2 := os.ReadFile(filepath.Join(folders[1], name))
		if err1 != nil || err2 != nil || !bytes.Equal(first, second) {
			t.Errorf("%s differs between two runs (%v, %v)", name, err1, err2)
		}
	}
}

func checkSaved(t *testing.T, folder string) {
	for name, warnings := range map[string]int{"logreg": 0, "forest": 0, "boosting": 1} {
		s, err := Load(filepath.Join(folder, name), Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		b := s.Bundle
		if b.Name != name || b.Rows != 2000 || b.GoldenRows != 60 || b.GoldenBitEqual == 0 || len(b.Warnings) != warnings {
			t.Errorf("%s: %d rows, %d golden, %d bit-equal, warnings %q", b.Name, b.Rows, b.GoldenRows, b.GoldenBitEqual, b.Warnings)
		}
		if b.Score == nil || b.Score.Rows != 1000 || b.Resampled != (name == "boosting") {
			t.Errorf("%s: score baseline %+v", name, b.Score)
		}
		checkSavedFeatures(t, s)
	}
	checkSavedDerived(t, filepath.Join(folder, "derived"))
	checkSavedOutputs(t, folder)
	for _, name := range []string{"logreg", "forest", "boosting", "derived", "words", "outliers"} {
		checkSavedGolden(t, filepath.Join(folder, name))
	}
}

// The golden rows try every feature that may be missing without its value, or the fields that it is computed from,
// and every encoder of texts with one that training never saw.
func checkSavedGolden(t *testing.T, folder string) {
	b, err := readSavedBundle(folder)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range b.Features {
		missing, unseen, field := 0, 0, f.From == nil
		for n, row := range b.golden.Rows {
			switch {
			case row[i] == nil:
				missing++
			case row[i] == "never seen in training":
				unseen++
			}
			if n < len(b.golden.Events) && !field && b.golden.Events[n][f.From.Of[0]] == nil {
				missing++
			}
		}
		if f.Missing == "allowed" && missing == 0 {
			t.Errorf("%s: no golden row without %s", folder, f.Name)
		}
		if f.Missing == "rejected" && field && missing > 0 {
			t.Errorf("%s: %d golden rows without %s", folder, missing, f.Name)
		}
		if want := f.Kind == "categorical" && f.DType != "category" && f.Baseline.isText(); want && unseen == 0 {
			t.Errorf("%s: no golden row with an unseen %s", folder, f.Name)
		}
	}
}

// A savedBundle is what checkSavedGolden needs of the files.
type savedBundle struct {
	Features []struct {
		Name, Kind, DType, Missing string
		From                       *struct{ Of []string }
		Baseline                   savedBaseline
	}
	golden struct {
		Rows   [][]any
		Events []map[string]any
	}
}

type savedBaseline struct{ Values []string }

// isText tells whether the categories are texts and no numbers.
func (b savedBaseline) isText() bool {
	return len(b.Values) > 0 && strings.ContainsFunc(b.Values[0], unicode.IsLetter)
}

func readSavedBundle(folder string) (*savedBundle, error) {
	b := new(savedBundle)
	metadata, err1 := os.ReadFile(filepath.Join(folder, "metadata.json"))
	golden, err2 := os.ReadFile(filepath.Join(folder, "golden.json"))
	return b, errors.Join(err1, err2, json.Unmarshal(metadata, b), json.Unmarshal(golden, &b.golden))
}

// What is told of the model itself: its output, its labels, which end of the scores is fraud, reasons.
func checkSavedOutputs(t *testing.T, folder string) {
	words, err := Load(filepath.Join(folder, "words"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	p := words.Program
	if p.Output != "decision_function" || p.Classes[p.Positive] != program.BoolConstant(true) || words.fraudIsLow {
		t.Errorf("words: %s of %v, low %v", p.Output, p.Classes[p.Positive], words.fraudIsLow)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "words", "metadata.json")); err != nil ||
		!bytes.Contains(text, []byte(`"reasons": {"amount": {"code": "R01", "text": "unusual amount"}}`)) {
		t.Errorf("words: no reasons in the metadata (%v)", err)
	}
	outliers, err := Load(filepath.Join(folder, "outliers"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	p = outliers.Program
	if p.Output != "decision_function" || p.Classes[p.Positive] != program.NumberConstant(-1) || !outliers.fraudIsLow {
		t.Errorf("outliers: %s of %v, low %v", p.Output, p.Classes[p.Positive], outliers.fraudIsLow)
	}
	for _, s := range []*Scorer{words, outliers} {
		if s.Bundle.GoldenRows != 60 || s.Bundle.GoldenAUC == nil || len(s.Bundle.Warnings) != 0 {
			t.Errorf("%s: %d golden rows, AUC %v, warnings %q", s.Bundle.Name, s.Bundle.GoldenRows, s.Bundle.GoldenAUC, s.Bundle.Warnings)
		}
	}
}

func checkSavedFeatures(t *testing.T, s *Scorer) {
	for i, f := range s.Bundle.Features {
		b := f.Baseline
		total := b.Missing + b.Infinite + b.Other
		for _, n := range b.Counts {
			total += n
		}
		if total != 2000 {
			t.Errorf("%s %s: %d rows in all cells", s.Bundle.Name, f.Name, total)
		}
		if want := f.Name == "country" || f.Name == "merchant" || f.Name == "mcc" && s.Bundle.Name != "forest"; f.Categorical != want {
			t.Errorf("%s %s: categorical %v", s.Bundle.Name, f.Name, f.Categorical)
		}
		if f.DriftDisabled != (f.Name == "hour") {
			t.Errorf("%s %s: drift disabled %v", s.Bundle.Name, f.Name, f.DriftDisabled)
		}
		if f.Name == "merchant" && (len(b.Values) != 40 || len(b.Known) < 20 || s.Program.Columns[i].Domain.Type() != program.String) {
			t.Errorf("%s %s: %d values, %d known", s.Bundle.Name, f.Name, len(b.Values), len(b.Known))
		}
	}
}

// The bundle whose features are mostly computed: golden events prove how, and the baselines know the hour.
func checkSavedDerived(t *testing.T, folder string) {
	s, err := Load(folder, Options{})
	if err != nil {
		t.Fatal(err)
	}
	clocks := []string{"hour", "weekday", "weekend"}
	fields := []string{"amount", "channel"}
	for _, f := range s.Bundle.Features {
		if clock := slices.Contains(clocks, f.Name); f.DriftDisabled != clock || (f.Baseline.Seasonal == nil) != clock {
			t.Errorf("%s: drift disabled %v, seasonal %v", f.Name, f.DriftDisabled, f.Baseline.Seasonal != nil)
		}
		if field := slices.Contains(fields, f.Name); (f.From == "") != field {
			t.Errorf("%s is computed as %q", f.Name, f.From)
		}
	}
	if s.Bundle.Score.Seasonal == nil || len(s.Bundle.Warnings) != 0 || s.Bundle.GoldenRows != 60 {
		t.Errorf("score seasonal %v, %d golden rows, warnings %q", s.Bundle.Score.Seasonal != nil, s.Bundle.GoldenRows, s.Bundle.Warnings)
	}
	night, day := 0.0, 0.0 // the share of amounts in the highest bin
	for h, cells := range s.Bundle.Features[0].Baseline.Seasonal.Values {
		share := float64(cells[len(cells)-1]) / float64(max(1, totalOf(cells)))
		if h%24 < 6 {
			night += share / 6
		} else {
			day += share / 18
		}
	}
	if night < 2*day {
		t.Errorf("dear payments: %v by night, %v by day; the shares do not know the hour", night, day)
	}
}

// A rule that is not what pandas did is found by the golden events.
func TestWrongRulesAreRefused(t *testing.T) {
	for _, c := range []struct{ old, new, feature string }{
		{`"op": "hour", "of": ["event_time"], "zone": "Europe/London"`, `"op": "hour", "of": ["event_time"]`, "hour"},
		{`"op": "weekday", "of": ["event_time"], "zone": "Europe/London"`, `"op": "day", "of": ["event_time"]`, "weekday"},
		{`"of": ["opened", "event_time"]`, `"of": ["event_time", "opened"]`, "age_s"},
		{`"of": ["amount", "limit"]`, `"of": ["limit", "amount"]`, "used"},
		{`"of": ["amount", "limit"]`, `"of": ["amount", "amount"]`, "used"},
		{`"op": "difference", "of": ["limit", "amount"]`, `"op": "ratio", "of": ["limit", "amount"]`, "left"},
		{`"from": {"op": "log1p", "of": ["balance"]}, `, ``, "balance"},
	} {
		_, err := Load(editedCopy(t, "testdata/saved/derived", c.old, c.new), Options{})
		if Reason(err) != goldenMismatch || !strings.Contains(err.Error(), "events[") || !strings.Contains(err.Error(), c.feature) {
			t.Errorf("%s for %s: %v", c.new, c.old, err)
		}
	}
}

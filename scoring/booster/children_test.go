package booster_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"fraudstream/scoring/booster"
	"fraudstream/scoring/program"
)

// TestChildrenThatAreNone gives inner nodes children that are no nodes. -1 is how a leaf is marked inside, so a child
// must not become it by accident: the node would be a leaf of value 0.
func TestChildrenThatAreNone(t *testing.T) {
	for _, children := range []string{"-2", "0.5", "1e300"} {
		text := grown(t, 1, 1)
		text = bytes.Replace(text, []byte(`"left_children":[1,`), []byte(`"left_children":[`+children+`,`), 1)
		text = bytes.Replace(text, []byte(`"right_children":[2,`), []byte(`"right_children":[`+children+`,`), 1)
		if _, err := booster.Compile(text, "xgboost-json", program.Spec{}); err == nil {
			t.Errorf("XGBoost: children %s were taken", children)
		}
	}
	if _, err := booster.Compile(grown(t, 1, 1), "xgboost-json", program.Spec{}); err != nil {
		t.Error(err)
	}

	text, err := os.ReadFile(filepath.Join("../testdata/fixtures/lgbm-bare-lgbm4.6.0-sk1.7.2", "model.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, child := range []string{"-1.5", "0.5", "99"} {
		spoilt := text
		for _, key := range []string{"left_child=", "right_child="} {
			at := bytes.Index(spoilt, []byte("\n"+key)) + 1 + len(key)
			end := at + bytes.IndexAny(spoilt[at:], " \n")
			spoilt = append(append(bytes.Clone(spoilt[:at]), child...), spoilt[end:]...)
		}
		if _, err := booster.Compile(spoilt, "lightgbm-text", program.Spec{}); err == nil {
			t.Errorf("LightGBM: children %s were taken", child)
		}
	}
	if _, err := booster.Compile(text, "lightgbm-text", program.Spec{}); err != nil {
		t.Error(err)
	}
}

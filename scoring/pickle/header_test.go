package pickle

import (
	"os"
	"testing"
)

func TestHeadOfFiles(t *testing.T) {
	for name, want := range map[string]Header{
		"container-joblib-xz-sk1.7.2/model.joblib":    {Compression: "xz", Protocol: 4, Joblib: true, NumPy: "2 or later"},
		"container-joblib-lzma-sk0.24.2/model.joblib": {Compression: "lzma", Protocol: 4, Joblib: true, NumPy: "1"},
		"container-joblibp-2-sk1.1.3/model.joblib":    {Protocol: 2, Joblib: true, NumPy: "1"},
		"container-pickle-5-sk1.3.2/model.pkl":        {Protocol: 5, NumPy: "1"},
	} {
		data, err := os.ReadFile("../testdata/fixtures/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Head(data, Limits{}); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
	if got, err := Head([]byte("I1\n."), Limits{}); err != nil || got != (Header{}) {
		t.Errorf("protocol 0: %+v, %v", got, err)
	}
	if _, err := Head([]byte("\x1f\x8bno gzip"), Limits{}); err == nil {
		t.Error("a damaged gzip stream has a header")
	}
}

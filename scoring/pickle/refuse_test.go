package pickle

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

const (
	// patience is five times the 100 ms within which a hostile file is answered; BenchmarkRefuse reports the time itself.
	patience = 500 * time.Millisecond
	// memory is what answering a hostile file may allocate in all.
	memory = 64 << 20
)

// verdicts reads testdata/refuse/expect.txt: a file and a reason on each line, or "sound" where only the meaning of the
// file is at fault, which is for others to say, or "any" where both answers are right.
func verdicts(t testing.TB) map[string]string {
	t.Helper()
	want := map[string]string{}
	for line := range strings.Lines(string(readFile(t, "testdata", "refuse", "expect.txt"))) {
		file, reason, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			t.Fatalf("expect.txt: %q", line)
		}
		want[file] = reason
	}
	return want
}

// TestRefuse decodes files that were made to do harm: payloads that Python would run, which are to leave a
// marker behind, compressed bombs, memo bombs, deep nesting, arrays that lie about their size. Each must be
// refused for the right reason, quickly, and without the memory that it claims.
func TestRefuse(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "pwned")
	t.Setenv("FRAUDSTREAM_PWNED", marker)
	for file, want := range verdicts(t) {
		t.Run(file, func(t *testing.T) {
			data := readFile(t, "testdata", "refuse", file)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			_, err := Decode(data, Limits{})
			took := time.Since(began)
			runtime.ReadMemStats(&after)

			if took > slowdown*patience {
				t.Errorf("answered after %v", took)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > memory {
				t.Errorf("allocated %d MiB", n>>20)
			}
			checkVerdict(t, err, want)
		})
	}
	if _, err := os.Stat(marker); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("a payload ran: the marker file is there")
	}
}

// checkVerdict compares an error with the reason that expect.txt gives.
func checkVerdict(t *testing.T, err error, want string) {
	t.Helper()
	var syntax *SyntaxError
	switch {
	case err != nil && !errors.As(err, &syntax):
		t.Errorf("an error of type %T: %v", err, err)
	case want == "any":
	case want == "sound" && err != nil:
		t.Errorf("refused, although it is only meaning that is wrong: %v", err)
	case want != "sound" && err == nil:
		t.Errorf("decoded, want %s", want)
	case want != "sound" && syntax.Reason != want:
		t.Errorf("refused as %s, want %s: %v", syntax.Reason, want, err)
	case want != "sound" && syntax.Offset < 0 && !placeless[want]:
		t.Errorf("no byte offset: %v", err)
	}
}

// placeless are the reasons that concern the whole, where no single byte is at fault.
var placeless = map[string]bool{
	ReasonInflateBomb: true, ReasonCycle: true, ReasonMemoBomb: true, ReasonDepth: true,
}

// TestCustomCodeSaysWhatToDo is about the honest author whose pipeline has a class of its own: the refusal must
// not read like an accusation, and must name a way on.
func TestCustomCodeSaysWhatToDo(t *testing.T) {
	for file, class := range map[string]string{
		"custom-main.joblib":            "__main__.",
		"custom-function.joblib":        "__main__.helper",
		"custom-package.joblib":         ".",
		"custom-lambda-cloudpickle.pkl": "cloudpickle.cloudpickle.",
	} {
		_, err := Decode(readFile(t, "testdata", "refuse", file), Limits{})
		if err == nil || !strings.Contains(err.Error(), class) || !strings.Contains(err.Error(), "ONNX") {
			t.Errorf("%s: the message should name %s and point to ONNX: %v", file, class, err)
		}
	}
}

// BenchmarkRefuse reports how long the most expensive hostile files take to be answered.
func BenchmarkRefuse(b *testing.B) {
	for _, file := range []string{
		"bomb-zlib.joblib", "bomb-gzip.joblib", "bomb-bz2.joblib", "bomb-xz.joblib", "bomb-lzma.joblib", "bomb-lz4.joblib",
		"memo-many.pkl", "memo-dag-list.pkl", "deep-list-50000.pkl", "marks.pkl",
	} {
		data := readFile(b, "testdata", "refuse", file)
		b.Run(file, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = Decode(data, Limits{})
			}
		})
	}
}

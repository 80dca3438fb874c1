package pickle

import (
	"fmt"
	"strings"
	"testing"
)

// TestInspectListsEveryRefusedName holds that no name hides behind another, in whatever protocol, and that each is told
// once, whether it is called or not.
func TestInspectListsEveryRefusedName(t *testing.T) {
	stream := "(c__main__\nClip\n)Rcfraudlib.steps\nRatio\n)R(dbcos\nsystem\n(S'id'\ntRc__main__\nClip\n)Rcsklearn.svm._classes\nSVC\n)Rl."
	v, refused := Inspect([]byte(stream), Limits{})
	var got []string
	for _, e := range refused {
		got = append(got, e.Reason+" "+strings.Fields(e.Detail)[0])
	}
	want := "[custom-code __main__.Clip custom-code fraudlib.steps.Ratio forbidden-global os.system]"
	if fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	list, ok := v.(*List)
	if !ok || len(list.Items) != 5 {
		t.Fatalf("%#v", v)
	}
	if called, ok := list.Items[2].(*Object); !ok || called.Class.String() != "os.system" {
		t.Errorf("a call of a refused name is %#v, not an inert object", list.Items[2])
	}
	if _, err := Decode([]byte(stream), Limits{}); reasonOf(err) != ReasonCustomCode {
		t.Errorf("Decode goes on as well: %v", err)
	}
}

// TestInspectEndsWithTheFault holds that Inspect and Decode complain of the same where no name is refused, and that the
// list of names has an end.
func TestInspectEndsWithTheFault(t *testing.T) {
	for file := range verdicts(t) {
		data := readFile(t, "testdata", "refuse", file)
		_, err := Decode(data, Limits{})
		_, refused := Inspect(data, Limits{})
		switch {
		case err == nil && len(refused) > 0:
			t.Errorf("%s: Decode reads it, Inspect lists %v", file, refused)
		case err != nil && (len(refused) == 0 || refused[0].Error() != err.Error()):
			t.Errorf("%s: Decode says %v, Inspect %v", file, err, refused)
		}
	}
	var stream strings.Builder
	for i := range 3 * maxRefused {
		fmt.Fprintf(&stream, "cmine\nC%d\n0", i)
	}
	if _, refused := Inspect([]byte(stream.String()+"N."), Limits{}); len(refused) != maxRefused {
		t.Errorf("%d names are listed", len(refused))
	}
}

package batch

import (
	"strings"
	"testing"

	"fraudstream/scoring"
)

// TestOperandsAreRead holds a column that no feature is called by, but from which one is computed, against being left out:
// the feature would be missing in every row, and nobody would know.
func TestOperandsAreRead(t *testing.T) {
	places := []scoring.Place{{Column: "amount", Keys: []string{"amount"}}, {Column: "opened", Keys: []string{"opened"}, Text: true}}
	rows, absent, err := csvRows(strings.NewReader("opened,amount,remark\n2026-01-02,5,x\n"), places)
	if err != nil || len(absent) != 0 {
		t.Fatal(absent, err)
	}
	c := &chunk{limit: 10}
	_ = rows.read(c) // io.EOF
	rows.render(c)
	if want := `{"opened":"2026-01-02","amount":5}`; string(c.text) != want {
		t.Errorf("the row is %s, want %s", c.text, want)
	}
}
